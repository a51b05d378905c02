package livetest

import (
	"context"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
)

// TestKilledReindex: the copy that was not finished, or the old index that was not dropped, goes with the next try and
// with the way back. An index of the user that merely looks like one stays.
func TestKilledReindex(t *testing.T) {
	const shop = `CREATE TABLE t (id int PRIMARY KEY, n int, b text); INSERT INTO t SELECT g, g, 'x' FROM generate_series(1, 1000) g;
		CREATE INDEX t_n ON t (n); CREATE INDEX t_n_ccnew2 ON t (n);
		CREATE INDEX "Odd name, as long as PostgreSQL lets it be, so that it is cut" ON t (n, id);
		CREATE TABLE p (id int, n int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (2000);
		INSERT INTO p SELECT g, g FROM generate_series(1, 1000) g; CREATE INDEX p_n ON p (n)`
	const debris = "SELECT count(*)::int FROM pg_index WHERE NOT indisvalid"
	for name, tt := range map[string]struct {
		sql   string
		held  string // by a transaction that REINDEX waits for
		phase string // in which it then is
	}{
		"index, new":     {"REINDEX INDEX t_n;", "UPDATE t SET n = 0 WHERE id = 1", "waiting for writers before build"},
		"index, old":     {"REINDEX INDEX t_n;", "SELECT n FROM t", "waiting for readers before marking dead"},
		"long name, new": {`REINDEX INDEX "Odd name, as long as PostgreSQL lets it be, so that it is cut";`, "UPDATE t SET n = 0 WHERE id = 1", "waiting for writers before build"},
		"table, new":     {"REINDEX TABLE t;", "UPDATE t SET n = 0 WHERE id = 1", "waiting for writers before build"},
		"table, old":     {"REINDEX TABLE t;", "SELECT n FROM t", "waiting for readers before marking dead"},
		"partition, new": {"REINDEX INDEX p_n;", "UPDATE p1 SET n = 0 WHERE id = 1", "waiting for writers before build"},
		"partition, old": {"REINDEX TABLE p;", "SELECT n FROM p1", "waiting for readers before marking dead"},
		"schema, new":    {"REINDEX SCHEMA public;", "UPDATE t SET n = 0 WHERE id = 1", "waiting for writers before build"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, shop, tt.sql)
			before := pgtest.Dump(t, s.dsn)
			// killed leaves a REINDEX in the middle.
			killed := func() {
				t.Helper()
				holder := blocker(t, s.dsn, tt.held)
				dying, kill := context.WithCancel(ctx)
				defer kill()
				ended := make(chan error, 1)
				go func() { _, err := s.open().Apply(dying, s.files); ended <- err }()
				probe := pgtest.Connect(t, s.dsn)
				for waiting := false; !waiting; {
					select {
					case err := <-ended:
						t.Fatalf("apply did not wait: %v", err)
					default:
					}
					err := probe.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE datname = current_database() AND phase = $1)", tt.phase).Scan(&waiting)
					if err != nil {
						t.Fatal(err)
					}
				}
				kill()
				if err := <-ended; migrate.VerdictOf(err) != migrate.VerdictStopped {
					t.Fatalf("apply: %v", err)
				}
				if _, err := holder.Exec(ctx, "ROLLBACK"); err != nil {
					t.Fatal(err)
				}
				if n := pgtest.Value[int](t, s.dsn, debris); n == 0 {
					t.Fatal("it left nothing")
				}
			}
			same := func(after string) {
				t.Helper()
				if n := pgtest.Value[int](t, s.dsn, debris); n != 0 {
					t.Errorf("after %s, %d indexes are invalid", after, n)
				}
				if d := pgtest.Diff(before, pgtest.Dump(t, s.dsn)); d != "" {
					t.Errorf("after %s: %s", after, d)
				}
			}
			killed()
			s.revert()
			same("revert")
			killed()
			s.apply()
			same("resume")
		})
	}
}

// TestReindexOfWhatAnotherHasLeft rebuilds the index that is named.
func TestReindexOfWhatAnotherHasLeft(t *testing.T) {
	s := newSite(t, "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT g, g % 10 FROM generate_series(1, 100) g; CREATE INDEX t_n ON t (n)",
		"REINDEX INDEX t_n_ccnew;")
	if err := pgtest.TryExec(s.dsn, "CREATE UNIQUE INDEX CONCURRENTLY t_n_ccnew ON t (n)"); err == nil {
		t.Fatal("the build did not fail")
	}
	pgtest.Exec(t, s.dsn, "DELETE FROM t WHERE id > 10")
	s.apply()
	if !pgtest.Value[bool](t, s.dsn, "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_n_ccnew'::regclass") {
		t.Error("it is not valid")
	}
}
