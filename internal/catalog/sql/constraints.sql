-- $1: relation OIDs. Left out are the twins that a foreign key to a partitioned table keeps for each partition
-- on the same referencing table: nobody can alter or drop them.
SELECT c.oid, c.conname::text, c.conrelid, c.contypid, c.contype, coalesce(c.conkey, '{}')::int2[],
       coalesce(pg_get_constraintdef(c.oid), ''), c.convalidated, c.connoinherit, c.coninhcount::int, c.conislocal,
       c.condeferrable, c.condeferred, coalesce(i.relname::text, ''), c.confrelid,
       coalesce(rn.nspname::text, ''), coalesce(r.relname::text, ''),
       coalesce(CASE WHEN c.confrelid <> 0 THEN
            ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY k(n, o)
                  JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.n ORDER BY k.o) END, '{}'),
       c.conparentid, NOT {{conenforced}}
FROM pg_constraint c
LEFT JOIN pg_class i ON i.oid = c.conindid
LEFT JOIN pg_class r ON r.oid = c.confrelid
LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
LEFT JOIN pg_constraint pc ON pc.oid = c.conparentid
WHERE (c.conrelid = ANY ($1::oid[]) OR c.contypid = ANY ($2::oid[])) AND c.contype <> 't'
  AND (pc.oid IS NULL OR pc.conrelid <> c.conrelid)
ORDER BY c.conrelid, c.contypid, c.conname, c.oid
