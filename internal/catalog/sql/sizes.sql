-- pg_relation_size takes ACCESS SHARE for a moment and would wait behind an ACCESS EXCLUSIVE lock, or behind
-- somebody who waits for one. Such relations keep the size that their last VACUUM or ANALYZE noted.
WITH locked AS MATERIALIZED (
    SELECT DISTINCT l.relation FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT c.oid, c.relkind IN ('i', 'I'),
       CASE WHEN l.relation IS NULL THEN coalesce(pg_relation_size(c.oid), 0)
            ELSE c.relpages * current_setting('block_size')::bigint END,
       CASE WHEN c.reltoastrelid = 0 THEN 0
            WHEN l.relation IS NULL THEN coalesce(pg_relation_size(c.reltoastrelid), 0)
            ELSE (SELECT t.relpages FROM pg_class t WHERE t.oid = c.reltoastrelid) * current_setting('block_size')::bigint END
FROM unnest($1::oid[]) s(oid)
JOIN pg_class c ON c.oid = s.oid AND c.relkind IN ('r', 'm', 'i')
LEFT JOIN locked l ON l.relation = c.oid
