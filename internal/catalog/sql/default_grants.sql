SELECT pg_get_userbyid(d.defaclrole)::text, coalesce(n.nspname::text, ''), d.defaclobjtype,
       CASE WHEN g.grantee = 0 THEN '' ELSE pg_get_userbyid(g.grantee)::text END, g.privilege_type, g.is_grantable
FROM pg_default_acl d
LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) WITH ORDINALITY g(grantor, grantee, privilege_type, is_grantable, o)
ORDER BY 1, 2, 3, g.o
