package pg

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed concurrently.sql
var concurrentlySQL string

//go:embed waitedfor.sql
var waitedForSQL string

// ConcurrentlyOptions say how a statement outside of a transaction block runs.
type ConcurrentlyOptions struct {
	// Settings for the session while the statement runs; they are reset after it. Default: none.
	Settings []Setting
	// Budget for the whole statement; then it is cancelled. 0: as long as it takes. Default: 0.
	Budget time.Duration
	// Every is the time between two reports. Default: 1s.
	Every time.Duration
	// OnProgress hears how far it is. Default: nil.
	OnProgress func(Progress)
}

// Progress of a long statement, from pg_stat_progress_create_index where it is one.
type Progress struct {
	Since                     time.Duration
	Phase                     string
	BlocksDone, BlocksTotal   int64
	TuplesDone, TuplesTotal   int64
	LockersDone, LockersTotal int64
	Waiting                   bool      // for a lock
	Blockers                  []Blocker // while Waiting
}

// StatementBudgetError says that a statement was cancelled because it took too long.
type StatementBudgetError struct {
	Budget   time.Duration
	Blockers []Blocker // of the last look
	Err      error
}

func (e *StatementBudgetError) Error() string {
	s := fmt.Sprintf("the statement was cancelled after %s", e.Budget)
	for _, b := range e.Blockers {
		s += "; it waited for " + b.String()
	}
	return s
}
func (e *StatementBudgetError) Unwrap() error { return e.Err }

// StillRunningError says that a cancelled statement did not end: it goes on in
// the server, and the backend has to be ended or waited for (RULES 16).
type StillRunningError struct {
	Backend Backend
	Err     error
}

func (e *StillRunningError) Error() string {
	return fmt.Sprintf("backend %d goes on after it was cancelled", e.Backend.PID)
}
func (e *StillRunningError) Unwrap() error { return e.Err }

// Concurrently runs one statement that cannot or should not run in a
// transaction block (CREATE INDEX CONCURRENTLY, VALIDATE CONSTRAINT, VACUUM,
// ...) without any lock or statement timeout: such statements wait for old
// snapshots without making anybody wait behind them. When ctx ends or the
// budget is used up, the statement is cancelled on the server, and
// Concurrently returns when it has really ended, or with a StillRunningError.
//
// The statement must not queue for a lock that the application needs; that is
// what UnderLocks is for.
func (s *Session) Concurrently(ctx context.Context, sql string, opts ConcurrentlyOptions) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if opts.Every == 0 {
		opts.Every = time.Second
	}
	undo, err := s.setForStatement(ctx, opts.Settings)
	if err != nil {
		return err
	}
	// The statement has its own context: a cancelled ctx must not make pgx drop
	// the connection while the server works on.
	own, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	ended := make(chan error, 1)
	go func() {
		_, err := s.conn.Exec(own, sql)
		ended <- err
	}()
	err = s.attend(ctx, opts, ended, cut)
	if s.Lost() {
		return err
	}
	if failed := undo(); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

// attend reports progress until the statement has ended, and ends it when it has to.
func (s *Session) attend(ctx context.Context, opts ConcurrentlyOptions, ended <-chan error, cut func()) error {
	began := time.Now()
	tick := time.NewTicker(opts.Every)
	defer tick.Stop()
	var budget <-chan time.Time
	if opts.Budget > 0 {
		t := time.NewTimer(opts.Budget)
		defer t.Stop()
		budget = t.C
	}
	var last Progress
	for {
		select {
		case err := <-ended:
			return err
		case <-tick.C:
			if opts.OnProgress == nil && opts.Budget == 0 {
				continue
			}
			p, err := s.progress(context.WithoutCancel(ctx))
			if err != nil {
				s.db.cfg.Logger.Warn("could not read the progress of a statement", "err", err)
				continue
			}
			p.Since = time.Since(began)
			last = p
			if opts.OnProgress != nil {
				opts.OnProgress(p)
			}
		case <-budget:
			err, done := s.cancelUntilEnded(ended, cut)
			if done && err == nil {
				return nil // it was quicker than the cancel
			}
			if done && !Canceled(err) {
				return err
			}
			if !done {
				return err
			}
			return &StatementBudgetError{Budget: opts.Budget, Blockers: last.Blockers, Err: err}
		case <-ctx.Done():
			err, done := s.cancelUntilEnded(ended, cut)
			if done && (err == nil || !Canceled(err)) {
				return err
			}
			return errors.Join(ctx.Err(), err)
		}
	}
}

// cancelUntilEnded cancels our own statement again and again (a cancel is lost
// when it arrives between two transactions of CREATE INDEX CONCURRENTLY).
func (s *Session) cancelUntilEnded(ended <-chan error, cut func()) (_ error, done bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var lastErr error
	for {
		if _, err := s.db.Cancel(ctx, s.backend); err != nil {
			lastErr = err
		}
		select {
		case err := <-ended:
			return err, true
		case <-ctx.Done():
			cut()
			<-ended
			closeConn(s.conn)
			return &StillRunningError{Backend: s.backend, Err: lastErr}, false
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func (s *Session) progress(ctx context.Context) (p Progress, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err = s.db.onWatch(ctx, func(q Querier) error {
		err := q.QueryRow(ctx, concurrentlySQL, s.backend.PID).Scan(&p.Phase, &p.BlocksDone, &p.BlocksTotal,
			&p.TuplesDone, &p.TuplesTotal, &p.LockersDone, &p.LockersTotal, &p.Waiting)
		if err != nil || !p.Waiting {
			return err
		}
		rows, err := q.Query(ctx, waitedForSQL, s.backend.PID)
		if err != nil {
			return err
		}
		p.Blockers, err = pgx.CollectRows(rows, scanBlocker)
		return err
	})
	return p, err
}

// setForStatement applies settings to the session and returns how to take them back.
func (s *Session) setForStatement(ctx context.Context, settings []Setting) (undo func() error, _ error) {
	before := make([]Setting, 0, len(settings))
	undo = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		for _, set := range before {
			if _, err := s.Exec(ctx, "SELECT pg_catalog.set_config($1, $2, false)", set.Name, set.Value); err != nil {
				return fmt.Errorf("set %s back: %w", set.Name, err)
			}
		}
		return nil
	}
	for _, set := range settings {
		var old *string
		if err := s.QueryRow(ctx, "SELECT pg_catalog.current_setting($1, true)", set.Name).Scan(&old); err != nil {
			return nil, errors.Join(fmt.Errorf("read %s: %w", set.Name, err), undo())
		}
		if _, err := s.Exec(ctx, "SELECT pg_catalog.set_config($1, $2, false)", set.Name, set.Value); err != nil {
			return nil, errors.Join(fmt.Errorf("set %s: %w", set.Name, err), undo())
		}
		if old != nil {
			before = append(before, Setting{set.Name, *old})
		}
	}
	return undo, nil
}
