-- One row a text: another role, and a call within a function, count it apart. Without what replank itself has sent.
SELECT coalesce(queryid, 0), query, pg_catalog.sum(calls)::int8, pg_catalog.sum(rows)::int8, {{stats_since}}, {{nested}}, pg_catalog.count(*)
FROM {{view}}
WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  AND (query IS NULL OR pg_catalog.strpos(query, '{{mark}}') = 0)
GROUP BY queryid, query
ORDER BY 3 DESC, 1
