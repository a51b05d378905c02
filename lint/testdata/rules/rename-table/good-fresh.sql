CREATE TABLE fresh (id bigint PRIMARY KEY);
ALTER TABLE fresh RENAME TO newer;
