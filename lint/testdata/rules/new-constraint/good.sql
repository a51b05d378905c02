SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN weight integer;
ALTER TABLE orders ADD CONSTRAINT positive CHECK (weight > 0) NOT VALID;
