-- What the server can still take, for a check before much is written:
--   the most WAL that checkpoints leave lying about, in bytes
--   the data directory, where the role may see it and the server runs on this machine (NULL otherwise)
--   inactive slots: name, and how much more WAL may be written before the slot is given up (-1 = there is no limit)
SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_size')),
       CASE WHEN pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE')
             AND coalesce(pg_catalog.inet_server_addr() <<= ANY ('{127.0.0.0/8,::1}'::inet[]), true)
            THEN pg_catalog.current_setting('data_directory') END,
       coalesce((SELECT pg_catalog.jsonb_object_agg(slot_name, coalesce(safe_wal_size, -1))
                   FROM pg_catalog.pg_replication_slots
                  WHERE NOT active AND restart_lsn IS NOT NULL AND wal_status IS DISTINCT FROM 'lost'), '{}')
