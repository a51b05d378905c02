-- lint: tx=whole path=00042_x.sql style=goose
-- +goose Up
SET LOCAL lock_timeout = '2s';
ALTER TABLE items ADD COLUMN weight integer;
CREATE INDEX CONCURRENTLY orders_amount_idx ON orders (amount);
