CREATE TABLE fresh (id bigint PRIMARY KEY, a integer);
INSERT INTO fresh VALUES (1, 2);
UPDATE fresh SET a = 3;
UPDATE orders SET note = 'x' WHERE id = 17;
