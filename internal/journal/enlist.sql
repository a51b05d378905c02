WITH held AS (
    SELECT 1 FROM replank.lease
    WHERE name = $1 AND token = $2 AND epoch = $3 AND lease_until > clock_timestamp()
    FOR KEY SHARE
)
INSERT INTO replank.backend (pid, backend_start, lease, epoch, run_id)
SELECT pid, extract(epoch FROM backend_start)::text, $1, $3, $4
FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())
WHERE EXISTS (SELECT FROM held)
ON CONFLICT (pid, backend_start) DO UPDATE SET epoch = excluded.epoch
RETURNING pid
