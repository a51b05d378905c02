-- lint: owner=orders:alembic
SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN color text;
