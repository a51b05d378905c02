SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN weight integer DEFAULT 0 NOT NULL;
-- The ORM sends it.
ALTER TABLE orders ALTER COLUMN weight DROP DEFAULT;
ALTER TABLE orders ADD COLUMN height integer;
