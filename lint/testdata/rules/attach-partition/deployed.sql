CREATE TABLE events (at date NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 (at date NOT NULL, what text);
INSERT INTO events_2026 SELECT date '2026-01-01' + i, 'x' FROM generate_series(0, 300) AS i;
