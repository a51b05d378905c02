SET lock_timeout = '2s';

-- Orders are looked for by their amount.
CREATE INDEX ON orders (amount);  -- and soon by more
-- replank:allow new-constraint because codes were always unique
CREATE UNIQUE INDEX IF NOT EXISTS orders_code_key ON orders USING btree (code) WHERE code IS NOT NULL;
ALTER TABLE items ADD COLUMN weight integer;
