BEGIN;
CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES author, title text NOT NULL);
COMMIT;
