SET lock_timeout = '2s';
-- replank:allow not-null because the form asks for it
ALTER TABLE orders ALTER COLUMN amount SET NOT NULL;
