-- What of table $1 holds rows: itself, its partitions, its inheritance children, with their size now.
WITH RECURSIVE tree (oid) AS (
    SELECT $1::pg_catalog.regclass::oid
    UNION
    SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON t.oid = i.inhparent WHERE NOT i.inhdetachpending
)
SELECT c.oid,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
       c.relkind::text,
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid, 'main') ELSE 0 END
         / pg_catalog.current_setting('block_size')::bigint,
       greatest(c.reltuples, 0)::float8,
       c.relpages::float8
  FROM tree t
  JOIN pg_catalog.pg_class c ON c.oid = t.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 ORDER BY 1
