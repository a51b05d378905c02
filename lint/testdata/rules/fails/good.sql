SET lock_timeout = '2s';
ALTER TABLE orders DROP COLUMN IF EXISTS absent;
DROP TABLE IF EXISTS absent;
DROP VIEW IF EXISTS absent;
