-- lint: tx=message path=000042_amount.up.sql style=golang-migrate
SET LOCAL lock_timeout = '2s';
CREATE INDEX orders_amount_idx ON orders (amount DESC);
CREATE INDEX orders_code_idx ON orders (code);
ALTER TABLE items ADD COLUMN height integer;
