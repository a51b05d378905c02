-- What the role lacks, one line each. $1 is the role that statements run as, "" for the one that connected;
-- $2 is a list of wishes: {"rel": "s.t", "need": "own" | "UPDATE" …} and {"schema": "s", "need": "CREATE"}.
-- Several privileges in one need, with commas between them, mean any of them.
WITH me AS (
    SELECT current_user AS connected,
           coalesce(nullif($1::text, ''), current_user)::name AS acting,
           ($1::text = '' OR EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1::text)) AS known
), wish AS (
    SELECT DISTINCT w.rel, w.schema, w.need
    FROM jsonb_to_recordset($2::jsonb) AS w(rel text, schema text, need text)
), rel AS (
    SELECT wish.need, c.oid, c.relowner, wish.rel
    FROM wish JOIN pg_catalog.pg_class c ON c.oid = to_regclass(wish.rel)
), journal AS (
    SELECT n.oid, n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'replank'
)
SELECT 'membership of ' || quote_ident(connected) || ' in ' || quote_ident(acting)
FROM me
WHERE CASE WHEN known THEN NOT pg_catalog.pg_has_role(connected, acting,
    CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END) END
UNION ALL
-- Statements run under SET ROLE; the journal, which the same role owns, and the rows of a fill are written without it.
SELECT 'membership of ' || quote_ident(connected) || ' in ' || quote_ident(acting) || ' with INHERIT'
FROM me
WHERE CASE WHEN known THEN pg_catalog.pg_has_role(connected, acting, 'MEMBER')
    AND NOT pg_catalog.pg_has_role(connected, acting, 'USAGE') END
UNION ALL
SELECT 'CREATE on database ' || quote_ident(current_database()) || ', for schema replank'
FROM me
WHERE known AND NOT EXISTS (SELECT FROM journal)
  AND CASE WHEN known THEN NOT pg_catalog.has_database_privilege(acting, current_database(), 'CREATE') END
UNION ALL
SELECT p.privilege || ' on schema replank (it belongs to ' || quote_ident(pg_catalog.pg_get_userbyid(journal.nspowner)) || ')'
FROM journal, (VALUES ('USAGE'), ('CREATE')) AS p(privilege), me
WHERE CASE WHEN known THEN NOT pg_catalog.has_schema_privilege(acting, journal.oid, p.privilege) END
UNION ALL
SELECT 'SELECT, INSERT, UPDATE and DELETE on the tables of schema replank (they belong to ' || string_agg(DISTINCT quote_ident(pg_catalog.pg_get_userbyid(c.relowner)), ', ') || ')'
FROM journal JOIN pg_catalog.pg_class c ON c.relnamespace = journal.oid AND c.relkind = 'r', me
WHERE NOT (pg_catalog.has_table_privilege(connected, c.oid, 'SELECT') AND pg_catalog.has_table_privilege(connected, c.oid, 'INSERT')
    AND pg_catalog.has_table_privilege(connected, c.oid, 'UPDATE') AND pg_catalog.has_table_privilege(connected, c.oid, 'DELETE'))
HAVING count(*) > 0
UNION ALL
SELECT 'ownership of ' || rel.rel || ' (it belongs to ' || quote_ident(pg_catalog.pg_get_userbyid(rel.relowner)) || ')'
FROM rel, me
WHERE rel.need = 'own' AND CASE WHEN known THEN NOT pg_catalog.pg_has_role(acting, rel.relowner, 'USAGE') END
UNION ALL
SELECT replace(rel.need, ', ', ' or ') || ' on ' || rel.rel
FROM rel, me
WHERE CASE WHEN known AND rel.need <> 'own' THEN NOT pg_catalog.has_table_privilege(acting, rel.oid, rel.need) END
UNION ALL
SELECT wish.need || ' on schema ' || quote_ident(wish.schema)
FROM wish JOIN pg_catalog.pg_namespace n ON n.nspname = wish.schema, me
WHERE CASE WHEN known THEN NOT pg_catalog.has_schema_privilege(acting, n.oid, wish.need) END
ORDER BY 1
