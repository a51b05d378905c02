SELECT quote_ident(s.subname),
       to_jsonb(s) - '{oid,subdbid,subname,subowner,subskiplsn}'::text[]
       || jsonb_build_object('owner', pg_get_userbyid(s.subowner),
                             'tables', (SELECT array_agg(r.srrelid::regclass::text ORDER BY r.srrelid::regclass::text) FROM pg_subscription_rel r WHERE r.srsubid = s.oid))
FROM pg_subscription s
WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
