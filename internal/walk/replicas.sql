-- Standbys and consumers that stream from here: how far the worst is behind in bytes and in time, and how many
-- cannot be looked at for want of privilege. A base backup is no consumer.
SELECT coalesce(max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), coalesce(replay_lsn, flush_lsn, sent_lsn))), 0)::float8,
       coalesce(extract(epoch FROM max(replay_lag)), 0)::float8,
       (count(*) FILTER (WHERE state IS NULL))::bigint,
       coalesce((array_agg(application_name ORDER BY replay_lsn NULLS FIRST))[1], '')
  FROM pg_catalog.pg_stat_replication
 WHERE state IS DISTINCT FROM 'backup'
