DROP INDEX CONCURRENTLY IF EXISTS orders_amount_idx;
CREATE INDEX CONCURRENTLY orders_amount_idx ON orders (amount);
CREATE TABLE IF NOT EXISTS fresh (id bigint PRIMARY KEY);
