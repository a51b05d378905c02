SELECT l.relation, l.mode
FROM pg_catalog.pg_locks l
WHERE l.pid = $1
  AND l.locktype = 'relation'
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
