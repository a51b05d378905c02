-- What has changed since an epoch, and the epoch as of now, in one snapshot. Times that are left are told by one clock.
SELECT e.epoch, p.tenant, coalesce(p.app, ''), p.state, p.epoch,
       extract(epoch FROM p.until - clock_timestamp())::float8, p.changed_at, p.changed_by
FROM replank.placement_epoch e LEFT JOIN replank.placement p ON p.epoch > $1
ORDER BY p.tenant
