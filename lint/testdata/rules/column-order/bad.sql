SET lock_timeout = '2s';
ALTER TABLE stock ADD COLUMN m integer;
