-- What there is of the user's, with the name by which a query depends on it: of an index or a constraint, that of
-- its table.
SELECT c.oid, coalesce(t.relname, c.relname)::text
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
WHERE c.oid >= 16384 AND c.relkind <> 't'
UNION ALL
SELECT k.oid, t.relname::text
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class t ON t.oid = k.conrelid
WHERE k.contype IN ('p', 'u', 'x')
UNION ALL
SELECT oid, proname::text FROM pg_catalog.pg_proc WHERE oid >= 16384
UNION ALL
SELECT oid, typname::text FROM pg_catalog.pg_type WHERE oid >= 16384 AND typrelid = 0 AND typcategory <> 'A'
UNION ALL
SELECT oid, '' FROM pg_catalog.pg_operator WHERE oid >= 16384
UNION ALL
SELECT oid, '' FROM pg_catalog.pg_cast WHERE oid >= 16384
