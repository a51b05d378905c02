-- An entry from which everything was revoked has one row without a privilege.
SELECT pg_get_userbyid(d.defaclrole)::text, coalesce(n.nspname::text, ''), d.defaclobjtype,
       coalesce(CASE WHEN g.grantee = 0 THEN '' ELSE pg_get_userbyid(g.grantee)::text END, ''), coalesce(g.privilege_type, ''), coalesce(g.is_grantable, false)
FROM pg_default_acl d
LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
LEFT JOIN LATERAL aclexplode(d.defaclacl) WITH ORDINALITY g(grantor, grantee, privilege_type, is_grantable, o) ON true
ORDER BY 1, 2, 3, g.o
