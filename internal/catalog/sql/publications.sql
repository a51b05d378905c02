-- Explicit members; all-tables and (15) schema publications have relation 0.
SELECT p.pubname::text, p.puballtables, 0::oid, ''::text, '{}'::int2[], ''::text
FROM pg_publication p WHERE p.puballtables
UNION ALL
SELECT p.pubname::text, false, r.prrelid, ''::text, {{prattrs}}, {{prqual}}
FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
{{pubschemas}}
ORDER BY 1, 3, 4
