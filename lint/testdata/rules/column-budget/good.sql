-- lint: attributes=items:1000
SET lock_timeout = '2s';
ALTER TABLE items ADD COLUMN weight integer;
