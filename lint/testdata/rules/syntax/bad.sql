SET lock_timeout = '2s';
ALTER TABEL items ADD COLUMN weight integer;
ALTER TABLE items ADD COLUMN height integer;
