SELECT c.oid, pg_get_viewdef(c.oid)
FROM pg_class c
WHERE c.oid = ANY ($1::oid[]) AND c.relkind IN ('v', 'm')
ORDER BY c.oid
