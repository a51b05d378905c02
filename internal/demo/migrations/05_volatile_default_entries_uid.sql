ALTER TABLE entries ADD COLUMN uid uuid NOT NULL DEFAULT gen_random_uuid();
