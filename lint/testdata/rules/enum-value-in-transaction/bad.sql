-- lint: tx=whole path=00042_x.sql style=goose
-- +goose Up
SET LOCAL lock_timeout = '2s';
-- replank:allow enum-value because readers show what they get
ALTER TYPE mood ADD VALUE 'ok';
ALTER TABLE customers ADD COLUMN mood mood DEFAULT 'ok';
