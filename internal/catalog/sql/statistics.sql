SELECT s.oid, s.stxrelid, n.nspname::text, s.stxname::text, pg_get_statisticsobjdef(s.oid), s.stxkeys::int2[],
       ARRAY(SELECT DISTINCT d.refobjsubid FROM pg_depend d
             WHERE d.classid = 'pg_statistic_ext'::regclass AND d.objid = s.oid
               AND d.refclassid = 'pg_class'::regclass AND d.refobjid = s.stxrelid AND d.refobjsubid > 0 ORDER BY 1),
       {{stxstattarget}}
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
WHERE s.stxrelid = ANY ($1::oid[])
ORDER BY s.stxrelid, s.stxname
