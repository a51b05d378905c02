SELECT v.version, r.app, r.template, coalesce(r.phase, ''), r.canary, coalesce(r.shadow_writes, false), r.owner, coalesce(r.waived_because, ''), r.waived_at,
       r.waived_until, r.changed_at, r.changed_by
FROM replank.route_version v LEFT JOIN replank.route r ON true
ORDER BY r.app, r.template
