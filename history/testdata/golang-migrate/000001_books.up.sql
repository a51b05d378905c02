CREATE TABLE author (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES author, title text NOT NULL);
