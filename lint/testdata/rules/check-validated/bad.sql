SET lock_timeout = '2s';
-- replank:allow new-constraint because the form refuses less
ALTER TABLE orders ADD CHECK (amount >= 0);
ALTER TABLE customers ADD COLUMN age integer CHECK (age > 17);
