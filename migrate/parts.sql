-- Which of $1 are still partitions? What is '' needs none.
SELECT p.name = '' OR EXISTS (
    SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = pg_catalog.to_regclass(p.name) AND NOT i.inhdetachpending)
  FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS p (name, ord)
 ORDER BY p.ord
