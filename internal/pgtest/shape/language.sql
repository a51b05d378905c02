-- All of them: GRANT works on the built-in ones too.
SELECT quote_ident(l.lanname),
       jsonb_build_object('owner', pg_get_userbyid(l.lanowner), 'trusted', l.lanpltrusted,
                          'acl', ARRAY(SELECT a::text FROM unnest(coalesce(l.lanacl, acldefault('l', l.lanowner))) a ORDER BY 1))
FROM pg_language l
