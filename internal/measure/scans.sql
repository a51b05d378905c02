SELECT relid, pg_catalog.sum(begun)::bigint, pg_catalog.sum(n)::bigint
FROM (
    SELECT relid, coalesce(seq_scan, 0) AS begun, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS n
    FROM pg_catalog.pg_stat_xact_all_tables
) s
GROUP BY relid
