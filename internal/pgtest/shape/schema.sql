SELECT quote_ident(n.nspname),
       to_jsonb(n) - '{oid,nspname,nspowner,nspacl}'::text[]
       || jsonb_build_object(
           'owner', pg_get_userbyid(n.nspowner),
           'acl', ARRAY(SELECT a::text FROM unnest(coalesce(n.nspacl, acldefault('n', n.nspowner))) a ORDER BY 1))
FROM pg_namespace n JOIN ns USING (oid)
