SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN next bigint REFERENCES orders;
CREATE INDEX CONCURRENTLY orders_next_idx ON orders (next);
ALTER TABLE orders ADD COLUMN parent bigint;
ALTER TABLE orders ADD CONSTRAINT parent_fk FOREIGN KEY (parent) REFERENCES orders NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT parent_fk;
CREATE INDEX CONCURRENTLY orders_parent_idx ON orders (parent);
CREATE TABLE lines (id bigint PRIMARY KEY, customer bigint REFERENCES customers);
CREATE INDEX lines_customer_idx ON lines (customer);
