-- What has privileges and no query of its own. The last column: what belongs to extensions lives in the schema.
SELECT x.kind, x.name::text, pg_get_userbyid(x.owner)::text, x.acl IS NOT NULL,
       coalesce(CASE WHEN g.grantee = 0 THEN '' ELSE pg_get_userbyid(g.grantee)::text END, ''), coalesce(g.privilege_type, ''),
       coalesce(g.is_grantable, false), CASE WHEN g.grantor IS NULL OR g.grantor = x.owner THEN '' ELSE pg_get_userbyid(g.grantor)::text END,
       x.kind = 'SCHEMA' AND EXISTS (
           SELECT FROM pg_depend d
           LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
           LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
           WHERE d.deptype = 'e' AND x.oid IN (p.pronamespace, c.relnamespace))
FROM (
    SELECT 'SCHEMA' AS kind, nspname AS name, nspowner AS owner, nspacl AS acl, oid FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'replank')
    UNION ALL
    SELECT 'DATABASE', datname, datdba, datacl, oid FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'LANGUAGE', lanname, lanowner, lanacl, oid FROM pg_language
    UNION ALL
    SELECT 'FOREIGN DATA WRAPPER', fdwname, fdwowner, fdwacl, oid FROM pg_foreign_data_wrapper
    UNION ALL
    SELECT 'FOREIGN SERVER', srvname, srvowner, srvacl, oid FROM pg_foreign_server
    UNION ALL
    SELECT 'TABLESPACE', spcname, spcowner, spcacl, oid FROM pg_tablespace
) x
LEFT JOIN LATERAL aclexplode(x.acl) WITH ORDINALITY g(grantor, grantee, privilege_type, is_grantable, o) ON true
ORDER BY 1, 2, g.o
