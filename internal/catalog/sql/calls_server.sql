-- Now, since when the server runs, and how many standbys read beside it.
SELECT pg_catalog.clock_timestamp(), pg_catalog.pg_postmaster_start_time(), (SELECT count(*) FROM pg_stat_replication)::int4
