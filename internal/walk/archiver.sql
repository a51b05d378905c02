-- Is archiving on, has the last attempt failed, and may we count the files that wait?
SELECT pg_catalog.current_setting('archive_mode') <> 'off',
       coalesce(a.last_failed_time > coalesce(a.last_archived_time, '-infinity'), false),
       coalesce(a.last_failed_wal, ''),
       pg_catalog.has_function_privilege('pg_catalog.pg_ls_archive_statusdir()', 'EXECUTE')
  FROM pg_catalog.pg_stat_archiver a
