-- lint: server=18 tx=whole path=00042_x.sql style=goose
-- +goose Up
SET LOCAL lock_timeout = '2s';
-- replank:allow not-null because the form asks for it
ALTER TABLE orders ALTER amount SET NOT NULL;
