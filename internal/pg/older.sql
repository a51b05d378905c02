-- Every transaction of this database that is running now, but ours.
-- settled: it has neither written nor does it hold a snapshot at this moment,
-- so that whatever it does later, it does with a newer one.
SELECT coalesce(l.pid, 0),
       coalesce(extract(epoch FROM a.backend_start)::text, ''),
       coalesce(a.leader_pid, 0),
       '',
       coalesce(a.application_name, ''),
       coalesce(a.usename, '')::text,
       coalesce(a.backend_type, ''),
       coalesce(a.state, ''),
       coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), -1)::float8,
       '', '', true,
       coalesce(left(a.query, 1000), ''),
       false,
       l.virtualxid,
       coalesce(a.state <> '' AND a.backend_xid IS NULL AND a.backend_xmin IS NULL, false)
FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'virtualxid' AND l.granted AND l.mode = 'ExclusiveLock'
  AND l.pid <> pg_backend_pid()
  AND a.datname = current_database()
  -- a worker of autovacuum changes no row and reads none for anybody
  AND coalesce(a.backend_type, CASE WHEN a.usesysid IS NULL THEN 'autovacuum worker' END, '') <> 'autovacuum worker'
UNION ALL
SELECT 0, '', 0, p.gid, '', p.owner::text, '', '',
       extract(epoch FROM clock_timestamp() - p.prepared)::float8,
       '', '', true, '', false, 'prepared ' || p.transaction::text || ' ' || p.gid, false
FROM pg_prepared_xacts p
WHERE p.database = current_database()
