-- Publications, subscriptions and slots that see what we do in this database.
SELECT 'publication', p.pubname::text,
       p.puballtables,
       coalesce((SELECT count(*) FROM pg_publication_tables t
                 WHERE t.pubname = p.pubname AND t.schemaname <> 'replank'), 0),
       NULL::bigint, true, ''
FROM pg_publication p
UNION ALL
SELECT 'subscription', s.subname::text, false, 0, NULL, s.subenabled, ''
FROM pg_subscription s
WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL
SELECT 'slot', s.slot_name::text, false, 0,
       CASE WHEN NOT pg_is_in_recovery()
            THEN pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(s.confirmed_flush_lsn, s.restart_lsn))::bigint END,
       s.active, coalesce(s.wal_status, '')
FROM pg_replication_slots s
WHERE s.slot_type = 'logical' AND s.database = current_database()
ORDER BY 1, 2
