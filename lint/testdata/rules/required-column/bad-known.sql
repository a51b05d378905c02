SET lock_timeout = '2s';
-- replank: fill weight = 7
ALTER TABLE orders ADD COLUMN weight integer NOT NULL;
