package oracle_test

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/oracle"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func testdata(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// live is a server that counts statements, with the fixture.
func live(t *testing.T) string {
	t.Helper()
	server := pgtest.Own(t, map[string]string{"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"})
	dsn := pgtest.DB(t, pgtest.On(server))
	pgtest.Exec(t, dsn, testdata(t, "fixture.sql"), "SELECT pg_stat_statements_reset()")
	return dsn
}

// work sends the statements of workload.sql as applications do, and some more.
func work(t *testing.T, dsn string, more ...string) {
	t.Helper()
	conn := pgtest.Connect(t, dsn)
	lines := bufio.NewScanner(strings.NewReader(testdata(t, "workload.sql")))
	var all []string
	for lines.Scan() {
		all = append(all, strings.TrimSuffix(lines.Text(), ";"))
	}
	for _, sql := range append(all, more...) {
		if _, err := conn.Exec(context.Background(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

func take(t *testing.T, dsn string) *ddl.Snapshot {
	t.Helper()
	snap, err := oracle.Take(context.Background(), oracle.TakeConfig{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func clone(t *testing.T, snap *ddl.Snapshot) *oracle.Clone {
	t.Helper()
	c, err := oracle.NewClone(context.Background(), snap, oracle.CloneConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close the clone: %v", err)
		}
	})
	return c
}

func migrations(texts ...string) []history.Migration {
	var ms []history.Migration
	for i, text := range texts {
		name := string(rune('a' + i))
		ms = append(ms, history.Migration{Name: name, Path: name + ".sql", Text: text})
	}
	return ms
}

// find is the verdict on the statement with a text in it.
func find(list []oracle.Verdict, part string) *oracle.Verdict {
	i := slices.IndexFunc(list, func(v oracle.Verdict) bool { return strings.Contains(v.Statement.Text, part) })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// TestWorkload: the statements of applications, normalised by the server itself, before and after migrations.
func TestWorkload(t *testing.T) {
	dsn := live(t)
	work(t, dsn, "SET search_path = billing", "SELECT id, order_id FROM invoice WHERE id = 3")
	c := clone(t, take(t, dsn))
	if len(c.Missing) > 0 {
		t.Errorf("not in the clone: %v", c.Missing)
	}
	j, err := c.Workload(context.Background(), migrations(
		/* a */ "ALTER TABLE orders DROP COLUMN note;",
		/* b */ "CREATE TABLE other (id int); COMMENT ON TABLE item IS 'x';",
		/* c */ "ALTER TABLE item ALTER COLUMN label TYPE text; ALTER TABLE customer ADD COLUMN extra int;",
		/* d */ "ALTER TABLE orders RENAME TO purchase;",
		/* e */ "CREATE VIEW orders AS SELECT id, customer_id, state, total, changed FROM purchase;",
		/* f */ "ALTER TABLE customer DROP CONSTRAINT customer_email_key;",
		/* g */ "DROP VIEW taxed_orders; DROP FUNCTION taxed(numeric);",
		/* h */ "ALTER TABLE event ALTER COLUMN n TYPE bigint; SET search_path = nowhere;",
		/* i */ "ALTER TYPE money_of RENAME ATTRIBUTE amount TO units; ALTER TABLE billing.invoice RENAME order_id TO purchase_id;",
		/* j */ "ALTER TABLE billing.invoice DROP CONSTRAINT invoice_order_id_fkey; ALTER TABLE purchase DROP CONSTRAINT orders_customer_id_fkey; ALTER TABLE customer DROP CONSTRAINT customer_pkey; SELECT * FROM nosuch;",
	))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range j.Unjudged {
		t.Errorf("could not judge %s: %s %s", v.Statement.Text, v.Code, v.Message)
	}
	for _, want := range []struct{ part, migration, code, healed string }{
		{"SELECT o.id, o.note", "a", "42703", ""},
		{"UPDATE orders SET note", "a", "42703", ""},
		{"SELECT id FROM orders WHERE id IN", "d", "42P01", "e"},
		{"date_trunc", "d", "42P01", "e"},
		{"changed > now() - interval $1", "d", "42P01", "e"},
		{"SELECT id, order_id FROM invoice", "i", "42703", ""},
		{"ON CONFLICT", "f", "42P10", ""},
		{"FROM taxed_orders", "g", "42P01", ""},
		{"taxed(total) FROM orders", "d", "42P01", "e"},
		{"(sum).amount", "i", "42703", ""},
		{"(newest_order($1)).note", "a", "42703", ""},
		{"SELECT c.id, c.name, count(o.id)", "d", "42P01", "e"},
	} {
		v := find(j.Broken, want.part)
		if v == nil {
			t.Errorf("%s does not break", want.part)
		} else if v.Migration != want.migration || v.Code != want.code || v.Healed != want.healed {
			t.Errorf("%s: %s %s from %s to %q, want %+v", want.part, v.Code, v.Message, v.Migration, v.Healed, want)
		}
	}
	for part, want := range map[string][]string{
		"SELECT * FROM orders": {"columns (id, customer_id, state, total, changed), were (id, customer_id, state, total, note, changed)"},
		"SELECT kind, sum(n)":  {"parameter $2: numeric, was bigint", "column sum: numeric, was bigint"},
	} {
		if v := find(j.Changed, part); v == nil || !slices.Equal(v.Changes, want) {
			t.Errorf("%s: %+v, want %v", part, v, want)
		}
	}
	perDay := 24.0 // less than an hour was counted
	if pgtest.Major(t) < 14 {
		perDay = -1 // they do not tell since when
	}
	if v := find(j.Broken, "(sum).amount"); v != nil && (len(v.Relations) != 1 || v.Relations[0] != "billing.invoice" || v.Statement.Calls != 1 || v.CallsPerDay != perDay) {
		t.Errorf("relations, calls: %+v", v)
	}
	if len(j.Failed) != 1 || j.Failed[0].Code != "42P01" || j.Failed[0].Migration != "j" || !strings.Contains(j.Failed[0].SQL, "nosuch") {
		t.Errorf("failed: %+v", j.Failed)
	}
	for _, part := range []string{"concat(", "FROM per_customer", "jsonb_build_object", "unnest", "WHERE born > date"} {
		if v := find(append(j.Broken, j.Changed...), part); v != nil {
			t.Errorf("nothing was done to %s: %+v", part, v)
		}
	}
	if j.Judged < 38 {
		t.Errorf("only %d statements were judged", j.Judged)
	}
	for _, part := range []string{"count(o.id)", "taxed(total) FROM orders"} {
		var at []string
		for _, v := range j.Broken {
			if strings.Contains(v.Statement.Text, part) {
				at = append(at, v.Migration)
			}
		}
		// With the table in d; then the function in g, the key that it is grouped by in j.
		want := map[string][]string{"count(o.id)": {"d", "j"}, "taxed(total) FROM orders": {"d", "g"}}[part]
		if !slices.Equal(at, want) {
			t.Errorf("%s breaks in %v, want %v", part, at, want)
		}
	}
}

// TestNoSecrets: nothing that a row, a query, a comment, the statistics or a connection string holds is in the file.
func TestNoSecrets(t *testing.T) {
	const secret = "xyzzy"
	dsn := live(t)
	pgtest.Exec(t, dsn, `
		COMMENT ON TABLE item IS 'xyzzy1'; COMMENT ON COLUMN item.label IS 'xyzzy2'; COMMENT ON INDEX orders_customer IS 'xyzzy3';
		COMMENT ON FUNCTION stamp() IS 'xyzzy4'; COMMENT ON TYPE state IS 'xyzzy5'; COMMENT ON CONSTRAINT orders_pkey ON orders IS 'xyzzy6';
		COMMENT ON TRIGGER stamp ON orders IS 'xyzzy7'; COMMENT ON POLICY own ON customer IS 'xyzzy8'; COMMENT ON SCHEMA billing IS 'xyzzy9';
		COMMENT ON EXTENSION hstore IS 'xyzzya';
		INSERT INTO item (label, tags) SELECT 'xyzzyb', ARRAY['xyzzyc'] FROM generate_series(1, 1000);
		CREATE STATISTICS item_both (mcv) ON label, cost FROM item;
		ANALYZE;
		SELECT setval('item_id_seq', 987654321);
		CREATE EXTENSION postgres_fdw;
		CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'far.example.com');
		CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'me', password 'xyzzyd');
		CREATE FOREIGN TABLE far_item (id int) SERVER far;
		CREATE FUNCTION dial() RETURNS text LANGUAGE sql AS $$ SELECT 'host=far password=xyzzye'::text $$;
		CREATE PROCEDURE proc(a text) LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
		CREATE VIEW dialled AS SELECT 'postgres://me:xyzzyf@far/db'::text AS dsn;`)
	work(t, dsn,
		"SELECT name FROM customer WHERE name = 'xyzzyg' -- xyzzyh",
		"SELECT /* xyzzyi */ count(*) FROM item GROUP BY label = 'xyzzyj'",
		"SELECT count(*) FROM item GROUP BY label || 'xyzzyk' ORDER BY label || 'xyzzyk'",
		"SET application_name = 'xyzzyl'", "PREPARE p AS SELECT 'xyzzym'::text", "EXECUTE p", "EXPLAIN SELECT 'xyzzyn'::text",
		"PREPARE p2 (text) AS SELECT label FROM item WHERE label = $1 OR label = 'xyzzy-0'", "DO $$ BEGIN PERFORM 'xyzzyo'::text; END $$", "CREATE TEMPORARY TABLE tmp AS SELECT 'xyzzyp'::text AS a",
		"BEGIN; DECLARE c CURSOR FOR SELECT 'xyzzyq'::text; FETCH c; COMMIT", "SELECT 987654321, 9876.54321",
		"CREATE ROLE fixture_secret PASSWORD 'xyzzyr'", "DROP ROLE fixture_secret", "SELECT '\\x78797a7a79'::bytea, E'xyzz\\x79'",
		"INSERT INTO item (label) VALUES ('xyzzys') RETURNING 'xyzzyt'::text", "NOTIFY ch, 'xyzzyu'", "SELECT $$xyzzyv$$",
		"COPY (SELECT label FROM item WHERE label = 'xyzzyx') TO '/dev/null' WITH (FORMAT csv, NULL 'xyzzyy')", "COPY item (label) TO '/dev/null' WITH (NULL 'xyzzyz')",
		"COPY item TO '/dev/null' WITH (NULL 'xyzzy-1')", "CREATE TEMPORARY TABLE tmp2 AS SELECT id FROM item WHERE label = 'xyzzy-2' WITH NO DATA", "EXECUTE p2('xyzzy-3')",
		"SELECT label INTO TEMPORARY tmp3 FROM item WHERE label = 'xyzzy-4'", "CREATE TEMPORARY VIEW v2 AS SELECT 'xyzzy-5'::text AS a", "CALL proc('xyzzy-6')",
		"BEGIN; DECLARE \"xyzzy-7\" CURSOR FOR SELECT id FROM item WHERE label LIKE 'xyzzy-8%'; FETCH \"xyzzy-7\"; COMMIT", "SET SESSION app.who TO 'xyzzy-9'")
	snap := take(t, dsn+"&password=xyzzyw")
	text, err := snap.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{secret, "987654321", "9876.5", "78797a7a79", `xyzz\\x79`} {
		for rest := string(text); strings.Contains(rest, hidden); {
			at := strings.Index(rest, hidden)
			t.Errorf("%q is in the file: …%s…", hidden, rest[max(0, at-80):min(len(rest), at+40)])
			rest = rest[at+len(hidden):]
		}
	}
	if snap.Workload.Utility < 8 || len(snap.Workload.Statements) < 30 {
		t.Errorf("%d utility statements, %d others", snap.Workload.Utility, len(snap.Workload.Statements))
	}
	for _, part := range []string{"SELECT label FROM item WHERE label = $1", "SELECT label FROM item", "SELECT id FROM item WHERE label = $1", "SELECT id FROM item WHERE label LIKE $1"} {
		if !slices.ContainsFunc(snap.Workload.Statements, func(st ddl.LiveStatement) bool { return st.Text == part }) {
			t.Errorf("the query of a utility statement is not there: %s", part)
		}
	}
	if !strings.Contains(snap.Script, "CREATE FOREIGN TABLE public.far_item") {
		t.Error("the foreign table is not in the script")
	}
	c := clone(t, snap)
	if len(c.Missing) > 0 {
		t.Errorf("not in the clone: %v", c.Missing)
	}
}

// TestConstantsOfShapes: which constants are part of the shape, and in the file, as docs/guide-verify.md says. Each of
// them decides what a statement does, and without it the clone would be another database.
func TestConstantsOfShapes(t *testing.T) {
	pgtest.AtLeast(t, 14) // statistics on expressions
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `
		CREATE TYPE mood AS ENUM ('in-enum-label');
		CREATE DOMAIN word AS text DEFAULT 'in-domain-default' CHECK (VALUE <> 'in-domain-check');
		CREATE TABLE part (region text) PARTITION BY LIST (region);
		CREATE TABLE part_1 PARTITION OF part FOR VALUES IN ('in-partition-bound');
		CREATE TABLE t (id int PRIMARY KEY, m mood, w word, a text DEFAULT 'in-default' CHECK (a <> 'in-check'),
			g text GENERATED ALWAYS AS (coalesce(a, 'in-generated')) STORED, EXCLUDE (id WITH =) WHERE (a <> 'in-exclude'));
		CREATE INDEX ON t (a) WHERE a <> 'in-predicate';
		CREATE INDEX ON t ((a || 'in-index-expression'));
		CREATE STATISTICS s ON (a || 'in-statistics'), id FROM t;
		CREATE VIEW v AS SELECT 'in-view'::text AS x FROM t;
		CREATE MATERIALIZED VIEW mv AS SELECT 'in-matview'::text AS x FROM t;
		CREATE FUNCTION f(a text DEFAULT 'in-argument') RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'in-function'; END $$;
		CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
		CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.a <> 'in-trigger') EXECUTE FUNCTION tf('in-trigger-argument');
		CREATE POLICY p ON t USING (a <> 'in-policy');
		CREATE RULE r AS ON DELETE TO t WHERE OLD.a = 'in-rule' DO INSTEAD NOTHING;
		INSERT INTO t (id, a) VALUES (1, 'row-value'), (2, 'row-value');
		REFRESH MATERIALIZED VIEW mv; ANALYZE;
		COMMENT ON TABLE t IS 'comment-value'; COMMENT ON TYPE mood IS 'comment-value'; COMMENT ON VIEW v IS 'comment-value';`)
	text, err := take(t, dsn).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"enum-label", "domain-default", "domain-check", "partition-bound", "default", "check", "generated", "exclude", "predicate",
		"index-expression", "statistics", "view", "matview", "argument", "function", "trigger", "trigger-argument", "policy", "rule"} {
		if !strings.Contains(string(text), "in-"+part) {
			t.Errorf("the constant in the %s is not in the file", part)
		}
	}
	for _, no := range []string{"row-value", "comment-value"} {
		if strings.Contains(string(text), no) {
			t.Errorf("%s is in the file", no)
		}
	}
}
