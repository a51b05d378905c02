BEGIN;
CREATE FUNCTION books_of(bigint) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM book WHERE author_id = $1';
COMMIT;
