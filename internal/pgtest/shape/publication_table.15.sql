SELECT quote_ident(p.pubname) || ' ' || r.prrelid::regclass,
       to_jsonb(r) - '{oid,prpubid,prrelid,prqual,prattrs}'::text[]
       || jsonb_build_object(
           'where', pg_get_expr(r.prqual, r.prrelid),
           'columns', (SELECT array_agg(a.attname ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[])))
FROM pg_publication_rel r
JOIN pg_publication p ON p.oid = r.prpubid
JOIN pg_class c ON c.oid = r.prrelid
JOIN ns ON ns.oid = c.relnamespace
