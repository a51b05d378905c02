SET lock_timeout = '2s';
CREATE DOMAIN email AS text CHECK (VALUE ~ '@');
ALTER TABLE customers ADD COLUMN second email;
