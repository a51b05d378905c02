-- The foreign keys that refer to rows of table $1, itself or a partition of it: the referring table as FROM wants it, and
-- when row r of it refers to row t, compared as the server does it. Left to the server are keys over periods, and those of
-- the table to itself that do nothing on delete: it looks at them when all rows of a statement are gone.
WITH RECURSIVE tree (oid) AS (
    SELECT $1::pg_catalog.regclass::pg_catalog.oid
    UNION
    SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON tree.oid = i.inhparent
)
SELECT CASE WHEN c.relkind = 'r' THEN 'ONLY ' ELSE '' END || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
       (SELECT pg_catalog.string_agg(pg_catalog.format('t.%I OPERATOR(%I.=) r.%I%s', t.attname, opn.nspname, r.attname,
                   CASE WHEN t.attcollation <> r.attcollation AND t.attcollation <> 0
                        THEN pg_catalog.format(' COLLATE %I.%I', cn.nspname, co.collname) ELSE '' END), ' AND ' ORDER BY k.ord)
          FROM ROWS FROM (pg_catalog.unnest(f.conkey), pg_catalog.unnest(f.confkey), pg_catalog.unnest(f.conpfeqop))
               WITH ORDINALITY AS k (mine, theirs, op, ord)
          JOIN pg_catalog.pg_attribute r ON r.attrelid = f.conrelid AND r.attnum = k.mine
          JOIN pg_catalog.pg_attribute t ON t.attrelid = f.confrelid AND t.attnum = k.theirs
          JOIN pg_catalog.pg_operator o ON o.oid = k.op
          JOIN pg_catalog.pg_namespace opn ON opn.oid = o.oprnamespace
          LEFT JOIN pg_catalog.pg_collation co ON co.oid = t.attcollation
          LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace)
  FROM pg_catalog.pg_constraint f
  JOIN pg_catalog.pg_class c ON c.oid = f.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE f.contype = 'f' AND f.confrelid IN (SELECT oid FROM tree)
   -- what belongs to a constraint that is listed already says nothing more
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint p WHERE p.oid = f.conparentid AND p.confrelid IN (SELECT oid FROM tree))
   AND NOT EXISTS (SELECT FROM pg_catalog.unnest(f.conpfeqop) AS k (op) JOIN pg_catalog.pg_operator o ON o.oid = k.op WHERE o.oprname <> '=')
   AND NOT (f.confdeltype = 'a' AND f.conrelid IN (SELECT oid FROM tree))
 ORDER BY 1, 2
