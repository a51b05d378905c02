SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN weight integer NOT NULL DEFAULT 7;
CREATE TABLE fresh (id bigint PRIMARY KEY);
ALTER TABLE fresh ADD COLUMN weight integer NOT NULL;
