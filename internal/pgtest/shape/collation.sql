SELECT (pg_identify_object('pg_collation'::regclass, c.oid, 0)).identity,
       to_jsonb(c) - '{oid,collname,collnamespace,collowner}'::text[] || jsonb_build_object('owner', pg_get_userbyid(c.collowner))
FROM pg_collation c JOIN ns ON ns.oid = c.collnamespace
WHERE ('pg_collation'::regclass, c.oid) NOT IN (SELECT classid, objid FROM ext)
