SELECT nspname::text
FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'replank')
ORDER BY nspname
