SET lock_timeout TO 2000;
ALTER TABLE items ADD COLUMN weight integer;
