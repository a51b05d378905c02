SELECT (pg_identify_object('pg_policy'::regclass, p.oid, 0)).identity,
       to_jsonb(p) - '{oid,polname,polrelid,polroles,polqual,polwithcheck}'::text[]
       || jsonb_build_object(
           'roles', ARRAY(SELECT CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r) END FROM unnest(p.polroles) r ORDER BY 1),
           'using', pg_get_expr(p.polqual, p.polrelid),
           'check', pg_get_expr(p.polwithcheck, p.polrelid))
FROM pg_policy p
JOIN pg_class c ON c.oid = p.polrelid
JOIN ns ON ns.oid = c.relnamespace
