package ddl_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pgtest"
)

// TestNamesAreTheServers lets PostgreSQL choose names and chooses them too, from the same statements.
func TestNamesAreTheServers(t *testing.T) {
	long := strings.Repeat("long_", 20)
	wide := strings.Repeat("ä", 40)
	for _, c := range []struct{ name, before, sql string }{
		{"plain", "CREATE TABLE t (a int, b int)", "ALTER TABLE t ADD PRIMARY KEY (a), ADD UNIQUE (a, b), ADD CHECK (a > 0), ADD CHECK (a > b), ADD CHECK (true)"},
		{"numbers", "CREATE TABLE t (a int, b int)", "ALTER TABLE t ADD UNIQUE (a), ADD UNIQUE (a), ADD CHECK (a > 0), ADD CHECK (a > 1 AND a < 5), ADD CHECK (a > 2)"},
		{"taken by a table", "CREATE TABLE t (a int); CREATE TABLE t_a_key (x int); CREATE TABLE t_pkey (x int)", "ALTER TABLE t ADD UNIQUE (a), ADD PRIMARY KEY (a)"},
		{"taken by a constraint of another table", "CREATE TABLE t (a int); CREATE TABLE u (x int, CONSTRAINT t_a_check CHECK (x > 0), CONSTRAINT t_a_key CHECK (x > 1))", "ALTER TABLE t ADD CHECK (a > 0), ADD UNIQUE (a)"},
		{"foreign keys", "CREATE TABLE p (x int, y int, PRIMARY KEY (x, y), UNIQUE (x)); CREATE TABLE t (a int, b int)", "ALTER TABLE t ADD FOREIGN KEY (a, b) REFERENCES p, ADD FOREIGN KEY (a) REFERENCES p (x), ADD FOREIGN KEY (a) REFERENCES p (x)"},
		{"indexes", "CREATE TABLE t (a int, b text)", "CREATE INDEX ON t (a); CREATE INDEX ON t (a); CREATE INDEX ON t (a, a, b) INCLUDE (b); CREATE INDEX ON t (lower(b), upper(b), lower(b)); CREATE INDEX ON t ((a + 1), (a + 2)); CREATE UNIQUE INDEX ON t ((b::varchar(5)), (coalesce(a, 1)), (CASE WHEN a > 0 THEN 1 ELSE a END)); CREATE INDEX ON t ((CASE WHEN a > 0 THEN a ELSE 1 END))"},
		{"exclude", "CREATE TABLE t (a int, r int4range)", "ALTER TABLE t ADD EXCLUDE USING gist (r WITH &&), ADD EXCLUDE USING btree (a WITH =), ADD EXCLUDE USING btree ((a + 1) WITH =)"},
		{"odd", `CREATE TABLE "Odd ""T" ("a B" int, "select" int)`, `ALTER TABLE "Odd ""T" ADD UNIQUE ("a B", "select"), ADD CHECK ("select" > 0)`},
		{"long table", "CREATE TABLE " + long + " (a int, bcdefghij int)", "ALTER TABLE " + long + " ADD UNIQUE (a, bcdefghij), ADD CHECK (a > 0), ADD PRIMARY KEY (a), ADD CHECK (a > 1), ADD UNIQUE (a, bcdefghij)"},
		{"long both", "CREATE TABLE " + long + " (a" + long + " int, b" + long + " int)", "ALTER TABLE " + long + " ADD UNIQUE (a" + long + ", b" + long + "), ADD CHECK (a" + long + " > 0), ADD UNIQUE (b" + long + ")"},
		{"multibyte", "CREATE TABLE " + wide + " (" + wide + " int, a int)", "ALTER TABLE " + wide + " ADD UNIQUE (" + wide + "), ADD UNIQUE (a, " + wide + "), ADD CHECK (" + wide + " > 0), ADD PRIMARY KEY (a)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := pgtest.DB(t)
			pgtest.Exec(t, db, "CREATE EXTENSION IF NOT EXISTS btree_gist")
			pgtest.Exec(t, db, c.before)
			const all = `SELECT coalesce(string_agg(n, E'\x01' ORDER BY n), '') FROM (
				SELECT conname AS n FROM pg_constraint WHERE connamespace = 'public'::regnamespace
				UNION SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace) x`
			names := func() []string { return strings.Split(pgtest.Value[string](t, db, all), "\x01") }
			relations := strings.Split(pgtest.Value[string](t, db, `SELECT string_agg(relname, E'\x01') FROM pg_class WHERE relnamespace = 'public'::regnamespace`), "\x01")
			constraints := strings.Split(pgtest.Value[string](t, db, `SELECT coalesce(string_agg(conname, E'\x01'), '') FROM pg_constraint WHERE connamespace = 'public'::regnamespace`), "\x01")
			before := names()
			pgtest.Exec(t, db, c.sql)
			var server []string
			for _, n := range names() {
				if !slices.Contains(before, n) {
					server = append(server, n)
				}
			}
			isRelation := func(n string) bool { return slices.Contains(relations, n) }
			isConstraint := func(n string) bool { return slices.Contains(constraints, n) }
			isEither := func(n string) bool { return isRelation(n) || isConstraint(n) }
			f, err := ddl.Parse("", c.sql)
			if err != nil {
				t.Fatal(err)
			}
			var ours []string
			for _, op := range ops(f) {
				switch op := op.(type) {
				case ddl.CreateIndex:
					n := ddl.IndexName(op.Table.Name, op.ColumnNames(), ddl.LabelIndex, isRelation)
					ours, relations = append(ours, n), append(relations, n)
				case ddl.AddConstraint:
					n := constraintName(t, op, isConstraint, isEither)
					ours, constraints = append(ours, n), append(constraints, n)
					if op.Constraint.Kind == ddl.PrimaryKey && pgtest.Major(t) >= 18 {
						for _, col := range op.Constraint.Columns { // makes them NOT NULL, which 18 gives a name
							n := ddl.ConstraintName(op.Table.Name, []string{col}, ddl.LabelNotNull, isConstraint)
							ours, constraints = append(ours, n), append(constraints, n)
						}
					}
					if op.Constraint.Kind != ddl.Check && op.Constraint.Kind != ddl.ForeignKey {
						relations = append(relations, n)
					}
				default:
					t.Fatalf("unexpected %T", op)
				}
			}
			slices.Sort(ours)
			slices.Sort(server)
			if !slices.Equal(ours, server) {
				t.Errorf("\nours   %q\nserver %q", ours, server)
			}
		})
	}
}

func ops(f *ddl.File) []ddl.Op {
	var all []ddl.Op
	for _, s := range f.Statements {
		all = append(all, s.Ops...)
	}
	return all
}

func constraintName(t *testing.T, op ddl.AddConstraint, isConstraint, isEither func(string) bool) string {
	t.Helper()
	k, table := op.Constraint, op.Table.Name
	switch k.Kind {
	case ddl.PrimaryKey:
		return ddl.IndexName(table, k.Columns, ddl.LabelPrimaryKey, isEither)
	case ddl.Unique:
		return ddl.IndexName(table, slices.Concat(k.Columns, k.Include), ddl.LabelUnique, isEither)
	case ddl.Exclude:
		return ddl.IndexName(table, k.Columns, ddl.LabelExclude, isEither)
	case ddl.ForeignKey:
		return ddl.ConstraintName(table, k.Columns, ddl.LabelForeignKey, isConstraint)
	case ddl.Check:
		cols, err := ddl.Columns(k.Expr)
		if err != nil {
			t.Fatal(err)
		}
		return ddl.ConstraintName(table, cols, ddl.LabelCheck, isConstraint)
	}
	t.Fatalf("unexpected constraint %q", k.Kind)
	return ""
}

func TestSequenceNamesAreTheServers(t *testing.T) {
	db := pgtest.DB(t)
	long := strings.Repeat("x", 63)
	pgtest.Exec(t, db, "CREATE SEQUENCE t_a_seq; CREATE TABLE t (a serial, b int GENERATED ALWAYS AS IDENTITY)",
		"CREATE TABLE "+long+" (ab serial, "+long+" serial)")
	existed := func(n string) bool { return n == "t_a_seq" }
	for _, c := range [][2]string{{"t", "a"}, {"t", "b"}, {long, "ab"}, {long, long}} {
		server := pgtest.Value[string](t, db, `SELECT relname FROM pg_class WHERE oid = pg_get_serial_sequence($1, $2)::regclass`, c[0], c[1])
		if ours := ddl.SequenceName(c[0], c[1], existed); ours != server {
			t.Errorf("sequence of %s.%s: ours %s, the server's %s", c[0], c[1], ours, server)
		}
	}
}

func TestNotNullNamesAreTheServers(t *testing.T) {
	pgtest.AtLeast(t, 18)
	db := pgtest.DB(t)
	long := strings.Repeat("y", 63)
	pgtest.Exec(t, db, "CREATE TABLE t (a int NOT NULL, "+long+" int NOT NULL)")
	for _, col := range []string{"a", long} {
		server := pgtest.Value[string](t, db, `SELECT conname FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = conrelid AND conkey = ARRAY[attnum] WHERE attname = $1`, col)
		if ours := ddl.ConstraintName("t", []string{col}, ddl.LabelNotNull, nil); ours != server {
			t.Errorf("NOT NULL of %s: ours %s, the server's %s", col, ours, server)
		}
	}
}
