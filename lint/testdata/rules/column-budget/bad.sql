-- lint: attributes=items:1500
SET lock_timeout = '2s';
ALTER TABLE items ADD COLUMN weight integer;
