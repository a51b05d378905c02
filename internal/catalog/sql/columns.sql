-- $1: relation OIDs. A default is volatile when a function or operator named in its stored tree is: pg_depend
-- cannot tell, it leaves out the functions that initdb made.
SELECT a.attrelid, a.attnum::int, a.attname::text, format_type(a.atttypid, a.atttypmod),
       en.nspname::text, e.typname::text, a.atttypmod, e.oid <> t.oid,
       CASE WHEN a.attcollation NOT IN (0, t.typcollation)
            THEN quote_ident(cn.nspname) || '.' || quote_ident(co.collname) ELSE '' END,
       a.attnotnull, coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
       CASE WHEN d.adbin IS NULL THEN false ELSE EXISTS (
            SELECT FROM unnest(string_to_array(d.adbin::text, 'funcid ')) WITH ORDINALITY f(rest, o)
            WHERE o > 1 AND split_part(rest, ' ', 1) = ANY (ARRAY(SELECT oid::text FROM pg_proc WHERE provolatile = 'v'))) END,
       a.attidentity, a.attgenerated, a.atthasmissing, a.attstorage, {{attcompression}},
       coalesce(a.attstattarget, -1)::int, coalesce(a.attoptions, '{}'), a.attacl IS NOT NULL,
       a.attinhcount::int, a.attislocal
FROM unnest($1::oid[]) s(oid)
JOIN pg_attribute a ON a.attrelid = s.oid
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type e ON e.oid = CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem ELSE t.oid END
JOIN pg_namespace en ON en.oid = e.typnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation co ON co.oid = a.attcollation
LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
