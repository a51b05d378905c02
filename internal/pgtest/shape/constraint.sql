-- connoinherit is shown for CHECK and NOT NULL alone: elsewhere it only tells whether a partition's constraint was
-- made before or by its parent's. VALIDATE CONSTRAINT never reaches the rows that a foreign key to a partitioned
-- table has for each referenced partition (same table, conparentid set); pg_dump does not show them, and whether
-- they are validated means nothing: their parent says it.
-- Whether a partition's NOT NULL (18) is local as well as its parent's only tells how its primary key was made: it cannot
-- be dropped while the partition is attached, and DETACH makes it local in any case.
-- With the state of the internal triggers that enforce it: ALTER TABLE ... DISABLE TRIGGER ALL switches them off.
SELECT (pg_identify_object('pg_constraint'::regclass, k.oid, 0)).identity,
       to_jsonb(k)
       - CASE WHEN k.contype IN ('c', 'n') THEN '{}' ELSE '{connoinherit}'::text[] END
       - CASE WHEN below.it THEN '{convalidated}'::text[] ELSE '{}' END
       - CASE WHEN k.contype = 'n' AND k.coninhcount > 0 AND EXISTS (SELECT FROM pg_class c WHERE c.oid = k.conrelid AND c.relispartition)
              THEN '{conislocal}'::text[] ELSE '{}' END
       - '{oid,conname,connamespace,conrelid,contypid,conindid,conparentid,confrelid,conkey,confkey,conpfeqop,conppeqop,conffeqop,conexclop,conbin,confdelsetcols}'::text[]
       || jsonb_build_object(
           'definition', CASE WHEN below.it THEN regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') ELSE pg_get_constraintdef(k.oid) END,
           'index', nullif(k.conindid, 0)::regclass::text,
           'parent', (SELECT p.conname || ' on ' || p.conrelid::regclass FROM pg_constraint p WHERE p.oid = k.conparentid),
           'triggers', (SELECT array_agg(format('%s on %s for %s: %s%s', g.tgfoid::regproc, g.tgrelid::regclass, g.tgtype, g.tgenabled,
                                                CASE WHEN g.tginitdeferred THEN ' deferred' WHEN g.tgdeferrable THEN ' deferrable' END)
                                         ORDER BY g.tgfoid::regproc::text, g.tgrelid::regclass::text, g.tgtype, g.tgenabled)
                        FROM pg_trigger g WHERE g.tgconstraint = k.oid AND g.tgisinternal))
FROM pg_constraint k
JOIN ns ON ns.oid = k.connamespace
CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid) AS it) AS below
WHERE ('pg_class'::regclass, k.conrelid) NOT IN (SELECT classid, objid FROM ext)
  AND ('pg_type'::regclass, k.contypid) NOT IN (SELECT classid, objid FROM ext)
