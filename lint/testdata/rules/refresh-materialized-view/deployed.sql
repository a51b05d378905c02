CREATE TABLE sales (id bigint PRIMARY KEY, shop integer NOT NULL, amount integer NOT NULL);
INSERT INTO sales SELECT i, i % 10, i FROM generate_series(1, 500) AS i;
CREATE MATERIALIZED VIEW totals AS SELECT shop, sum(amount) AS amount FROM sales GROUP BY shop;
CREATE UNIQUE INDEX totals_shop_idx ON totals (shop);
INSERT INTO sales VALUES (1001, 3, 7);
