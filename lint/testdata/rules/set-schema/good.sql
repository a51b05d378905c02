SET lock_timeout = '2s';
CREATE SCHEMA shop;
BEGIN;
ALTER TABLE items SET SCHEMA shop;
CREATE VIEW items AS SELECT * FROM shop.items;
COMMIT;
