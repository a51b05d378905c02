-- $1: schemas, empty = all; $2: relation OIDs, NULL = all.
SELECT c.oid, n.nspname::text, c.relname::text, c.relkind, c.relpersistence, pg_get_userbyid(c.relowner)::text,
       c.reltuples::float8, c.relpages, c.relispartition,
       coalesce(pg_get_expr(c.relpartbound, c.oid), ''),
       CASE WHEN c.relkind = 'p' THEN coalesce(pg_get_partkeydef(c.oid), '') ELSE '' END,
       c.relrowsecurity, c.relforcerowsecurity, c.relreplident,
       coalesce(c.reloptions, '{}') || coalesce(ARRAY(SELECT 'toast.' || o FROM unnest(t.reloptions) o), '{}'),
       c.relacl IS NOT NULL,
       coalesce(ts.spcname::text, ''), coalesce(am.amname::text, ''), c.reloftype <> 0, coalesce(rn.nspname::text, ''), coalesce(rt.typname::text, ''), c.relnatts::int, c.relispopulated
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class t ON t.oid = c.reltoastrelid AND t.reloptions IS NOT NULL
LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace
LEFT JOIN pg_am am ON am.oid = c.relam
LEFT JOIN pg_type rt ON rt.oid = c.reloftype
LEFT JOIN pg_namespace rn ON rn.oid = rt.typnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'replank')
  AND c.relpersistence <> 't'
  AND (cardinality($1::text[]) = 0 OR n.nspname = ANY ($1::text[]))
  AND ($2::oid[] IS NULL OR c.oid = ANY ($2::oid[]))
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e')
ORDER BY c.oid
