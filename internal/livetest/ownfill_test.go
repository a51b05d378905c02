package livetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

// TestFillOfAnOwnColumn: `-- replank: fill` changes a column that the application has. Constraints are checked whatever
// triggers there are, and revert gives the NULLs back.
func TestFillOfAnOwnColumn(t *testing.T) {
	const touch = `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.touched := true; RETURN NEW; END';
		CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();`
	const rows = "INSERT INTO t (id, n) SELECT g, CASE WHEN g % 3 > 0 THEN g END FROM generate_series(1, 300) g;"
	for name, tt := range map[string]struct{ prepare, fill, sqlstate string }{
		"foreign key":         {"CREATE TABLE o (k int PRIMARY KEY); INSERT INTO o SELECT generate_series(1, 300); CREATE TABLE t (id int PRIMARY KEY, n int REFERENCES o, touched boolean);" + rows + touch, "0", "23503"},
		"deferrable key":      {"CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE DEFERRABLE, touched boolean);" + rows + touch, "0", "23505"},
		"deferred key":        {"CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE DEFERRABLE INITIALLY DEFERRED, touched boolean);" + rows + touch, "0", "23505"},
		"fits a foreign key":  {"CREATE TABLE o (k int PRIMARY KEY); INSERT INTO o SELECT generate_series(0, 300); CREATE TABLE t (id int PRIMARY KEY, n int REFERENCES o, touched boolean);" + rows + touch, "0", ""},
		"nothing to check":    {"CREATE TABLE t (id int PRIMARY KEY, n int, touched boolean);" + rows + touch, "0", ""},
		"key of two, no user": {"CREATE TABLE t (id int, n int, touched boolean, x int DEFAULT 1, PRIMARY KEY (x, id));" + rows, "0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, tt.prepare, "-- replank: fill "+tt.fill+"\nALTER TABLE t ALTER COLUMN n SET NOT NULL;")
			before := pgtest.Dump(t, s.dsn)
			_, err := s.open().Apply(ctx, s.files)
			switch {
			case tt.sqlstate == "" && err != nil:
				t.Fatalf("apply: %v (%s)", err, migrate.HintOf(err))
			case tt.sqlstate != "":
				if err == nil {
					t.Fatal("apply did not see that the constraint is broken")
				}
				var stopped *migrate.StoppedError
				if errors.As(err, &stopped) {
					if got := pgtest.Value[string](t, s.dsn, "SELECT min(sqlstate) FROM replank.rejected"); got != tt.sqlstate {
						t.Errorf("rejected with %s, want %s", got, tt.sqlstate)
					}
				} else if sqlstate(err) != tt.sqlstate {
					t.Errorf("apply: %v, want %s", err, tt.sqlstate)
				}
			default:
				if n := pgtest.Value[int](t, s.dsn, "SELECT count(*)::int FROM t WHERE n = 0"); n != 100 {
					t.Errorf("%d rows are filled", n)
				}
				// What old code writes meanwhile is filled too; whoever gave a row a value of their own keeps it.
				pgtest.Exec(t, s.dsn, "INSERT INTO t (id) VALUES (1000)", "UPDATE t SET n = 7 WHERE id = 3")
			}
			if s.state() != string(migrate.Reverted) {
				s.revert()
			}
			if tt.sqlstate != "" {
				if d := pgtest.Diff(before, pgtest.Dump(t, s.dsn)); d != "" {
					t.Error(d)
				}
			}
			got := pgtest.Value[string](t, s.dsn, "SELECT count(*) FILTER (WHERE n IS NULL) || ' ' || count(*) FILTER (WHERE n = id) FROM t")
			if want := map[bool]string{true: "100 200", false: "99 200"}[tt.sqlstate != ""]; got != want {
				t.Errorf("after revert: %s (NULL, as before), want %s", got, want)
			}
		})
	}
}

// TestFillWithoutAKey: without a key nobody can tell which values to take back, and the plan says so.
func TestFillWithoutAKey(t *testing.T) {
	s := newSite(t, "CREATE TABLE t (id int, n int); INSERT INTO t SELECT g, NULL FROM generate_series(1, 100) g", "-- replank: fill 0\nALTER TABLE t ALTER COLUMN n SET NOT NULL;")
	pv, err := s.open().Plan(ctx, s.files)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(pv.Files[0].Plan.Notices, func(n plan.Notice) bool { return n.Code == "revert-fill" }) {
		t.Errorf("notices %+v", pv.Files[0].Plan.Notices)
	}
	s.apply()
	s.revert()
	if n := pgtest.Value[int](t, s.dsn, "SELECT count(*)::int FROM t WHERE n = 0"); n != 100 {
		t.Errorf("%d rows have the value of the fill", n)
	}
}
