-- The key columns of the valid, immediate, total unique index over exactly the columns $2 of table $1, in the order
-- of the index, with what is needed to compare them: the type, and the schema of its operators.
SELECT a.attname::text,
       pg_catalog.format_type(a.atttypid, -1),
       a.attnotnull,
       n.nspname::text,
       oc.opcdefault AND x.collation = a.attcollation
  FROM (SELECT i.indexrelid, i.indrelid, i.indkey, i.indclass, i.indcollation, i.indnkeyatts, i.indisprimary
          FROM pg_catalog.pg_index i
         WHERE i.indrelid = $1::pg_catalog.regclass AND i.indisunique AND i.indisvalid AND i.indimmediate
           AND i.indpred IS NULL AND i.indexprs IS NULL
           AND (SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attname::text)
                  FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, ord)
                  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                 WHERE k.ord <= i.indnkeyatts)
               = (SELECT pg_catalog.array_agg(c ORDER BY c) FROM pg_catalog.unnest($2::text[]) c)
         ORDER BY i.indisprimary DESC, i.indexrelid
         LIMIT 1) i,
       LATERAL (SELECT k.ord, k.attnum, cl.oid AS class, co.oid AS collation
                  FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, ord)
                  JOIN pg_catalog.unnest(i.indclass::oid[]) WITH ORDINALITY cl (oid, ord) ON cl.ord = k.ord
                  JOIN pg_catalog.unnest(i.indcollation::oid[]) WITH ORDINALITY co (oid, ord) ON co.ord = k.ord) x
  JOIN pg_catalog.pg_opclass oc ON oc.oid = x.class
  JOIN pg_catalog.pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amopstrategy = 5
       AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype
  JOIN pg_catalog.pg_operator op ON op.oid = ao.amopopr
  JOIN pg_catalog.pg_namespace n ON n.oid = op.oprnamespace
  JOIN pg_catalog.pg_attribute a ON a.attnum = x.attnum AND a.attrelid = $1::pg_catalog.regclass
 ORDER BY x.ord
