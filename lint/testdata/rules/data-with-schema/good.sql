-- lint: tx=whole
CREATE TABLE weights (item bigint PRIMARY KEY, weight integer);
INSERT INTO weights VALUES (1, 10), (2, 20);
UPDATE weights SET weight = weight + 1;
