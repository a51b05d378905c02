ALTER TABLE accounts ADD CONSTRAINT accounts_number_key UNIQUE (number);
