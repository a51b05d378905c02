CREATE TABLE events (at date NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE events_default PARTITION OF events DEFAULT;
INSERT INTO events SELECT date '2025-01-01' + i, 'x' FROM generate_series(0, 300) AS i;
CREATE TABLE days (at date NOT NULL, what text) PARTITION BY RANGE (at);
