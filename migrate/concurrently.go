package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/plan"
)

// maxConcurrentTries is how often a statement outside of a transaction is tried when it lost a deadlock or left
// debris without an error of its own.
const maxConcurrentTries = 5

// errNoEffect: the statement said yes, the probe says no.
var errNoEffect = errors.New("the statement succeeded, but its effect is not there")

// concurrently carries out a step that PostgreSQL refuses in a transaction. Only the probe says what happened:
// before, because a crash may have hidden a success, and after, because success must be seen.
func (x *executor) concurrently(ctx context.Context, s plan.Step) (ev evidence, err error) {
	there, err := x.ask(ctx, s, s.Probe)
	if err != nil {
		return ev, err
	}
	if there {
		ev.Found = !x.run.begun(s.ID)
		return ev, x.markAfter(ctx, s, ev)
	}
	if x.run.steps[s.ID].State == journal.StepRunning {
		// The effect may be somebody else's only if it was there before the statement, which then was about to fail.
		if there, err = x.ask(ctx, s, s.Outcome); err != nil {
			return ev, err
		} else if there {
			return ev, x.markAfter(ctx, s, ev)
		}
	}
	killed := s.Elsewhere != "" && x.run.steps[s.ID].State == journal.StepRunning
	if err := x.start(ctx, s); err != nil {
		return ev, err
	}
	x.point(s.Kind, "started")
	first := time.Now()
	for {
		ev.Tries++
		ev.Waited = time.Since(first).Seconds()
		began := time.Now()
		err := x.tryConcurrently(ctx, s)
		if err == nil {
			ev.Took = time.Since(began).Seconds()
			return ev, x.markAfter(ctx, s, ev)
		}
		switch waited := time.Since(first); {
		case ctx.Err() != nil:
			return ev, err
		case pg.LockNotAvailable(err):
			if waited >= x.e.cfg.LockWait {
				return ev, &pg.LockWaitError{Waited: waited, Tries: ev.Tries, Err: err}
			}
		case killed && pg.OutcomeOf(err) != pg.Unknown && !pg.ConnectionLost(err):
			return ev, leftElsewhere(s, err)
		case !pg.Deadlock(err) && !errors.Is(err, errNoEffect) || ev.Tries >= maxConcurrentTries:
			return ev, err
		}
		x.event(EventNote, s, Event{Text: "trying again: " + err.Error()})
		if err := sleep(ctx, 5*x.e.cfg.LockBudget); err != nil {
			return ev, err
		}
	}
}

// leftElsewhere is why a step does not work that an executor died in: nobody here can tell whether what stands in its
// way is its own.
func leftElsewhere(s plan.Step, err error) error {
	return &UnknownError{What: "an executor died in step " + s.ID + ", which may have left " + s.Elsewhere, Err: err, Advice: lookElsewhere(s)}
}

func lookElsewhere(s plan.Step) string {
	return "look for " + s.Elsewhere + ", drop it there if nobody else uses it, then resume"
}

func (x *executor) tryConcurrently(ctx context.Context, s plan.Step) error {
	if err := x.cleanUp(ctx, s); err != nil {
		return err
	}
	there, err := x.ask(ctx, s, s.Probe) // the clean-up of a DETACH ends it
	if err != nil {
		return err
	}
	if !there {
		for _, sql := range s.SQL {
			if err := x.alone(ctx, s, sql, s.Locks); err != nil {
				return err
			}
		}
	}
	x.point(s.Kind, "ran")
	if s.Probe != "" {
		there, err := x.ask(ctx, s, s.Probe)
		if err != nil {
			return err
		}
		if !there {
			return errNoEffect
		}
	}
	x.point(s.Kind, "probed")
	return nil
}

// cleanUp removes what a failed attempt left.
func (x *executor) cleanUp(ctx context.Context, s plan.Step) error {
	statements := s.Cleanup
	if debris, err := x.ask(ctx, s, s.CleanupIf); err != nil {
		return err
	} else if !debris {
		statements = nil
	}
	if s.CleanupQuery != "" {
		err := x.sess.Tx(ctx, pg.TxOptions{ReadOnly: true, Settings: x.settings(s)}, func(tx pgx.Tx) error {
			rows, err := tx.Query(ctx, s.CleanupQuery, pgx.QueryExecModeSimpleProtocol)
			if err != nil {
				return err
			}
			statements, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
		if err != nil {
			return fmt.Errorf("look for what a failed attempt left: %w", err)
		}
	}
	for _, sql := range statements {
		if err := x.alone(ctx, s, sql, s.Locks); err != nil {
			return fmt.Errorf("remove what a failed attempt left: %w", err)
		}
	}
	return nil
}

// alone carries out one statement that is a whole by itself, under the discipline that its locks ask for: whoever
// waits for a strong one makes everybody behind it wait.
func (x *executor) alone(ctx context.Context, s plan.Step, sql string, locks []plan.Lock) error {
	var st ddl.Statement
	if f, err := ddl.Parse("", sql); err == nil && len(f.Statements) == 1 && len(f.Statements[0].Ops) == 1 {
		st = f.Statements[0]
		switch op := st.Ops[0].(type) {
		case ddl.ValidateConstraint, ddl.Update:
			return x.queued(ctx, s, sql)
		case ddl.DetachPartition:
			// Its last lock is ACCESS EXCLUSIVE on the partition. Out of time it leaves a detach that is pending, which
			// FINALIZE, as the clean-up, brings to its end.
			if op.Concurrently {
				return x.outside(ctx, s, sql, pg.LockTimeout(x.e.cfg.LockBudget))
			}
		case ddl.Other:
			// VACUUM FULL, and CLUSTER of more than one table, keep everybody out of each table. Nobody but maintenance
			// waits behind a plain VACUUM.
			strong := slices.ContainsFunc(locks, func(l plan.Lock) bool { return !weak(l.Mode) })
			if op.Tag == "CLUSTER" || op.Tag == "VACUUM" && strong {
				return x.outside(ctx, s, sql, pg.LockTimeout(x.e.cfg.LockBudget))
			}
		}
	}
	if st.NoTx {
		return x.outside(ctx, s, sql)
	}
	_, err := x.underLocks(ctx, s, []string{sql}, locks, func(pgx.Tx, evidence) error { return nil })
	return err
}

// queued carries out one statement whose locks let reads and writes pass, in its own transaction.
func (x *executor) queued(ctx context.Context, s plan.Step, sql string) error {
	// An ordinary autovacuum gives way only to one who waits for deadlock_timeout (RULES 15).
	settings := append(x.settings(s), pg.LockTimeout(x.e.db.Server().DeadlockTimeout+time.Second))
	return x.whileLocked(ctx, s, func(int, time.Duration) error {
		return x.sess.Tx(ctx, pg.TxOptions{Settings: settings}, func(tx pgx.Tx) error { return execAll(ctx, tx, []string{sql}) })
	})
}

// outside runs one statement outside of a transaction. It may run for as long as it works; only waiting for
// others is bounded, by LockWait without a pause.
func (x *executor) outside(ctx context.Context, s plan.Step, sql string, settings ...pg.Setting) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var waiting time.Duration // Progress.Since when the present wait began
	var inWait bool
	err := x.sess.Concurrently(ctx, sql, pg.ConcurrentlyOptions{
		Settings: append(x.settings(s), settings...),
		OnProgress: func(p pg.Progress) {
			x.event(EventProgress, s, Event{Progress: &p})
			if !p.Waiting {
				inWait = false
				return
			}
			if !inWait {
				inWait, waiting = true, p.Since
			}
			since := p.Since - waiting
			x.event(EventWaiting, s, Event{Waiting: &pg.Waiting{Since: since, Blockers: p.Blockers,
				Note: "the statement waits for older transactions; nobody waits behind it"}})
			if since >= x.e.cfg.LockWait {
				cancel(&pg.LockWaitError{Waited: since, Tries: 1, Blockers: p.Blockers})
			}
		},
	})
	if err == nil {
		return nil
	}
	var gaveUp *pg.LockWaitError
	if errors.As(context.Cause(ctx), &gaveUp) {
		return gaveUp
	}
	return &statementError{sql: sql, err: err}
}

// reverseConcurrently takes a step back statement by statement. They are idempotent, or the probe of the step says
// whether they have anything to do, so that after a crash all of them run again.
func (x *executor) reverseConcurrently(ctx context.Context, s plan.Step) error {
	x.point(plan.Concurrently, "begin")
	for _, sql := range s.Reverse {
		err := x.whileLocked(ctx, s, func(int, time.Duration) error {
			if err := x.cleanUp(ctx, s); err != nil {
				return err
			}
			return x.alone(ctx, s, sql, s.ReverseLocks)
		})
		if err != nil {
			return err
		}
	}
	x.point(plan.Concurrently, "ran")
	if err := x.mark(ctx, func(tx pgx.Tx) error { return x.setStep(ctx, tx, s, journal.StepReversed, "", nil) }); err != nil {
		return err
	}
	x.remember(s, journal.StepReversed)
	x.point(plan.Concurrently, "marked")
	return nil
}
