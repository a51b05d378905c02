-- With the state of the internal triggers that enforce it: ALTER TABLE ... DISABLE TRIGGER ALL switches them off.
SELECT (pg_identify_object('pg_constraint'::regclass, k.oid, 0)).identity,
       to_jsonb(k) - '{oid,conname,connamespace,conrelid,contypid,conindid,conparentid,confrelid,conkey,confkey,conpfeqop,conppeqop,conffeqop,conexclop,conbin,confdelsetcols}'::text[]
       || jsonb_build_object(
           'definition', pg_get_constraintdef(k.oid),
           'index', nullif(k.conindid, 0)::regclass::text,
           'parent', (SELECT p.conname || ' on ' || p.conrelid::regclass FROM pg_constraint p WHERE p.oid = k.conparentid),
           'triggers', (SELECT array_agg(format('%s on %s for %s: %s%s', g.tgfoid::regproc, g.tgrelid::regclass, g.tgtype, g.tgenabled,
                                                CASE WHEN g.tginitdeferred THEN ' deferred' WHEN g.tgdeferrable THEN ' deferrable' END)
                                         ORDER BY g.tgfoid::regproc::text, g.tgrelid::regclass::text, g.tgtype, g.tgenabled)
                        FROM pg_trigger g WHERE g.tgconstraint = k.oid AND g.tgisinternal))
FROM pg_constraint k
JOIN ns ON ns.oid = k.connamespace
WHERE ('pg_class'::regclass, k.conrelid) NOT IN (SELECT classid, objid FROM ext)
  AND ('pg_type'::regclass, k.contypid) NOT IN (SELECT classid, objid FROM ext)
