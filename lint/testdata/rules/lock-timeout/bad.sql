-- Weight in grams.
ALTER TABLE items ADD COLUMN weight integer;
ALTER TABLE items ADD COLUMN height integer;
