SELECT 'wrapper ' || quote_ident(w.fdwname),
       jsonb_build_object('owner', pg_get_userbyid(w.fdwowner), 'options', (SELECT array_agg(o ORDER BY o) FROM unnest(w.fdwoptions) o),
                          'handler', nullif(w.fdwhandler, 0)::regprocedure::text, 'validator', nullif(w.fdwvalidator, 0)::regprocedure::text,
                          'acl', ARRAY(SELECT a::text FROM unnest(coalesce(w.fdwacl, acldefault('F', w.fdwowner))) a ORDER BY 1))
FROM pg_foreign_data_wrapper w
UNION ALL
SELECT 'server ' || quote_ident(s.srvname),
       jsonb_build_object('owner', pg_get_userbyid(s.srvowner), 'options', (SELECT array_agg(o ORDER BY o) FROM unnest(s.srvoptions) o),
                          'wrapper', w.fdwname, 'type', s.srvtype, 'version', s.srvversion,
                          'acl', ARRAY(SELECT a::text FROM unnest(coalesce(s.srvacl, acldefault('S', s.srvowner))) a ORDER BY 1))
FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
UNION ALL
SELECT format('user mapping %s on %I', CASE u.umuser WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(u.umuser) END, s.srvname),
       jsonb_build_object('options', (SELECT array_agg(o ORDER BY o) FROM unnest(u.umoptions) o))
FROM pg_user_mapping u JOIN pg_foreign_server s ON s.oid = u.umserver
