-- Dead and live rows of table $1 and everything below it, as the statistics know them. A crash or a restore loses the
-- cumulative ones; what the last VACUUM or ANALYZE counted is still there.
WITH RECURSIVE tree (oid) AS (
    SELECT $1::pg_catalog.regclass::oid
    UNION
    SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON t.oid = i.inhparent
)
SELECT coalesce(sum(pg_catalog.pg_stat_get_dead_tuples(oid)), 0)::bigint,
       coalesce(sum(greatest(pg_catalog.pg_stat_get_live_tuples(oid), reltuples)), 0)::bigint
  FROM tree JOIN pg_catalog.pg_class USING (oid)
