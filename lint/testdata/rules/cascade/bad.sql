SET lock_timeout = '2s';
-- replank:allow drop-table because nobody reads it
DROP TABLE items CASCADE;
