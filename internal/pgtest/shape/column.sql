-- Columns of relations and attributes of composite types. Left out of pg_attribute: what follows from the type, the
-- attribute number (dropped columns leave holes in it), and how a missing value is stored. $2: whether the order of a
-- table's columns counts (that of views and types always does).
SELECT (pg_identify_object('pg_class'::regclass, c.oid, 0)).identity || '.' || quote_ident(a.attname),
       to_jsonb(a) - '{attrelid,attname,atttypid,attlen,attbyval,attalign,attnum,attcacheoff,atttypmod,attndims,attcollation,attacl,atthasmissing,attmissingval,atthasdef,attisdropped,attstattarget}'::text[]
       || jsonb_build_object(
           'position', CASE WHEN $2 OR c.relkind NOT IN ('r', 'p', 'f') THEN row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) END,
           'type', format_type(a.atttypid, a.atttypmod),
           'collation', CASE WHEN a.attcollation <> 0 THEN (pg_identify_object('pg_collation'::regclass, a.attcollation, 0)).identity END,
           'statistics', nullif(a.attstattarget, -1),
           'acl', (SELECT array_agg(x::text ORDER BY x::text) FROM unnest(a.attacl) x),
           'default', pg_get_expr(d.adbin, d.adrelid))
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN ns ON ns.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped
  AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c')
  AND ('pg_class'::regclass, c.oid) NOT IN (SELECT classid, objid FROM ext)
