SELECT quote_ident(e.evtname),
       to_jsonb(e) - '{oid,evtname,evtowner,evtfoid,evttags}'::text[]
       || jsonb_build_object('owner', pg_get_userbyid(e.evtowner), 'function', e.evtfoid::regprocedure::text,
                             'tags', (SELECT array_agg(x ORDER BY x) FROM unnest(e.evttags) x))
FROM pg_event_trigger e
WHERE ('pg_event_trigger'::regclass, e.oid) NOT IN (SELECT classid, objid FROM ext)
