SET lock_timeout = '2s';
CREATE SCHEMA shop;
ALTER TABLE items SET SCHEMA shop;
