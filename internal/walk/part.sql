-- The name that relation $1 has now, as long as it is table $2 or a part of it.
WITH RECURSIVE up (oid) AS (
    SELECT $1::pg_catalog.oid
    UNION
    SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN up ON up.oid = i.inhrelid WHERE NOT i.inhdetachpending
)
SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = $1::pg_catalog.oid AND EXISTS (SELECT FROM up WHERE oid = $2::pg_catalog.regclass)
