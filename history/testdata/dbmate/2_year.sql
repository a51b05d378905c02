-- migrate:up
ALTER TABLE book ADD COLUMN year integer;
-- migrate:down
ALTER TABLE book DROP COLUMN year;
