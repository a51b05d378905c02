CREATE INDEX CONCURRENTLY orders_again_idx ON orders (customer);
DROP INDEX CONCURRENTLY orders_again_idx;
