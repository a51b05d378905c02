SET lock_timeout = '2s';
-- replank:allow new-constraint because the application never writes another item
ALTER TABLE orders ADD FOREIGN KEY (item) REFERENCES items (id) ON DELETE SET NULL;
