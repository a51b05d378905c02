-- What a person should know about this database, most serious first: level, what, hint.
SELECT 'bad', format('index %s is invalid%s', i.indexrelid::regclass,
           CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
                THEN ', and is being built' ELSE '' END),
       'what left it behind builds it again when it is resumed; otherwise DROP INDEX CONCURRENTLY'
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relpersistence <> 't'
UNION ALL
SELECT CASE WHEN a.used > 1500 THEN 'bad' ELSE 'warn' END,
       format('table %s has used %s of 1,600 column numbers', a.attrelid::regclass, a.used),
       'each apply and revert of a column consumes some for ever; a rewritten copy of the table starts anew'
FROM (SELECT attrelid, max(attnum) AS used FROM pg_catalog.pg_attribute WHERE attnum > 1200 GROUP BY attrelid) a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
UNION ALL
SELECT 'warn', format('constraint %s of %s is not valid', quote_ident(conname), conrelid::regclass),
       'ALTER TABLE … VALIDATE CONSTRAINT in a migration of its own'
FROM pg_catalog.pg_constraint
WHERE NOT convalidated AND conrelid <> 0 AND contype IN ('c', 'f')
  AND NOT starts_with(conname, '_replank_')
UNION ALL
SELECT 'warn', format('transaction of pid %s (%s) has been open for %s', pid,
           coalesce(nullif(application_name, ''), usename::text, backend_type),
           date_trunc('second', clock_timestamp() - xact_start)),
       'it blocks changes of what it has touched, and index builds; end it if nobody needs it'
FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND xact_start < clock_timestamp() - interval '1 minute'
  AND backend_type IN ('client backend', 'parallel worker')
UNION ALL
SELECT 'bad', format('prepared transaction %L of %s has been open for %s', gid, owner,
           date_trunc('second', clock_timestamp() - prepared)),
       'COMMIT PREPARED or ROLLBACK PREPARED'
FROM pg_catalog.pg_prepared_xacts
WHERE database = current_database() AND prepared < clock_timestamp() - interval '1 minute'
