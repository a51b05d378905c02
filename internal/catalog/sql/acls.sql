-- $1: relation, sequence, type and function OIDs.
SELECT x.class, x.oid, x.sub, CASE WHEN g.grantee = 0 THEN '' ELSE pg_get_userbyid(g.grantee)::text END,
       g.privilege_type, g.is_grantable
FROM (
    SELECT 'pg_class' AS class, oid, 0 AS sub, relacl AS acl FROM pg_class WHERE relacl IS NOT NULL AND oid >= 16384
    UNION ALL
    SELECT 'pg_class', attrelid, attnum::int, attacl FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid >= 16384
    UNION ALL
    SELECT 'pg_type', oid, 0, typacl FROM pg_type WHERE typacl IS NOT NULL AND oid >= 16384
    UNION ALL
    SELECT 'pg_proc', oid, 0, proacl FROM pg_proc WHERE proacl IS NOT NULL AND oid >= 16384
) x, aclexplode(x.acl) WITH ORDINALITY g(grantor, grantee, privilege_type, is_grantable, o)
WHERE x.oid = ANY ($1::oid[])
ORDER BY 1, 2, 3, g.o
