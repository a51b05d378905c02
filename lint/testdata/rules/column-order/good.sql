CREATE TABLE other (id bigint PRIMARY KEY);
ALTER TABLE other ADD COLUMN m integer;
