package ddl_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pgtest"
)

func TestColumns(t *testing.T) {
	for expr, want := range map[string][]string{
		"a > 0 AND (b).f = c[d]":                               {"a", "b", "c", "d"},
		`t.a || s.t."B b" || a`:                                {"a", "B b"},
		"a(b) OVER (PARTITION BY c ORDER BY d)":                {"b", "c", "d"},
		"'a' || $$b$$ -- c":                                    nil,
		"CASE WHEN x THEN y ELSE z END::text COLLATE \"C\"":    {"x", "y", "z"},
		"(SELECT max(p.x) FROM o p WHERE p.y = t.a)":           {"x", "y", "a"},
		"coalesce(a, b, greatest(c, nullif(d, current_date)))": {"a", "b", "c", "d"},
	} {
		got, err := ddl.Columns(expr)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %q, %v", expr, got, err)
		}
	}
	for _, bad := range []string{"", "a, b", "a FROM t", "a b", "1) + (2", "a; SELECT b", "a AS b"} {
		if got, err := ddl.Columns(bad); err == nil {
			t.Errorf("%q is no expression but has columns %q", bad, got)
		}
	}
}

func TestRenameColumns(t *testing.T) {
	m := map[string]string{"a": "New A", "b": "b2", "Odd": "c"}
	for _, c := range []struct {
		expr   string
		tables []string
		want   string
	}{
		{"a + b /* a */ + 'a'::a", nil, `"New A" + b2 /* a */ + 'a'::a`},
		{`a(a, x.b, "Odd", ODD)`, nil, `a("New A", x.b2, c, ODD)`},
		{"t.a + u.a + s.t.b", []string{"t"}, `t."New A" + u.a + s.t.b`},
		{"(b).a + a[b] -- a", nil, `(b2).a + "New A"[b2] -- a`},
		{"(SELECT max(o.a) FROM o WHERE o.b = t.b)", []string{"t"}, "(SELECT max(o.a) FROM o WHERE o.b = t.b2)"},
		{`U&"\0061" + U&"!0061" UESCAPE '!' + U&"x"`, nil, `"New A" + "New A" + U&"x"`},
		{"(SELECT x FROM (SELECT 1 AS x) q WHERE q.x = a)", []string{"t"}, `(SELECT x FROM (SELECT 1 AS x) q WHERE q.x = "New A")`},
	} {
		got, err := ddl.RenameColumns(c.expr, m, c.tables...)
		if err != nil || got != c.want {
			t.Errorf("%s: %s, %v; want %s", c.expr, got, err, c.want)
		}
	}
	if got, err := ddl.RenameColumns("(SELECT max(a) FROM o)", m, "t"); err == nil {
		t.Errorf("an ambiguous column was renamed: %s", got)
	}
}

// TestDefinitionsAreTheServers renames columns on the server and in its definitions, and compares.
func TestDefinitionsAreTheServers(t *testing.T) {
	db := pgtest.DB(t)
	setup := `CREATE EXTENSION btree_gist;
		CREATE TABLE p (a int, b int, PRIMARY KEY (a, b));
		CREATE TABLE "T t" (a int, b text, "C" int, d int4range, e int, lower text,
			PRIMARY KEY (a, e), UNIQUE NULLS NOT DISTINCT (b) INCLUDE (a, e) DEFERRABLE,
			CHECK (a > 0 AND b <> 'a' AND ("T t".e + a) <> ALL (ARRAY[1, a])), CHECK (a > "C") NOT VALID,
			FOREIGN KEY (a, "C") REFERENCES p (a, b) ON UPDATE CASCADE ON DELETE SET NULL (a) DEFERRABLE INITIALLY DEFERRED,
			EXCLUDE USING gist (a WITH =, (e + a) WITH <>, d WITH &&) INCLUDE (b) WHERE (a > 1 AND b = 'a'));
		CREATE INDEX ON "T t" (a DESC NULLS LAST, b COLLATE "C" text_pattern_ops, (a + e), lower(b), lower) INCLUDE ("C") WITH (fillfactor=50) WHERE a > 0 AND b IS NOT NULL;
		CREATE UNIQUE INDEX ON "T t" (abs(a), (b || 'a'));
		CREATE INDEX ON "T t" USING gist (d, a) WHERE lower(b) = lower;
		CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
		CREATE TRIGGER one BEFORE UPDATE OF a, b OR INSERT ON "T t" FOR EACH ROW EXECUTE FUNCTION f('a');
		CREATE TRIGGER two AFTER UPDATE ON "T t" FOR EACH ROW WHEN (old.a IS DISTINCT FROM new.a OR new.b = 'a') EXECUTE FUNCTION f();
		CREATE STATISTICS s1 (ndistinct, mcv) ON a, b, (a + e), lower(b) FROM "T t"`
	if pgtest.Major(t) < 15 {
		setup = strings.NewReplacer("NULLS NOT DISTINCT", "", "SET NULL (a)", "SET NULL").Replace(setup)
	}
	pgtest.Exec(t, db, setup)
	const all = `SELECT string_agg(kind || E'\x02' || name || E'\x02' || def, E'\x01' ORDER BY kind, name) FROM (
		SELECT 'c' AS kind, conname AS name, pg_get_constraintdef(oid) AS def FROM pg_constraint WHERE conrelid = '"T t"'::regclass AND contype <> 't'
		UNION SELECT 'i', indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = '"T t"'::regclass
		UNION SELECT 't', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = '"T t"'::regclass AND NOT tgisinternal
		UNION SELECT 's', stxname, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext) x`
	read := func() [][]string {
		var list [][]string
		for _, line := range strings.Split(pgtest.Value[string](t, db, all), "\x01") {
			list = append(list, strings.Split(line, "\x02"))
		}
		return list
	}
	before := read()
	if len(before) < 15 {
		t.Fatalf("only %d definitions", len(before))
	}
	pgtest.Exec(t, db, `ALTER TABLE "T t" RENAME a TO "A new"; ALTER TABLE "T t" RENAME b TO b_new; ALTER TABLE "T t" RENAME "C" TO c;
		ALTER TABLE "T t" RENAME lower TO "select"; ALTER TABLE p RENAME a TO x; ALTER TABLE p RENAME TO p2; ALTER TABLE "T t" RENAME TO t2; ALTER TABLE t2 RENAME TO "T t"`)
	cols := map[string]string{"a": "A new", "b": "b_new", "C": "c", "lower": "select"}
	for i, after := range read() {
		kind, name, def := before[i][0], before[i][1], before[i][2]
		var got string
		var err error
		switch kind {
		case "c":
			got, err = ddl.RenameConstraintDef(def, cols, &ddl.Name{Name: "p2"}, map[string]string{"a": "x"})
		case "i":
			got, err = ddl.RenameIndexDef(def, strings.Trim(name, `"`), nil, cols, false)
		case "t":
			got, err = ddl.RenameTriggerDef(def, "", nil, cols)
		case "s":
			got, err = ddl.RenameStatisticsDef(def, nil, nil, cols)
		}
		if err != nil || got != after[2] {
			t.Errorf("%s\nours   %s %v\nserver %s", def, got, err, after[2])
		}
	}
}

func TestRenameDefinitionNames(t *testing.T) {
	table, object := ddl.Name{Schema: "s 1", Name: "t"}, ddl.Name{Schema: "s", Name: "O"}
	for _, c := range []struct {
		got  func() (string, error)
		want string
	}{
		{func() (string, error) {
			return ddl.RenameIndexDef("CREATE UNIQUE INDEX i ON ONLY public.x USING btree (a)", "I 2", &table, nil, true)
		}, `CREATE UNIQUE INDEX CONCURRENTLY "I 2" ON ONLY "s 1".t USING btree (a)`},
		{func() (string, error) {
			return ddl.RenameIndexDef("CREATE INDEX CONCURRENTLY ON x (a)", "i", nil, nil, false)
		}, "CREATE INDEX i ON x (a)"},
		{func() (string, error) {
			return ddl.RenameTriggerDef("CREATE TRIGGER x AFTER INSERT OR UPDATE OF a ON public.x FOR EACH ROW EXECUTE FUNCTION f()", "Y", &table, nil)
		}, `CREATE TRIGGER "Y" AFTER INSERT OR UPDATE OF a ON "s 1".t FOR EACH ROW EXECUTE FUNCTION f()`},
		{func() (string, error) {
			return ddl.RenameStatisticsDef("CREATE STATISTICS public.x ON a, b FROM y", &object, &table, map[string]string{"b": "c"})
		}, `CREATE STATISTICS s."O" ON a, c FROM "s 1".t`},
		{func() (string, error) {
			return ddl.RenamePolicyDef("CREATE POLICY p ON s.t FOR SELECT USING (a = 1 AND EXISTS (SELECT 1 FROM s.t x WHERE x.a = t.a AND x.b IN (SELECT a FROM o WHERE o.a = x.a))) WITH CHECK (a > 0)",
				ddl.Name{Schema: "s", Name: "t"}, &object, map[string]string{"b": "c"})
		}, `CREATE POLICY p ON s."O" FOR SELECT USING (a = 1 AND EXISTS (SELECT 1 FROM s.t x WHERE x.a = t.a AND x.c IN (SELECT a FROM o WHERE o.a = x.a))) WITH CHECK (a > 0)`},
		{func() (string, error) {
			return ddl.RenameConstraintDef("FOREIGN KEY (a, PERIOD v) REFERENCES p(b, PERIOD v) NOT ENFORCED", map[string]string{"v": "w"}, nil, map[string]string{"v": "z"})
		}, "FOREIGN KEY (a, PERIOD w) REFERENCES p(b, PERIOD z) NOT ENFORCED"},
		{func() (string, error) {
			return ddl.RenameConstraintDef("NOT NULL a NO INHERIT", map[string]string{"a": "b c"}, nil, nil)
		}, `NOT NULL "b c" NO INHERIT`},
		{func() (string, error) {
			return ddl.RenameConstraintDef("PRIMARY KEY (id, v WITHOUT OVERLAPS)", map[string]string{"v": "w"}, nil, nil)
		}, "PRIMARY KEY (id, w WITHOUT OVERLAPS)"},
	} {
		if got, err := c.got(); err != nil || got != c.want {
			t.Errorf("%s, %v\nwant %s", got, err, c.want)
		}
	}
}

// TestRenameInQueryGivesTheSame runs each query on a schema, and rewritten on one whose column has another name:
// the answers are equal, names of the output columns included.
func TestRenameInQueryGivesTheSame(t *testing.T) {
	db := pgtest.DB(t)
	for _, s := range [][2]string{{"old", "a"}, {"new", `"A new"`}} {
		pgtest.Exec(t, db, "CREATE SCHEMA "+s[0]+"; SET search_path = "+s[0]+`;
			CREATE TABLE t (id int PRIMARY KEY, `+s[1]+` int, b text); CREATE TABLE o (id int, oa int, b text, t text);
			INSERT INTO t SELECT i, 10 - i, 'b' || i % 3 FROM generate_series(1, 9) i;
			INSERT INTO o SELECT i, i % 4, 'b' || i, 't' FROM generate_series(1, 9) i`)
	}
	for _, q := range []string{
		"SELECT a, b FROM t ORDER BY a",
		"SELECT a AS x, a + 1, a::text, (a), t.a::text COLLATE \"C\" FROM t",
		"SELECT x.a FROM t x WHERE x.a > 2 ORDER BY x.a DESC, b",
		"SELECT a, count(*) FROM t GROUP BY a HAVING a > 1 ORDER BY a",
		"SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b",
		"SELECT b AS a FROM t ORDER BY a",
		"SELECT max(a) OVER w, rank() OVER (PARTITION BY b ORDER BY a) FROM t WINDOW w AS (ORDER BY a)",
		"SELECT o.oa, t.a FROM o JOIN t ON t.a = o.oa LEFT JOIN t t2 ON t2.a = t.a WHERE t.a = t2.id OR true",
		"SELECT s.a FROM (SELECT a FROM t WHERE a > 3) s WHERE s.a < 8",
		"WITH w AS (SELECT a, b FROM t), v (a) AS (SELECT a FROM w) SELECT a FROM v UNION SELECT a FROM w UNION ALL SELECT a FROM t ORDER BY a",
		"WITH t AS (SELECT 1 AS a) SELECT a FROM t",
		"SELECT (SELECT t.a), EXISTS (SELECT a FROM t t3 WHERE t3.a = t.id), (SELECT max(x.a) FROM t x WHERE x.b = t.b) FROM t",
		"SELECT CASE WHEN a > 1 THEN b::int ELSE a END FROM (SELECT a, '1' AS b FROM t) q",
		"SELECT CASE WHEN b = 'x' THEN 1 ELSE a END FROM t",
		"SELECT l.a, m.z FROM t, LATERAL (SELECT t.a * 2 AS z) m, LATERAL (SELECT a AS a FROM t k WHERE k.id = t.id) l",
		"SELECT * FROM (SELECT a FROM t) s JOIN (SELECT id AS a FROM o) r USING (a)",
		"SELECT a FROM (VALUES (1), (2)) v (a)",
		"SELECT k.x FROM t k (id, x, y) WHERE k.x > 2",
		"SELECT a FROM t WHERE a IN (SELECT oa FROM o) AND (a, id) IN (SELECT t.a, t.id FROM t)",
		"SELECT array_agg(a ORDER BY a DESC) FILTER (WHERE a > 2), coalesce(max(a), 0), 'a' FROM t /* a */ -- a",
		"SELECT a FROM t TABLESAMPLE BERNOULLI (100) WHERE t.a = 3",
		"SELECT g FROM t, generate_series(1, a) g WHERE a = 2",
		"SELECT a IS DISTINCT FROM id, a FROM t LIMIT (SELECT min(a) FROM t)",
		"SELECT t.id, t.b FROM t UNION (SELECT a, b FROM t ORDER BY a LIMIT 1)",
		"SELECT o.t FROM o WHERE EXISTS (SELECT 1 FROM t WHERE a = oa)",
		"UPDATE t SET a = a + 1, b = (SELECT o.b FROM o WHERE o.id = t.a) WHERE a > 3 RETURNING a, b",
		"UPDATE t x SET (a, b) = (SELECT x.a * 2, x.b) FROM o WHERE o.id = x.a RETURNING x.a",
		"DELETE FROM t USING o WHERE o.id = a AND t.a > 2 RETURNING a",
		"INSERT INTO t (id, a) SELECT a + 100, a FROM t WHERE a > 5 ON CONFLICT (id) DO UPDATE SET a = excluded.a + t.a WHERE t.a > 0 RETURNING a",
		"WITH d AS (DELETE FROM t WHERE a > 5 RETURNING a) SELECT count(*) FROM d",
	} {
		got, unresolved, err := ddl.RenameInQuery(q, ddl.Name{Schema: "old", Name: "t"}, map[string]string{"a": "A new"})
		if err != nil || len(unresolved) > 0 {
			t.Errorf("%s: %v, unresolved %v", q, err, unresolved)
			continue
		}
		if a, b := answer(t, db, "old", q), answer(t, db, "new", got); a != b {
			t.Errorf("%s\n%s\nold %s\nnew %s", q, got, a, b)
		}
	}
}

// answer gives the names and rows of a query that is rolled back.
func answer(t *testing.T, dsn, schema, sql string) string {
	t.Helper()
	conn := pgtest.Connect(t, dsn)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), "SET LOCAL search_path = "+schema); err != nil {
		t.Fatal(err)
	}
	res := tx.Conn().PgConn().ExecParams(t.Context(), sql, nil, nil, nil, nil).Read()
	var b strings.Builder
	for _, f := range res.FieldDescriptions {
		b.WriteString(f.Name + "|")
	}
	for _, row := range res.Rows {
		b.WriteString("\n")
		for _, v := range row {
			b.Write(v)
			b.WriteString("|")
		}
	}
	if res.Err != nil {
		b.WriteString("\nERROR " + res.Err.Error() + " in " + sql)
		t.Errorf("%s: %v", sql, res.Err)
	}
	return b.String()
}

// TestRenameInViews rewrites views as the server prints them.
func TestRenameInViews(t *testing.T) {
	db := pgtest.DB(t)
	pgtest.Exec(t, db, `CREATE TABLE t (id int, a int, b text); CREATE TABLE o (id int, a int);
		INSERT INTO t VALUES (1, 2, 'x'), (2, 3, 'y'); INSERT INTO o VALUES (2, 1), (3, 4)`)
	for _, q := range []string{
		"SELECT * FROM t",
		"SELECT t.a, o.a AS oa, sum(o.id) OVER (ORDER BY t.a) FROM t JOIN o ON o.id = t.a",
		"WITH w AS (SELECT a FROM t) SELECT w.a, (SELECT max(t.a) FROM t WHERE t.a < w.a) FROM w ORDER BY a",
		"SELECT a FROM t UNION SELECT a FROM o ORDER BY 1",
		"SELECT x.a, x.b FROM (SELECT DISTINCT a, b FROM t) x WHERE x.a IN (SELECT a FROM o) OR x.a = 3",
	} {
		pgtest.Exec(t, db, "DROP VIEW IF EXISTS v; CREATE VIEW v AS "+q)
		def := pgtest.Value[string](t, db, "SELECT pg_get_viewdef('v'::regclass)")
		want := answer(t, db, "public", strings.TrimSuffix(def, ";"))
		for _, sql := range []string{def, "CREATE VIEW v AS " + def} {
			got, unresolved, err := ddl.RenameInQuery(sql, ddl.Name{Schema: "public", Name: "t"}, map[string]string{"a": "z"})
			if err != nil || len(unresolved) > 0 {
				t.Errorf("%s: %v, unresolved %v", sql, err, unresolved)
				continue
			}
			pgtest.Exec(t, db, "DROP VIEW IF EXISTS v; ALTER TABLE t RENAME a TO z")
			body := strings.TrimSuffix(strings.TrimPrefix(got, "CREATE VIEW v AS "), ";")
			if now := answer(t, db, "public", body); now != want {
				t.Errorf("%s\n%s\nwas %s\nis  %s", sql, got, want, now)
			}
			pgtest.Exec(t, db, "ALTER TABLE t RENAME z TO a")
		}
	}
}

func TestRenameInQueryUnresolved(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT * FROM t":                                            "1:8",
		"/* c */ TABLE t":                                            "1:9",
		"SELECT t.* FROM t, o":                                       "1:8",
		"SELECT 1 FROM t JOIN o USING (id, a)":                       "1:35",
		"SELECT 1 FROM t NATURAL JOIN o":                             "1:17",
		"SELECT to_jsonb(t) FROM t":                                  "1:17",
		"SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM o WHERE a = 1)": "1:53",
		"SELECT j.a FROM (t JOIN o ON true) j":                       "1:8",
		"SELECT a FROM (t JOIN o ON true) j":                         "1:8",
	} {
		got, unresolved, err := ddl.RenameInQuery(sql, name("t"), map[string]string{"a": "z"})
		if err != nil || len(unresolved) != 1 || unresolved[0].String() != want || got != sql {
			t.Errorf("%s: %s, %v, %v; want %s", sql, got, unresolved, err, want)
		}
	}
	if _, _, err := ddl.RenameInQuery("VACUUM t", name("t"), nil); err == nil {
		t.Error("VACUUM is no query")
	}
}

func TestAlone(t *testing.T) {
	for _, c := range []struct {
		sql  string
		want []string
	}{
		{"ALTER TABLE IF EXISTS ONLY (s.t) ADD a int DEFAULT 1, -- x\n ADD CHECK (a IN (1, 2)) NOT ENFORCED , ADD NOT NULL b",
			[]string{"ALTER TABLE IF EXISTS ONLY (s.t) ADD a int DEFAULT 1", "ALTER TABLE IF EXISTS ONLY (s.t) ADD CHECK (a IN (1, 2)) NOT ENFORCED", "ALTER TABLE IF EXISTS ONLY (s.t) ADD NOT NULL b"}},
		{`DROP TABLE IF EXISTS a, "B b".c CASCADE`, []string{"DROP TABLE IF EXISTS a CASCADE", `DROP TABLE IF EXISTS "B b".c CASCADE`}},
		{"TRUNCATE a, ONLY b RESTART IDENTITY", []string{"TRUNCATE a RESTART IDENTITY", "TRUNCATE ONLY b RESTART IDENTITY"}},
		{"DROP TRIGGER x ON s.t", []string{"DROP TRIGGER x ON s.t"}},
		{"SELECT 1", []string{"SELECT 1"}},
	} {
		f, err := ddl.Parse("", c.sql)
		if err != nil {
			t.Fatal(err)
		}
		s := f.Statements[0]
		for i := range s.Ops {
			got := s.Alone(i)
			if i >= len(c.want) || got != c.want[i] {
				t.Errorf("%s: part %d is %s", c.sql, i, got)
				continue
			}
			again, err := ddl.Parse("", got)
			if err != nil {
				t.Errorf("%s: %v", got, err)
			} else if d := cmp.Diff(s.Ops[i:i+1], again.Statements[0].Ops); d != "" {
				t.Errorf("%s does something else:\n%s", got, d)
			}
		}
	}
}
