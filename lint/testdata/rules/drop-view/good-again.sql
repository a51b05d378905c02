BEGIN;
SET LOCAL lock_timeout = '2s';
DROP VIEW open_orders;
CREATE VIEW open_orders AS SELECT id, customer, amount FROM orders WHERE state = 'new';
COMMIT;
