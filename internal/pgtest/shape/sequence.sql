-- Parameters and owner column, never the position.
SELECT (pg_identify_object('pg_class'::regclass, c.oid, 0)).identity,
       to_jsonb(s) - '{seqrelid,seqtypid}'::text[]
       || jsonb_build_object(
           'type', format_type(s.seqtypid, NULL),
           'persistence', c.relpersistence,
           'owner', pg_get_userbyid(c.relowner),
           'acl', ARRAY(SELECT a::text FROM unnest(coalesce(c.relacl, acldefault('s', c.relowner))) a ORDER BY 1),
           'owned by', (SELECT array_agg((pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid)).identity || CASE d.deptype WHEN 'i' THEN ' (identity)' ELSE '' END)
                        FROM pg_depend d
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')))
FROM pg_sequence s
JOIN pg_class c ON c.oid = s.seqrelid
JOIN ns ON ns.oid = c.relnamespace
WHERE ('pg_class'::regclass, c.oid) NOT IN (SELECT classid, objid FROM ext)
