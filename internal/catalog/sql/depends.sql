-- Who stands on the relations in $1 and the types in $2, one row per column stood on (0 = the whole).
-- Constraints, indexes and sequences are left out: the relation itself carries them.
WITH dep AS (
    SELECT d.classid, d.objid, d.objsubid, d.refobjid AS rel, 0::oid AS typ, d.refobjsubid AS col
    FROM pg_depend d
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($1::oid[])
      AND d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_proc'::regclass, 'pg_trigger'::regclass,
                        'pg_statistic_ext'::regclass, 'pg_publication_rel'::regclass, 'pg_attrdef'::regclass, 'pg_class'::regclass)
      AND (d.classid <> 'pg_class'::regclass OR (d.objid = d.refobjid AND d.objsubid > 0 AND d.refobjsubid > 0))
    UNION ALL
    SELECT d.classid, d.objid, d.objsubid, t.typrelid, 0, 0
    FROM pg_depend d
    JOIN pg_type y ON y.oid = d.refobjid
    JOIN pg_type t ON t.oid = CASE WHEN y.typelem <> 0 THEN y.typelem ELSE y.oid END
    WHERE d.refclassid = 'pg_type'::regclass AND t.typrelid <> 0 AND t.typrelid = ANY ($1::oid[])
      AND d.classid IN ('pg_proc'::regclass, 'pg_class'::regclass) AND d.deptype = 'n'
    UNION ALL
    SELECT d.classid, d.objid, d.objsubid, 0, t.oid, 0
    FROM pg_depend d
    JOIN pg_type y ON y.oid = d.refobjid
    JOIN pg_type t ON t.oid = CASE WHEN y.typcategory = 'A' AND y.typelem <> 0 THEN y.typelem ELSE y.oid END
    WHERE d.refclassid = 'pg_type'::regclass AND t.oid = ANY ($2::oid[])
      AND d.deptype = 'n'
      AND d.classid IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_rewrite'::regclass, 'pg_type'::regclass,
                        'pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass)
), named AS (
    SELECT dep.*, 
           CASE dep.classid
               WHEN 'pg_rewrite'::regclass THEN CASE WHEN r.rulename <> '_RETURN' THEN 'rule'
                                                     WHEN rc.relkind = 'm' THEN 'materialized view' ELSE 'view' END
               WHEN 'pg_policy'::regclass THEN 'policy'
               WHEN 'pg_proc'::regclass THEN 'function'
               WHEN 'pg_trigger'::regclass THEN 'trigger'
               WHEN 'pg_statistic_ext'::regclass THEN 'statistics'
               WHEN 'pg_publication_rel'::regclass THEN 'publication'
               WHEN 'pg_attrdef'::regclass THEN CASE WHEN ga.attgenerated <> '' THEN 'generated column' ELSE 'default' END
               WHEN 'pg_class'::regclass THEN CASE WHEN dep.objid = dep.rel THEN 'generated column'
                                                   WHEN oc.relkind IN ('i', 'I') THEN 'index' ELSE 'column' END
               WHEN 'pg_constraint'::regclass THEN 'constraint'
               WHEN 'pg_type'::regclass THEN 'type'
           END AS kind,
           CASE dep.classid
               WHEN 'pg_rewrite'::regclass THEN r.ev_class WHEN 'pg_policy'::regclass THEN p.polrelid
               WHEN 'pg_trigger'::regclass THEN g.tgrelid WHEN 'pg_attrdef'::regclass THEN ad.adrelid
               WHEN 'pg_class'::regclass THEN dep.objid WHEN 'pg_constraint'::regclass THEN k.conrelid
               WHEN 'pg_publication_rel'::regclass THEN pr.prrelid WHEN 'pg_statistic_ext'::regclass THEN se.stxrelid ELSE 0 END AS owner,
           CASE dep.classid
               WHEN 'pg_rewrite'::regclass THEN r.rulename::text WHEN 'pg_policy'::regclass THEN p.polname::text
               WHEN 'pg_trigger'::regclass THEN g.tgname::text WHEN 'pg_attrdef'::regclass THEN ga.attname::text
               WHEN 'pg_class'::regclass THEN ca.attname::text WHEN 'pg_constraint'::regclass THEN k.conname::text
               WHEN 'pg_publication_rel'::regclass THEN pu.pubname::text WHEN 'pg_statistic_ext'::regclass THEN se.stxname::text
               WHEN 'pg_proc'::regclass THEN f.proname::text WHEN 'pg_type'::regclass THEN ty.typname::text END AS name,
           CASE dep.classid
               WHEN 'pg_statistic_ext'::regclass THEN se.stxnamespace WHEN 'pg_proc'::regclass THEN f.pronamespace
               WHEN 'pg_type'::regclass THEN ty.typnamespace ELSE 0 END AS nsp
    FROM dep
    LEFT JOIN pg_rewrite r ON dep.classid = 'pg_rewrite'::regclass AND r.oid = dep.objid
    LEFT JOIN pg_class rc ON rc.oid = r.ev_class
    LEFT JOIN pg_policy p ON dep.classid = 'pg_policy'::regclass AND p.oid = dep.objid
    LEFT JOIN pg_trigger g ON dep.classid = 'pg_trigger'::regclass AND g.oid = dep.objid
    LEFT JOIN pg_statistic_ext se ON dep.classid = 'pg_statistic_ext'::regclass AND se.oid = dep.objid
    LEFT JOIN pg_publication_rel pr ON dep.classid = 'pg_publication_rel'::regclass AND pr.oid = dep.objid
    LEFT JOIN pg_publication pu ON pu.oid = pr.prpubid
    LEFT JOIN pg_attrdef ad ON dep.classid = 'pg_attrdef'::regclass AND ad.oid = dep.objid
    LEFT JOIN pg_attribute ga ON ga.attrelid = ad.adrelid AND ga.attnum = ad.adnum
    LEFT JOIN pg_class oc ON dep.classid = 'pg_class'::regclass AND oc.oid = dep.objid
    LEFT JOIN pg_attribute ca ON ca.attrelid = oc.oid AND ca.attnum = dep.objsubid
    LEFT JOIN pg_constraint k ON dep.classid = 'pg_constraint'::regclass AND k.oid = dep.objid
    LEFT JOIN pg_proc f ON dep.classid = 'pg_proc'::regclass AND f.oid = dep.objid
    LEFT JOIN pg_type ty ON dep.classid = 'pg_type'::regclass AND ty.oid = dep.objid
    WHERE NOT coalesce(g.tgisinternal, false)
      AND (dep.classid <> 'pg_rewrite'::regclass OR r.ev_class <> dep.rel OR (r.rulename <> '_RETURN' AND dep.col > 0))
      AND (dep.classid NOT IN ('pg_policy'::regclass, 'pg_trigger'::regclass, 'pg_statistic_ext'::regclass, 'pg_publication_rel'::regclass) 
           OR dep.col > 0 OR coalesce(p.polrelid, g.tgrelid, se.stxrelid, pr.prrelid) <> dep.rel)
      AND (dep.classid <> 'pg_attrdef'::regclass OR dep.typ <> 0 OR (ga.attgenerated <> '' AND ad.adnum <> dep.col) OR ad.adrelid <> dep.rel)
      AND (dep.classid <> 'pg_type'::regclass OR dep.typ <> dep.objid AND ty.typtype = 'd' )
)
SELECT DISTINCT n.rel, n.typ, n.col, n.kind, n.objid, n.owner, coalesce(on_.nspname::text, ns.nspname::text, ''),
       coalesce(o.relname::text, ''), coalesce(n.name, ''), coalesce(pg_describe_object(n.classid, n.objid, n.objsubid), ''),
       CASE WHEN n.kind = 'function' THEN n.objid::regprocedure::text ELSE '' END
FROM named n
LEFT JOIN pg_class o ON o.oid = n.owner
LEFT JOIN pg_namespace on_ ON on_.oid = o.relnamespace
LEFT JOIN pg_namespace ns ON ns.oid = n.nsp
WHERE coalesce(on_.nspname, ns.nspname, '') NOT IN ('replank', 'information_schema')
ORDER BY 1, 2, 3, 4, 7, 8, 9
