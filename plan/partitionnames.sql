-- Statements that give what the twins of partitioned indexes and foreign keys have in the partitions the names of what
-- the originals have there. Which partitions there are, only the catalog knows by then. $index and $key are rows of the
-- originals and twins at the top; the indexes whose names begin with $prefix get theirs from the plan.
WITH RECURSIVE index (original, twin) AS (
    SELECT pg_catalog.to_regclass(original)::pg_catalog.oid, pg_catalog.to_regclass(twin)::pg_catalog.oid
      FROM (VALUES $index) AS v (original, twin)
    UNION
    SELECT a.inhrelid, b.inhrelid
      FROM index AS i
      JOIN pg_catalog.pg_inherits AS a ON a.inhparent = i.original
      JOIN pg_catalog.pg_index AS x ON x.indexrelid = a.inhrelid
      JOIN pg_catalog.pg_inherits AS b ON b.inhparent = i.twin
      JOIN pg_catalog.pg_index AS y ON y.indexrelid = b.inhrelid AND y.indrelid = x.indrelid
), key (original, twin) AS (
    SELECT a.oid, b.oid
      FROM (VALUES $key) AS v (tab, original, twin)
      JOIN pg_catalog.pg_constraint AS a ON a.conrelid = pg_catalog.to_regclass(v.tab) AND a.conname = v.original
      JOIN pg_catalog.pg_constraint AS b ON b.conrelid = a.conrelid AND b.conname = v.twin
    UNION ALL
    SELECT a.oid, b.oid
      FROM key AS k
      JOIN pg_catalog.pg_constraint AS a ON a.conparentid = k.original
      JOIN pg_catalog.pg_constraint AS b ON b.conparentid = k.twin AND b.conrelid = a.conrelid AND b.confrelid = a.confrelid
      JOIN pg_catalog.pg_constraint AS above ON above.oid = k.original AND above.conrelid <> a.conrelid
), statement (sql) AS (
    SELECT pg_catalog.format('ALTER INDEX %s RENAME TO %I', b.oid::pg_catalog.regclass, a.relname)
      FROM index AS i
      JOIN pg_catalog.pg_class AS a ON a.oid = i.original
      JOIN pg_catalog.pg_class AS b ON b.oid = i.twin AND NOT pg_catalog.starts_with(b.relname::text, $prefix)
    UNION ALL
    SELECT pg_catalog.format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', b.conrelid::pg_catalog.regclass, b.conname, a.conname)
      FROM key AS k
      JOIN pg_catalog.pg_constraint AS a ON a.oid = k.original
      JOIN pg_catalog.pg_constraint AS b ON b.oid = k.twin AND b.conparentid <> 0
)
SELECT pg_catalog.set_config('replank.partition_names', coalesce((SELECT pg_catalog.string_agg(sql, '; ') FROM statement), ''), true)
