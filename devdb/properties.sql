-- What belongs to a database and does not come along with its copy: settings, and who may connect. $1 is the template,
-- $2 the copy; one statement a row.
SELECT CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %I SET %s', $2::text, v.assignment)
            ELSE format('ALTER ROLE %I IN DATABASE %I SET %s', r.rolname, $2::text, v.assignment) END
FROM pg_database d
JOIN pg_db_role_setting s ON s.setdatabase = d.oid
LEFT JOIN pg_roles r ON r.oid = s.setrole,
LATERAL (SELECT format('%s = %s', quote_ident(split_part(c, '=', 1)),
                -- a list of names is stored as it is written: quoted as one text, it would be one name
                CASE WHEN lower(split_part(c, '=', 1)) IN ('search_path', 'session_preload_libraries', 'local_preload_libraries', 'temp_tablespaces', 'unix_socket_directories')
                     THEN coalesce(nullif(substr(c, position('=' IN c) + 1), ''), '''''') ELSE quote_literal(substr(c, position('=' IN c) + 1)) END) AS assignment
         FROM unnest(s.setconfig) AS c) AS v
WHERE d.datname = $1
UNION ALL
SELECT format('%s ON DATABASE %I %s', a.verb, $2::text, a.whom)
FROM pg_database d,
LATERAL (SELECT 'REVOKE ALL' AS verb, 'FROM PUBLIC' AS whom WHERE d.datacl IS NOT NULL
         UNION ALL
         SELECT 'GRANT ' || x.privilege_type, 'TO ' || CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END
                || CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
         FROM aclexplode(d.datacl) AS x WHERE x.grantee <> d.datdba) AS a
WHERE d.datname = $1
