CREATE OR REPLACE VIEW books_of AS
SELECT a.name, '${town}' AS town, count(*) FROM author AS a JOIN book AS b ON b.author_id = a.id GROUP BY a.name;
