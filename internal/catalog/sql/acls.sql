-- $1: relation, sequence, type and function OIDs. The last column: the session may not act as the grantor, or would
-- act for the owner as that, or the grantor cannot name the object.
SELECT x.class, x.oid, x.sub, CASE WHEN g.grantee = 0 THEN '' ELSE pg_get_userbyid(g.grantee)::text END,
       g.privilege_type, g.is_grantable,
       CASE WHEN g.grantor = x.owner THEN '' ELSE pg_get_userbyid(g.grantor)::text END,
       g.grantor <> x.owner AND NOT (
           pg_has_role(session_user, g.grantor, CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)
           AND NOT pg_has_role(g.grantor, x.owner, 'USAGE')
           AND has_schema_privilege(g.grantor, x.namespace, 'USAGE'))
FROM (
    SELECT 'pg_class' AS class, oid, 0 AS sub, relacl AS acl, relowner AS owner, relnamespace AS namespace
    FROM pg_class WHERE relacl IS NOT NULL AND oid >= 16384
    UNION ALL
    SELECT 'pg_class', c.oid, a.attnum::int, a.attacl, c.relowner, c.relnamespace
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE a.attacl IS NOT NULL AND a.attrelid >= 16384
    UNION ALL
    SELECT 'pg_type', oid, 0, typacl, typowner, typnamespace FROM pg_type WHERE typacl IS NOT NULL AND oid >= 16384
    UNION ALL
    SELECT 'pg_proc', oid, 0, proacl, proowner, pronamespace FROM pg_proc WHERE proacl IS NOT NULL AND oid >= 16384
) x, aclexplode(x.acl) WITH ORDINALITY g(grantor, grantee, privilege_type, is_grantable, o)
WHERE x.oid = ANY ($1::oid[])
ORDER BY 1, 2, 3, g.o
