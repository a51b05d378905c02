-- +goose NO TRANSACTION

-- +goose Up
CREATE INDEX CONCURRENTLY book_title ON book (title);
CREATE INDEX CONCURRENTLY book_author ON book (author_id);

-- +goose Down
DROP INDEX CONCURRENTLY book_title;
DROP INDEX CONCURRENTLY book_author;
