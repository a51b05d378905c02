SET lock_timeout = '2s';
ALTER TABLE customers ADD COLUMN age integer;
ALTER TABLE customers ADD CONSTRAINT adult CHECK (age > 17) NOT VALID;
ALTER TABLE customers VALIDATE CONSTRAINT adult;
