SET lock_timeout = '2s';
ALTER TABLE orders ALTER COLUMN code TYPE varchar(40);
ALTER TABLE orders ALTER COLUMN code TYPE text;
