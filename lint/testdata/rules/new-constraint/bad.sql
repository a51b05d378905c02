SET lock_timeout = '2s';
ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID;
