SELECT (pg_identify_object('pg_rewrite'::regclass, r.oid, 0)).identity,
       to_jsonb(r) - '{oid,rulename,ev_class,ev_qual,ev_action}'::text[]
       || jsonb_build_object('definition', CASE WHEN r.rulename <> '_RETURN' THEN pg_get_ruledef(r.oid) END)
FROM pg_rewrite r
JOIN pg_class c ON c.oid = r.ev_class
JOIN ns ON ns.oid = c.relnamespace
WHERE ('pg_class'::regclass, c.oid) NOT IN (SELECT classid, objid FROM ext)
