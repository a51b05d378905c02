SELECT i.inhrelid, i.inhparent
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent
WHERE c.relkind IN ('r', 'p', 'f') AND i.inhrelid = ANY ($1::oid[]) AND i.inhparent = ANY ($1::oid[])
ORDER BY i.inhrelid, i.inhseqno
