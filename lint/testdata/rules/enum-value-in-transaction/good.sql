-- lint: tx=whole
CREATE TYPE colour AS ENUM ('red');
ALTER TYPE colour ADD VALUE 'ok';
CREATE TABLE things (id bigint PRIMARY KEY, colour colour DEFAULT 'ok');
