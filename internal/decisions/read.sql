SELECT v.version, r.app, r.template, coalesce(r.phase, ''), r.canary, coalesce(r.shadow_writes, false), r.owner, coalesce(r.waived_because, ''), r.waived_at,
       r.waived_until, r.changed_at, r.changed_by,
       CASE WHEN row_number() OVER (ORDER BY r.app, r.template) = 1  -- once is enough
            THEN (SELECT jsonb_agg(w ORDER BY w.caller, w.route) FROM replank.wrong_way_waiver w) END
FROM replank.route_version v LEFT JOIN replank.route r ON true
ORDER BY r.app, r.template
