BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE items RENAME TO articles;
CREATE VIEW items AS SELECT * FROM articles;
COMMIT;
