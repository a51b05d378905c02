-- lint: tx=whole path=00042_weight.sql style=goose
-- +goose Up
-- Weight in grams.
ALTER TABLE items ADD COLUMN weight integer;
-- +goose Down
ALTER TABLE items DROP COLUMN weight;
