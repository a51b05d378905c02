SELECT (pg_identify_object('pg_cast'::regclass, c.oid, 0)).identity,
       to_jsonb(c) - '{oid,castsource,casttarget,castfunc}'::text[] || jsonb_build_object('function', nullif(c.castfunc, 0)::regprocedure::text)
FROM pg_cast c
WHERE c.oid >= 16384 AND ('pg_cast'::regclass, c.oid) NOT IN (SELECT classid, objid FROM ext)
