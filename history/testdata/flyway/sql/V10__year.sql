ALTER TABLE book ADD COLUMN year integer;
-- A string that looks like more: 'VACUUM;
COMMENT ON COLUMN book.year IS '; VACUUM; ';
