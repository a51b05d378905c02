-- The statements that give role $1 what is in schema replank and belongs neither to it nor to a role whose privileges it
-- has. Sequences and indexes go with their tables.
WITH piece(place, what, owner) AS (
    SELECT 1, 'SCHEMA ' || quote_ident(nspname), nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'replank'
    UNION ALL
    SELECT 2, format('TABLE %I.%I', n.nspname, c.relname), c.relowner
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'replank' AND c.relkind IN ('r', 'p')
    UNION ALL
    SELECT 3, format('FUNCTION %I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)), p.proowner
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'replank'
)
SELECT 'ALTER ' || what || ' OWNER TO ' || quote_ident($1::text) AS sql
FROM piece
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_roles WHERE rolname = $1::text AND pg_catalog.pg_has_role(oid, owner, 'USAGE'))
ORDER BY place, what
