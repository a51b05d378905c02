-- lint: tx=whole path=00042_index.sql style=goose
-- +goose Up
CREATE INDEX CONCURRENTLY orders_amount_idx ON orders (amount);
-- +goose Down
DROP INDEX orders_amount_idx;
