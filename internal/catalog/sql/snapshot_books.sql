-- Tables that may be the books of migration tools, with their columns, and whether they can be read.
SELECT n.nspname::text, c.relname::text,
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND c.relname IN ('goose_db_version', 'schema_migrations', 'flyway_schema_history', 'changes', 'django_migrations', 'alembic_version')
       OR c.relkind = 'r' AND n.nspname = 'replank' AND c.relname = 'migration'
ORDER BY 1, 2
