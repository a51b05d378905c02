WITH now AS (
    INSERT INTO replank.wrong_way_waiver (caller, route, because, until, by) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (caller, route) DO UPDATE
    SET because = excluded.because, until = excluded.until, by = excluded.by, at = excluded.at
)
UPDATE replank.route_version SET version = version + 1 RETURNING version
