-- Not in a transaction.
-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY book_title ON book (title);

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY book_title;
