SET lock_timeout = '2s';
CREATE TABLE tags (a integer NOT NULL, b integer NOT NULL);
ALTER TABLE tags ADD PRIMARY KEY (a, b);
-- replank:allow new-constraint because codes were always unique
ALTER TABLE orders ADD CONSTRAINT "Once" UNIQUE (customer, code) INCLUDE (amount) DEFERRABLE INITIALLY DEFERRED;
