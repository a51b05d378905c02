CREATE INDEX CONCURRENTLY orders_again_idx ON orders (customer);
SELECT count(*) FROM items;
