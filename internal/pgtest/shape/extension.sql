SELECT quote_ident(e.extname),
       to_jsonb(e) - '{oid,extname,extowner,extnamespace,extconfig}'::text[]
       || jsonb_build_object('owner', pg_get_userbyid(e.extowner), 'schema', n.nspname,
                             'config', (SELECT array_agg(x::regclass::text ORDER BY x::regclass::text) FROM unnest(e.extconfig) x))
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
