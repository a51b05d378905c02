SELECT quote_ident(p.pubname) || ' ' || quote_ident(ns.nspname), '{}'::jsonb
FROM pg_publication_namespace r
JOIN pg_publication p ON p.oid = r.pnpubid
JOIN ns ON ns.oid = r.pnnspid
