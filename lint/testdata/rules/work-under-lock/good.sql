SET lock_timeout = '2s';
ALTER TABLE items ADD COLUMN weight integer;
CREATE MATERIALIZED VIEW totals AS SELECT customer, sum(amount) AS amount FROM orders GROUP BY customer;
