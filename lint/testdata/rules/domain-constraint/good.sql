SET lock_timeout = '2s';
ALTER DOMAIN posint ADD CONSTRAINT posint_check CHECK (VALUE > 0) NOT VALID;
ALTER DOMAIN unused ADD CONSTRAINT unused_check CHECK (VALUE > 0);
