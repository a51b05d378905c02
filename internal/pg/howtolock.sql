-- The statements that lock the relations of a step ($1), each in its mode ($2), with or without what is below ($3),
-- without those that are gone and may be ($4).
SELECT CASE WHEN c.relkind = 'v' THEN format('ALTER VIEW %s OWNER TO %I', a.rel, pg_catalog.pg_get_userbyid(c.relowner))
            WHEN c.relkind = 'm' THEN format('ALTER MATERIALIZED VIEW %s OWNER TO %I', a.rel, pg_catalog.pg_get_userbyid(c.relowner))
            ELSE format('LOCK TABLE %s%s IN %s MODE', CASE WHEN a.solely THEN 'ONLY ' ELSE '' END, a.rel, a.mode) END
FROM unnest($1::text[], $2::text[], $3::boolean[], $4::boolean[]) WITH ORDINALITY AS a (rel, mode, solely, if_exists, ord)
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = pg_catalog.to_regclass(a.rel)
WHERE c.oid IS NULL AND NOT a.if_exists OR c.relkind IN ('r', 'p') OR c.relkind IN ('v', 'm') AND a.mode = 'ACCESS EXCLUSIVE'
ORDER BY (c.relkind IS NOT DISTINCT FROM 'v') DESC, (c.relkind IS NOT DISTINCT FROM 'm') DESC, CASE WHEN c.relkind = 'v' THEN c.oid::bigint END DESC, a.ord
