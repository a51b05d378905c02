CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_amount_idx ON orders (amount);
