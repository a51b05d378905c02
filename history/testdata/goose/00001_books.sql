-- The first tables.
-- +goose Up
CREATE TABLE author (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE book (
    id bigint PRIMARY KEY,
    author_id bigint NOT NULL REFERENCES author, -- ends with a comment;
    title text NOT NULL
);

-- +goose Down
DROP TABLE book;
DROP TABLE author;
