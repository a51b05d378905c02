-- lint: owner=orders:django
SET lock_timeout = '2s';
ALTER TABLE items ADD COLUMN color text;
UPDATE orders SET note = '' WHERE id = 1;
