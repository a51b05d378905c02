SELECT quote_ident(a.amname), to_jsonb(a) - '{oid,amname}'::text[]
FROM pg_am a WHERE a.oid >= 16384 AND ('pg_am'::regclass, a.oid) NOT IN (SELECT classid, objid FROM ext)
