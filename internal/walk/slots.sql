-- The replication slot that keeps most WAL: its name, the bytes it keeps, and what share of max_slot_wal_keep_size
-- is left to it (1 = no limit). A lost slot can get no worse.
SELECT s.slot_name::text,
       coalesce(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn), 0)::float8,
       CASE WHEN keep.bytes <= 0 OR s.safe_wal_size IS NULL THEN 1
            ELSE s.safe_wal_size::float8 / keep.bytes END
  FROM pg_catalog.pg_replication_slots s,
       (SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_slot_wal_keep_size')) AS bytes
         WHERE pg_catalog.current_setting('max_slot_wal_keep_size') <> '-1'
         UNION ALL
        SELECT -1 WHERE pg_catalog.current_setting('max_slot_wal_keep_size') = '-1') keep
 WHERE s.wal_status IS DISTINCT FROM 'lost' AND s.restart_lsn IS NOT NULL
 ORDER BY 3, 2 DESC
