CREATE TABLE fresh (id bigserial PRIMARY KEY);
CREATE TABLE codes (id integer PRIMARY KEY);
