-- lint: tx=whole path=00042_x.sql style=goose
-- +goose Up
SET LOCAL lock_timeout = '2s';
ALTER TABLE items ADD COLUMN weight integer;
/* Orders are looked for by their amount. */ CREATE INDEX orders_amount_idx ON orders (amount DESC);
ALTER TABLE items ADD COLUMN height integer;
