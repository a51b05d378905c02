SELECT (pg_identify_object('pg_operator'::regclass, o.oid, 0)).identity,
       to_jsonb(o) - '{oid,oprname,oprnamespace,oprowner,oprleft,oprright,oprresult,oprcom,oprnegate}'::text[]
       || jsonb_build_object('owner', pg_get_userbyid(o.oprowner), 'result', format_type(o.oprresult, NULL),
                             'commutator', nullif(o.oprcom, 0)::regoperator::text, 'negator', nullif(o.oprnegate, 0)::regoperator::text)
FROM pg_operator o JOIN ns ON ns.oid = o.oprnamespace
WHERE ('pg_operator'::regclass, o.oid) NOT IN (SELECT classid, objid FROM ext)
