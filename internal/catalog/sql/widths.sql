-- $1: schemas. Only what the role may read shows here. The view is a security barrier: of all conditions only equality of
-- names (leakproof) comes before its own, which ask for the privileges of each column.
SELECT schemaname::text, tablename::text, attname::text, avg_width, null_frac::float8
FROM pg_stats
WHERE schemaname = ANY ($1::name[])
ORDER BY inherited
