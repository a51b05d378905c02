-- Of every object of the user, whatever its kind.
SELECT o.type || ' ' || o.identity, jsonb_build_object('text', d.description)
FROM pg_description d,
     LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) o,
     LATERAL pg_identify_object_as_address(d.classoid, d.objoid, d.objsubid) address
WHERE (d.objoid >= 16384 OR d.classoid = 'pg_namespace'::regclass)
  AND (d.classoid <> 'pg_namespace'::regclass OR d.objoid IN (SELECT oid FROM ns))
  AND address.object_names[1] <> ALL ($1::text[])
  AND (d.classoid, d.objoid) NOT IN (SELECT classid, objid FROM ext)
UNION ALL
SELECT 'database', jsonb_build_object('text', shobj_description(oid, 'pg_database'))
FROM pg_database WHERE datname = current_database() AND shobj_description(oid, 'pg_database') IS NOT NULL
