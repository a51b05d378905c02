SELECT i.indexrelid, n.nspname::text, c.relname::text, i.indrelid, coalesce(pg_get_indexdef(i.indexrelid), ''), am.amname::text,
       i.indisunique, i.indisprimary, i.indisexclusion, i.indisvalid, i.indisready, i.indimmediate, i.indisclustered,
       i.indisreplident, {{indnullsnotdistinct}}, i.indkey::int2[], i.indnkeyatts::int,
       coalesce(pg_get_expr(i.indpred, i.indrelid), ''), coalesce(con.conname::text, ''),
       coalesce(pn.nspname::text, ''), coalesce(p.relname::text, ''), c.relkind = 'I',
       coalesce(c.reloptions, '{}'), coalesce(ts.spcname::text, ''), c.relpages,
       CASE WHEN i.indexprs IS NULL AND i.indpred IS NULL THEN '{}'::int[] ELSE
            ARRAY(SELECT DISTINCT d.refobjsubid FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.objsubid = 0
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0
                  ORDER BY 1) END,
       CASE WHEN i.indexprs IS NULL THEN '{}'::int[] ELSE
            ARRAY(SELECT a.attnum::int FROM pg_attribute a
                  WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0 ORDER BY 1) END,
       CASE WHEN i.indexprs IS NULL THEN '{}'::int[] ELSE
            ARRAY(SELECT a.attstattarget::int FROM pg_attribute a
                  WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0 ORDER BY a.attnum) END
FROM unnest($1::oid[]) s(oid)
JOIN pg_index i ON i.indrelid = s.oid
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_am am ON am.oid = c.relam
LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace
LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
LEFT JOIN pg_class p ON p.oid = h.inhparent
LEFT JOIN pg_namespace pn ON pn.oid = p.relnamespace
LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid AND con.conrelid = i.indrelid AND con.contype IN ('p', 'u', 'x')
ORDER BY i.indrelid, c.relname
