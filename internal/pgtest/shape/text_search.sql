SELECT 'configuration ' || (pg_identify_object('pg_ts_config'::regclass, c.oid, 0)).identity,
       jsonb_build_object('owner', pg_get_userbyid(c.cfgowner), 'parser', (pg_identify_object('pg_ts_parser'::regclass, c.cfgparser, 0)).identity,
                          'mappings', (SELECT array_agg(format('%s %s %s', m.maptokentype, m.mapseqno, m.mapdict::regdictionary) ORDER BY m.maptokentype, m.mapseqno)
                                       FROM pg_ts_config_map m WHERE m.mapcfg = c.oid))
FROM pg_ts_config c JOIN ns ON ns.oid = c.cfgnamespace
WHERE ('pg_ts_config'::regclass, c.oid) NOT IN (SELECT classid, objid FROM ext)
UNION ALL
SELECT 'dictionary ' || (pg_identify_object('pg_ts_dict'::regclass, d.oid, 0)).identity,
       jsonb_build_object('owner', pg_get_userbyid(d.dictowner), 'template', (pg_identify_object('pg_ts_template'::regclass, d.dicttemplate, 0)).identity, 'options', d.dictinitoption)
FROM pg_ts_dict d JOIN ns ON ns.oid = d.dictnamespace
WHERE ('pg_ts_dict'::regclass, d.oid) NOT IN (SELECT classid, objid FROM ext)
UNION ALL
SELECT 'parser ' || (pg_identify_object('pg_ts_parser'::regclass, p.oid, 0)).identity, to_jsonb(p) - '{oid,prsname,prsnamespace}'::text[]
FROM pg_ts_parser p JOIN ns ON ns.oid = p.prsnamespace
WHERE ('pg_ts_parser'::regclass, p.oid) NOT IN (SELECT classid, objid FROM ext)
UNION ALL
SELECT 'template ' || (pg_identify_object('pg_ts_template'::regclass, t.oid, 0)).identity, to_jsonb(t) - '{oid,tmplname,tmplnamespace}'::text[]
FROM pg_ts_template t JOIN ns ON ns.oid = t.tmplnamespace
WHERE ('pg_ts_template'::regclass, t.oid) NOT IN (SELECT classid, objid FROM ext)
