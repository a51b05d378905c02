-- The tables that pg_dump could not lock, as SQL and as its patterns write them. Before 14, to lock a parent took the
-- privilege for all of its children, too.
WITH RECURSIVE denied AS (
    SELECT c.oid
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'replank')
      AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'))
    UNION
    SELECT i.inhparent
    FROM denied d
    JOIN pg_catalog.pg_inherits i ON i.inhrelid = d.oid
    WHERE pg_catalog.current_setting('server_version_num')::int < 140000
)
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),
       '"' || pg_catalog.replace(n.nspname, '"', '""') || '"."' || pg_catalog.replace(c.relname, '"', '""') || '"'
FROM denied d
JOIN pg_catalog.pg_class c ON c.oid = d.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1
