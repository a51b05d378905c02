-- Who holds or awaits a lock that conflicts with the asked ones?
-- $1: [{rel, solely, modes}], $2: our pid
WITH RECURSIVE asked AS (
    SELECT to_regclass(a.rel)::oid AS oid, a.solely, a.modes
    FROM jsonb_to_recordset($1::jsonb) AS a(rel text, solely bool, modes text[])
), tree AS (
    SELECT oid, solely, modes FROM asked WHERE oid IS NOT NULL
    UNION
    SELECT i.inhrelid, t.solely, t.modes FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid WHERE NOT t.solely
)
SELECT DISTINCT ON (l.virtualtransaction)
       coalesce(l.pid, 0),
       coalesce(extract(epoch FROM a.backend_start)::text, ''),
       coalesce(a.leader_pid, 0),
       coalesce(p.gid, ''),
       coalesce(a.application_name, ''),
       coalesce(a.usename, p.owner, '')::text,
       -- what we may not see: a backend of a database without a user is an autovacuum worker
       coalesce(a.backend_type, CASE WHEN a.pid IS NOT NULL AND a.usesysid IS NULL THEN 'autovacuum worker' END, ''),
       coalesce(a.state, ''),
       coalesce(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared)), -1)::float8,
       l.relation::regclass::text,
       l.mode,
       l.granted,
       coalesce(left(a.query, 1000), ''),
       coalesce(a.backend_type = 'autovacuum worker' AND a.query LIKE '%(to prevent wraparound)', false),
       l.virtualtransaction
FROM tree t
JOIN pg_locks l ON l.locktype = 'relation' AND l.relation = t.oid AND l.mode = ANY (t.modes)
     AND l.database IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
-- a prepared transaction has no pid; it is known by the lock on its own xid
LEFT JOIN pg_locks x ON l.pid IS NULL AND x.pid IS NULL AND x.locktype = 'transactionid' AND x.granted
     AND x.virtualtransaction = l.virtualtransaction
LEFT JOIN pg_prepared_xacts p ON p.transaction = x.transactionid
WHERE coalesce(l.pid, 0) <> $2 AND coalesce(a.leader_pid, 0) <> $2
ORDER BY l.virtualtransaction, l.granted DESC, l.relation
