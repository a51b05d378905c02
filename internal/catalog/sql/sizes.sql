-- Sizes as they are now. What has vanished meanwhile has none.
SELECT c.oid, c.relkind = 'i', coalesce(pg_relation_size(c.oid), 0),
       CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE coalesce(pg_relation_size(c.reltoastrelid), 0) END
FROM unnest($1::oid[]) s(oid)
JOIN pg_class c ON c.oid = s.oid AND c.relkind IN ('r', 'm', 'i')
