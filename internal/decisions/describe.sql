-- Owner and waiver: what is not given stays.
WITH now AS (
    INSERT INTO replank.route AS r (app, template, owner, waived_because, waived_at, waived_until, changed_by)
    VALUES ($1, $2, coalesce($3, ''), nullif($4, ''), CASE WHEN $4 <> '' THEN current_date END, $5, $6)
    ON CONFLICT (app, template) DO UPDATE
    SET owner = coalesce($3, r.owner),
        waived_because = CASE WHEN $4::text IS NULL THEN r.waived_because ELSE excluded.waived_because END,
        waived_at = CASE WHEN $4::text IS NULL THEN r.waived_at ELSE excluded.waived_at END,
        waived_until = CASE WHEN $4::text IS NULL THEN r.waived_until ELSE excluded.waived_until END,
        changed_by = excluded.changed_by, changed_at = clock_timestamp()
)
UPDATE replank.route_version SET version = version + 1 RETURNING version
