-- The names of what a migration has made or changed: rows of the catalogs that a transaction from $1 on has written.
-- An empty name stands for what any query may rest on.
WITH tables AS MATERIALIZED (
    SELECT attrelid AS oid FROM pg_catalog.pg_attribute WHERE xmin::text::int8 >= $1
    UNION SELECT conrelid FROM pg_catalog.pg_constraint WHERE xmin::text::int8 >= $1
    UNION SELECT indrelid FROM pg_catalog.pg_index WHERE xmin::text::int8 >= $1
    UNION SELECT ev_class FROM pg_catalog.pg_rewrite WHERE xmin::text::int8 >= $1
    UNION SELECT oid FROM pg_catalog.pg_class WHERE xmin::text::int8 >= $1
), rows AS MATERIALIZED (
    -- The types of their rows, which columns and results of functions may have.
    SELECT pg_catalog.unnest(ARRAY[y.oid, y.typarray]) AS oid FROM pg_catalog.pg_type y WHERE y.typrelid IN (SELECT oid FROM tables)
)
SELECT relname::text FROM pg_catalog.pg_class WHERE oid IN (SELECT oid FROM tables)
    OR oid IN (SELECT attrelid FROM pg_catalog.pg_attribute WHERE atttypid IN (SELECT oid FROM rows WHERE oid <> 0))
UNION SELECT proname::text FROM pg_catalog.pg_proc WHERE prorettype IN (SELECT oid FROM rows WHERE oid <> 0)
UNION SELECT proname::text FROM pg_catalog.pg_proc WHERE xmin::text::int8 >= $1
UNION SELECT typname::text FROM pg_catalog.pg_type WHERE xmin::text::int8 >= $1
UNION SELECT '' FROM pg_catalog.pg_operator WHERE xmin::text::int8 >= $1
UNION SELECT '' FROM pg_catalog.pg_cast WHERE xmin::text::int8 >= $1
UNION SELECT '' FROM pg_catalog.pg_namespace WHERE xmin::text::int8 >= $1
UNION SELECT '' FROM pg_catalog.pg_extension WHERE xmin::text::int8 >= $1
UNION SELECT '' FROM pg_catalog.pg_collation WHERE xmin::text::int8 >= $1
UNION SELECT '' FROM pg_catalog.pg_ts_config WHERE xmin::text::int8 >= $1
