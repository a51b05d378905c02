SET lock_timeout = '2s';
-- replank:allow new-constraint because notes were always unique
ALTER TABLE orders ADD CONSTRAINT apart EXCLUDE (note WITH =);
