SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN twice integer GENERATED ALWAYS AS (amount * 2) STORED;
