SET lock_timeout = '2s';
-- The key of another system.
ALTER TABLE orders ALTER COLUMN amount TYPE bigint;
