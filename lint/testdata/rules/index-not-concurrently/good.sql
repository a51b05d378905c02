CREATE INDEX CONCURRENTLY orders_amount_idx ON orders (amount);
CREATE TABLE fresh (id bigint PRIMARY KEY, a integer);
CREATE INDEX fresh_a_idx ON fresh (a);
CREATE MATERIALIZED VIEW totals AS SELECT customer, sum(amount) AS amount FROM orders GROUP BY customer WITH NO DATA;
CREATE INDEX totals_amount_idx ON totals (amount);
