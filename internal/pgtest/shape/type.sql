-- Enums, domains, ranges, composite and base types; not array types and not the row types of relations.
SELECT format_type(t.oid, NULL),
       to_jsonb(t) - '{oid,typname,typnamespace,typowner,typrelid,typelem,typarray,typbasetype,typtypmod,typcollation,typdefault,typdefaultbin,typacl,typndims}'::text[]
       || jsonb_build_object(
           'owner', pg_get_userbyid(t.typowner),
           'acl', ARRAY(SELECT a::text FROM unnest(coalesce(t.typacl, acldefault('T', t.typowner))) a ORDER BY 1),
           'element', CASE WHEN t.typelem <> 0 THEN format_type(t.typelem, NULL) END,
           'base type', CASE WHEN t.typbasetype <> 0 THEN format_type(t.typbasetype, t.typtypmod) END,
           'collation', CASE WHEN t.typcollation <> 0 THEN (pg_identify_object('pg_collation'::regclass, t.typcollation, 0)).identity END,
           'default', coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault),
           'labels', (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
           'range', (SELECT jsonb_build_object(
                         'subtype', format_type(r.rngsubtype, NULL), 'multirange', format_type(r.rngmultitypid, NULL),
                         'collation', CASE WHEN r.rngcollation <> 0 THEN (pg_identify_object('pg_collation'::regclass, r.rngcollation, 0)).identity END,
                         'opclass', (pg_identify_object('pg_opclass'::regclass, r.rngsubopc, 0)).identity,
                         'canonical', r.rngcanonical, 'difference', r.rngsubdiff)
                     FROM pg_range r WHERE r.rngtypid = t.oid))
FROM pg_type t
JOIN ns ON ns.oid = t.typnamespace
LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE (c.oid IS NULL OR c.relkind = 'c')
  AND NOT EXISTS (SELECT FROM pg_type el WHERE el.typarray = t.oid)
  AND ('pg_type'::regclass, t.oid) NOT IN (SELECT classid, objid FROM ext)
