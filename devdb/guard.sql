-- What tells a server for development from one that people live on.
SELECT current_setting('server_version_num')::int AS version,
       pg_is_in_recovery() AS standby,
       current_setting('archive_mode') AS archive_mode,
       current_setting('synchronous_standby_names') AS synchronous,
       ARRAY(SELECT slot_name::text FROM pg_replication_slots ORDER BY 1) AS slots,
       (SELECT count(*) FROM pg_stat_replication) AS standbys,
       ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin', 'alloydbsuperuser') ORDER BY 1) AS managed,
       coalesce((SELECT pg_database_size(oid) FROM pg_database WHERE datname = $1), 0) AS bytes,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS transactions
