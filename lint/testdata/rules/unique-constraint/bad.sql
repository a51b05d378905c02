SET lock_timeout = '2s';
-- replank:allow new-constraint because codes were always unique
ALTER TABLE orders ADD UNIQUE (code);
