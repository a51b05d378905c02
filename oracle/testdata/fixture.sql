CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION hstore;
CREATE SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
CREATE SCHEMA billing;
CREATE TYPE state AS ENUM ('new', 'paid');
CREATE DOMAIN price AS numeric(10,2) CHECK (VALUE >= 0);
CREATE TYPE money_of AS (amount numeric, currency text);
CREATE FUNCTION taxed(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 1.2';
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.changed := now(); RETURN NEW; END';
CREATE TABLE customer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email ext.citext NOT NULL UNIQUE,
    name text NOT NULL,
    born date,
    attrs hstore,
    doc jsonb NOT NULL DEFAULT '{}'
);
CREATE TABLE item (id serial PRIMARY KEY, label varchar(40), cost price, tags text[], made timestamptz DEFAULT now());
CREATE TABLE orders (
    id int PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer,
    state state NOT NULL DEFAULT 'new',
    total numeric CHECK (total >= 0),
    note text,
    changed timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_customer ON orders (customer_id);
CREATE TRIGGER stamp BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE FUNCTION newest_order(bigint) RETURNS orders LANGUAGE sql STABLE AS 'SELECT * FROM orders WHERE customer_id = $1 ORDER BY changed DESC LIMIT 1';
CREATE TABLE event (at timestamptz NOT NULL, kind text NOT NULL, n int) PARTITION BY RANGE (at);
CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE event_rest PARTITION OF event DEFAULT;
CREATE TABLE billing.invoice (id int PRIMARY KEY, order_id int REFERENCES orders, sum money_of);
CREATE VIEW open_orders AS SELECT o.id, c.name, o.total FROM orders o JOIN customer c ON c.id = o.customer_id WHERE o.state = 'new';
CREATE VIEW taxed_orders AS SELECT id, taxed(total) AS total FROM open_orders;
CREATE MATERIALIZED VIEW per_customer AS SELECT customer_id, sum(total) AS total FROM orders GROUP BY 1;
CREATE ROLE fixture_reader;
CREATE POLICY own ON customer FOR SELECT TO fixture_reader USING (name = current_user);
CREATE TABLE django_migrations (id serial PRIMARY KEY, app text, name text, applied timestamptz);
INSERT INTO django_migrations (app, name) VALUES ('shop', '0001_initial'), ('shop', '0002_more');
CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp DEFAULT now());
INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (1, true), (2, true), (2, false);
INSERT INTO customer (email, name, doc) SELECT 'e' || i || '@example.com', 'n' || i, '{"a": [1, 2]}' FROM generate_series(1, 50) i;
INSERT INTO orders (id, customer_id, total) SELECT i, 1 + i % 50, i FROM generate_series(1, 200) i;
INSERT INTO item (label, cost) SELECT 'x', i FROM generate_series(1, 20) i;
INSERT INTO event SELECT '2026-03-01'::timestamptz + i * interval '1 day', 'k', i FROM generate_series(1, 20) i;
CREATE TABLE "Odd.Name" (id int, "a ""b" text);
