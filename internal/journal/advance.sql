-- The only UPDATE of run.state. Zero rows: the state, the version or the lease is not what it was.
WITH held AS (
    SELECT 1 FROM replank.lease
    WHERE name = $1 AND token = $2 AND epoch = $3 AND lease_until > clock_timestamp()
    FOR KEY SHARE
), moved AS (
    UPDATE replank.run
    SET state = $7::text,
        version = version + 1,
        updated_at = clock_timestamp(),
        finished_at = CASE WHEN $8::bool THEN clock_timestamp() END,
        error = $9,
        receipt = coalesce($10::jsonb, receipt),
        intent = CASE WHEN $8::bool THEN '' ELSE intent END
    WHERE id = $4 AND version = $5 AND state = $6::text AND EXISTS (SELECT FROM held)
    RETURNING id, version
), told AS (
    INSERT INTO replank.event (run_id, kind, detail)
    SELECT id, 'state', jsonb_strip_nulls(jsonb_build_object('from', $6::text, 'to', $7::text, 'version', version,
        'epoch', $3::bigint, 'error', nullif($9::text, ''), 'detail', $11::jsonb))
    FROM moved
)
SELECT version FROM moved
