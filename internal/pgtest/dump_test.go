package pgtest

import (
	"context"
	_ "embed"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

//go:embed testdata/sink.sql
var sinkSQL string

// sink makes a database with one of everything, and returns it with the SQL of role names filled in by fill.
func sink(t *testing.T) (dsn string, fill func(string) string) {
	t.Helper()
	a, b := Role(t, "role_a", ""), Role(t, "role_b", "")
	fill = func(sql string) string { return strings.NewReplacer("{a}", quote(a), "{b}", quote(b)).Replace(sql) }
	dsn = DB(t)
	Exec(t, dsn, fill(sinkSQL))
	return dsn, fill
}

// Two databases built by the same statements, but with different identifiers, attribute numbers and histories, are equal.
func TestDumpIgnoresHistory(t *testing.T) {
	one, fill := sink(t)
	two := DB(t)
	Exec(t, two, "CREATE TABLE filler AS SELECT g FROM generate_series(1, 10) g; CREATE TYPE junk AS ENUM ('a'); CREATE INDEX ON filler (g); DROP TABLE filler; DROP TYPE junk")
	Exec(t, two, fill(sinkSQL))
	Exec(t, two, "ALTER TABLE app.invoice ADD COLUMN gone int; ALTER TABLE app.invoice DROP COLUMN gone",
		"SELECT nextval('app.numbers')", "INSERT INTO app.customer (name) VALUES ('x'); DELETE FROM app.customer", "VACUUM ANALYZE",
		"CREATE SCHEMA replank; CREATE TABLE replank.run (id int PRIMARY KEY, s serial); COMMENT ON TABLE replank.run IS 'ours'")
	SameShape(t, one, two)
	if d := Dump(t, one); strings.Count(d, "\n") < 500 {
		t.Errorf("dump has only %d lines", strings.Count(d, "\n"))
	}
}

// A grant that only repeats the defaults changes no right.
func TestDumpIgnoresExplicitDefaultACL(t *testing.T) {
	one, fill := sink(t)
	two := DB(t, From(one))
	Exec(t, two, fill("GRANT SELECT ON app.parent TO {b}; REVOKE SELECT ON app.parent FROM {b}"))
	SameShape(t, one, two)
}

// mutations each change one thing. "since" is the first version that knows the statement.
var mutations = []struct {
	name, sql string
	since     int
}{
	{name: "add column", sql: "ALTER TABLE app.parent ADD COLUMN z int"},
	{name: "drop column", sql: "ALTER TABLE app.parent DROP COLUMN b CASCADE"},
	{name: "rename column", sql: "ALTER TABLE app.parent RENAME b TO bb"},
	{name: "column order", sql: "ALTER TABLE app.cache RENAME k TO tmp; ALTER TABLE app.cache RENAME v TO k; ALTER TABLE app.cache RENAME tmp TO v"},
	{name: "column type", sql: "ALTER TABLE app.invoice ALTER state TYPE varchar"},
	{name: "type modifier", sql: "ALTER TABLE app.cache ALTER w TYPE varchar(11)"},
	{name: "column collation", sql: `ALTER TABLE app.cache ALTER k TYPE text COLLATE "C"`},
	{name: "set not null", sql: "ALTER TABLE app.invoice ALTER state SET NOT NULL"},
	{name: "drop not null", sql: "ALTER TABLE app.customer ALTER name DROP NOT NULL"},
	{name: "not null name", sql: "ALTER TABLE app.customer RENAME CONSTRAINT customer_name_not_null TO other", since: 18},
	{name: "not null not valid", sql: "ALTER TABLE app.invoice ADD CONSTRAINT sn NOT NULL state NOT VALID", since: 18},
	{name: "not enforced", sql: "ALTER TABLE app.invoice ALTER CONSTRAINT invoice_customer_id_fkey NOT ENFORCED", since: 18},
	{name: "virtual column", sql: "ALTER TABLE app.parent ADD COLUMN v int GENERATED ALWAYS AS (a) VIRTUAL", since: 18},
	{name: "set default", sql: "ALTER TABLE app.invoice ALTER state SET DEFAULT 'a'"},
	{name: "change default", sql: "ALTER TABLE app.customer ALTER name SET DEFAULT 'somebody'"},
	{name: "drop default", sql: "ALTER TABLE app.customer ALTER name DROP DEFAULT"},
	{name: "identity kind", sql: "ALTER TABLE app.customer ALTER id SET GENERATED ALWAYS"},
	{name: "drop identity", sql: "ALTER TABLE app.customer ALTER id DROP IDENTITY"},
	{name: "identity options", sql: "ALTER TABLE app.customer ALTER id SET INCREMENT 7"},
	{name: "drop expression", sql: "ALTER TABLE app.customer ALTER twice DROP EXPRESSION"},
	{name: "storage", sql: "ALTER TABLE app.customer ALTER note SET STORAGE EXTERNAL"},
	{name: "compression", sql: "ALTER TABLE app.customer ALTER note SET COMPRESSION pglz"},
	{name: "statistics target", sql: "ALTER TABLE app.customer ALTER note SET STATISTICS 42"},
	{name: "column options", sql: "ALTER TABLE app.customer ALTER note SET (n_distinct = 5)"},
	{name: "column comment", sql: "COMMENT ON COLUMN app.customer.name IS 'other'"},
	{name: "column grant", sql: "GRANT SELECT (note) ON app.customer TO {b}"},
	{name: "table comment", sql: "COMMENT ON TABLE app.customer IS NULL"},
	{name: "table owner", sql: "ALTER TABLE app.parent OWNER TO {a}"},
	{name: "table grant", sql: "GRANT DELETE ON app.customer TO {a}"},
	{name: "grant option", sql: "GRANT SELECT ON app.customer TO {a} WITH GRANT OPTION"},
	{name: "revoke owner", sql: "REVOKE INSERT ON app.customer FROM postgres"},
	{name: "rename table", sql: "ALTER TABLE app.parent RENAME TO parents"},
	{name: "table schema", sql: "ALTER TABLE app.cache SET SCHEMA public"},
	{name: "fillfactor", sql: "ALTER TABLE app.customer SET (fillfactor = 90)"},
	{name: "toast option", sql: "ALTER TABLE app.customer RESET (toast.autovacuum_enabled)"},
	{name: "logged", sql: "ALTER TABLE app.cache SET LOGGED"},
	{name: "replica identity", sql: "ALTER TABLE app.parent REPLICA IDENTITY FULL"},
	{name: "replica identity index", sql: "ALTER TABLE app.customer REPLICA IDENTITY USING INDEX customer_pkey"},
	{name: "cluster on", sql: "ALTER TABLE app.customer CLUSTER ON customer_pkey"},
	{name: "row security off", sql: "ALTER TABLE app.invoice DISABLE ROW LEVEL SECURITY"},
	{name: "row security forced", sql: "ALTER TABLE app.invoice FORCE ROW LEVEL SECURITY"},
	{name: "policy", sql: "ALTER POLICY own_rows ON app.invoice USING (customer_id > 1)"},
	{name: "policy roles", sql: "ALTER POLICY own_rows ON app.invoice TO {b}"},
	{name: "validate", sql: "ALTER TABLE app.invoice VALIDATE CONSTRAINT state_known"},
	{name: "check", sql: "ALTER TABLE app.customer DROP CONSTRAINT customer_amount_check; ALTER TABLE app.customer ADD CONSTRAINT customer_amount_check CHECK (amount > 0)"},
	{name: "check no inherit", sql: "ALTER TABLE app.parent ADD CONSTRAINT c CHECK (a > 0) NO INHERIT"},
	{name: "rename constraint", sql: "ALTER TABLE app.customer RENAME CONSTRAINT customer_amount_check TO x"},
	{name: "constraint comment", sql: "COMMENT ON CONSTRAINT state_known ON app.invoice IS 'x'"},
	{name: "foreign key action", sql: "ALTER TABLE app.invoice DROP CONSTRAINT invoice_customer_id_fkey; ALTER TABLE app.invoice ADD CONSTRAINT invoice_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES app.customer DEFERRABLE"},
	{name: "deferrable", sql: "ALTER TABLE app.invoice ALTER CONSTRAINT invoice_customer_id_fkey DEFERRABLE INITIALLY DEFERRED"},
	{name: "unique becomes index", sql: "ALTER TABLE app.customer DROP CONSTRAINT customer_email_key; CREATE UNIQUE INDEX customer_email_key ON app.customer (email)"},
	{name: "add index", sql: "CREATE INDEX ON app.customer (note)"},
	{name: "drop index", sql: "DROP INDEX app.invoice_state"},
	{name: "rename index", sql: "ALTER INDEX app.invoice_state RENAME TO other"},
	{name: "index option", sql: "ALTER INDEX app.invoice_state SET (fillfactor = 60)"},
	{name: "index statistics", sql: "ALTER INDEX app.invoice_state ALTER COLUMN 1 SET STATISTICS 78"},
	{name: "index comment", sql: "COMMENT ON INDEX app.invoice_state IS 'x'"},
	{name: "invalid index", sql: "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'app.invoice_state'::regclass"},
	{name: "nulls not distinct", sql: "ALTER TABLE app.customer DROP CONSTRAINT customer_email_key; ALTER TABLE app.customer ADD CONSTRAINT customer_email_key UNIQUE NULLS NOT DISTINCT (email)", since: 15},
	{name: "index only on parent", sql: "CREATE INDEX lone ON ONLY app.event (at)"},
	{name: "trigger off", sql: "ALTER TABLE app.customer DISABLE TRIGGER touch"},
	{name: "trigger always", sql: "ALTER TABLE app.customer ENABLE ALWAYS TRIGGER touch"},
	{name: "all triggers off", sql: "ALTER TABLE app.invoice DISABLE TRIGGER ALL"},
	{name: "internal triggers off", sql: "UPDATE pg_trigger SET tgenabled = 'D' WHERE tgisinternal AND tgrelid = 'app.invoice'::regclass"},
	{name: "trigger columns", sql: "DROP TRIGGER touch ON app.customer; CREATE TRIGGER touch BEFORE UPDATE OF name ON app.customer FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION app.touch(); COMMENT ON TRIGGER touch ON app.customer IS 'a trigger'"},
	{name: "rename trigger", sql: "ALTER TRIGGER touch ON app.customer RENAME TO x"},
	{name: "drop rule", sql: "DROP RULE quiet ON app.cache"},
	{name: "rule off", sql: "ALTER TABLE app.cache DISABLE RULE quiet"},
	{name: "view definition", sql: "CREATE OR REPLACE VIEW app.names AS SELECT id, name FROM app.customer WHERE id > 0"},
	{name: "view option", sql: "ALTER VIEW app.guarded RESET (security_barrier)"},
	{name: "security invoker", sql: "ALTER VIEW app.names SET (security_invoker = true)", since: 15},
	{name: "view column default", sql: "ALTER VIEW app.names ALTER name SET DEFAULT 'x'"},
	{name: "view owner", sql: "ALTER VIEW app.names OWNER TO {a}"},
	{name: "matview unpopulated", sql: "REFRESH MATERIALIZED VIEW app.summary WITH NO DATA"},
	{name: "matview index", sql: "DROP INDEX app.summary_mood"},
	{name: "sequence increment", sql: "ALTER SEQUENCE app.numbers INCREMENT 3"},
	{name: "sequence type", sql: "ALTER SEQUENCE app.numbers AS bigint"},
	{name: "sequence owner column", sql: "ALTER SEQUENCE app.numbers OWNED BY app.parent.a"},
	{name: "sequence disowned", sql: "ALTER SEQUENCE app.customer_serial_no_seq OWNED BY NONE"},
	{name: "sequence grant", sql: "GRANT USAGE ON SEQUENCE app.numbers TO {b}"},
	{name: "enum value", sql: "ALTER TYPE app.mood ADD VALUE 'great'"},
	{name: "enum order", sql: "ALTER TYPE app.mood ADD VALUE 'meh' BEFORE 'ok'"},
	{name: "enum rename value", sql: "ALTER TYPE app.mood RENAME VALUE 'sad' TO 'blue'"},
	{name: "type comment", sql: "COMMENT ON TYPE app.mood IS 'x'"},
	{name: "type grant", sql: "REVOKE USAGE ON TYPE app.mood FROM PUBLIC"},
	{name: "composite attribute", sql: "ALTER TYPE app.pair ADD ATTRIBUTE z int"},
	{name: "domain check", sql: "ALTER DOMAIN app.positive ADD CONSTRAINT small CHECK (VALUE < 100)"},
	{name: "domain default", sql: "ALTER DOMAIN app.positive SET DEFAULT 2"},
	{name: "domain not null", sql: "ALTER DOMAIN app.positive DROP NOT NULL"},
	{name: "function body", sql: "CREATE OR REPLACE FUNCTION app.double(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n + n'"},
	{name: "atomic body", sql: "CREATE OR REPLACE FUNCTION app.atomic(n int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT n + 2; END"},
	{name: "function volatility", sql: "ALTER FUNCTION app.double VOLATILE"},
	{name: "function cost", sql: "ALTER FUNCTION app.double COST 7"},
	{name: "function setting", sql: "ALTER FUNCTION app.double SET search_path = app"},
	{name: "security definer", sql: "ALTER FUNCTION app.double SECURITY DEFINER"},
	{name: "function grant", sql: "REVOKE EXECUTE ON FUNCTION app.double FROM PUBLIC"},
	{name: "procedure", sql: "DROP PROCEDURE app.work"},
	{name: "aggregate", sql: "CREATE OR REPLACE AGGREGATE app.total (int) (SFUNC = int4pl, STYPE = int, INITCOND = '1')"},
	{name: "operator", sql: "ALTER OPERATOR app.=== (int, int) SET (RESTRICT = eqsel)"},
	{name: "extension", sql: "CREATE EXTENSION pgcrypto SCHEMA public"},
	{name: "extension schema", sql: "ALTER EXTENSION citext SET SCHEMA public"},
	{name: "depends on extension", sql: "ALTER FUNCTION app.double DEPENDS ON EXTENSION citext"},
	{name: "statistics object", sql: "DROP STATISTICS app.related; CREATE STATISTICS app.related (dependencies) ON kind, at FROM app.event"},
	{name: "statistics expression", sql: "DROP STATISTICS app.lowered; CREATE STATISTICS app.lowered ON (upper(state)) FROM app.invoice"},
	{name: "statistics object target", sql: "ALTER STATISTICS app.related SET STATISTICS 10"},
	{name: "publication table", sql: "ALTER PUBLICATION some_rows DROP TABLE app.parent"},
	{name: "publication actions", sql: "ALTER PUBLICATION some_rows SET (publish = 'insert')"},
	{name: "publication via root", sql: "ALTER PUBLICATION some_rows SET (publish_via_partition_root = true)"},
	{name: "publication filter", sql: "ALTER PUBLICATION some_rows SET TABLE app.customer WHERE (id > 0), app.parent", since: 15},
	{name: "publication columns", sql: "ALTER PUBLICATION some_rows SET TABLE app.customer (id, name), app.parent", since: 15},
	{name: "publication schema", sql: "CREATE PUBLICATION all_of_app FOR TABLES IN SCHEMA app", since: 15},
	{name: "partition bound", sql: "ALTER TABLE app.event DETACH PARTITION app.event_2025; ALTER TABLE app.event ATTACH PARTITION app.event_2025 FOR VALUES FROM ('2025-01-01') TO ('2025-12-01')"},
	{name: "detach", sql: "ALTER TABLE app.event DETACH PARTITION app.event_rest"},
	{name: "no inherit", sql: "ALTER TABLE app.child NO INHERIT app.parent"},
	{name: "drop empty schema", sql: `DROP SCHEMA "Odd ""Schema" CASCADE`},
	{name: "schema owner", sql: "ALTER SCHEMA app OWNER TO {a}"},
	{name: "schema grant", sql: "GRANT CREATE ON SCHEMA app TO {a}"},
	{name: "schema comment", sql: "COMMENT ON SCHEMA app IS 'x'"},
	{name: "new schema", sql: "CREATE SCHEMA another"},
	{name: "default privileges", sql: "ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT INSERT ON TABLES TO {a}"},
	{name: "event trigger off", sql: "ALTER EVENT TRIGGER watch DISABLE"},
	{name: "event trigger gone", sql: "DROP EVENT TRIGGER watch"},
	{name: "setting of role in database", sql: "DO $$ BEGIN EXECUTE format('ALTER ROLE {a} IN DATABASE %I SET search_path = app', current_database()); END $$"},
	{name: "setting of database", sql: "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''8MB''', current_database()); END $$"},
	{name: "database comment", sql: "DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS ''x''', current_database()); END $$"},
	{name: "collation", sql: "ALTER COLLATION app.plain RENAME TO simple"},
	{name: "text search", sql: "ALTER TEXT SEARCH CONFIGURATION app.words DROP MAPPING FOR word"},
	{name: "foreign table option", sql: "ALTER FOREIGN TABLE app.remote OPTIONS (SET t 'z')"},
	{name: "foreign column option", sql: "ALTER FOREIGN TABLE app.remote ALTER id OPTIONS (SET c 'z')"},
	{name: "server option", sql: "ALTER SERVER far OPTIONS (SET host 'i')"},
	{name: "user mapping", sql: "ALTER USER MAPPING FOR {a} SERVER far OPTIONS (SET user 'v')"},
	{name: "cast", sql: "DROP CAST (app.pair AS text)"},
	{name: "language grant", sql: "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC"},
	{name: "odd column", sql: `ALTER TABLE "Odd ""Schema"."Odd Table" ALTER "Odd ""Column" SET DEFAULT ''`},
}

// Dump sees every mutation, and without one two copies do not differ.
func TestDumpSeesEveryMutation(t *testing.T) {
	base, fill := sink(t)
	before := Dump(t, base)
	if d := Diff(before, Dump(t, DB(t, From(base)))); d != "" {
		t.Fatalf("an unchanged copy differs:\n%s", d)
	}
	ctx := context.Background()
	conn, err := stableConn(ctx, base)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "SET allow_system_table_mods = on"); err != nil {
		t.Fatal(err)
	}
	for _, m := range mutations {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			AtLeast(t, m.since)
			tx, err := conn.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback(ctx) // so that every mutation starts from the same shape
			if _, err := tx.Exec(ctx, fill(m.sql), pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Fatalf("%v\nin: %s", err, m.sql)
			}
			after, err := dumpIn(ctx, tx, newViewOptions(nil))
			if err != nil {
				t.Fatal(err)
			}
			if after == before {
				t.Errorf("not seen: %s", m.sql)
			}
		})
	}
}

// The order of a table's columns can be disregarded, that of a view's or a type's cannot.
func TestIgnoreColumnOrder(t *testing.T) {
	one, two := DB(t), DB(t)
	Exec(t, one, "CREATE TABLE x (a int PRIMARY KEY, b text NOT NULL, c int); CREATE INDEX i ON x (c, b); CREATE STATISTICS s ON b, c FROM x; CREATE VIEW v AS SELECT a, b, c FROM x; CREATE PUBLICATION p FOR TABLE x",
		"INSERT INTO x VALUES (1, 'one', NULL)")
	Exec(t, two, "CREATE TABLE x (b text NOT NULL, c int, a int PRIMARY KEY); CREATE INDEX i ON x (c, b); CREATE STATISTICS s ON b, c FROM x; CREATE VIEW v AS SELECT a, b, c FROM x; CREATE PUBLICATION p FOR TABLE x",
		"INSERT INTO x VALUES ('one', NULL, 1)")
	SameShape(t, one, two, IgnoreColumnOrder())
	SameData(t, one, two)
	if Dump(t, one) == Dump(t, two) {
		t.Error("the order of columns must count unless it is ignored")
	}
	Exec(t, two, "DROP VIEW v; CREATE VIEW v AS SELECT b, a, c FROM x")
	if Dump(t, one, IgnoreColumnOrder()) == Dump(t, two, IgnoreColumnOrder()) {
		t.Error("the order of a view's columns must always count")
	}
}

// Schemas can be left out, with all in them.
func TestIgnoreSchema(t *testing.T) {
	one, two := DB(t), DB(t)
	Exec(t, two, "CREATE SCHEMA v2; CREATE TABLE v2.t (id serial PRIMARY KEY); COMMENT ON TABLE v2.t IS 'x'; COMMENT ON SCHEMA v2 IS 'y'; INSERT INTO v2.t DEFAULT VALUES")
	SameShape(t, one, two, IgnoreSchema("v2"))
	SameData(t, one, two, IgnoreSchema("v2"))
	if Dump(t, one) == Dump(t, two) || Data(t, one) == Data(t, two) {
		t.Error("schema v2 is not seen")
	}
}
