-- What pg_stat_statements has counted in this database, an entry a row: a statement as one role sends it.
SELECT userid, pg_catalog.pg_get_userbyid(userid)::text, coalesce(queryid, 0), {{toplevel}}, query, calls, {{stats_since}}
FROM {{view}}
WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
ORDER BY calls DESC, queryid, userid
