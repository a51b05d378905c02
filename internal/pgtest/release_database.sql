-- Statements that end what keeps the current database from being dropped, in the order to run them.
SELECT statement
FROM (
    SELECT 0 AS step, format('ROLLBACK PREPARED %L', gid) AS statement
    FROM pg_prepared_xacts
    WHERE database = current_database()
    UNION ALL
    SELECT step, format(command, subname)
    FROM pg_subscription,
         (VALUES (1, 'ALTER SUBSCRIPTION %I DISABLE'),
                 (2, 'ALTER SUBSCRIPTION %I SET (slot_name = NONE)'),
                 (3, 'DROP SUBSCRIPTION %I')) AS c (step, command)
    WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
) AS statements
ORDER BY step, statement
