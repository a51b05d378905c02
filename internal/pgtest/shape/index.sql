-- Left out of pg_index: indcheckxmin, which says only that old snapshots must not use it yet.
SELECT (pg_identify_object('pg_class'::regclass, c.oid, 0)).identity,
       to_jsonb(i) - '{indexrelid,indrelid,indkey,indcollation,indclass,indoption,indexprs,indpred,indcheckxmin}'::text[]
       || jsonb_build_object(
           'table', i.indrelid::regclass::text,
           'definition', pg_get_indexdef(c.oid),
           'kind', c.relkind, 'persistence', c.relpersistence,
           'owner', pg_get_userbyid(c.relowner),
           'tablespace', ts.spcname,
           'options', (SELECT array_agg(o ORDER BY o) FROM unnest(c.reloptions) o),
           'parent', (SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = c.oid),
           'columns', (SELECT array_agg(format('%s statistics %s options %s', a.attname, coalesce(nullif(a.attstattarget, -1)::text, 'default'), a.attoptions) ORDER BY a.attnum)
                       FROM pg_attribute a WHERE a.attrelid = c.oid))
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN ns ON ns.oid = c.relnamespace
LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace
WHERE ('pg_class'::regclass, i.indrelid) NOT IN (SELECT classid, objid FROM ext)
