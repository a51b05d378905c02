SELECT v.version, r.app, r.template, coalesce(r.phase, ''), r.canary, r.owner, coalesce(r.waived_because, ''), r.waived_at,
       r.waived_until, r.changed_at, r.changed_by
FROM replank.route_version v LEFT JOIN replank.route r ON true
ORDER BY r.app, r.template
