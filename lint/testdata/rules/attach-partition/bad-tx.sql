-- lint: tx=whole path=00042_x.sql style=goose
-- +goose Up
SET LOCAL lock_timeout = '2s';
ALTER TABLE events ATTACH PARTITION events_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
