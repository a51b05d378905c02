WITH held AS (
    SELECT 1 FROM replank.lease
    WHERE name = $1 AND token = $2 AND epoch = $3 AND lease_until > clock_timestamp()
    FOR KEY SHARE
)
INSERT INTO replank.range AS r (run_id, step_id, slice, lo, hi, position, rows, state, epoch)
SELECT $4, $5, $6, $7::jsonb, $8::jsonb, $9::jsonb, $10, $11, $3 FROM held
ON CONFLICT (run_id, step_id, slice) DO UPDATE
SET lo = excluded.lo, hi = excluded.hi, position = excluded.position, rows = excluded.rows,
    state = excluded.state, epoch = excluded.epoch, updated_at = clock_timestamp()
WHERE r.epoch <= excluded.epoch
