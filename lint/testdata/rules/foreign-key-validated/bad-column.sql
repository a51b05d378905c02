SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN parent bigint DEFAULT 1 CONSTRAINT parent_fk REFERENCES orders DEFERRABLE;
CREATE INDEX CONCURRENTLY orders_parent_idx ON orders (parent);
