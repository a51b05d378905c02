SET lock_timeout = '2s';
BEGIN;
ALTER TABLE items ADD COLUMN weight integer;
CREATE INDEX CONCURRENTLY orders_amount_idx ON orders (amount);
COMMIT;
