SELECT quote_ident(p.pubname) || ' ' || r.prrelid::regclass, '{}'::jsonb
FROM pg_publication_rel r
JOIN pg_publication p ON p.oid = r.prpubid
JOIN pg_class c ON c.oid = r.prrelid
JOIN ns ON ns.oid = c.relnamespace
