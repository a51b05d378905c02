package ddl_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/replank/replank/ddl"
)

// TestAssume judges parts of histories: statements about what no statement made.
func TestAssume(t *testing.T) {
	for _, tt := range []struct {
		name, history string
		want          string // the effect of the last statement: locks and the rest
		apply         string // what Apply says to it
	}{
		{"add column", "ALTER TABLE orders ADD COLUMN n int", "AE public.orders", ""},
		{"add column with a constant", "ALTER TABLE orders ADD COLUMN n int NOT NULL DEFAULT 0", "AE public.orders", ""},
		{"add column with a volatile default", "ALTER TABLE orders ADD COLUMN n uuid DEFAULT gen_random_uuid()", "AE public.orders, rewrites public.orders, scans public.orders", ""},
		{"add column with an unknown default", "ALTER TABLE orders ADD COLUMN n int DEFAULT app.next_n()", "AE public.orders, rewrites public.orders, scans public.orders, unknown", ""},
		{"add column of an unknown type", "ALTER TABLE orders ADD COLUMN n app.money", "AE public.orders, unknown", ""},
		{"add column of an extension", "ALTER TABLE orders ADD COLUMN n citext", "AE public.orders", ""},
		{"alter type", "ALTER TABLE orders ALTER COLUMN total TYPE bigint", "AE public.orders, rewrites public.orders, scans public.orders, unknown", ""},
		{"alter type with USING", "ALTER TABLE orders ALTER COLUMN total TYPE bigint USING length(total)", "AE public.orders, rewrites public.orders, scans public.orders", ""},
		{"alter type that the history knows", "ALTER TABLE orders ADD COLUMN c varchar(10); ALTER TABLE orders ALTER c TYPE text", "AE public.orders", ""},
		{"alter type twice", "ALTER TABLE orders ALTER c TYPE varchar(10); ALTER TABLE orders ALTER c TYPE varchar(20)", "AE public.orders", ""},
		{"alter type of a seen table", "CREATE TABLE orders (id int); ALTER TABLE orders ALTER nope TYPE bigint", "AE public.orders, refused", "42703"},
		{"of a dropped table", "DROP TABLE orders; ALTER TABLE orders ADD n int", "refused", "42P01"},
		{"by the name it had", "ALTER TABLE orders RENAME TO o; ALTER TABLE orders ADD n int", "refused", "42P01"},
		{"by its new name", "ALTER TABLE orders RENAME TO o; ALTER TABLE o ADD n int", "AE public.o", ""},
		{"created again", "DROP TABLE IF EXISTS orders; CREATE TABLE orders (id int); ALTER TABLE orders ADD n int", "AE public.orders", ""},
		{"created after it was assumed", "ALTER TABLE orders ADD n int; CREATE TABLE orders (id int); ALTER TABLE orders ALTER n TYPE text", "AE public.orders, refused", "42703"},
		{"set not null", "ALTER TABLE orders ALTER n SET NOT NULL", "AE public.orders, scans public.orders", ""},
		{"set not null with proof", "ALTER TABLE orders ADD CONSTRAINT c CHECK (n IS NOT NULL) NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT c; ALTER TABLE orders ALTER n SET NOT NULL", "AE public.orders", ""},
		{"create index", "CREATE INDEX ON orders (customer, lower(mail)) WHERE paid", "S public.orders, scans public.orders", ""},
		{"drop index", "DROP INDEX orders_customer", "AE public.orders_customer, gone public.orders_customer, unknown", ""},
		{"drop index that the history made", "CREATE INDEX i ON orders (customer); DROP INDEX i", "AE public.i, AE public.orders, gone public.i", ""},
		{"rename index", "ALTER INDEX a RENAME TO b; DROP INDEX CONCURRENTLY b", "AE public.b, gone public.b, unknown", ""},
		{"reindex", "REINDEX INDEX a", "AE public.a, reindexes public.a, unknown", ""},
		{"drop column", "ALTER TABLE orders DROP COLUMN n", "AE public.orders", ""},
		{"rename column", "ALTER TABLE orders RENAME n TO m; ALTER TABLE orders DROP n", "AE public.orders", ""},
		{"foreign key", "ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customers", "SRE public.customers, SRE public.orders, scans public.customers, scans public.orders", ""},
		{"foreign key of a new table", "CREATE TABLE orders (id int, customer int REFERENCES app.customers (id))", "SRE app.customers", ""},
		{"validate", "ALTER TABLE orders VALIDATE CONSTRAINT c", "SUE public.orders, scans public.orders, unknown", ""},
		{"drop constraint", "ALTER TABLE orders DROP CONSTRAINT c", "AE public.orders, unknown", ""},
		{"primary key using index", "ALTER TABLE orders ADD PRIMARY KEY USING INDEX i", "AE public.orders, AS public.i, scans public.orders, unknown", ""},
		{"partition", "CREATE TABLE p_2026 PARTITION OF p FOR VALUES FROM (1) TO (2)", "AE public.p", ""},
		{"column of all partitions", "CREATE TABLE p_2026 PARTITION OF p DEFAULT; ALTER TABLE p ALTER n TYPE bigint", "AE public.p, AE public.p_2026, rewrites public.p_2026, scans public.p_2026, unknown", ""},
		{"attach", "ALTER TABLE p ATTACH PARTITION q FOR VALUES IN (1)", "AE public.q, SUE public.p, scans public.q, unknown", ""},
		{"detach", "ALTER TABLE p DETACH PARTITION q; ALTER TABLE q DROP n", "AE public.q", ""},
		{"enum", "ALTER TYPE mood ADD VALUE 'x' AFTER 'y'", "", ""},
		{"domain", "ALTER DOMAIN amount ADD CHECK (VALUE > 0)", "unknown", ""},
		{"view", "CREATE VIEW v AS SELECT * FROM orders JOIN pg_class ON true; DROP VIEW v", "AE public.v, gone public.v", ""},
		{"update", "UPDATE orders SET n = 1 FROM customers c WHERE c.id = customer", "AS public.customers, RE public.orders, scans public.customers, scans public.orders", ""},
		{"with", "WITH x AS (SELECT id FROM old) DELETE FROM orders USING x WHERE x.id = orders.id", "AS public.old, RE public.orders, scans public.old, scans public.orders", ""},
		{"lock", "LOCK TABLE orders IN SHARE MODE", "S public.orders", ""},
		{"vacuum full", "VACUUM FULL orders", "AE public.orders, rewrites public.orders, scans public.orders", ""},
		{"trigger", "CREATE TRIGGER t AFTER UPDATE OF n ON orders EXECUTE FUNCTION f(); DROP TRIGGER other ON orders", "AE public.orders", ""},
		{"sequence", "ALTER SEQUENCE s RESTART", "SRE public.s", ""},
		{"schema", "ALTER TABLE app.orders SET SCHEMA old; ALTER TABLE old.orders ADD n int", "AE old.orders", ""},
		{"comment", "COMMENT ON COLUMN orders.n IS 'x'", "SUE public.orders", ""},
		{"identity", "ALTER TABLE orders ALTER id ADD GENERATED ALWAYS AS IDENTITY", "AE public.orders", ""},
		{"matview", "REFRESH MATERIALIZED VIEW mv", "AE public.mv, rewrites public.mv, scans public.mv, unknown", ""},
		{"made unlogged", "ALTER TABLE orders SET UNLOGGED", "AE public.orders, rewrites public.orders, scans public.orders", ""},
		{"do", "DO $$ BEGIN ALTER TABLE orders ADD CONSTRAINT c FOREIGN KEY (customer) REFERENCES customers(id); EXCEPTION WHEN duplicate_object THEN NULL; END $$",
			"SRE public.customers, SRE public.orders, scans public.customers, scans public.orders", ""},
		{"do made it", "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_type WHERE typname = 'mood') THEN CREATE TYPE mood AS ENUM ('a'); END IF; END $$; ALTER TABLE orders ADD n mood", "AE public.orders", ""},
		{"do with EXECUTE", "DO $$ BEGIN EXECUTE 'ALTER TABLE orders ALTER n TYPE bigint USING n + 1'; END $$", "AE public.orders, rewrites public.orders, scans public.orders", ""},
		{"do with text it makes up", "DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM orders LOOP EXECUTE format('DROP TABLE %I', r.n); END LOOP; END $$", "AS public.orders, scans public.orders, unknown", ""},
		{"do in another language", "DO LANGUAGE plperl $$ 1 $$", "unknown", ""},
		{"do with a new table", "DO $$ BEGIN CREATE TABLE IF NOT EXISTS n (id int); CREATE INDEX ON n (id); END $$; ALTER TABLE n ALTER id TYPE text", "AE public.n, AE public.n_id_idx, rewrites public.n, scans public.n, reindexes public.n_id_idx, gone public.n_id_idx", ""},
		{"function", "SELECT app.migrate()", "unknown", ""},
		{"inherits", "CREATE TABLE o2 () INHERITS (orders); ALTER TABLE o2 ALTER n TYPE text", "AE public.o2, rewrites public.o2, scans public.o2, unknown", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := ddl.Parse("h.sql", tt.history)
			if err != nil {
				t.Fatal(err)
			}
			s := ddl.Empty(15, "app")
			for i, st := range f.Statements {
				s.Assume(st)
				e := ddl.Effects(s, st)
				err := s.Apply(st)
				if i < len(f.Statements)-1 {
					if err != nil {
						t.Fatalf("%s: %v", st.SQL, err)
					}
					continue
				}
				if got := effectText(e); got != tt.want {
					t.Errorf("%s\n  gives %s\n  want  %s\n  because %q %s", st.SQL, got, tt.want, e.Why, e.Refused)
				}
				if got := sqlState(err); got != tt.apply {
					t.Errorf("%s: Apply says %v, want %q", st.SQL, err, tt.apply)
				}
			}
		})
	}
}

func sqlState(err error) string {
	if se, ok := err.(*ddl.SchemaError); ok {
		return se.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// effectText is an effect in one line.
func effectText(e ddl.Effect) string {
	var out []string
	for _, l := range e.Locks {
		out = append(out, l.Mode.Abbrev()+" "+l.Relation.String())
	}
	slices.Sort(out)
	for _, set := range []struct {
		what  string
		names []ddl.Name
	}{{"rewrites", e.Rewrites}, {"scans", e.Scans}, {"reindexes", e.Reindexes}, {"gone", e.Gone}} {
		for _, n := range set.names {
			out = append(out, set.what+" "+n.String())
		}
	}
	if e.Refused != "" {
		out = append(out, "refused")
	}
	if e.Unknown {
		out = append(out, "unknown")
	}
	return strings.Join(out, ", ")
}

// TestAssumedIsNeverLess judges every form of forms.sql twice: knowing the whole schema, and knowing nothing but the
// statement. Who knows nothing must say of a table that the statement names whatever the other says, or that it does
// not know; and neither crashes nor is at a loss when the statement is applied.
func TestAssumedIsNeverLess(t *testing.T) {
	full := ddl.Empty(18, "app")
	for _, file := range []string{"testdata/ddl_fixture.sql", "testdata/forms_fixture.sql"} {
		applyAll(t, full, read(t, file))
	}
	compared := 0
	for _, part := range strings.Split(read(t, "testdata/forms.sql"), "-- form: ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		if strings.Contains(rest, "-- setup: ") || strings.Contains(rest, "-- pg: -") {
			continue
		}
		f, err := ddl.Parse(name, rest)
		if err != nil || len(f.Statements) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		st := f.Statements[0]
		known := ddl.Effects(full, st)
		s := ddl.Empty(18, "app")
		s.Schemas, s.SearchPath, s.PathSetting = []string{"m", "public"}, []string{"m"}, []string{"m"}
		s.Assume(st)
		guessed := ddl.Effects(s, st)
		if known.Refused != "" {
			continue
		}
		compared++
		if guessed.Refused != "" && !ownTerms(guessed.Refused) {
			t.Errorf("%s: refused because %s", st.SQL, guessed.Refused)
		}
		if err := s.Apply(st); err != nil {
			t.Errorf("%s: Apply: %v", st.SQL, err)
		}
		if guessed.Unknown {
			continue
		}
		for _, l := range known.Locks {
			if r := s.Relations[l.Relation]; r != nil && r.Assumed && guessed.Lock(l.Relation) < l.Mode {
				t.Errorf("%s: %s is locked %s, assumed %s", st.SQL, l.Relation, l.Mode, guessed.Lock(l.Relation))
			}
		}
		for _, set := range [][2][]ddl.Name{{known.Rewrites, guessed.Rewrites}, {known.Scans, guessed.Scans}} {
			for _, n := range set[0] {
				if r := s.Relations[n]; r != nil && r.Assumed && !slices.Contains(set[1], n) {
					t.Errorf("%s: %s is read or written anew, which is not assumed", st.SQL, n)
				}
			}
		}
	}
	if compared < 300 {
		t.Errorf("only %d forms were compared", compared)
	}
	t.Logf("%d forms", compared)
}

// ownTerms are refusals that need no other knowledge than the statement's.
func ownTerms(why string) bool { return strings.Contains(why, "already exists") }

func read(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func applyAll(t *testing.T, s *ddl.Schema, sql string) {
	f, err := ddl.Parse("", sql)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range f.Statements {
		if err := s.Apply(st); err != nil {
			t.Fatalf("%s: %v", st.SQL, err)
		}
	}
}
