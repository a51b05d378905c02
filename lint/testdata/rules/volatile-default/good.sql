SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN seen timestamptz NOT NULL DEFAULT now();
ALTER TABLE orders ADD COLUMN token uuid;
ALTER TABLE orders ALTER COLUMN token SET DEFAULT gen_random_uuid();
CREATE TABLE fresh (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
ALTER TABLE fresh ADD COLUMN token uuid DEFAULT gen_random_uuid();
