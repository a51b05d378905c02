-- The search_path of roles, where they or the database have one of their own.
SELECT r.oid, substr(s.config, length('search_path=') + 1)
FROM pg_roles r CROSS JOIN LATERAL (
    SELECT c.config
    FROM pg_db_role_setting d CROSS JOIN unnest(d.setconfig) AS c(config)
    WHERE d.setrole IN (0, r.oid) AND c.config LIKE 'search\_path=%'
      AND d.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY d.setrole = 0, d.setdatabase = 0 LIMIT 1) s
