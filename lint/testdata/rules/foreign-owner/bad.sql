-- lint: owner=orders:django
SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN color text;
