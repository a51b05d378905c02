SET lock_timeout = '2s';
CREATE TABLE lines (id bigint PRIMARY KEY, customer bigint REFERENCES customers);
CREATE INDEX lines_customer_idx ON lines (customer);
CREATE TABLE pairs (a bigint REFERENCES customers, b integer, PRIMARY KEY (a, b));
