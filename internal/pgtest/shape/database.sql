-- Settings by ALTER DATABASE and ALTER ROLE ... IN DATABASE, and privileges. Not the name.
SELECT 'database',
       jsonb_build_object(
           'owner', pg_get_userbyid(d.datdba),
           'acl', ARRAY(SELECT a::text FROM unnest(coalesce(d.datacl, acldefault('d', d.datdba))) a ORDER BY 1),
           'connection limit', d.datconnlimit,
           'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
           'settings', (SELECT jsonb_object_agg(CASE s.setrole WHEN 0 THEN '(all roles)' ELSE pg_get_userbyid(s.setrole) END,
                                                ARRAY(SELECT x FROM unnest(s.setconfig) x ORDER BY 1))
                        FROM pg_db_role_setting s WHERE s.setdatabase = d.oid))
FROM pg_database d WHERE d.datname = current_database()
