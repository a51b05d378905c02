SELECT format('%s for %s%s', d.defaclobjtype, pg_get_userbyid(d.defaclrole), ' in ' || n.nspname),
       jsonb_build_object('acl', ARRAY(SELECT a::text FROM unnest(d.defaclacl) a ORDER BY 1))
FROM pg_default_acl d
LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
WHERE n.oid IS NULL OR n.oid IN (SELECT oid FROM ns)
