-- Is none of columns $2 of table $1, or of a table below it, used by an index, as a column or in an expression?
WITH RECURSIVE tree (oid) AS (
    SELECT $1::pg_catalog.regclass::pg_catalog.oid
    UNION
    SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON t.oid = i.inhparent
)
SELECT NOT EXISTS (
    SELECT FROM tree t
      JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attname = ANY ($2) AND NOT a.attisdropped
      JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
     WHERE a.attnum = ANY (i.indkey::int2[])
        OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
                      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = t.oid AND d.refobjsubid = a.attnum))
