-- The columns of the primary key of table $1, in its order.
SELECT a.attname::text
  FROM pg_catalog.pg_index i,
       pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, ord),
       pg_catalog.pg_attribute a
 WHERE i.indrelid = $1::pg_catalog.regclass AND i.indisprimary AND k.ord <= i.indnkeyatts
   AND a.attrelid = i.indrelid AND a.attnum = k.attnum
 ORDER BY k.ord
