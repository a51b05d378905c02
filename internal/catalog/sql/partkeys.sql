-- The columns of a partition key in the order of the key, then those inside its expressions: they are marked as parts
-- of the table.
SELECT d.refobjid, d.objsubid
FROM unnest($1::oid[]) s(oid)
JOIN pg_partitioned_table p ON p.partrelid = s.oid
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.objsubid > 0
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid AND d.refobjsubid = 0 AND d.deptype = 'i'
GROUP BY d.refobjid, d.objsubid, p.partattrs
ORDER BY d.refobjid, array_position(p.partattrs::int2[], d.objsubid::int2), d.objsubid
