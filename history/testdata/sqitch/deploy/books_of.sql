BEGIN;
CREATE OR REPLACE FUNCTION books_of(bigint) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(id) FROM book WHERE author_id = $1';
COMMIT;
