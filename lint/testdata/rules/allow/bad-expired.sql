SET lock_timeout = '2s';
-- replank:allow drop-column until=2026-01-31 owner=shop because nobody reads it
ALTER TABLE orders DROP COLUMN note;
