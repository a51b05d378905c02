-- The columns by name: PostgreSQL lists them in the table's order whatever was written.
SELECT (pg_identify_object('pg_statistic_ext'::regclass, s.oid, 0)).identity,
       to_jsonb(s) - '{oid,stxname,stxnamespace,stxowner,stxrelid,stxkeys,stxexprs,stxkind,stxstattarget}'::text[]
       || jsonb_build_object(
           'owner', pg_get_userbyid(s.stxowner),
           'table', s.stxrelid::regclass::text,
           'kinds', ARRAY(SELECT k::text FROM unnest(s.stxkind) k ORDER BY 1),
           'target', nullif((to_jsonb(s) ->> 'stxstattarget')::int, -1),
           'columns', ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = s.stxrelid AND a.attnum = ANY (s.stxkeys::int2[]) ORDER BY 1),
           'expressions', pg_get_statisticsobjdef_expressions(s.oid))
FROM pg_statistic_ext s
JOIN ns ON ns.oid = s.stxnamespace
