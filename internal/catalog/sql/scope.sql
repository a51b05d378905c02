-- The relations that matter to those named in $1 (quoted, qualified): their whole inheritance or partition
-- tree, the tables one foreign key away from it in either direction, and every view over any of these.
WITH RECURSIVE tree(oid) AS (
    SELECT to_regclass(x)::oid FROM unnest($1::text[]) x WHERE to_regclass(x) IS NOT NULL
    UNION
    SELECT CASE WHEN i.inhrelid = t.oid THEN i.inhparent ELSE i.inhrelid END
    FROM tree t JOIN pg_inherits i ON t.oid IN (i.inhrelid, i.inhparent)
), near(oid) AS (
    SELECT oid FROM tree
    UNION SELECT c.conrelid FROM pg_constraint c JOIN tree t ON t.oid = c.confrelid WHERE c.contype = 'f'
    UNION SELECT c.confrelid FROM pg_constraint c JOIN tree t ON t.oid = c.conrelid WHERE c.contype = 'f'
), seen(oid) AS (
    SELECT oid FROM near
    UNION
    SELECT r.ev_class
    FROM seen s
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite r ON r.oid = d.objid
)
SELECT coalesce(array_agg(oid), '{}')::text FROM seen
