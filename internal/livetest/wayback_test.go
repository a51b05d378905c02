package livetest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
)

// TestWayBackQueuesForNobody: ALTERs of the way back ask for their locks for a moment, as those of the way there do.
func TestWayBackQueuesForNobody(t *testing.T) {
	s := newSite(t, `CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, CONSTRAINT chk CHECK (n >= 0)); INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g`,
		`ALTER TABLE t DROP CONSTRAINT chk; ALTER TABLE t ALTER COLUMN n DROP NOT NULL;`)
	before := pgtest.Dump(t, s.dsn)
	s.apply()
	reader := pgtest.Connect(t, s.dsn)
	if _, err := reader.Exec(ctx, "BEGIN; SELECT count(*) FROM t"); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan struct{}, 1000)
	ended := make(chan error, 1)
	e := s.open(func(c *migrate.Config) {
		c.Events = func(ev migrate.Event) {
			if ev.Kind == migrate.EventWaiting {
				waiting <- struct{}{}
			}
		}
	})
	go func() { _, err := e.Revert(ctx, ""); ended <- err }()
	for range 3 {
		select {
		case <-waiting:
		case err := <-ended:
			t.Fatalf("it did not wait: %v", err)
		}
	}
	// Nobody stands behind the waiting revert for longer than the budget, whatever else there is to wait for here.
	other := pgtest.Connect(t, s.dsn)
	if _, err := other.Exec(ctx, "SET statement_timeout = '3s'; SELECT count(*) FROM t"); err != nil {
		t.Errorf("a reader behind the way back: %v", err)
	}
	if _, err := reader.Exec(ctx, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("revert: %v (%s)", err, migrate.HintOf(err))
	}
	if d := pgtest.Diff(before, pgtest.Dump(t, s.dsn)); d != "" {
		t.Error(d)
	}
}

// TestKilledWayBackOfDropIndex: what a killed build leaves under the index's name is no obstacle.
func TestKilledWayBackOfDropIndex(t *testing.T) {
	s := newSite(t, `CREATE TABLE t (id int PRIMARY KEY, n int); CREATE INDEX t_n ON t (n); INSERT INTO t SELECT g, g % 10 FROM generate_series(1, 1000) g`,
		`DROP INDEX t_n;`)
	before := pgtest.Dump(t, s.dsn)
	s.apply()
	s.complete()
	// A unique build over duplicates fails as one that is killed does: it leaves an invalid index.
	if err := pgtest.TryExec(s.dsn, "CREATE UNIQUE INDEX CONCURRENTLY t_n ON t (n)"); err == nil {
		t.Fatal("the build did not fail")
	}
	s.revert()
	if d := pgtest.Diff(before, pgtest.Dump(t, s.dsn)); d != "" {
		t.Error(d)
	}
}

// TestCompleteThatFailsTwice stays ready, and can be reverted.
func TestCompleteThatFailsTwice(t *testing.T) {
	s := newSite(t, `CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
		CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
		`ALTER TABLE t RENAME COLUMN a TO b; DROP FUNCTION f();`)
	before := pgtest.Dump(t, s.dsn)
	s.apply()
	pgtest.Exec(t, s.dsn, "CREATE VIEW v AS SELECT f()")
	for range 3 {
		_, err := s.open().Complete(ctx, "", migrate.CompleteOptions{NoOldReaders: true})
		if sqlstate(err) != "2BP01" {
			t.Fatalf("complete: %v, want 2BP01", err)
		}
		if s.state() != string(migrate.Ready) {
			t.Fatalf("the run is %s, not ready", s.state())
		}
	}
	pgtest.Exec(t, s.dsn, "DROP VIEW v")
	s.revert()
	if d := pgtest.Diff(before, pgtest.Dump(t, s.dsn)); d != "" {
		t.Errorf("what complete had not taken away is there after revert: %s", d)
	}
}

// TestRevertThatFails leaves a way in both directions.
func TestRevertThatFails(t *testing.T) {
	const shop = `CREATE TABLE t (id int PRIMARY KEY, n int CONSTRAINT chk CHECK (n > 0)); INSERT INTO t SELECT g, g FROM generate_series(1, 100) g`
	fails := func(t *testing.T, s *site) {
		t.Helper()
		pgtest.Exec(t, s.dsn, "INSERT INTO t VALUES (1000, -1)")
		if _, err := s.open().Revert(ctx, ""); sqlstate(err) != "23514" || s.state() != string(migrate.Failed) {
			t.Fatalf("revert: %v, run %s", err, s.state())
		}
	}
	resume := func(t *testing.T, s *site) error {
		t.Helper()
		_, err := s.open().Resume(ctx, "0001_change")
		return err
	}
	t.Run("done, nothing taken back", func(t *testing.T) {
		s := newSite(t, shop, "ALTER TABLE t DROP CONSTRAINT chk;").apply()
		fails(t, s)
		if err := resume(t, s); err != nil || s.state() != string(migrate.Done) {
			t.Fatalf("resume: %v, run %s", err, s.state())
		}
	})
	t.Run("ready, nothing taken back", func(t *testing.T) {
		s := newSite(t, shop+"; ALTER TABLE t ADD COLUMN gone int", "ALTER TABLE t DROP COLUMN gone; ALTER TABLE t DROP CONSTRAINT chk;").apply()
		fails(t, s)
		if err := resume(t, s); err != nil || s.state() != string(migrate.Ready) {
			t.Fatalf("resume: %v, run %s", err, s.state())
		}
		s.complete()
	})
	t.Run("done, half taken back", func(t *testing.T) {
		s := newSite(t, shop+"; CREATE INDEX t_old ON t (n)", "ALTER TABLE t DROP CONSTRAINT chk; CREATE INDEX t_new ON t (n, id); DROP INDEX t_old;").apply()
		s.complete()
		fails(t, s)
		var refused *migrate.RefusedError
		if err := resume(t, s); !errors.As(err, &refused) || !strings.Contains(migrate.HintOf(err), "revert again") {
			t.Fatalf("resume: %v", err)
		}
		pgtest.Exec(t, s.dsn, "DELETE FROM t WHERE n < 0")
		s.revert()
	})
}

// TestRowsThatMovedBehindTheFill: VACUUM FULL in the middle of a fill brings rows to where the walk has been. What
// triggers did not see stands for them here.
func TestRowsThatMovedBehindTheFill(t *testing.T) {
	s := newSite(t, `CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT g, g FROM generate_series(1, 30000) g`,
		`ALTER TABLE t ALTER COLUMN n TYPE bigint;`)
	// The executor goes when every range is done and nothing is proven.
	stopped, stop := context.WithCancel(ctx)
	e := s.open(func(c *migrate.Config) {
		c.Failpoint = func(name string) {
			if name == "filling/rows/ran" {
				stop()
			}
		}
	})
	if _, err := e.Apply(stopped, s.files); migrate.VerdictOf(err) != migrate.VerdictStopped {
		t.Fatalf("apply: %v", err)
	}
	pgtest.Exec(t, s.dsn, "ALTER TABLE t DISABLE TRIGGER ALL; UPDATE t SET _replank_n = NULL WHERE id % 100 = 0; ALTER TABLE t ENABLE TRIGGER ALL")
	sum, err := s.open().Resume(ctx, "")
	if err != nil {
		t.Fatalf("resume: %v (%s)", err, migrate.HintOf(err))
	}
	if len(sum.Ready) != 1 {
		t.Fatalf("resume: %+v", sum)
	}
	s.complete()
	if n := pgtest.Value[int](t, s.dsn, "SELECT count(*)::int FROM t WHERE n IS DISTINCT FROM id"); n != 0 {
		t.Errorf("%d rows have a wrong value", n)
	}
}

// TestWhatCascadesIsIrreversible: before-images of the table do not bring back what went with its rows.
func TestWhatCascadesIsIrreversible(t *testing.T) {
	const remove = "DELETE FROM p WHERE n > 0;"
	for name, tt := range map[string]struct{ prepare, sql string }{
		"cascade":  {"CREATE TABLE ch (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE)", remove},
		"set null": {"CREATE TABLE ch (id int PRIMARY KEY, p int REFERENCES p ON DELETE SET NULL)", remove},
		"update":   {"ALTER TABLE p ADD UNIQUE (n); CREATE TABLE ch (id int PRIMARY KEY, p int REFERENCES p (n) ON UPDATE SET NULL)", "UPDATE p SET n = -n;"},
		"child":    {"CREATE TABLE c1 () INHERITS (p)", remove},
		"trigger": {`CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.n := 0; RETURN NEW; END';
			CREATE TRIGGER tr BEFORE INSERT ON p FOR EACH ROW EXECUTE FUNCTION f()`, remove},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "CREATE TABLE p (id int PRIMARY KEY, n int); "+tt.prepare, tt.sql)
			_, err := s.open().Apply(ctx, s.files)
			var refused *migrate.RefusedError
			if !errors.As(err, &refused) || refused.Code != migrate.NeedsConsent {
				t.Fatalf("apply: %v", err)
			}
			s.cfg = append(s.cfg, accept("irreversible"))
			s.apply()
			_, err = s.open().Revert(ctx, "")
			if !errors.As(err, &refused) || refused.Code != migrate.Irreversible {
				t.Errorf("revert: %v", err)
			}
		})
	}
	s := newSite(t, "CREATE TABLE p (id int PRIMARY KEY, n int); CREATE TABLE ch (id int PRIMARY KEY, p int REFERENCES p); INSERT INTO p VALUES (1, 1)",
		"DELETE FROM p WHERE n > 0;").apply()
	s.revert()
	if n := pgtest.Value[int](t, s.dsn, "SELECT count(*)::int FROM p"); n != 1 {
		t.Errorf("%d rows after revert", n)
	}
}

// TestKeysInTheStyleOfTheSession: whatever dates look like there, each row is changed once.
func TestKeysInTheStyleOfTheSession(t *testing.T) {
	dsn := pgtest.DB(t)
	db := pgtest.Database(dsn)
	pgtest.Exec(t, dsn, `ALTER DATABASE "`+db+`" SET datestyle = 'SQL, DMY'`, `ALTER DATABASE "`+db+`" SET timezone = 'Asia/Shanghai'`)
	s := siteOn(t, dsn, `CREATE TABLE m (ts timestamptz PRIMARY KEY, n int NOT NULL DEFAULT 0, shown text);
		INSERT INTO m SELECT '2026-01-01Z'::timestamptz + g * interval '1 minute' FROM generate_series(1, 20000) g; ANALYZE m`,
		"UPDATE m SET n = n + 1, shown = ts::text;").apply()
	if wrong := pgtest.Value[int](t, s.dsn, "SELECT count(*)::int FROM m WHERE n <> 1"); wrong != 0 {
		t.Errorf("%d rows were not changed exactly once", wrong)
	}
	// The user's own expressions mean what they mean in the user's session.
	if wrong := pgtest.Value[int](t, s.dsn, "SELECT count(*)::int FROM m WHERE shown <> ts::text OR shown NOT LIKE '%CST'"); wrong != 0 {
		t.Errorf("%d rows show the time in another style", wrong)
	}
	s.complete()
}
