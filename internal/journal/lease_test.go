package journal

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
)

// waitFor asks until the server says yes.
func waitFor(t *testing.T, dsn, sql string, args ...any) {
	t.Helper()
	for start := time.Now(); !pgtest.Value[bool](t, dsn, sql, args...); {
		if time.Since(start) > time.Minute {
			t.Fatalf("it never came: %s", sql)
		}
	}
}

// wait for an event, and fail loudly when it does not come.
func wait(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatalf("it never came: %s", what)
	}
}

// kill ends the connection that renews the lease, as kill -9 of its process would.
func kill(t *testing.T, l *Lease) {
	t.Helper()
	l.stop()
	wait(t, "the end of the keeper", l.ended)
	l.keeper.Close()
}

func TestTwoExecutors(t *testing.T) {
	dsn := pgtest.DB(t)
	first := create(t, dsn, Config{})
	second, err := Open(t.Context(), openDB(t, dsn), Config{})
	if err != nil {
		t.Fatal(err)
	}
	l := acquire(t, first)
	_, err = second.Acquire(t.Context(), "apply")
	var held *HeldError
	if !errors.As(err, &held) || held.OSPID != os.Getpid() || held.Application != "replank" ||
		held.Backend != l.keeper.Backend() || held.Since.IsZero() || !held.Until.After(held.Since) {
		t.Fatalf("got %v: %+v", err, held)
	}
	other, err := second.Acquire(t.Context(), "another")
	if err != nil {
		t.Fatalf("another lease: %v", err)
	}
	if err := other.Release(t.Context()); err != nil {
		t.Error(err)
	}
	if h, err := second.Holder(t.Context(), "apply"); err != nil || h == nil {
		t.Errorf("holder: %v %v", h, err)
	}
	if h, err := second.Holder(t.Context(), "never seen"); err != nil || h != nil {
		t.Errorf("holder: %v %v", h, err)
	}
}

func TestALeaseIsRenewedAndReleased(t *testing.T) {
	dsn := pgtest.DB(t)
	j := create(t, dsn, quick)
	l, err := j.Acquire(t.Context(), "apply")
	if err != nil {
		t.Fatal(err)
	}
	// It outlives its first term by far.
	waitFor(t, dsn, `SELECT lease_until > since + interval '1 s' FROM replank.lease`)
	// Also when the connection that renews is cut.
	cut := l.keeper.Backend()
	pgtest.Value[bool](t, dsn, `SELECT pg_terminate_backend($1)`, cut.PID)
	waitFor(t, dsn, `SELECT pid <> $1 AND lease_until > clock_timestamp() FROM replank.lease`, cut.PID)
	if err := l.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-l.Lost():
		t.Error("a released lease counts as lost")
	default:
	}
	next := acquire(t, j)
	if next.Epoch() != l.Epoch()+1 {
		t.Errorf("epochs %d, %d", l.Epoch(), next.Epoch())
	}
}

// TestStolenLease: somebody else has the row. Every writer must fail, and
// nothing it did may stay.
func TestStolenLease(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE work (a int)`)
	j := create(t, dsn, quick)
	l := acquire(t, j)
	s := sessionOf(t, l)
	r := newRun(t, l, s)
	ctx, stop := l.Context(t.Context())
	defer stop()
	pgtest.Exec(t, dsn, `UPDATE replank.lease SET epoch = epoch + 1, token = 'thief', lease_until = clock_timestamp() + interval '1 h'`)
	for name, write := range map[string]func(pgx.Tx) error{
		"guard": func(tx pgx.Tx) error { return l.Guard(t.Context(), tx) },
		"advance": func(tx pgx.Tx) error {
			_, err := l.Advance(t.Context(), tx, toy, Change{Run: r.ID, Version: 1, From: "new", To: "working"})
			return err
		},
		"step": func(tx pgx.Tx) error {
			_, err := l.SetStep(t.Context(), tx, StepChange{Run: r.ID, Seq: 1, From: StepPending, To: StepRunning})
			return err
		},
		"range": func(tx pgx.Tx) error {
			return l.SaveRange(t.Context(), tx, Range{Run: r.ID, StepID: "b", State: "done"})
		},
		"migration": func(tx pgx.Tx) error { return l.RecordMigrations(t.Context(), tx, Migration{Name: "x"}) },
		"new run": func(tx pgx.Tx) error {
			_, err := l.CreateRun(t.Context(), tx, toy, NewRun{Name: "x"})
			return err
		},
	} {
		err := inTx(t, s, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `INSERT INTO work VALUES (1)`); err != nil {
				return err
			}
			return write(tx)
		})
		if !errors.Is(err, ErrLost) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := l.Session(t.Context(), 0); !errors.Is(err, ErrLost) {
		t.Errorf("session: %v", err)
	}
	wait(t, "Lost", l.Lost())
	wait(t, "the end of the context", ctx.Done())
	if !errors.Is(context.Cause(ctx), ErrLost) {
		t.Errorf("cause: %v", context.Cause(ctx))
	}
	if n := pgtest.Value[int](t, dsn, `SELECT (SELECT count(*) FROM work)::int + (SELECT count(*) FROM replank.range)::int
		+ (SELECT count(*) FROM replank.migration)::int + (SELECT count(*) FROM replank.run WHERE state <> 'new')::int`); n != 0 {
		t.Errorf("%d rows were written without the lease", n)
	}
}

// TestLeaseEndsInTheMiddleOfATransaction: now() stands still in it, the lease does not.
func TestLeaseEndsInTheMiddleOfATransaction(t *testing.T) {
	dsn := pgtest.DB(t)
	j := create(t, dsn, quick)
	l, err := j.Acquire(t.Context(), "apply")
	if err != nil {
		t.Fatal(err)
	}
	s := sessionOf(t, l)
	err = inTx(t, s, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `SELECT now()`); err != nil {
			return err
		}
		kill(t, l)
		waitFor(t, dsn, `SELECT lease_until < clock_timestamp() FROM replank.lease`)
		return l.Guard(t.Context(), tx)
	})
	if !errors.Is(err, ErrLost) {
		t.Errorf("got %v", err)
	}
}

// TestZombie: an executor that is gone for the others, but still runs. Its
// backends are ended and its commits fail; a commit that passed the guard
// comes before the takeover.
func TestZombie(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE work (a int)`)
	j := create(t, dsn, Config{PredecessorWait: 20 * time.Second})
	zombie, err := j.Acquire(t.Context(), "apply")
	if err != nil {
		t.Fatal(err)
	}
	journalled := sessionOf(t, zombie)
	hidden, err := j.db.Session(t.Context()) // as if its journal row were missing
	if err != nil {
		t.Fatal(err)
	}
	defer hidden.Close()
	sleeping := make(chan error, 1)
	go func() {
		_, err := journalled.Exec(context.Background(), `SELECT pg_sleep(300)`)
		sleeping <- err
	}()
	waitFor(t, dsn, `SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $1 AND state = 'active'`, journalled.Backend().PID)
	kill(t, zombie)

	heir := make(chan error, 1)
	var l *Lease
	err = inTx(t, hidden, func(tx pgx.Tx) error {
		if err := zombie.Guard(t.Context(), tx); err != nil {
			return err
		}
		if _, err := tx.Exec(t.Context(), `INSERT INTO work VALUES (1)`); err != nil {
			return err
		}
		go func() {
			var err error
			l, err = j.Acquire(context.Background(), "apply")
			heir <- err
		}()
		// The heir waits for this commit, which passed its guard.
		waitFor(t, dsn, `SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')`)
		return nil
	})
	if err != nil {
		t.Errorf("a commit that passed its guard: %v", err)
	}
	if err := <-heir; err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Release(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if err := <-sleeping; !pg.ConnectionLost(err) {
		t.Errorf("the journalled statement ended with %v", err)
	}
	err = inTx(t, hidden, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `INSERT INTO work VALUES (2)`); err != nil {
			return err
		}
		return zombie.Guard(t.Context(), tx)
	})
	if !errors.Is(err, ErrLost) {
		t.Errorf("a later commit: %v", err)
	}
	if n := pgtest.Value[int](t, dsn, `SELECT sum(a)::int FROM work`); n != 1 {
		t.Errorf("sum %d", n)
	}
	if n := pgtest.Value[int](t, dsn, `SELECT count(*)::int FROM replank.backend`); n != 0 {
		t.Errorf("%d backends of the zombie are still journalled", n)
	}
}

// TestStoppedInTheMiddleOfACommit: a process that was stopped after its guard
// holds the lease row. Once its lease is over, it is ended.
func TestStoppedInTheMiddleOfACommit(t *testing.T) {
	dsn := pgtest.DB(t)
	j := create(t, dsn, Config{PredecessorWait: 20 * time.Second})
	stopped, err := j.Acquire(t.Context(), "apply")
	if err != nil {
		t.Fatal(err)
	}
	s := sessionOf(t, stopped)
	err = inTx(t, s, func(tx pgx.Tx) error {
		if err := stopped.Guard(t.Context(), tx); err != nil {
			return err
		}
		kill(t, stopped)
		acquire(t, j)
		return nil
	})
	if err == nil || pg.OutcomeOf(err) == pg.Committed {
		t.Errorf("the stopped process committed: %v", err)
	}
}

func TestRenewalIsNotHeldUpByCommits(t *testing.T) {
	dsn := pgtest.DB(t)
	j := create(t, dsn, quick)
	l := acquire(t, j)
	s := sessionOf(t, l)
	err := inTx(t, s, func(tx pgx.Tx) error {
		if err := l.Guard(t.Context(), tx); err != nil {
			return err
		}
		before := pgtest.Value[time.Time](t, dsn, `SELECT lease_until FROM replank.lease`)
		waitFor(t, dsn, `SELECT lease_until > $1::timestamptz + interval '500 ms' FROM replank.lease`, before)
		return l.Guard(t.Context(), tx)
	})
	if err != nil {
		t.Error(err)
	}
}
