-- Sessions of others: how many work at this moment, how many did anything within the last second, how many wait for a
-- lock that one of ours holds, how many cannot be looked at for want of privilege, the age in seconds of the oldest snapshot and whose it is. Ours are known by
-- their application_name.
WITH ours AS (
    SELECT pid FROM pg_catalog.pg_stat_activity
     WHERE pg_catalog.starts_with(application_name, pg_catalog.current_setting('application_name'))
)
SELECT (count(*) FILTER (WHERE state = 'active'
                           AND (wait_event_type IS NULL OR wait_event_type NOT IN ('Lock', 'Client', 'Timeout'))))::bigint,
       (count(*) FILTER (WHERE state = 'active' AND wait_event_type IS DISTINCT FROM 'Lock'
                            OR state_change > pg_catalog.clock_timestamp() - interval '1 second'))::bigint,
       (count(*) FILTER (WHERE wait_event_type = 'Lock'
                           AND pg_catalog.pg_blocking_pids(pid) && ARRAY(SELECT pid FROM ours)))::bigint,
       (count(*) FILTER (WHERE backend_type IS NULL))::bigint,
       coalesce(max(extract(epoch FROM pg_catalog.clock_timestamp() - xact_start)) FILTER (WHERE backend_xmin IS NOT NULL), 0)::float8,
       coalesce((array_agg(pid ORDER BY xact_start) FILTER (WHERE backend_xmin IS NOT NULL))[1], 0)
  FROM pg_catalog.pg_stat_activity
 WHERE (backend_type = 'client backend' OR backend_type IS NULL AND usesysid IS NOT NULL) AND pid NOT IN (SELECT pid FROM ours)
