-- An enum cannot lose a value, so it is built again: without 'legacy', with 'refunded'.
ALTER TYPE payment_status RENAME TO payment_status_old;
CREATE TYPE payment_status AS ENUM ('open', 'paid', 'failed', 'refunded');
ALTER TABLE payments ALTER COLUMN status DROP DEFAULT;
ALTER TABLE payments ALTER COLUMN status TYPE payment_status USING status::text::payment_status;
ALTER TABLE payments ALTER COLUMN status SET DEFAULT 'open';
DROP TYPE payment_status_old;
