-- $1: schemas, empty = all.
SELECT p.oid, n.nspname::text, p.proname::text, p.oid::regprocedure::text,
       CASE WHEN p.prokind = 'a' THEN '' ELSE coalesce(pg_get_functiondef(p.oid), '') END,
       p.prokind, p.provolatile, l.lanname::text, coalesce(p.prosrc, ''), pg_get_userbyid(p.proowner)::text, p.proacl IS NOT NULL
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'replank')
  AND (cardinality($1::text[]) = 0 OR n.nspname = ANY ($1::text[]))
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY p.oid
