-- lint: invalid=orders_item_idx
CREATE INDEX CONCURRENTLY orders_amount_idx ON orders (amount);
