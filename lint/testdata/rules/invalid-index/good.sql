-- lint: invalid=orders_item_idx
DROP INDEX CONCURRENTLY orders_item_idx;
CREATE INDEX CONCURRENTLY orders_item_idx ON orders (item);
