-- Tables, partitioned and foreign tables, views, materialized views. Left out of pg_class: identifiers, sizes, ages, and
-- the flags which PostgreSQL clears lazily (relhasindex and kin).
SELECT (pg_identify_object('pg_class'::regclass, c.oid, 0)).identity,
       to_jsonb(c) - '{oid,relname,relnamespace,reltype,reloftype,relowner,relam,relfilenode,reltablespace,relpages,reltuples,relallvisible,relallfrozen,reltoastrelid,relhasindex,relhasrules,relhastriggers,relhassubclass,relnatts,relchecks,relfrozenxid,relminmxid,relrewrite,relacl,relpartbound,reloptions}'::text[]
       || jsonb_build_object(
           'owner', pg_get_userbyid(c.relowner),
           'access method', am.amname,
           'tablespace', ts.spcname,
           'options', (SELECT array_agg(o ORDER BY o) FROM unnest(c.reloptions) o),
           'toast options', (SELECT array_agg(o ORDER BY o) FROM pg_class toast, unnest(toast.reloptions) o WHERE toast.oid = c.reltoastrelid),
           'acl', ARRAY(SELECT a::text FROM unnest(coalesce(c.relacl, acldefault('r', c.relowner))) a ORDER BY 1),
           'of type', CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END,
           'inherits', (SELECT array_agg(i.inhparent::regclass::text || CASE WHEN i.inhdetachpending THEN ' (detach pending)' ELSE '' END ORDER BY i.inhseqno)
                        FROM pg_inherits i WHERE i.inhrelid = c.oid),
           'partition bound', pg_get_expr(c.relpartbound, c.oid),
           'partition key', CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
           'definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
           'server', (SELECT s.srvname FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid),
           'foreign options', (SELECT array_agg(o ORDER BY o) FROM pg_foreign_table f, unnest(f.ftoptions) o WHERE f.ftrelid = c.oid),
           'row type', (SELECT jsonb_build_object('name', t.typname, 'owner', pg_get_userbyid(t.typowner),
                                                  'acl', ARRAY(SELECT a::text FROM unnest(coalesce(t.typacl, acldefault('T', t.typowner))) a ORDER BY 1))
                        FROM pg_type t WHERE t.oid = c.reltype))
FROM pg_class c
JOIN ns ON ns.oid = c.relnamespace
LEFT JOIN pg_am am ON am.oid = c.relam
LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')
  AND ('pg_class'::regclass, c.oid) NOT IN (SELECT classid, objid FROM ext)
