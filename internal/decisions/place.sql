INSERT INTO replank.placement (tenant, app, state, epoch, until, changed_by)
VALUES ($1, nullif($2, ''), $3, $4, clock_timestamp() + $5::float8 * interval '1 second', $6)
ON CONFLICT (tenant) DO UPDATE
SET app = excluded.app, state = excluded.state, epoch = excluded.epoch, changed_by = excluded.changed_by, changed_at = clock_timestamp(),
    until = CASE WHEN excluded.state = 'moving' THEN replank.placement.until ELSE excluded.until END
