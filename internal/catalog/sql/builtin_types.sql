-- Every type that is not the user's own: pg_catalog's and those of extensions. Array types are left out.
SELECT n.nspname::text, t.typname::text, t.oid, t.typlen::int, t.typbyval, t.typcategory, t.typtype, t.typcollation <> 0,
       t.typstorage, format_type(t.oid, NULL)
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE (c.oid IS NULL OR c.relkind = 'c')
  AND NOT EXISTS (SELECT FROM pg_type el WHERE el.oid = t.typelem AND el.typarray = t.oid)
  AND (n.nspname = 'pg_catalog'
       OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'))
