-- Functions, procedures and aggregates.
SELECT (pg_identify_object('pg_proc'::regclass, p.oid, 0)).identity,
       to_jsonb(p) - '{oid,proname,pronamespace,proowner,prolang,provariadic,prorettype,proargtypes,proallargtypes,proargdefaults,prosqlbody,protrftypes,prosrc,proacl}'::text[]
       || jsonb_build_object(
           'owner', pg_get_userbyid(p.proowner),
           'language', l.lanname,
           'acl', ARRAY(SELECT a::text FROM unnest(coalesce(p.proacl, acldefault('f', p.proowner))) a ORDER BY 1),
           'arguments', pg_get_function_arguments(p.oid),
           'result', pg_get_function_result(p.oid),
           'definition', CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END,
           'aggregate', (SELECT to_jsonb(g) - '{aggfnoid,aggsortop,aggtranstype,aggmtranstype}'::text[]
                                || jsonb_build_object('sort operator', nullif(g.aggsortop, 0)::regoperator::text,
                                                      'state', format_type(g.aggtranstype, NULL),
                                                      'moving state', CASE WHEN g.aggmtranstype <> 0 THEN format_type(g.aggmtranstype, NULL) END)
                         FROM pg_aggregate g WHERE g.aggfnoid = p.oid))
FROM pg_proc p
JOIN ns ON ns.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE ('pg_proc'::regclass, p.oid) NOT IN (SELECT classid, objid FROM ext)
