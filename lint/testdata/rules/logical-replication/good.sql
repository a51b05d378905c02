-- lint: publication=items
SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN weight integer;
