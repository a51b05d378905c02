SET lock_timeout = '2s';
ALTER DOMAIN posint ADD CONSTRAINT posint_check CHECK (VALUE > 0);
