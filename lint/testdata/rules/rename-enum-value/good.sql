CREATE TYPE colour AS ENUM ('red');
ALTER TYPE colour RENAME VALUE 'red' TO 'rouge';
