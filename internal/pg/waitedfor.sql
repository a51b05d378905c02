-- The backends that block backend $1.
SELECT coalesce(a.pid, b.pid, 0),
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
       coalesce(a.backend_type = 'autovacuum worker' AND a.query LIKE '%(to prevent wraparound)', false),
       ''
FROM (SELECT DISTINCT unnest(pg_blocking_pids($1)) AS pid) b
LEFT JOIN pg_stat_activity a ON a.pid = b.pid
ORDER BY 1
