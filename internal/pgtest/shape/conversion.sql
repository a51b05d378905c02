SELECT (pg_identify_object('pg_conversion'::regclass, c.oid, 0)).identity,
       to_jsonb(c) - '{oid,conname,connamespace,conowner}'::text[] || jsonb_build_object('owner', pg_get_userbyid(c.conowner))
FROM pg_conversion c JOIN ns ON ns.oid = c.connamespace
WHERE ('pg_conversion'::regclass, c.oid) NOT IN (SELECT classid, objid FROM ext)
