-- lint: tx=whole path=00042_x.sql style=goose
-- +goose Up
CREATE INDEX by_value ON measures (value, place DESC);
