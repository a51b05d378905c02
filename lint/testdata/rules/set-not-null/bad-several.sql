-- lint: tx=whole path=00042_x.sql style=goose
-- +goose Up
SET LOCAL lock_timeout = '2s';
-- replank:allow not-null because the form asks for it
ALTER TABLE orders ALTER COLUMN amount SET NOT NULL, ALTER COLUMN code SET NOT NULL, ALTER COLUMN code SET DEFAULT '';
