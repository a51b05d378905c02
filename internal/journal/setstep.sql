-- The only UPDATE of step.state.
WITH held AS (
    SELECT 1 FROM replank.lease
    WHERE name = $1 AND token = $2 AND epoch = $3 AND lease_until > clock_timestamp()
    FOR KEY SHARE
), moved AS (
    UPDATE replank.step
    SET state = $7::text,
        attempts = attempts + CASE WHEN $7::text = 'running' THEN 1 ELSE 0 END,
        started_at = CASE WHEN $7::text = 'running' THEN coalesce(started_at, clock_timestamp()) ELSE started_at END,
        finished_at = CASE WHEN $7::text IN ('pending', 'running', 'reversing') THEN NULL ELSE clock_timestamp() END,
        error = $8,
        detail = coalesce($9::jsonb, detail)
    WHERE run_id = $4 AND seq = $5 AND state = $6::text AND EXISTS (SELECT FROM held)
    RETURNING run_id, seq, id, attempts
), told AS (
    INSERT INTO replank.event (run_id, kind, detail)
    SELECT run_id, 'step', jsonb_strip_nulls(jsonb_build_object('seq', seq, 'step', id, 'from', $6::text,
        'to', $7::text, 'attempts', attempts, 'error', nullif($8::text, ''), 'detail', $9::jsonb))
    FROM moved
)
SELECT attempts FROM moved
