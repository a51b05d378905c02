-- As casts.sql, of what is not built in.
SELECT format_type(c.castsource, NULL), format_type(c.casttarget, NULL), c.castmethod, c.castcontext,
       CASE WHEN c.castfunc = 0 THEN '' ELSE c.castfunc::regproc::text END, coalesce(p.provolatile, 'i')
FROM pg_cast c LEFT JOIN pg_proc p ON p.oid = c.castfunc
WHERE c.oid >= 16384
