-- lint: tx=whole path=00042_x.sql style=goose
-- +goose Up
SET LOCAL lock_timeout = '2s';
BEGIN;
ALTER TABLE items ADD COLUMN weight integer;
COMMIT;
