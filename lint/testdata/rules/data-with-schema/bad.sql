-- lint: tx=whole path=00042_x.sql style=goose
-- +goose Up
SET LOCAL lock_timeout = '2s';
ALTER TABLE items ADD COLUMN weight integer;
-- replank:allow bulk-write because there are fifty items
UPDATE items SET weight = 1;
