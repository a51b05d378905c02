CREATE TABLE stock (id bigint PRIMARY KEY, n integer);
CREATE FUNCTION put() RETURNS void LANGUAGE sql AS 'INSERT INTO stock VALUES (1, 2)';
