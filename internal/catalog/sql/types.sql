-- $1: schemas, empty = all. Row types of tables and array types are left out.
SELECT t.oid, n.nspname::text, t.typname::text, t.typtype,
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder),
       CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod)
                      WHEN 'r' THEN (SELECT format_type(r.rngsubtype, NULL) FROM pg_range r WHERE r.rngtypid = t.oid)
                      WHEN 'm' THEN (SELECT format_type(r.rngtypid, NULL) FROM pg_range r WHERE {{rngmultitypid}} = t.oid)
                      ELSE '' END,
       t.typnotnull, coalesce(t.typdefault, ''),
       CASE WHEN t.typdefaultbin IS NULL THEN false ELSE EXISTS (
            SELECT FROM unnest(string_to_array(t.typdefaultbin::text, 'funcid ')) WITH ORDINALITY f(rest, o)
            WHERE o > 1 AND split_part(rest, ' ', 1) = ANY (ARRAY(SELECT oid::text FROM pg_proc WHERE provolatile = 'v'))) END,
       pg_get_userbyid(t.typowner)::text, t.typacl IS NOT NULL,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = t.typrelid AND t.typrelid <> 0 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       ARRAY(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
             WHERE a.attrelid = t.typrelid AND t.typrelid <> 0 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'replank')
  AND t.typtype IN ('e', 'd', 'c', 'r', 'm', 'b')
  AND (c.oid IS NULL OR c.relkind = 'c')
  AND NOT EXISTS (SELECT FROM pg_type el WHERE el.oid = t.typelem AND el.typarray = t.oid)
  AND (cardinality($1::text[]) = 0 OR n.nspname = ANY ($1::text[]))
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
ORDER BY t.oid
