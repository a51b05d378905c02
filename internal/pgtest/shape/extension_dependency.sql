-- ALTER ... DEPENDS ON EXTENSION.
SELECT (pg_identify_object(d.classid, d.objid, d.objsubid)).identity || ' on ' || e.extname, '{}'::jsonb
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
WHERE d.deptype = 'x' AND d.refclassid = 'pg_extension'::regclass
