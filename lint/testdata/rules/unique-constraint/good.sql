SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN reference text;
CREATE UNIQUE INDEX CONCURRENTLY orders_reference_key ON orders (reference);
ALTER TABLE orders ADD CONSTRAINT orders_reference_key UNIQUE USING INDEX orders_reference_key;
