SET lock_timeout = '2s';
CREATE TABLE lines (id bigint PRIMARY KEY, customer bigint REFERENCES customers);
