SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN weight integer NOT NULL;
