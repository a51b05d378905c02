CREATE INDEX CONCURRENTLY orders_both_idx ON orders (customer, item);
DROP INDEX CONCURRENTLY orders_customer_idx;
