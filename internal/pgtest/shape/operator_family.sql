SELECT (pg_identify_object('pg_opfamily'::regclass, f.oid, 0)).identity,
       jsonb_build_object(
           'owner', pg_get_userbyid(f.opfowner),
           'operators', (SELECT array_agg(format('%s %s %s', a.amopstrategy, a.amoppurpose, a.amopopr::regoperator) ORDER BY a.amopstrategy, a.amopopr::regoperator::text)
                         FROM pg_amop a WHERE a.amopfamily = f.oid),
           'functions', (SELECT array_agg(format('%s(%s, %s) %s', a.amprocnum, format_type(a.amproclefttype, NULL), format_type(a.amprocrighttype, NULL), a.amproc::regprocedure)
                                          ORDER BY a.amprocnum, a.amproc::regprocedure::text)
                         FROM pg_amproc a WHERE a.amprocfamily = f.oid))
FROM pg_opfamily f JOIN ns ON ns.oid = f.opfnamespace
WHERE ('pg_opfamily'::regclass, f.oid) NOT IN (SELECT classid, objid FROM ext)
