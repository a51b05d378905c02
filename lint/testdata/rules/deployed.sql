CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL);
INSERT INTO customers (email) SELECT 'c' || i || '@example.com' FROM generate_series(1, 200) AS i;
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer bigint NOT NULL REFERENCES customers,
    item bigint,
    note text,
    code varchar(20),
    amount integer,
    state text NOT NULL DEFAULT 'new',
    at timestamptz NOT NULL DEFAULT '2026-01-01'
);
CREATE INDEX orders_customer_idx ON orders (customer);
CREATE INDEX orders_item_idx ON orders (item);
INSERT INTO orders (customer, item, note, code, amount)
    SELECT 1 + i % 200, 1 + i % 50, 'note ' || i, 'k' || i, i FROM generate_series(1, 1000) AS i;
CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL);
INSERT INTO items SELECT i, 'item ' || i FROM generate_series(1, 50) AS i;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE measures (at date NOT NULL, place integer, value integer) PARTITION BY RANGE (at);
CREATE TABLE measures_2025 PARTITION OF measures FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE measures_2026 PARTITION OF measures FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (place);
CREATE TABLE measures_2026_1 PARTITION OF measures_2026 FOR VALUES IN (1);
INSERT INTO measures SELECT date '2025-06-01' + i, 1, i FROM generate_series(1, 400) AS i;
CREATE VIEW open_orders AS SELECT id, customer FROM orders WHERE state = 'new';
