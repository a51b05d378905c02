SELECT quote_ident(p.pubname),
       to_jsonb(p) - '{oid,pubname,pubowner}'::text[] || jsonb_build_object('owner', pg_get_userbyid(p.pubowner))
FROM pg_publication p
