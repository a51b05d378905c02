-- Before 15 a trigger cloned to a partition is marked internal.
SELECT t.oid, t.tgrelid, t.tgname::text, pg_get_triggerdef(t.oid), t.tgenabled, t.tgattr::int2[],
       ARRAY(SELECT DISTINCT d.refobjsubid FROM pg_depend d
             WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
               AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.tgrelid AND d.refobjsubid > 0 ORDER BY 1),
       t.tgtype::int, t.tgconstraint <> 0, t.tgfoid::regproc::text, {{tgparentid}}
FROM pg_trigger t
WHERE t.tgrelid = ANY ($1::oid[]) AND (NOT t.tgisinternal OR ({{tgparentid}} <> 0 AND t.tgconstraint = 0))
ORDER BY t.tgrelid, t.tgname
