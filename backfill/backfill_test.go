package backfill_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/replank/replank/backfill"
	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/walk"
	"github.com/replank/replank/plan"
)

// keys are the shapes of key that are walked: how its columns are declared and what they hold for row g.
var keys = []struct{ name, columns, names, values string }{
	{"bigint", "id bigint", "id", "g * 7 - 3000"},
	{"uuid", "id uuid", "id", "md5(g::text)::uuid"},
	{"text", `id text COLLATE "C"`, "id", "md5(g::text)"},
	{"text-icu", `id text COLLATE "und-x-icu"`, "id", "chr(65 + g % 50) || 'é''\\' || g"},
	{"timestamptz", "id timestamptz", "id", "'2001-01-01'::timestamptz + g * interval '1.000001 hour'"},
	{"numeric", "id numeric(20,4)", "id", "(g - 1000) / 3.0"},
	{"float", "id float8", "id", "ln(g)"},
	{"char", "id char(12)", "id", "'x' || g"},
	{"bytea", "id bytea", "id", "decode(md5(g::text), 'hex')"},
	{"enum", "e mood, id int", "e,id", "(ARRAY['sad','ok','happy']::mood[])[g % 3 + 1], g"},
	{"composite", `"Ten ant" text, "Or""der" numeric, at timestamptz`, `Ten ant,Or"der,at`, "'t' || g % 7, g % 13, '2001-01-01'::timestamptz + g * interval '1 s'"},
	{"citext", "id public.citext", "id", "CASE WHEN g % 2 = 0 THEN upper(md5(g::text)) ELSE md5(g::text) END"},
	{"citext-composite", "a public.citext, b int", "a,b", "CASE WHEN g % 2 = 0 THEN 'Aa' || g % 50 ELSE 'aA' || g % 50 || 'x' END, g"},
	{"domain", "id positive", "id", "g"},
}

// TestKeys: whatever the key, an UPDATE in ranges equals the plain one, and so does a DELETE.
func TestKeys(t *testing.T) {
	for _, k := range keys {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			key := strings.Split(k.names, ",")
			quoted := make([]string, len(key))
			for i, c := range key {
				quoted[i] = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
			}
			s := newSite(t, `CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE DOMAIN positive AS bigint CHECK (value > 0)`,
				fmt.Sprintf(`CREATE SCHEMA "S x";
				CREATE TABLE "S x"."T t" (%s, n int, v text, PRIMARY KEY (%s));
				INSERT INTO "S x"."T t" SELECT %s, g %% 10, 'v' || g FROM generate_series(1, 3000) g;
				CREATE TABLE plain AS TABLE "S x"."T t"`, k.columns, strings.Join(quoted, ", "), k.values))
			c := s.config(plan.FillSpec{Kind: plan.Update, Table: `"S x"."T t"`, Key: key,
				Set:   []ddl.Assignment{{Column: "n", Expr: "n + 1"}, {Column: "v", Expr: "v || '!' -- really"}},
				Where: "n <> 3 -- not these"})
			c.Settings = []plan.Setting{{Name: "search_path", Value: "pg_catalog"}} // no operator of citext to be found
			rc, err := backfill.Run(t.Context(), c)
			s.must(err)
			if rc.Rows != 2700 || rc.Open() != "" {
				t.Errorf("receipt %+v", rc)
			}
			s.exec("UPDATE plain SET n = n + 1, v = v || '!' WHERE n <> 3")
			s.same(`"S x"."T t"`, "plain")
			s.fill(plan.FillSpec{Kind: plan.Delete, Table: `"S x"."T t"`, Alias: "A a", Key: key, Where: `"A a".n = 5`})
			s.exec("DELETE FROM plain WHERE n = 5")
			s.same(`"S x"."T t"`, "plain")
		})
	}
}

// TestStatements: forms of the user's statements that a range must not change the meaning of.
func TestStatements(t *testing.T) {
	schema := `CREATE TABLE t (id int PRIMARY KEY, n int, a int[], v text);
		INSERT INTO t SELECT g, g % 10, ARRAY[g, g], 'v' || g FROM generate_series(1, 5000) g;
		CREATE TABLE o (k int PRIMARY KEY, w text); INSERT INTO o SELECT g, 'w' || g FROM generate_series(0, 7) g;
		CREATE TABLE plain AS TABLE t`
	for _, c := range []struct {
		name  string
		spec  plan.FillSpec
		plain string
		rows  int64
	}{
		{"from", plan.FillSpec{Kind: plan.Update, Set: []ddl.Assignment{{Column: "v", Expr: "o.w"}}, From: "o", Where: "t.n = o.k"},
			"UPDATE plain t SET v = o.w FROM o WHERE t.n = o.k", 4000},
		{"row", plan.FillSpec{Kind: plan.Update, Set: []ddl.Assignment{
			{Column: "v", Expr: "(SELECT o.w, o.k + 1 FROM o WHERE o.k = t.n)", Position: 1},
			{Column: "n", Expr: "(SELECT o.w, o.k + 1 FROM o WHERE o.k = t.n)", Position: 2},
			{Column: "a", Indirection: "[1]", Expr: "7"}}},
			"UPDATE plain t SET (v, n) = (SELECT o.w, o.k + 1 FROM o WHERE o.k = t.n), a[1] = 7", 5000},
		{"using", plan.FillSpec{Kind: plan.Delete, From: "o AS x", Where: "t.n = x.k AND x.w > 'w3'"},
			"DELETE FROM plain t USING o AS x WHERE t.n = x.k AND x.w > 'w3'", 2000},
	} {
		for _, undo := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/undo=%v", c.name, undo), func(t *testing.T) {
				t.Parallel()
				s := newSite(t, schema, "CREATE TABLE before AS TABLE t")
				spec := c.spec
				spec.Table, spec.Key, spec.Undo = "public.t", []string{"id"}, undo
				cfg := s.config(spec)
				rc, err := backfill.Run(t.Context(), cfg)
				s.must(err)
				if rc.Rows != c.rows {
					t.Errorf("%d rows, want %d", rc.Rows, c.rows)
				}
				s.exec(c.plain)
				s.same("t", "plain")
				if undo {
					u, err := backfill.Undo(t.Context(), cfg)
					s.must(err)
					if u.Restored != c.rows || u.NotRestored != 0 {
						t.Errorf("undo %+v", u)
					}
					s.same("t", "before")
				}
			})
		}
	}
}

// TestEmpty: nothing to do is done, and stays so when resumed.
func TestEmpty(t *testing.T) {
	s := newSite(t, `CREATE TABLE t (id int PRIMARY KEY, n int, m int);
		CREATE TABLE p (id int, n int, m int) PARTITION BY RANGE (id)`)
	for _, table := range []string{"t", "p"} {
		rc := s.fill(plan.FillSpec{Kind: plan.Twin, Table: "public." + table, Set: []ddl.Assignment{{Column: "m", Expr: "n"}}, Guard: "m IS NULL"})
		if rc.Rows != 0 || rc.Left != 0 || rc.Open() != "" {
			t.Errorf("%s: %+v", table, rc)
		}
	}
	c := s.config(plan.FillSpec{Kind: plan.Update, Table: "public.t", Key: []string{"id"}, Set: []ddl.Assignment{{Column: "n", Expr: "1"}}})
	_, err := backfill.Run(t.Context(), c)
	s.must(err)
	s.exec("INSERT INTO t VALUES (1, 0)")
	rc, err := backfill.Run(t.Context(), c)
	s.must(err)
	if rc.Rows != 0 {
		t.Error("a row that came after the end was changed")
	}
	s.want("SELECT n FROM t", "0")
}

// TestPartitions: partitions, sub-partitions, inheritance children, a dropped column that makes attribute numbers
// differ, and an expression that calls the whole by its name.
func TestPartitions(t *testing.T) {
	s := newSite(t, `CREATE TABLE t (id int, gone int, n int, m text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
		CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1000);
		CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (1000) TO (3000) PARTITION BY HASH (id);
		CREATE TABLE t2a PARTITION OF t2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
		CREATE TABLE "T2 b" (m text, n int, id int PRIMARY KEY);
		ALTER TABLE t DROP COLUMN gone;
		ALTER TABLE t2 ATTACH PARTITION "T2 b" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
		INSERT INTO t SELECT g, g FROM generate_series(1, 2999) g;
		CREATE TABLE h (id int PRIMARY KEY, n int, m text);
		CREATE TABLE h1 (x int) INHERITS (h);
		INSERT INTO h SELECT g, g FROM generate_series(1, 100) g;
		INSERT INTO h1 SELECT g, g FROM generate_series(101, 200) g;`)
	for table, rows := range map[string]int64{"t": 2999, "h": 200} {
		rc := s.fill(plan.FillSpec{Kind: plan.Twin, Table: "public." + table, Quiet: true,
			Set: []ddl.Assignment{{Column: "m", Expr: table + ".n::text"}}, Guard: table + ".m IS NULL"})
		if rc.Rows != rows || rc.Left != 0 || rc.Open() != "" {
			t.Errorf("%s: %+v", table, rc)
		}
		s.want("SELECT count(*) FROM "+table+" WHERE m IS DISTINCT FROM n::text", "0")
	}
	rc := s.fill(plan.FillSpec{Kind: plan.Update, Table: "public.t", Key: []string{"id"}, Undo: true,
		Set: []ddl.Assignment{{Column: "n", Expr: "n + 1"}}})
	if rc.Rows != 2999 {
		t.Errorf("by key: %+v", rc)
	}
	s.want("SELECT count(*) FROM t WHERE n <> id + 1", "0")
}

// TestInsert: INSERT … SELECT in ranges of its source.
func TestInsert(t *testing.T) {
	s := newSite(t, `CREATE TABLE src (a int, b int, v text, PRIMARY KEY (a, b));
		INSERT INTO src SELECT g % 50, g, 'v' || g FROM generate_series(1, 4000) g;
		CREATE TABLE dst (id bigint GENERATED ALWAYS AS IDENTITY, k int UNIQUE, v text, twice text GENERATED ALWAYS AS (v || v) STORED, PRIMARY KEY (id));
		INSERT INTO dst (k, v) VALUES (40, 'mine'), (-1, 'other')`)
	c := s.config(plan.FillSpec{Kind: plan.Insert, Table: "public.src", Alias: "s", Key: []string{"a", "b"},
		Into: "INSERT INTO public.dst (k, v) SELECT s.b, upper(s.v)", Where: "s.b % 2 = 0", OnConflict: "ON CONFLICT (k) DO NOTHING",
		Target: "public.dst", TargetKey: []string{"id"}, Undo: true})
	rc, err := backfill.Run(t.Context(), c)
	s.must(err)
	if rc.Rows != 1999 {
		t.Errorf("receipt %+v", rc)
	}
	s.want("SELECT count(*) FROM dst JOIN src ON dst.k = src.b AND dst.v = upper(src.v)", "1999")
	s.exec("UPDATE dst SET v = 'changed' WHERE k IN (2, 4)", "DELETE FROM dst WHERE k = 6")
	u, err := backfill.Undo(t.Context(), c)
	s.must(err)
	if u.Restored != 1996 || u.NotRestored != 3 {
		t.Errorf("undo %+v", u)
	}
	s.want("SELECT string_agg(k || v, ',' ORDER BY k) FROM dst", "-1other,2changed,4changed,40mine")
	c = s.config(plan.FillSpec{Kind: plan.Insert, Table: "public.src", Key: []string{"a", "b"}, Undo: true, Target: "public.dst",
		TargetKey: []string{"id"}, Into: "INSERT INTO dst (k) SELECT b", OnConflict: "ON CONFLICT (k) DO UPDATE SET v = 'x'"})
	var refused *backfill.SpecError
	if _, err := backfill.Run(t.Context(), c); !errors.As(err, &refused) {
		t.Errorf("ON CONFLICT DO UPDATE with a way back: %v", err)
	}
}

// TestUndoInsertReferred: the way back deletes no row that the application has referred to since, and changes none of
// those that refer, whatever the foreign key would do on delete.
func TestUndoInsertReferred(t *testing.T) {
	const source = `CREATE TABLE src (id int PRIMARY KEY, up int); INSERT INTO src SELECT g, nullif(g / 2, 0) FROM generate_series(1, 2000) g;`
	for name, child := range map[string]string{
		"cascade":     "CREATE TABLE ch (id int PRIMARY KEY, d int REFERENCES dst ON DELETE CASCADE)",
		"set null":    "CREATE TABLE ch (id int PRIMARY KEY, d int REFERENCES dst ON DELETE SET NULL)",
		"set default": "CREATE TABLE ch (id int PRIMARY KEY, d int DEFAULT NULL REFERENCES dst ON DELETE SET DEFAULT)",
		"no action":   "CREATE TABLE ch (id int PRIMARY KEY, d int REFERENCES dst DEFERRABLE INITIALLY DEFERRED)",
		"restrict":    "CREATE TABLE ch (id int PRIMARY KEY, d int REFERENCES dst ON DELETE RESTRICT)",
		"partitioned": "CREATE TABLE ch (id int PRIMARY KEY, d bigint REFERENCES dst ON DELETE CASCADE) PARTITION BY RANGE (id); CREATE TABLE ch1 PARTITION OF ch DEFAULT",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, source+"CREATE TABLE dst (id int PRIMARY KEY); "+child)
			c := s.config(plan.FillSpec{Kind: plan.Insert, Table: "public.src", Key: []string{"id"}, Into: "INSERT INTO public.dst SELECT id",
				Target: "public.dst", TargetKey: []string{"id"}, Undo: true})
			s.must(second(backfill.Run(t.Context(), c)))
			s.exec("INSERT INTO ch VALUES (1, 7), (2, 1999), (3, 7), (4, NULL)")
			u, err := backfill.Undo(t.Context(), c)
			s.must(err)
			if u.Restored != 1998 || u.NotRestored != 2 || len(u.Rows) != 2 || u.Rows[0].Reason != "rows refer to it" {
				t.Errorf("undo %+v", u)
			}
			s.want("SELECT string_agg(id::text, ',' ORDER BY id) FROM dst", "7,1999")
			s.want("SELECT string_agg(id || '/' || coalesce(d::text, '-'), ',' ORDER BY id) FROM ch", "1/7,2/1999,3/7,4/-")
		})
	}
	// Rows that only refer to one another are all taken back; below what the application keeps, nothing is.
	for name, action := range map[string]string{"itself": "", "itself, cascade": "ON DELETE CASCADE"} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, source+"CREATE TABLE dst (id int PRIMARY KEY, up int REFERENCES dst "+action+")")
			c := s.config(plan.FillSpec{Kind: plan.Insert, Table: "public.src", Key: []string{"id"}, Into: "INSERT INTO public.dst SELECT id, up",
				Target: "public.dst", TargetKey: []string{"id"}, Undo: true})
			s.must(second(backfill.Run(t.Context(), c)))
			s.exec("INSERT INTO dst VALUES (5000, 1500)")
			u, err := backfill.Undo(t.Context(), c)
			s.must(err)
			if u.Restored+u.NotRestored != 2000 || u.NotRestored < 11 {
				t.Errorf("undo %+v", u)
			}
			s.want("SELECT count(*) FROM dst WHERE id IN (5000, 1500, 750, 375, 187, 93, 46, 23, 11, 5, 2, 1)", "12")
			if action != "" {
				s.want("SELECT count(*) FROM dst", "12")
			}
		})
	}
}

// TestUndoInsertBesideReferences: a reference that comes at the same moment is seen, or waits and then fails.
func TestUndoInsertBesideReferences(t *testing.T) {
	s := newSite(t, `CREATE TABLE src (id int PRIMARY KEY); INSERT INTO src SELECT generate_series(1, 1000);
		CREATE TABLE dst (id int PRIMARY KEY); CREATE TABLE ch (d int REFERENCES dst ON DELETE CASCADE)`)
	c := s.config(plan.FillSpec{Kind: plan.Insert, Table: "public.src", Key: []string{"id"}, Into: "INSERT INTO public.dst SELECT id",
		Target: "public.dst", TargetKey: []string{"id"}, Undo: true})
	s.must(second(backfill.Run(t.Context(), c)))
	app := pgtest.Connect(t, s.dsn)
	if _, err := app.Exec(t.Context(), "BEGIN; INSERT INTO ch VALUES (500)"); err != nil {
		t.Fatal(err)
	}
	var u backfill.UndoReceipt
	ended := make(chan error, 1)
	go func() { var err error; u, err = backfill.Undo(t.Context(), c); ended <- err }()
	waits := "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"
	for !pgtest.Value[bool](t, s.dsn, waits) {
		select {
		case err := <-ended:
			t.Fatalf("undo waited for nobody: %v", err)
		default:
		}
	}
	if _, err := app.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	s.must(<-ended)
	if u.Restored != 999 || u.NotRestored != 1 {
		t.Errorf("undo %+v", u)
	}
	s.want("SELECT count(*) FROM ch JOIN dst ON dst.id = ch.d", "1")
}

// TestVolatileWhere: a WHERE that decides anew each time it is asked is asked once, before-images or not.
func TestVolatileWhere(t *testing.T) {
	for _, undo := range []bool{false, true} {
		s := newSite(t, "CREATE SEQUENCE asked; CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0); INSERT INTO t SELECT generate_series(1, 3000)")
		rc := s.fill(plan.FillSpec{Kind: plan.Update, Table: "public.t", Key: []string{"id"}, Undo: undo,
			Set: []ddl.Assignment{{Column: "n", Expr: "n + 1"}}, Where: "nextval('asked') % 3 = 0"})
		if rc.Rows != 1000 {
			t.Errorf("undo %v: %d rows, want 1000", undo, rc.Rows)
		}
		s.want("SELECT last_value FROM asked", "3000")
	}
}

// TestKeyRefused: what is not immutable, unique, NOT NULL and ordered as its column cannot carry a walk.
func TestKeyRefused(t *testing.T) {
	s := newSite(t, `CREATE TABLE t (a int NOT NULL, b int UNIQUE, c int NOT NULL, d text NOT NULL, e int NOT NULL, f int NOT NULL UNIQUE DEFERRABLE);
		CREATE UNIQUE INDEX ON t (c) WHERE c > 0; CREATE UNIQUE INDEX ON t (d text_pattern_ops); CREATE INDEX ON t (e)`)
	for _, column := range []string{"a", "b", "c", "d", "e", "f"} {
		_, err := backfill.Run(t.Context(), s.config(plan.FillSpec{Kind: plan.Delete, Table: "public.t", Key: []string{column}}))
		var refused *walk.KeyError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", column, err)
		}
	}
	var spec *backfill.SpecError
	if _, err := backfill.Run(t.Context(), s.config(plan.FillSpec{Kind: plan.Delete, Table: "public.t"})); !errors.As(err, &spec) {
		t.Errorf("a user's DELETE by ctid: %v", err)
	}
}
