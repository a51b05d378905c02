-- Statements that drop what a killed REINDEX CONCURRENTLY left of an index o: d, on the same table, with the same
-- columns, not valid, and with the name that PostgreSQL gives to it alone. The name of o may be cut off in it. One that
-- is being built by somebody else is no danger: the DROP waits for the lock that every REINDEX keeps on its table, and
-- by then that index is gone or bears another name. Who may rebuild an index need not be allowed to drop one.
SELECT pg_catalog.format('DROP INDEX CONCURRENTLY IF EXISTS %%I.%%I', n.nspname, dc.relname)
FROM pg_catalog.pg_index d
JOIN pg_catalog.pg_class dc ON dc.oid = d.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = dc.relnamespace
WHERE NOT d.indisvalid AND dc.relname ~ '_cc(new|old)[0-9]*$' AND pg_catalog.pg_has_role(dc.relowner, 'USAGE')
  AND EXISTS (
    SELECT FROM pg_catalog.pg_index o JOIN pg_catalog.pg_class oc ON oc.oid = o.indexrelid
    WHERE o.indrelid = d.indrelid AND o.indexrelid <> d.indexrelid
      AND o.indkey::text = d.indkey::text AND o.indclass::text = d.indclass::text
      AND pg_catalog.starts_with(oc.relname, pg_catalog.regexp_replace(dc.relname, '_cc(new|old)[0-9]*$', ''))
      AND %s)
ORDER BY 1
