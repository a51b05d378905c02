-- Which of $1 are still partitions, and the tables $2 that they were? What is '' needs none; 0 is not known.
SELECT p.name = '' OR EXISTS (
    SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = pg_catalog.to_regclass(p.name) AND NOT i.inhdetachpending
       AND p.was IN (i.inhrelid, 0))
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::oid[])) WITH ORDINALITY AS p (name, was, ord)
 ORDER BY p.ord
