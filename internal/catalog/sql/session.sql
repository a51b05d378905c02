-- What the session is, before this package changes its search_path for its own transaction.
SELECT current_setting('server_version_num')::int,
       ARRAY(SELECT s::text FROM unnest(current_schemas(false)) WITH ORDINALITY AS u(s, o)
             WHERE s <> 'pg_catalog' AND s !~ '^pg_(temp|toast)' ORDER BY o),
       current_setting('search_path'),
       current_setting('TimeZone'),
       current_user::text,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
       pg_is_in_recovery()
