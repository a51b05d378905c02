-- The user's tables and materialized views with their quoted columns by name; $1: schemas, $2: columns to leave out.
SELECT c.oid::regclass::text AS name,
       coalesce(array_agg(quote_ident(a.attname) ORDER BY a.attname COLLATE "C")
                FILTER (WHERE a.attname IS NOT NULL AND c.oid::regclass::text || '.' || quote_ident(a.attname) <> ALL (coalesce($2::text[], '{}'))), '{}') AS columns
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'm') AND c.relispopulated
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> ALL ($1::text[])
GROUP BY c.oid
ORDER BY c.oid::regclass::text COLLATE "C"
