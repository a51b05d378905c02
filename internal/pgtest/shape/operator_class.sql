SELECT (pg_identify_object('pg_opclass'::regclass, o.oid, 0)).identity,
       jsonb_build_object('owner', pg_get_userbyid(o.opcowner), 'default', o.opcdefault,
                          'type', format_type(o.opcintype, NULL), 'key', CASE WHEN o.opckeytype <> 0 THEN format_type(o.opckeytype, NULL) END,
                          'family', (pg_identify_object('pg_opfamily'::regclass, o.opcfamily, 0)).identity)
FROM pg_opclass o JOIN ns ON ns.oid = o.opcnamespace
WHERE ('pg_opclass'::regclass, o.oid) NOT IN (SELECT classid, objid FROM ext)
