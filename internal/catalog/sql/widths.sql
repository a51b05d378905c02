-- Only what the role may read shows here.
SELECT schemaname::text, tablename::text, attname::text, avg_width, null_frac::float8
FROM pg_stats
WHERE schemaname !~ '^pg_' AND schemaname NOT IN ('information_schema', 'replank')
  AND (cardinality($1::text[]) = 0 OR schemaname = ANY ($1::text[]))
ORDER BY inherited
