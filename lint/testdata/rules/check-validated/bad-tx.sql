-- lint: tx=whole path=V42__checks.sql style=flyway
SET LOCAL lock_timeout = '2s';
-- replank:allow new-constraint because the form refuses less
ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount >= 0), ADD COLUMN paid boolean;
