SELECT (pg_identify_object('pg_transform'::regclass, t.oid, 0)).identity, to_jsonb(t) - '{oid,trftype,trflang}'::text[]
FROM pg_transform t
WHERE ('pg_transform'::regclass, t.oid) NOT IN (SELECT classid, objid FROM ext)
