SELECT (pg_identify_object('pg_trigger'::regclass, g.oid, 0)).identity,
       to_jsonb(g) - '{oid,tgrelid,tgname,tgfoid,tgconstrrelid,tgconstrindid,tgconstraint,tgattr,tgqual,tgargs,tgparentid}'::text[]
       || jsonb_build_object(
           'definition', pg_get_triggerdef(g.oid),
           'parent', (SELECT p.tgrelid::regclass::text FROM pg_trigger p WHERE p.oid = g.tgparentid))
FROM pg_trigger g
JOIN pg_class c ON c.oid = g.tgrelid
JOIN ns ON ns.oid = c.relnamespace
WHERE NOT g.tgisinternal
