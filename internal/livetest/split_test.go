package livetest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
)

const splitFixture = `CREATE TABLE t (id int PRIMARY KEY, name text, n int, kept text);
	CREATE TABLE notes (id int PRIMARY KEY, name text);
	INSERT INTO t SELECT g, CASE WHEN g % 3 > 0 THEN 'a' || g || ' b' END, g, 'k' FROM generate_series(1, 300) g;`

// TestSplitFollowsOldCode: however the new columns are computed, what old code writes between apply and complete
// reaches them, and what stands there at the end is what psql would have made of it.
func TestSplitFollowsOldCode(t *testing.T) {
	const drop = "ALTER TABLE t DROP COLUMN name;"
	for name, sql := range map[string]string{
		"where":            "ALTER TABLE t ADD COLUMN f text; UPDATE t SET f = upper(name) WHERE name IS NOT NULL AND f IS NULL;" + drop,
		"default":          "ALTER TABLE t ADD COLUMN f text DEFAULT 'none'; UPDATE t SET f = upper(name) WHERE name IS NOT NULL;" + drop,
		"not null":         "ALTER TABLE t ADD COLUMN f text NOT NULL DEFAULT ''; UPDATE t SET f = upper(name) WHERE name > ''; ALTER TABLE t ALTER f DROP DEFAULT;" + drop,
		"default set":      "ALTER TABLE t ADD COLUMN f text; UPDATE t SET f = upper(name); ALTER TABLE t ALTER f SET DEFAULT 'x';" + drop,
		"case":             "ALTER TABLE t ADD COLUMN f int; UPDATE t SET f = CASE WHEN name IS NULL THEN -1 ELSE length(name) END;" + drop,
		"two updates":      "ALTER TABLE t ADD COLUMN f text, ADD COLUMN l text; UPDATE t SET f = split_part(name, ' ', 1); UPDATE t SET l = split_part(t.name, ' ', 2);" + drop,
		"by cases":         "ALTER TABLE t ADD COLUMN f int; UPDATE t SET f = 1 WHERE name LIKE 'a1%'; UPDATE t SET f = 2 WHERE f IS NULL;" + drop,
		"one on another":   "ALTER TABLE t ADD COLUMN f text, ADD COLUMN l text; UPDATE t AS x SET f = upper(x.name), l = 'q'; UPDATE t SET l = l || f, f = l; ALTER TABLE t ALTER l SET NOT NULL;" + drop,
		"beside a fill":    "ALTER TABLE t ADD COLUMN f text, ADD COLUMN c int; UPDATE t SET f = upper(name); UPDATE t SET c = 5;" + drop,
		"reads what stays": "ALTER TABLE t ADD COLUMN f text; UPDATE t SET f = name || n;" + drop,
		"later index":      "ALTER TABLE t ADD COLUMN f text; UPDATE t SET f = upper(name); CREATE INDEX t_f ON t (f);" + drop,
	} {
		t.Run(name, func(t *testing.T) {
			pgtest.Share(t, 2)
			t.Parallel()
			const old = `INSERT INTO t (id, name, n) VALUES (1001, 'New Row', 3), (1002, 'a17', 1); UPDATE t SET name = 'a1 changed' WHERE id <= 20;
				UPDATE t SET n = n + 1 WHERE id BETWEEN 10 AND 40;`
			fixture := splitFixture
			if strings.Contains(sql, "ALTER l SET NOT NULL") {
				fixture += "UPDATE t SET name = 'x' WHERE name IS NULL;"
			}
			s := newSite(t, fixture, sql)
			before := pgtest.Dump(t, s.dsn)
			s.apply().revert()
			if d := pgtest.Diff(before, pgtest.Dump(t, s.dsn)); d != "" {
				t.Error(d)
			}
			s.apply()
			pgtest.Exec(t, s.dsn, old)
			s.complete()
			oracle := pgtest.DB(t)
			pgtest.Exec(t, oracle, fixture+old)
			if out, err := pgtest.Psql(t, oracle, sql); err != nil {
				t.Fatalf("psql: %v\n%s", err, out)
			}
			pgtest.SameShape(t, oracle, s.dsn, pgtest.IgnoreColumnOrder())
			if name == "beside a fill" {
				pgtest.Exec(t, oracle, "UPDATE t SET c = NULL WHERE id > 1000") // it is filled once, as the file says
			}
			pgtest.SameData(t, oracle, s.dsn)
		})
	}
}

// TestComputedOnceFromWhatGoes: where old code's writes until complete would be lost, a person accepts that.
func TestComputedOnceFromWhatGoes(t *testing.T) {
	for sql, asks := range map[string]bool{
		"UPDATE t SET kept = name WHERE kept = 'k'; ALTER TABLE t DROP COLUMN name;":                                            true,
		"ALTER TABLE t ADD COLUMN f text; UPDATE t SET f = q.name FROM notes q WHERE q.id = t.id; DROP TABLE notes;":            true,
		"ALTER TABLE t ADD COLUMN f text; UPDATE t SET f = name || random(); ALTER TABLE t DROP COLUMN name;":                   true,
		"ALTER TABLE t ADD COLUMN f text UNIQUE; UPDATE t SET f = name; ALTER TABLE t DROP COLUMN name;":                        true,
		"CREATE TABLE q (id int PRIMARY KEY, name text); INSERT INTO q SELECT id, name FROM t; ALTER TABLE t DROP COLUMN name;": true,
		"CREATE TABLE q AS SELECT * FROM notes; DROP TABLE notes;":                                                              true,
		"INSERT INTO notes SELECT id, kept FROM t; ALTER TABLE t DROP COLUMN name;":                                             false,
		"UPDATE t SET name = lower(name); ALTER TABLE t DROP COLUMN name;":                                                      false,
		"UPDATE t SET kept = upper(kept); ALTER TABLE t DROP COLUMN name;":                                                      false,
		"CREATE TABLE q AS SELECT * FROM notes;\n-- replank: plain\nDROP TABLE notes;":                                          false,
		"ALTER TABLE t ADD COLUMN f text; UPDATE t SET f = name; ALTER TABLE t DROP COLUMN name;":                               false,
		"ALTER TABLE t ADD COLUMN f text;\n-- replank: wait\nUPDATE t SET kept = name; ALTER TABLE t DROP COLUMN name;":         false,
	} {
		s := newSite(t, splitFixture, sql, accept("irreversible"))
		p, err := s.open().Plan(ctx, s.files)
		if err != nil {
			t.Fatal(err)
		}
		f := p.Files[0]
		if f.Plan == nil {
			t.Errorf("%s: no plan: %+v", sql, f)
			continue
		}
		asked := slices.ContainsFunc(p.Consents, func(c migrate.Consent) bool { return c.Class == "lost-writes" })
		if asked != asks {
			t.Errorf("%s: asks %v, want %v", sql, asked, asks)
		}
		_, err = s.open().Apply(ctx, s.files)
		var refused *migrate.RefusedError
		if asks != (errors.As(err, &refused) && strings.Contains(refused.Advice, "lost-writes")) {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
