package equivalence

// form is one statement form of issue's planner scope. Its SQL names objects by placeholders, so that it runs
// on each variant of the fixture: {t} the table, {t.x} a column of it, {s} its schema, {p} a table it refers
// to, {ch} a table that refers to it, {name:x} a new name for x.
type form struct {
	group string
	name  string
	prep  string // run on every database before
	sql   string
	psql  string // what psql runs where the file itself is not what it accepts (RULES 20)

	only    []string // variants; empty = all
	since   int      // major version that knows the syntax
	accept  []string // consents that the form needs
	plainly bool     // tables are small: BigRows as by default

	refused  string // code of the refusal that is expected on every variant; "variant:code" on one
	noRevert bool   // revert is refused by design, the plan says why
	afterToo bool   // revert works after complete as well
}

var (
	plainOnly       = []string{"plain"}
	plainOdd        = []string{"plain", "odd"}
	partitionedOnly = []string{"partitioned", "nested"}
	noDependents    = []string{"plain", "odd", "partitioned", "nested"}
)

// twoLevels is a partitioned table whose partition is partitioned by another column.
const twoLevels = `CREATE TABLE {s}.{name:top} ({a} int, {b} int) PARTITION BY RANGE ({a}); CREATE TABLE {s}.{name:mid} PARTITION OF {s}.{name:top} FOR VALUES FROM (0) TO (10) PARTITION BY LIST ({b});
`

var forms = []form{
	// Tables.
	{group: "table", name: "create table", sql: `CREATE TABLE {s}.{name:fresh} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, x text NOT NULL DEFAULT 'x', t int REFERENCES {t}, CHECK (x <> ''));`},
	{group: "table", name: "create table if not exists, existing", sql: `CREATE TABLE IF NOT EXISTS {t} (x int);`},
	{group: "table", name: "create table as", sql: `CREATE TABLE {s}.{name:copy} AS SELECT * FROM {t};`},
	{group: "table", name: "create table like", sql: `CREATE TABLE {s}.{name:twin} (LIKE {t} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);`},
	{group: "table", name: "create partitioned table with partitions", sql: `CREATE TABLE {s}.{name:pt} (k int NOT NULL, v text, PRIMARY KEY (k)) PARTITION BY RANGE (k);
CREATE TABLE {s}.{name:pt1} PARTITION OF {s}.{name:pt} FOR VALUES FROM (0) TO (10);
CREATE INDEX ON {s}.{name:pt} (v);
INSERT INTO {s}.{name:pt} SELECT g, 'v' FROM generate_series(0, 9) g;`},
	{group: "table", name: "drop table", sql: `DROP TABLE {ch};`, noRevert: true},
	{group: "table", name: "drop table if exists, absent", sql: `DROP TABLE IF EXISTS {s}.nothing;`},
	{group: "table", name: "rename table", sql: `ALTER TABLE {t} RENAME TO {name:renamed};`, afterToo: true},
	{group: "table", name: "rename and rename back", sql: `ALTER TABLE {ch} RENAME TO {name:renamed};
ALTER TABLE {s}.{name:renamed} RENAME TO {ch.bare};`, only: plainOnly},
	{group: "table", name: "set schema", prep: `CREATE SCHEMA elsewhere;`, sql: `ALTER TABLE {ch} SET SCHEMA elsewhere;`},
	{group: "table", name: "truncate", sql: `TRUNCATE {ch};`, accept: []string{"irreversible"}, noRevert: true},
	{group: "table", name: "storage parameters", sql: `ALTER TABLE {leaf} SET (fillfactor = 70, autovacuum_enabled = off);`, afterToo: true},
	{group: "table", name: "reset storage parameter", prep: `ALTER TABLE {leaf} SET (fillfactor = 70);`, sql: `ALTER TABLE {leaf} RESET (fillfactor);`},
	{group: "table", name: "replica identity full", sql: `ALTER TABLE {leaf} REPLICA IDENTITY FULL;`, afterToo: true},
	{group: "table", name: "owner", prep: `GRANT replank_test_other TO CURRENT_USER;`, sql: `ALTER TABLE {t} OWNER TO replank_test_other;`, only: plainOdd},
	{group: "table", name: "set unlogged", sql: `ALTER TABLE {ch} SET UNLOGGED;`, refused: "blocking"},
	{group: "table", name: "comment", sql: `COMMENT ON TABLE {t} IS 'it''s a table'; COMMENT ON COLUMN {t}.{a} IS 'a';`, afterToo: true},
	{group: "table", name: "grant", sql: `GRANT SELECT ON {t} TO replank_test_other;`},
	{group: "table", name: "grant columns", sql: `GRANT UPDATE ({a}) ON {t} TO replank_test_other;`},
	{group: "table", name: "revoke", prep: `GRANT ALL ON {t} TO replank_test_other;`, sql: `REVOKE UPDATE ON {t} FROM replank_test_other;`, noRevert: true},
	{group: "table", name: "enable row security with policy", sql: `ALTER TABLE {t} ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON {t} USING ({a} > 0);`},
	{group: "table", name: "force row security", sql: `ALTER TABLE {t} FORCE ROW LEVEL SECURITY;`},
	{group: "table", name: "drop policy", prep: `CREATE POLICY old ON {t} USING (true);`, sql: `DROP POLICY old ON {t};`, noRevert: true},
	{group: "table", name: "inherit", prep: `CREATE TABLE {s}.{name:parent} (LIKE {ch});`, sql: `ALTER TABLE {ch} INHERIT {s}.{name:parent};`, only: plainOdd, noRevert: true},

	// Columns.
	{group: "column", name: "add nullable column", sql: `ALTER TABLE {t} ADD COLUMN {name:z} int;`, afterToo: true},
	{group: "column", name: "add column with constant default", sql: `ALTER TABLE {t} ADD COLUMN {name:z} int DEFAULT 5;`},
	{group: "column", name: "add not null column with constant default", sql: `ALTER TABLE {t} ADD COLUMN {name:z} int NOT NULL DEFAULT 5;`},
	{group: "column", name: "add column with stable default", sql: `ALTER TABLE {t} ADD COLUMN {name:z} date NOT NULL DEFAULT current_date;`},
	{group: "column", name: "add column with volatile default", sql: `ALTER TABLE {t} ADD COLUMN {name:vol} float8 DEFAULT random();`, afterToo: true},
	{group: "column", name: "add not null column with volatile default", sql: `ALTER TABLE {t} ADD COLUMN {name:vol} uuid NOT NULL DEFAULT gen_random_uuid();`},
	{group: "column", name: "add column with check", sql: `ALTER TABLE {t} ADD COLUMN {name:z} int DEFAULT 1 CHECK ({name:z} > 0);`},
	{group: "column", name: "add column with unique", sql: `ALTER TABLE {t} ADD COLUMN {name:z} int UNIQUE;`, only: []string{"plain", "odd", "dependents"}},
	{group: "column", name: "add column with foreign key", sql: `ALTER TABLE {t} ADD COLUMN {name:z} int DEFAULT 1 REFERENCES {p};`},
	{group: "column", name: "add column with primary key", prep: `ALTER TABLE {nopk} DROP CONSTRAINT IF EXISTS nopk_pkey;`, sql: `ALTER TABLE {nopk} ADD COLUMN {name:vol} int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY;`},
	{group: "column", name: "add identity column", sql: `ALTER TABLE {t} ADD COLUMN {name:vol} bigint GENERATED ALWAYS AS IDENTITY;`, only: []string{"plain", "odd", "dependents"}},
	{group: "column", name: "add identity column with options", sql: `ALTER TABLE {t} ADD COLUMN {name:vol} int GENERATED BY DEFAULT AS IDENTITY (START WITH 100 INCREMENT BY 5);`, only: []string{"plain", "odd", "dependents"}},
	{group: "column", name: "add serial column", sql: `ALTER TABLE {t} ADD COLUMN {name:vol} bigserial;`},
	{group: "column", name: "add generated stored column", sql: `ALTER TABLE {t} ADD COLUMN {name:z} int GENERATED ALWAYS AS ({a} * 2) STORED;`, refused: "generated-stored"},
	{group: "column", name: "add generated virtual column", sql: `ALTER TABLE {t} ADD COLUMN {name:z} int GENERATED ALWAYS AS ({a} * 2) VIRTUAL;`, since: 18},
	{group: "column", name: "add column if not exists, existing", sql: `ALTER TABLE {t} ADD COLUMN IF NOT EXISTS {a} int;`},
	{group: "column", name: "add several columns", sql: `ALTER TABLE {t} ADD COLUMN {name:z} int, ADD COLUMN {name:y} text DEFAULT 'y', ADD COLUMN {name:x} timestamptz;`},
	{group: "column", name: "add not null column with fill", sql: `-- replank: fill {b}
ALTER TABLE {t} ADD COLUMN {name:z} text NOT NULL;`, psql: `ALTER TABLE {t} ADD COLUMN {name:z} text;
UPDATE {t} SET {name:z} = {b}; ALTER TABLE {t} ALTER {name:z} SET NOT NULL;`},
	{group: "column", name: "drop column", sql: `ALTER TABLE {t} DROP COLUMN {u};`, noRevert: true},
	{group: "column", name: "drop not null column", sql: `ALTER TABLE {t} DROP COLUMN {free};`, noRevert: true},
	{group: "column", name: "drop column cascade", sql: `ALTER TABLE {t} DROP COLUMN {n} CASCADE;`, noRevert: true},
	{group: "column", name: "drop column if exists, absent", sql: `ALTER TABLE {t} DROP COLUMN IF EXISTS nothing;`},
	{group: "column", name: "rename column", sql: `ALTER TABLE {t} RENAME COLUMN {b} TO {name:label};`, afterToo: true},
	{group: "column", name: "rename indexed column", prep: `CREATE INDEX {name:bi} ON {t} ({b});`, sql: `ALTER TABLE {t} RENAME COLUMN {b} TO {name:label};`},
	{group: "column", name: "rename not null column with default", sql: `ALTER TABLE {t} RENAME COLUMN {d} TO {name:label};`},
	{group: "column", name: "rename primary key column", sql: `ALTER TABLE {ch} RENAME COLUMN id TO {name:label};`},
	{group: "column", name: "rename numeric column", sql: `ALTER TABLE {t} RENAME COLUMN {n} TO {name:label};`},
	{group: "column", name: "set default", sql: `ALTER TABLE {t} ALTER COLUMN {a} SET DEFAULT 5;`, afterToo: true},
	{group: "column", name: "drop default", sql: `ALTER TABLE {t} ALTER COLUMN {d} DROP DEFAULT;`, afterToo: true},
	{group: "column", name: "set not null", sql: `ALTER TABLE {t} ALTER COLUMN {b} SET NOT NULL;`, afterToo: true},
	{group: "column", name: "set not null, already", sql: `ALTER TABLE {t} ALTER COLUMN {a} SET NOT NULL;`},
	{group: "column", name: "set not null with fill", prep: `UPDATE {t} SET {b} = NULL WHERE id % 3 = 0;`, sql: `-- replank: fill 'none'
ALTER TABLE {t} ALTER COLUMN {b} SET NOT NULL;`, psql: `UPDATE {t} SET {b} = 'none' WHERE {b} IS NULL; ALTER TABLE {t} ALTER COLUMN {b} SET NOT NULL;`, noRevert: true},
	{group: "column", name: "drop not null", sql: `ALTER TABLE {t} ALTER COLUMN {a} DROP NOT NULL;`, afterToo: true},
	{group: "column", name: "add identity", sql: `ALTER TABLE {ch} ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY;`},
	{group: "column", name: "set identity", prep: `ALTER TABLE {ch} ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY;`, sql: `ALTER TABLE {ch} ALTER COLUMN id SET GENERATED ALWAYS SET INCREMENT BY 2;`},
	{group: "column", name: "drop identity", prep: `ALTER TABLE {ch} ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY;`, sql: `ALTER TABLE {ch} ALTER COLUMN id DROP IDENTITY;`},
	{group: "column", name: "set statistics", sql: `ALTER TABLE {t} ALTER COLUMN {a} SET STATISTICS 500;`, afterToo: true},
	{group: "column", name: "set storage", sql: `ALTER TABLE {t} ALTER COLUMN {b} SET STORAGE EXTERNAL;`, afterToo: true},
	{group: "column", name: "set compression", sql: `ALTER TABLE {t} ALTER COLUMN {b} SET COMPRESSION pglz;`},
	{group: "column", name: "set column options", sql: `ALTER TABLE {t} ALTER COLUMN {a} SET (n_distinct = 100);`},
	{group: "column", name: "split column", sql: `ALTER TABLE {t} ADD COLUMN {name:first} text, ADD COLUMN {name:last} text;
UPDATE {t} SET {name:first} = split_part({full}, ' ', 1), {name:last} = split_part({full}, ' ', 2);
-- replank: inverse {full} = {name:first} || ' ' || {name:last}
ALTER TABLE {t} DROP COLUMN {full};`},
	{group: "column", name: "merge columns", sql: `ALTER TABLE {t} ADD COLUMN {name:both} text;
UPDATE {t} SET {name:both} = {full} || ':' || {c};
ALTER TABLE {t} DROP COLUMN {full}, DROP COLUMN {c};`, noRevert: true},

	// Types.
	{group: "type change", name: "int to bigint", sql: `ALTER TABLE {t} ALTER COLUMN {a} TYPE bigint;`},
	{group: "type change", name: "int with default to bigint", sql: `ALTER TABLE {t} ALTER COLUMN {d} TYPE bigint;`, only: noDependents},
	{group: "type change", name: "primary key and foreign key to bigint", sql: `ALTER TABLE {p} ALTER COLUMN id TYPE bigint;
ALTER TABLE {t} ALTER COLUMN {pid} TYPE bigint;`, only: noDependents},
	{group: "type change", name: "referenced key only to bigint", sql: `ALTER TABLE {p} ALTER COLUMN id TYPE bigint;`},
	{group: "type change", name: "indexed int to bigint", prep: `CREATE INDEX {name:ai} ON {t} ({a}) WHERE {a} > 5; CREATE INDEX {name:ai2} ON {t} ({b} text_pattern_ops, {a} DESC) INCLUDE ({c});`, sql: `ALTER TABLE {t} ALTER COLUMN {a} TYPE bigint;`},
	{group: "type change", name: "unique int to bigint", sql: `ALTER TABLE {p} ALTER COLUMN code TYPE bigint;`},
	{group: "type change", name: "serial to bigint", prep: `ALTER TABLE {ch} ADD COLUMN sn serial;`, sql: `ALTER TABLE {ch} ALTER COLUMN sn TYPE bigint;`},
	{group: "type change", name: "identity to bigint", prep: `ALTER TABLE {ch} ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY;`, sql: `ALTER TABLE {ch} ALTER COLUMN id TYPE bigint;`},
	{group: "type change", name: "varchar widening", sql: `ALTER TABLE {t} ALTER COLUMN {c} TYPE varchar(40);`, noRevert: true},
	{group: "type change", name: "varchar to text", sql: `ALTER TABLE {t} ALTER COLUMN {c} TYPE text;`, noRevert: true},
	{group: "type change", name: "varchar with default to text without", prep: `ALTER TABLE {t} ALTER COLUMN {c} SET DEFAULT 'x';`, sql: `ALTER TABLE {t} ALTER COLUMN {c} DROP DEFAULT;
ALTER TABLE {t} ALTER COLUMN {c} TYPE text;`, noRevert: true},
	{group: "type change", name: "varchar narrowing", sql: `ALTER TABLE {t} ALTER COLUMN {c} TYPE varchar(15);`},
	{group: "type change", name: "text to varchar", sql: `ALTER TABLE {t} ALTER COLUMN {b} TYPE varchar(50);`, only: noDependents},
	{group: "type change", name: "text to int using", sql: `ALTER TABLE {t} ALTER COLUMN {digits} TYPE int USING {digits}::int;`},
	{group: "type change", name: "int to text", sql: `ALTER TABLE {t} ALTER COLUMN {a} TYPE text;`, only: noDependents},
	{group: "type change", name: "numeric widening", sql: `ALTER TABLE {t} ALTER COLUMN {n} TYPE numeric(12,2);`, noRevert: true},
	{group: "type change", name: "numeric scale", sql: `ALTER TABLE {t} ALTER COLUMN {n} TYPE numeric(12,4);`},
	{group: "type change", name: "timestamp to timestamptz", sql: `SET TimeZone = 'Europe/Berlin'; ALTER TABLE {t} ALTER COLUMN {ts} TYPE timestamptz;`},
	{group: "type change", name: "timestamp to timestamptz in UTC", sql: `SET TimeZone = 'UTC'; ALTER TABLE {t} ALTER COLUMN {ts} TYPE timestamptz;`, noRevert: true},
	{group: "type change", name: "timestamptz to date using", sql: `SET TimeZone = 'UTC'; ALTER TABLE {t} ALTER COLUMN {tz} TYPE date USING ({tz} AT TIME ZONE 'UTC')::date;`},
	{group: "type change", name: "json to jsonb", sql: `ALTER TABLE {t} ALTER COLUMN {j} TYPE jsonb;`},
	{group: "type change", name: "enum to text", sql: `ALTER TABLE {t} ALTER COLUMN {e} TYPE text;`},
	{group: "type change", name: "using with inverse", sql: `-- replank: inverse {a} / 100
ALTER TABLE {t} ALTER COLUMN {a} TYPE bigint USING {a}::bigint * 100;`},
	{group: "type change", name: "collation", sql: `ALTER TABLE {t} ALTER COLUMN {b} TYPE text COLLATE "C";`, only: noDependents},
	{group: "type change", name: "with check constraint", prep: `ALTER TABLE {t} ADD CONSTRAINT {name:chk} CHECK ({a} > -1 AND {d} > 0);`, sql: `ALTER TABLE {t} ALTER COLUMN {a} TYPE bigint;`},
	{group: "type change", name: "two columns", sql: `ALTER TABLE {t} ALTER COLUMN {a} TYPE bigint, ALTER COLUMN {n} TYPE float8;`},
	{group: "type change", name: "with attributes", prep: `ALTER TABLE {t} ALTER COLUMN {a} SET STATISTICS 300; COMMENT ON COLUMN {t}.{a} IS 'the a'; GRANT SELECT ({a}) ON {t} TO replank_test_other;`, sql: `ALTER TABLE {t} ALTER COLUMN {a} TYPE bigint;`},

	{group: "type change", name: "under a trigger", only: []string{"dependents"}, sql: `ALTER TABLE {t} ALTER COLUMN {b} TYPE varchar(50);`,
		psql: `DROP INDEX {name:dep_i}; DROP TRIGGER {name:touch_b} ON {t}; ALTER TABLE {t} ALTER COLUMN {b} TYPE varchar(50); CREATE INDEX {name:dep_i} ON {t} (lower({b}), {a});
CREATE TRIGGER {name:touch_b} AFTER UPDATE OF {b} ON {t} FOR EACH ROW EXECUTE FUNCTION {name:touch}();`},
	{group: "type change", name: "under a policy", only: []string{"dependents"}, sql: `ALTER TABLE {t} ALTER COLUMN {d} TYPE bigint;`,
		psql: `DROP POLICY {name:pol} ON {t}; DROP STATISTICS {name:stats}; ALTER TABLE {t} ALTER COLUMN {d} TYPE bigint; CREATE STATISTICS {name:stats} ON {a}, {d} FROM {t}; CREATE POLICY {name:pol} ON {t} USING ({d} > 0);`},
	{group: "type change", name: "under views and a materialized view", only: []string{"dependents"}, sql: `ALTER TABLE {t} ALTER COLUMN {pid} TYPE bigint;`,
		psql: `DROP MATERIALIZED VIEW {name:m1}; DROP VIEW {name:v2}; DROP VIEW {name:v1}; ALTER TABLE {t} ALTER COLUMN {pid} TYPE bigint;
CREATE VIEW {name:v1} AS SELECT id, {pid} FROM {t}; CREATE VIEW {name:v2} AS SELECT id FROM {name:v1} WHERE {pid} > 3;
CREATE MATERIALIZED VIEW {name:m1} AS SELECT id, {pid} FROM {t}; CREATE UNIQUE INDEX {name:m1_id} ON {name:m1} (id);`},

	// Constraints.
	{group: "constraint", name: "add check", sql: `ALTER TABLE {t} ADD CONSTRAINT {name:chk} CHECK ({a} >= 0);`, afterToo: true},
	{group: "constraint", name: "add unnamed check", sql: `ALTER TABLE {t} ADD CHECK ({a} >= 0);`},
	{group: "constraint", name: "add check not valid", sql: `ALTER TABLE {t} ADD CONSTRAINT {name:chk} CHECK ({a} > 50) NOT VALID;`},
	{group: "constraint", name: "validate constraint", prep: `ALTER TABLE {t} ADD CONSTRAINT {name:chk} CHECK ({a} >= 0) NOT VALID;`, sql: `ALTER TABLE {t} VALIDATE CONSTRAINT {name:chk};`},
	{group: "constraint", name: "drop check", prep: `ALTER TABLE {t} ADD CONSTRAINT {name:chk} CHECK ({a} >= 0);`, sql: `ALTER TABLE {t} DROP CONSTRAINT {name:chk};`, afterToo: true},
	{group: "constraint", name: "replace check", prep: `ALTER TABLE {t} ADD CONSTRAINT {name:chk} CHECK ({a} >= 0);`, sql: `ALTER TABLE {t} DROP CONSTRAINT {name:chk}, ADD CONSTRAINT {name:chk} CHECK ({a} >= -1);`},
	{group: "constraint", name: "rename constraint", prep: `ALTER TABLE {t} ADD CONSTRAINT {name:chk} CHECK ({a} >= 0);`, sql: `ALTER TABLE {t} RENAME CONSTRAINT {name:chk} TO {name:chk2};`, afterToo: true},
	{group: "constraint", name: "add unique", sql: `ALTER TABLE {t} ADD CONSTRAINT {name:uq} UNIQUE (id, {a});`, afterToo: true},
	{group: "constraint", name: "add unnamed unique", sql: `ALTER TABLE {t} ADD UNIQUE (id, {b});`},
	{group: "constraint", name: "add deferrable unique", sql: `ALTER TABLE {t} ADD CONSTRAINT {name:uq} UNIQUE (id, {a}) DEFERRABLE INITIALLY DEFERRED;`},
	{group: "constraint", name: "add unique with include", sql: `ALTER TABLE {t} ADD CONSTRAINT {name:uq} UNIQUE (id) INCLUDE ({b});`},
	{group: "constraint", name: "add unique nulls not distinct", sql: `ALTER TABLE {t} ADD CONSTRAINT {name:uq} UNIQUE NULLS NOT DISTINCT (id, {b});`, since: 15},
	{group: "constraint", name: "add unique using index", prep: `CREATE UNIQUE INDEX {name:ui} ON {ch} (id, tid);`, sql: `ALTER TABLE {ch} ADD CONSTRAINT {name:uq} UNIQUE USING INDEX {name:ui};`, noRevert: true},
	{group: "constraint", name: "drop unique", prep: `ALTER TABLE {t} ADD CONSTRAINT {name:uq} UNIQUE (id, {a});`, sql: `ALTER TABLE {t} DROP CONSTRAINT {name:uq};`, noRevert: true},
	{group: "constraint", name: "add primary key", prep: `ALTER TABLE {nopk} DROP CONSTRAINT IF EXISTS nopk_pkey;`, sql: `ALTER TABLE {nopk} ADD PRIMARY KEY (k);`, afterToo: true},
	{group: "constraint", name: "add foreign key", sql: `ALTER TABLE {t} ADD CONSTRAINT {name:fk} FOREIGN KEY ({a}) REFERENCES {p} (code);`, afterToo: true},
	{group: "constraint", name: "add unnamed foreign key", sql: `ALTER TABLE {t} ADD FOREIGN KEY ({a}) REFERENCES {p} (code) ON DELETE CASCADE;`},
	{group: "constraint", name: "add foreign key not valid", sql: `ALTER TABLE {ch} ADD CONSTRAINT {name:fk} FOREIGN KEY (tid) REFERENCES {p} (id) NOT VALID;`},
	{group: "constraint", name: "add composite foreign key", prep: `ALTER TABLE {p} ADD CONSTRAINT {name:pu} UNIQUE (id, code); UPDATE {t} SET {a} = {pid};`, sql: `ALTER TABLE {t} ADD CONSTRAINT {name:fk} FOREIGN KEY ({pid}, {a}) REFERENCES {p} (id, code);`},
	{group: "constraint", name: "add self-referencing foreign key", prep: `ALTER TABLE {ch} ADD COLUMN up int; UPDATE {ch} SET up = 1;`, sql: `ALTER TABLE {ch} ADD CONSTRAINT {name:fk} FOREIGN KEY (up) REFERENCES {ch} (id);`},
	{group: "constraint", name: "add foreign key to the table", sql: `ALTER TABLE {p} ADD COLUMN tt int; ALTER TABLE {p} ADD CONSTRAINT {name:fk} FOREIGN KEY (tt) REFERENCES {t} (id);`},
	{group: "constraint", name: "drop foreign key", prep: `ALTER TABLE {t} ADD CONSTRAINT {name:fk} FOREIGN KEY ({a}) REFERENCES {p} (code);`, sql: `ALTER TABLE {t} DROP CONSTRAINT {name:fk};`, afterToo: true},
	{group: "constraint", name: "add exclude", prep: `CREATE TABLE {s}.{name:ex} (r int4range); INSERT INTO {s}.{name:ex} SELECT int4range(g, g + 1) FROM generate_series(1, 50) g;`, sql: `ALTER TABLE {s}.{name:ex} ADD CONSTRAINT {name:xc} EXCLUDE USING gist (r WITH &&);`, only: plainOdd, refused: "exclusion-constraint"},
	{group: "constraint", name: "add exclude, small table", prep: `CREATE TABLE {s}.{name:ex} (r int4range); INSERT INTO {s}.{name:ex} SELECT int4range(g, g + 1) FROM generate_series(1, 50) g; ANALYZE {s}.{name:ex};`, sql: `ALTER TABLE {s}.{name:ex} ADD CONSTRAINT {name:xc} EXCLUDE USING gist (r WITH &&);`, only: plainOdd, plainly: true},

	// Indexes.
	{group: "index", name: "create index", sql: `CREATE INDEX {name:i} ON {t} ({a});`, afterToo: true},
	{group: "index", name: "create unnamed index", sql: `CREATE INDEX ON {t} ({a}, {b});`},
	{group: "index", name: "create unique index", sql: `CREATE UNIQUE INDEX {name:i} ON {t} (id, {a});`},
	{group: "index", name: "create partial index", sql: `CREATE INDEX {name:i} ON {t} ({a}) WHERE {b} IS NOT NULL;`},
	{group: "index", name: "create expression index", sql: `CREATE INDEX {name:i} ON {t} (lower({b}), ({a} + 1));`},
	{group: "index", name: "create index with include and options", sql: `CREATE INDEX {name:i} ON {t} ({b} COLLATE "C" text_pattern_ops DESC NULLS LAST) INCLUDE ({a}) WITH (fillfactor = 70);`},
	{group: "index", name: "create hash index", sql: `CREATE INDEX {name:i} ON {t} USING hash ({b});`},
	{group: "index", name: "create gin index", prep: `ALTER TABLE {t} ADD COLUMN arr int[]; UPDATE {t} SET arr = ARRAY[id, {a}];`, sql: `CREATE INDEX {name:i} ON {t} USING gin (arr);`},
	{group: "index", name: "create gist index", prep: `ALTER TABLE {t} ADD COLUMN rng int4range; UPDATE {t} SET rng = int4range(id, id + 1);`, sql: `CREATE INDEX {name:i} ON {t} USING gist (rng);`},
	{group: "index", name: "create brin index", sql: `CREATE INDEX {name:i} ON {t} USING brin (id) WITH (pages_per_range = 4);`},
	{group: "index", name: "create spgist index", sql: `CREATE INDEX {name:i} ON {t} USING spgist ({b});`},
	{group: "index", name: "create index concurrently", sql: `CREATE INDEX CONCURRENTLY {name:i} ON {leaf} ({a});`},
	{group: "index", name: "create index if not exists, existing", prep: `CREATE INDEX {name:i} ON {t} ({a});`, sql: `CREATE INDEX IF NOT EXISTS {name:i} ON {t} ({a});`},
	{group: "index", name: "drop index", prep: `CREATE INDEX {name:i} ON {t} ({a});`, sql: `DROP INDEX {s}.{name:i};`, afterToo: true},
	{group: "index", name: "drop index concurrently", prep: `CREATE INDEX {name:i} ON {leaf} ({a});`, sql: `DROP INDEX CONCURRENTLY {s}.{name:i};`, afterToo: true},
	{group: "index", name: "replace index", prep: `CREATE INDEX {name:i} ON {t} ({a});`, sql: `DROP INDEX {s}.{name:i}; CREATE INDEX {name:i} ON {t} ({a}, {b});`, noRevert: false},
	{group: "index", name: "rename index", prep: `CREATE INDEX {name:i} ON {t} ({a});`, sql: `ALTER INDEX {s}.{name:i} RENAME TO {name:i2};`, afterToo: true},
	{group: "index", name: "reindex index", prep: `CREATE INDEX {name:i} ON {leaf} ({a});`, sql: `REINDEX INDEX {s}.{name:i};`},
	{group: "index", name: "reindex table", sql: `REINDEX TABLE {leaf};`},

	// Partitions.
	{group: "partition", name: "create partition", sql: `CREATE TABLE {s}.{name:part} PARTITION OF {t} FOR VALUES FROM (1000) TO (2000);`, only: partitionedOnly},
	{group: "partition", name: "attach partition", prep: `CREATE TABLE {s}.{name:part} (LIKE {t} INCLUDING ALL); INSERT INTO {s}.{name:part} SELECT * FROM {t} WHERE false;`, sql: `ALTER TABLE {t} ATTACH PARTITION {s}.{name:part} FOR VALUES FROM (1000) TO (2000);`, only: partitionedOnly},
	{group: "partition", name: "attach partition of a hash", prep: `CREATE TABLE {s}.{name:h} (id int PRIMARY KEY, v text, {a} int DEFAULT 1, UNIQUE (id, v)) PARTITION BY HASH (id); CREATE TABLE {s}.{name:h0} (LIKE {s}.{name:h}); INSERT INTO {s}.{name:h0} SELECT g, 'v' FROM generate_series(1, 40) g WHERE satisfies_hash_partition('{s}.{name:h}'::regclass, 2, 1, g);`, sql: `ALTER TABLE {s}.{name:h} ATTACH PARTITION {s}.{name:h0} FOR VALUES WITH (MODULUS 2, REMAINDER 1);`, only: plainOdd},
	{group: "partition", name: "attach partition, several key columns, default partition", prep: `CREATE TABLE {s}.{name:r} ({a} int, {b} text) PARTITION BY RANGE ({b}, {a}); CREATE TABLE {s}.{name:rest} PARTITION OF {s}.{name:r} DEFAULT; INSERT INTO {s}.{name:r} VALUES (1, 'z'), (2, NULL); CREATE TABLE {s}.{name:r0} (LIKE {s}.{name:r}); INSERT INTO {s}.{name:r0} VALUES (5, 'm'), (1, 'n');`, sql: `ALTER TABLE {s}.{name:r} ATTACH PARTITION {s}.{name:r0} FOR VALUES FROM ('m', 2) TO ('o', MINVALUE);`, only: plainOdd},
	{group: "partition", name: "attach partition, list with NULL", prep: `CREATE TABLE {s}.{name:l} ({a} int) PARTITION BY LIST ({a}); CREATE TABLE {s}.{name:l0} (LIKE {s}.{name:l}); INSERT INTO {s}.{name:l0} VALUES (1), (NULL);`, sql: `ALTER TABLE {s}.{name:l} ATTACH PARTITION {s}.{name:l0} FOR VALUES IN (1, NULL);`, only: plainOdd},
	{group: "partition", name: "detach partition", sql: `ALTER TABLE {t} DETACH PARTITION {spare};`, only: partitionedOnly},
	{group: "partition", name: "detach partition concurrently", sql: `ALTER TABLE {t} DETACH PARTITION {spare} CONCURRENTLY;`, only: partitionedOnly},
	{group: "partition", name: "detach partition of a partition", prep: twoLevels + `CREATE TABLE {s}.{name:low} PARTITION OF {s}.{name:mid} FOR VALUES IN (1, 2); INSERT INTO {s}.{name:top} VALUES (1, 1), (2, 2);`, sql: `ALTER TABLE {s}.{name:mid} DETACH PARTITION {s}.{name:low};`, only: plainOdd},
	{group: "partition", name: "detach partition of a partition concurrently", prep: twoLevels + `CREATE TABLE {s}.{name:low} PARTITION OF {s}.{name:mid} FOR VALUES IN (1, 2); INSERT INTO {s}.{name:top} VALUES (1, 1), (2, 2);`, sql: `ALTER TABLE {s}.{name:mid} DETACH PARTITION {s}.{name:low} CONCURRENTLY;`, only: plainOdd},
	{group: "partition", name: "attach partition to a partition", prep: twoLevels + `CREATE TABLE {s}.{name:low} (LIKE {s}.{name:top}); INSERT INTO {s}.{name:low} VALUES (1, 1), (2, 2);`, sql: `ALTER TABLE {s}.{name:mid} ATTACH PARTITION {s}.{name:low} FOR VALUES IN (1, 2);`, only: plainOdd},
	{group: "partition", name: "drop partition", prep: `DROP TABLE {ch};`, sql: `DROP TABLE {spare};`, only: partitionedOnly, noRevert: true},

	// Types.
	{group: "types", name: "create enum", sql: `CREATE TYPE {s}.{name:en} AS ENUM ('x', 'y');`},
	{group: "types", name: "add enum value", sql: `ALTER TYPE {mood} ADD VALUE 'c' AFTER 'a';`, accept: []string{"irreversible"}, noRevert: true},
	{group: "types", name: "rename enum value", sql: `ALTER TYPE {mood} RENAME VALUE 'a' TO 'alpha';`, afterToo: true},
	{group: "types", name: "rebuild enum", sql: `ALTER TYPE {mood} RENAME TO {name:mood_old};
CREATE TYPE {mood} AS ENUM ('b', 'a');
ALTER TABLE {t} ALTER COLUMN {e} TYPE {mood} USING {e}::text::{mood};
DROP TYPE {s}.{name:mood_old};`},
	{group: "types", name: "rebuild enum with default", prep: `ALTER TABLE {t} ALTER COLUMN {e} SET DEFAULT 'a';`, sql: `ALTER TYPE {mood} RENAME TO {name:mood_old};
CREATE TYPE {mood} AS ENUM ('b', 'a');
ALTER TABLE {t} ALTER COLUMN {e} DROP DEFAULT;
ALTER TABLE {t} ALTER COLUMN {e} TYPE {mood} USING {e}::text::{mood};
ALTER TABLE {t} ALTER COLUMN {e} SET DEFAULT 'b';
DROP TYPE {s}.{name:mood_old};`},
	{group: "types", name: "rename type", sql: `ALTER TYPE {mood} RENAME TO {name:humour};`, afterToo: true},
	{group: "types", name: "drop type", prep: `CREATE TYPE {s}.{name:en} AS ENUM ('x');`, sql: `DROP TYPE {s}.{name:en};`, noRevert: true},
	{group: "types", name: "create domain", sql: `CREATE DOMAIN {s}.{name:dom} AS int DEFAULT 3 CHECK (VALUE > 0);`},
	{group: "types", name: "domain add constraint", prep: `CREATE DOMAIN {s}.{name:dom} AS int; ALTER TABLE {t} ADD COLUMN dc {s}.{name:dom} DEFAULT 4;`, sql: `ALTER DOMAIN {s}.{name:dom} ADD CONSTRAINT {name:pos} CHECK (VALUE > 0);`, refused: "blocking"},
	{group: "types", name: "domain set default", prep: `CREATE DOMAIN {s}.{name:dom} AS int;`, sql: `ALTER DOMAIN {s}.{name:dom} SET DEFAULT 9;`},
	{group: "types", name: "create composite type", sql: `CREATE TYPE {s}.{name:comp} AS (x int, y text);`},

	// Sequences.
	{group: "sequence", name: "create sequence", sql: `CREATE SEQUENCE {s}.{name:sq} START 10;`},
	{group: "sequence", name: "alter sequence", prep: `CREATE SEQUENCE {s}.{name:sq};`, sql: `ALTER SEQUENCE {s}.{name:sq} INCREMENT BY 5 MAXVALUE 1000 CYCLE;`, afterToo: true},
	{group: "sequence", name: "rename sequence", prep: `CREATE SEQUENCE {s}.{name:sq};`, sql: `ALTER SEQUENCE {s}.{name:sq} RENAME TO {name:sq2};`},
	{group: "sequence", name: "drop sequence", prep: `CREATE SEQUENCE {s}.{name:sq};`, sql: `DROP SEQUENCE {s}.{name:sq};`, noRevert: true},

	// Views.
	{group: "view", name: "create view", sql: `CREATE VIEW {s}.{name:v} AS SELECT id, {a} FROM {t};`, afterToo: true},
	{group: "view", name: "replace view", prep: `CREATE VIEW {s}.{name:v} AS SELECT id FROM {t}; GRANT SELECT ON {s}.{name:v} TO replank_test_other;`, sql: `CREATE OR REPLACE VIEW {s}.{name:v} AS SELECT id, {a} FROM {t};`},
	{group: "view", name: "drop view", prep: `CREATE VIEW {s}.{name:v} AS SELECT id FROM {t};`, sql: `DROP VIEW {s}.{name:v};`, noRevert: true},
	{group: "view", name: "drop and create view", prep: `CREATE VIEW {s}.{name:v} AS SELECT id, {a} FROM {t};`, sql: `DROP VIEW {s}.{name:v}; CREATE VIEW {s}.{name:v} AS SELECT {a} FROM {t};`, noRevert: false},
	{group: "view", name: "rename view", prep: `CREATE VIEW {s}.{name:v} AS SELECT id FROM {t};`, sql: `ALTER VIEW {s}.{name:v} RENAME TO {name:vv2};`},
	{group: "view", name: "view options", prep: `CREATE VIEW {s}.{name:v} AS SELECT id FROM {t};`, sql: `ALTER VIEW {s}.{name:v} SET (security_barrier = true);`},
	{group: "view", name: "create materialized view", sql: `CREATE MATERIALIZED VIEW {s}.{name:m} AS SELECT id, {a} FROM {t};`},
	{group: "view", name: "refresh materialized view", prep: `CREATE MATERIALIZED VIEW {s}.{name:m} AS SELECT id, {a} FROM {t}; CREATE UNIQUE INDEX ON {s}.{name:m} (id); UPDATE {t} SET {a} = {a} + 1;`, sql: `REFRESH MATERIALIZED VIEW {s}.{name:m};`, noRevert: true},
	{group: "view", name: "type change with the view in the file", prep: `CREATE VIEW {s}.{name:v} AS SELECT id, {n} FROM {nopk2};`, sql: `DROP VIEW {s}.{name:v}; ALTER TABLE {nopk2} ALTER COLUMN {n} TYPE float8; CREATE VIEW {s}.{name:v} AS SELECT id, {n} FROM {nopk2};`},
	{group: "view", name: "type change under a view", prep: `CREATE VIEW {s}.{name:v} AS SELECT id, {n} FROM {nopk2}; CREATE VIEW {s}.{name:w} AS SELECT * FROM {s}.{name:v}; COMMENT ON VIEW {s}.{name:v} IS 'v'; GRANT SELECT ON {s}.{name:w} TO replank_test_other;`, sql: `ALTER TABLE {nopk2} ALTER COLUMN {n} TYPE float8;`,
		psql: `DROP VIEW {s}.{name:w}; DROP VIEW {s}.{name:v}; ALTER TABLE {nopk2} ALTER COLUMN {n} TYPE float8;
CREATE VIEW {s}.{name:v} AS SELECT id, {n} FROM {nopk2}; CREATE VIEW {s}.{name:w} AS SELECT * FROM {s}.{name:v}; COMMENT ON VIEW {s}.{name:v} IS 'v'; GRANT SELECT ON {s}.{name:w} TO replank_test_other;`},

	// Functions, triggers, the rest.
	{group: "function", name: "create function", sql: `CREATE FUNCTION {s}.{name:f}(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1';`},
	{group: "function", name: "replace function", prep: `CREATE FUNCTION {s}.{name:f}(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1';`, sql: `CREATE OR REPLACE FUNCTION {s}.{name:f}(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 2';`},
	{group: "function", name: "drop function", prep: `CREATE FUNCTION {s}.{name:f}(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1';`, sql: `DROP FUNCTION {s}.{name:f}(int);`, noRevert: true},
	{group: "function", name: "create trigger", prep: `CREATE FUNCTION {s}.{name:tf}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';`, sql: `CREATE TRIGGER {name:tr} BEFORE UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION {s}.{name:tf}();`},
	{group: "function", name: "drop trigger", prep: `CREATE FUNCTION {s}.{name:tf}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER {name:tr} BEFORE UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION {s}.{name:tf}();`, sql: `DROP TRIGGER {name:tr} ON {t};`, afterToo: true},
	{group: "function", name: "disable trigger", prep: `CREATE FUNCTION {s}.{name:tf}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER {name:tr} BEFORE UPDATE ON {leaf} FOR EACH ROW EXECUTE FUNCTION {s}.{name:tf}();`, sql: `ALTER TABLE {leaf} DISABLE TRIGGER {name:tr};`},
	{group: "function", name: "create schema", sql: `CREATE SCHEMA {name:sch};`},
	{group: "function", name: "create extension", sql: `CREATE EXTENSION citext;`},
	{group: "function", name: "create statistics", sql: `CREATE STATISTICS {s}.{name:st} ON {a}, {d} FROM {t};`},
	{group: "function", name: "do block", sql: `DO $$ BEGIN PERFORM 1; END $$;`, accept: []string{"irreversible"}, noRevert: true},
	{group: "function", name: "explicit transaction", sql: `BEGIN; ALTER TABLE {t} ADD COLUMN {name:z} int; CREATE INDEX {name:i} ON {t} ({name:z}); COMMIT;`},

	// Rows.
	{group: "rows", name: "update all", sql: `UPDATE {t} SET {a} = {a} + 1000;`},
	{group: "rows", name: "update where", sql: `UPDATE {t} SET {b} = upper({b}), {n} = {n} * 2 WHERE {a} % 2 = 0;`},
	{group: "rows", name: "update from", sql: `UPDATE {t} SET {b} = 'p' || p.code FROM {p} p WHERE p.id = {t}.{pid};`},
	{group: "rows", name: "update with sub-select", sql: `UPDATE {t} SET {b} = (SELECT 'c' || max(code) FROM {p});`},
	{group: "rows", name: "delete where", sql: `DELETE FROM {ch} WHERE id % 2 = 0;`},
	{group: "rows", name: "insert select", prep: `CREATE TABLE {s}.{name:arch} (id int PRIMARY KEY, v text);`, sql: `INSERT INTO {s}.{name:arch} (id, v) SELECT id, {b} FROM {t} WHERE {a} > 10;`},
	{group: "rows", name: "insert values", sql: `INSERT INTO {p} (id, code) VALUES (9001, 9001), (9002, 9002);`, noRevert: true},
	{group: "rows", name: "dedupe", sql: `DELETE FROM {ch} x WHERE EXISTS (SELECT FROM {ch} y WHERE y.tid = x.tid AND y.id < x.id);`, refused: "whole-statement"},
	{group: "rows", name: "add column, fill, set not null", sql: `ALTER TABLE {t} ADD COLUMN {name:z} text; UPDATE {t} SET {name:z} = coalesce({b}, '-'); ALTER TABLE {t} ALTER COLUMN {name:z} SET NOT NULL;`},
}
