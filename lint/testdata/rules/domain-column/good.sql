SET lock_timeout = '2s';
CREATE DOMAIN name AS text;
ALTER TABLE customers ADD COLUMN second name;
