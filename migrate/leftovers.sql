-- Objects that bear our prefix, or run a function of ours: what, and the relation they stand on or are.
SELECT format('trigger %s on %s', quote_ident(t.tgname), t.tgrelid::regclass), n.nspname::text, c.relname::text
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND (starts_with(t.tgname, '_replank_')
    OR t.tgfoid IN (SELECT oid FROM pg_catalog.pg_proc WHERE pronamespace = to_regnamespace('replank')))
  AND n.nspname <> 'replank'
UNION ALL
SELECT format('column %s of %s', quote_ident(a.attname), c.oid::regclass), n.nspname::text, c.relname::text
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE starts_with(a.attname, '_replank_') AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND n.nspname <> 'replank'
UNION ALL
SELECT format('constraint %s of %s', quote_ident(k.conname), c.oid::regclass), n.nspname::text, c.relname::text
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE starts_with(k.conname, '_replank_') AND n.nspname <> 'replank'
UNION ALL
SELECT format('%s %s', CASE WHEN c.relkind IN ('i', 'I') THEN 'index' ELSE 'relation' END, c.oid::regclass),
       n.nspname::text, coalesce(t.relname, c.relname)::text
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
WHERE starts_with(c.relname, '_replank_') AND n.nspname <> 'replank'
ORDER BY 1
