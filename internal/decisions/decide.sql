WITH before AS (
    SELECT phase FROM replank.route WHERE app = $1 AND template = $2
), now AS (
    INSERT INTO replank.route (app, template, phase, canary, shadow_writes, changed_by)
    VALUES ($1, $2, nullif($3, ''), $4, $7, $5)
    ON CONFLICT (app, template) DO UPDATE
    SET phase = excluded.phase, canary = excluded.canary, shadow_writes = excluded.shadow_writes, changed_by = excluded.changed_by, changed_at = clock_timestamp()
), version AS (
    UPDATE replank.route_version SET version = version + 1 RETURNING version
)
INSERT INTO replank.route_event (version, app, template, before, after, because, by)
SELECT version, $1, $2, (SELECT phase FROM before), nullif($3, ''), $6, $5 FROM version
RETURNING version, coalesce(before, '')
