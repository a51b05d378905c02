-- $1: schemas, empty = all.
SELECT c.oid, n.nspname::text, c.relname::text, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
       s.seqcache, s.seqcycle, coalesce(tn.nspname::text, ''), coalesce(t.relname::text, ''), coalesce(a.attname::text, ''),
       coalesce(d.deptype = 'i', false), pg_get_userbyid(c.relowner)::text, c.relacl IS NOT NULL, c.relpersistence,
       coalesce((SELECT array_agg(pg_describe_object(u.classid, u.objid, u.objsubid) ORDER BY u.classid, u.objid)
                 FROM pg_depend u
                 WHERE d.deptype = 'i' AND u.refclassid = 'pg_class'::regclass AND u.refobjid = c.oid AND u.deptype = 'n'
                   AND u.classid <> 'pg_attrdef'::regclass), '{}')
FROM pg_sequence s
JOIN pg_class c ON c.oid = s.seqrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
                     AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
LEFT JOIN pg_class t ON t.oid = d.refobjid
LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'replank') AND c.relpersistence <> 't'
  AND (cardinality($1::text[]) = 0 OR n.nspname = ANY ($1::text[]))
  AND NOT EXISTS (SELECT FROM pg_depend e
                  WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.objsubid = 0 AND e.deptype = 'e')
ORDER BY c.oid
