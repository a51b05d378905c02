SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN paid boolean;
ALTER TABLE orders DROP COLUMN paid;
CREATE TABLE fresh (id bigint PRIMARY KEY, a integer);
ALTER TABLE fresh DROP COLUMN a;
