CREATE TABLE stock (id bigint PRIMARY KEY, n integer, m integer);
CREATE FUNCTION total() RETURNS bigint LANGUAGE sql AS 'SELECT sum(n) FROM stock';
