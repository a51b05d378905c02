CREATE DOMAIN posint AS integer;
CREATE TABLE stock (id bigint PRIMARY KEY, n posint);
INSERT INTO stock SELECT i, i FROM generate_series(1, 100) AS i;
CREATE DOMAIN unused AS integer;
