-- lint: tx=whole
SET LOCAL lock_timeout = '2s';
ALTER TABLE items ADD COLUMN weight integer;
ALTER TABLE items ADD COLUMN height integer;
CREATE TABLE fresh (id bigint PRIMARY KEY);
ALTER TABLE fresh ADD COLUMN weight integer;
