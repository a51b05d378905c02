package pg_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
)

func TestWaitForOlder(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (a int)`)
	s := session(t, open(t, politeConfig(dsn)))

	snapshot := begin(t, dsn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, `SELECT count(*) FROM t`)
	writer := begin(t, dsn, pgx.TxOptions{}, `INSERT INTO t VALUES (1)`)
	idle := begin(t, dsn, pgx.TxOptions{}, `SELECT count(*) FROM t`) // no snapshot, no xid: harmless
	pgtest.Exec(t, dsn, `BEGIN; INSERT INTO t VALUES (2); PREPARE TRANSACTION 'older'`)

	waits := make(chan pg.Waiting, 100)
	result := make(chan error, 1)
	go func() {
		result <- s.WaitForOlder(deadline(t), pg.OlderRequest{OnWait: func(w pg.Waiting) { waits <- w }})
	}()
	expect := func(n int) pg.Waiting {
		t.Helper()
		for {
			select {
			case w := <-waits:
				if len(w.Blockers) == n {
					return w
				}
				if len(w.Blockers) < n {
					t.Fatalf("waiting for %v, want %d", w.Blockers, n)
				}
			case err := <-result:
				t.Fatalf("it did not wait for %d: %v", n, err)
			}
		}
	}
	expect(3)
	newer := begin(t, dsn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, `INSERT INTO t VALUES (3)`)
	end(t, snapshot)
	expect(2)
	end(t, writer)
	if w := expect(1); w.Blockers[0].GID != "older" {
		t.Errorf("waiting for %v", w.Blockers)
	}
	pgtest.Exec(t, dsn, `COMMIT PREPARED 'older'`)
	if err := <-result; err != nil {
		t.Error(err)
	}
	end(t, newer)
	end(t, idle)
}

func TestWaitForOlderGivesUpByName(t *testing.T) {
	dsn := pgtest.DB(t)
	s := session(t, open(t, politeConfig(dsn)))
	tx := begin(t, pgtest.Param(dsn, "application_name", "nightly report"), pgx.TxOptions{IsoLevel: pgx.Serializable}, `SELECT 1`)
	err := s.WaitForOlder(t.Context(), pg.OlderRequest{Wait: 50 * time.Millisecond})
	var older *pg.OlderWaitError
	if !errors.As(err, &older) || len(older.Blockers) != 1 || !strings.Contains(err.Error(), "nightly report") {
		t.Errorf("got %v", err)
	}
	err = s.WaitForOlder(t.Context(), pg.OlderRequest{Ignore: []pg.Backend{older.Blockers[0].Backend}})
	if err != nil {
		t.Errorf("an ignored backend was waited for: %v", err)
	}
	end(t, tx)
}

const createIndex = `CREATE INDEX CONCURRENTLY t_a ON t (a)`

func TestConcurrently(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 1000)`)
	db := open(t, politeConfig(dsn))
	valid := func() (v bool) {
		return pgtest.Value[bool](t, dsn, `SELECT coalesce(bool_and(indisvalid), false) FROM pg_index WHERE indrelid = 't'::regclass`)
	}
	stillRunning := func(s *pg.Session) int {
		return pgtest.Value[int](t, dsn, `SELECT count(*)::int FROM pg_stat_activity WHERE pid = $1 AND state = 'active'`, s.Backend().PID)
	}
	reset := func() { pgtest.Exec(t, dsn, `DROP INDEX IF EXISTS t_a`) }

	t.Run("shows whom it waits for, then goes on", func(t *testing.T) {
		s := session(t, db)
		old := begin(t, dsn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, `SELECT count(*) FROM t`)
		seen := make(chan pg.Progress, 1000)
		result := make(chan error, 1)
		go func() {
			result <- s.Concurrently(deadline(t), createIndex, pg.ConcurrentlyOptions{
				Every:      10 * time.Millisecond,
				Settings:   []pg.Setting{{Name: "maintenance_work_mem", Value: "2MB"}},
				OnProgress: func(p pg.Progress) { seen <- p }})
		}()
		for waiting := false; !waiting; {
			select {
			case p := <-seen:
				waiting = p.Waiting && len(p.Blockers) == 1 && p.Blockers[0].PID == int32(old.Conn().PgConn().PID()) && p.Phase != ""
			case err := <-result:
				t.Fatalf("it did not wait: %v", err)
			}
		}
		end(t, old)
		if err := <-result; err != nil || !valid() {
			t.Errorf("%v, valid %v", err, valid())
		}
		var mem string
		if err := s.QueryRow(t.Context(), `SELECT current_setting('maintenance_work_mem')`).Scan(&mem); err != nil || mem == "2MB" {
			t.Errorf("the setting outlived the statement: %q %v", mem, err)
		}
		reset()
	})
	t.Run("a cancelled context ends it on the server", func(t *testing.T) {
		s := session(t, db)
		old := begin(t, dsn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, `SELECT count(*) FROM t`)
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Concurrently(ctx, createIndex, pg.ConcurrentlyOptions{Every: 10 * time.Millisecond,
			OnProgress: func(p pg.Progress) {
				if p.Waiting {
					cancel()
				}
			}})
		if !errors.Is(err, context.Canceled) || stillRunning(s) != 0 || valid() {
			t.Errorf("%v, running %d, valid %v", err, stillRunning(s), valid())
		}
		if _, err := s.Exec(t.Context(), `SELECT 1`); err != nil {
			t.Errorf("the session is not usable any more: %v", err)
		}
		end(t, old)
		reset()
	})
	t.Run("a budget ends it and names the blockers", func(t *testing.T) {
		s := session(t, db)
		old := begin(t, dsn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, `SELECT count(*) FROM t`)
		err := s.Concurrently(t.Context(), createIndex, pg.ConcurrentlyOptions{Every: 10 * time.Millisecond, Budget: 500 * time.Millisecond})
		var budget *pg.StatementBudgetError
		if !errors.As(err, &budget) || len(budget.Blockers) != 1 || stillRunning(s) != 0 {
			t.Errorf("%v, running %d", err, stillRunning(s))
		}
		end(t, old)
		reset()
	})
	t.Run("an error is the statement's own", func(t *testing.T) {
		err := session(t, db).Concurrently(t.Context(), `CREATE INDEX CONCURRENTLY x ON missing (a)`, pg.ConcurrentlyOptions{})
		if !pg.UndefinedTable(err) {
			t.Errorf("got %v", err)
		}
	})
}
