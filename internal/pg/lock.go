package pg

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// LockMode is a table-level lock mode in PostgreSQL's own words.
type LockMode string

// The eight modes, weakest first.
const (
	AccessShare          LockMode = "ACCESS SHARE"
	RowShare             LockMode = "ROW SHARE"
	RowExclusive         LockMode = "ROW EXCLUSIVE"
	ShareUpdateExclusive LockMode = "SHARE UPDATE EXCLUSIVE"
	Share                LockMode = "SHARE"
	ShareRowExclusive    LockMode = "SHARE ROW EXCLUSIVE"
	Exclusive            LockMode = "EXCLUSIVE"
	AccessExclusive      LockMode = "ACCESS EXCLUSIVE"
)

var lockModes = []LockMode{AccessShare, RowShare, RowExclusive, ShareUpdateExclusive,
	Share, ShareRowExclusive, Exclusive, AccessExclusive}

// conflicts is the server's own matrix (LockConflicts in lock.c), as the names
// that pg_locks uses.
var conflicts = map[LockMode][]string{
	AccessShare:  {"AccessExclusiveLock"},
	RowShare:     {"ExclusiveLock", "AccessExclusiveLock"},
	RowExclusive: {"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"},
	ShareUpdateExclusive: {"ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock",
		"AccessExclusiveLock"},
	Share: {"RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareRowExclusiveLock", "ExclusiveLock",
		"AccessExclusiveLock"},
	ShareRowExclusive: {"RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock",
		"ExclusiveLock", "AccessExclusiveLock"},
	Exclusive: {"RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock",
		"ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"},
	AccessExclusive: {"AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock",
		"ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"},
}

// Valid says whether the mode is one of the eight.
func (m LockMode) Valid() bool { return slices.Contains(lockModes, m) }

// Lock is one relation and the mode it is needed in.
type Lock struct {
	Relation string // quoted and with its schema, as QName.String gives it
	Mode     LockMode
	Only     bool // not its partitions and inheritance children. Default: false.
	// IfExists: the relation may be gone, a partition for instance that somebody has dropped since the lock was
	// planned, and then there is nothing to lock. Default: false, an error.
	IfExists bool
}

// LockRequest is what a lock step needs.
type LockRequest struct {
	// Locks are taken in this order, or with the tables in reverse, before fn runs. May be empty (CREATE of
	// something new).
	// Views and materialized views needed in ACCESS EXCLUSIVE come before all tables (howToLock). Views in weaker
	// modes, sequences and indexes are watched for blockers but left to fn to lock.
	Locks []Lock
	// Budget from the first lock request to COMMIT. Default: Config.LockBudget.
	Budget time.Duration
	// Wait until the step gives up. Default: Config.LockWait.
	Wait time.Duration
	// Settings for the transaction. Default: none.
	Settings []Setting
	// ReplicaRole as in TxOptions. Default: false.
	ReplicaRole bool
	// OnWait hears who is waited for: when that changes, and every few seconds. Default: nil.
	OnWait func(Waiting)
}

// Waiting describes why a step does not go on.
type Waiting struct {
	Since    time.Duration // since the step began to wait
	Tries    int           // how often it has stood in a lock queue
	Blockers []Blocker
	// Note is one sentence for a person: what is done about it.
	Note string
}

// Blocker is a transaction that is waited for.
type Blocker struct {
	Backend
	Leader          int32  // of a parallel worker, else 0
	GID             string // of a prepared transaction, else ""
	ApplicationName string
	User            string
	Type            string // backend_type
	State           string // "" when we may not see it
	XactAge         time.Duration
	Relation        string
	Mode            string // held or awaited, as in pg_locks
	Granted         bool
	Query           string // redacted
	Wraparound      bool   // an autovacuum that must not be disturbed
	vxid            string
}

// Autovacuum says whether the blocker is an autovacuum worker.
func (b Blocker) Autovacuum() bool { return b.Type == "autovacuum worker" }

func (b Blocker) String() string {
	var s strings.Builder
	switch {
	case b.GID != "":
		fmt.Fprintf(&s, "prepared transaction %q", b.GID)
	case b.Autovacuum():
		fmt.Fprintf(&s, "autovacuum (pid %d)", b.PID)
	default:
		fmt.Fprintf(&s, "pid %d", b.PID)
		if b.ApplicationName != "" {
			fmt.Fprintf(&s, " %s", b.ApplicationName)
		}
		if b.User != "" {
			fmt.Fprintf(&s, " (%s)", b.User)
		}
	}
	if b.State != "" {
		s.WriteString(" " + b.State)
	}
	if b.XactAge > 0 {
		fmt.Fprintf(&s, " for %s", b.XactAge.Round(100*time.Millisecond))
	}
	if b.Relation != "" {
		verb := " holds "
		if !b.Granted {
			verb = " waits for "
		}
		s.WriteString(verb + b.Mode + " on " + b.Relation)
	}
	if b.Query != "" {
		s.WriteString(": " + b.Query)
	}
	return s.String()
}

// LockWaitError says that a lock step gave up, and because of whom.
type LockWaitError struct {
	Waited   time.Duration
	Tries    int
	Blockers []Blocker
	Err      error // of the last try, nil when there was none
}

func (e *LockWaitError) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "the locks could not be had within %s (%d tries)", e.Waited.Round(time.Millisecond), e.Tries)
	for i, b := range e.Blockers {
		if i == 3 {
			fmt.Fprintf(&s, "; and %d more", len(e.Blockers)-i)
			break
		}
		s.WriteString("; " + b.String())
	}
	if len(e.Blockers) == 0 && e.Err != nil {
		s.WriteString(": " + e.Err.Error())
	}
	return s.String()
}

func (e *LockWaitError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *LockWaitError) Hint() string {
	return "end the named transactions or try again at a quieter time; --cancel-blockers cancels running queries for you"
}

// OverBudgetError says that the work under the locks takes longer than the
// budget again and again, so that trying on would only hurt the application.
type OverBudgetError struct {
	Budget time.Duration
	Tries  int
	Err    error
}

func (e *OverBudgetError) Error() string {
	return fmt.Sprintf("the work under the locks took longer than the lock budget of %s in %d tries", e.Budget, e.Tries)
}
func (e *OverBudgetError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *OverBudgetError) Hint() string { return "allow more with --lock-budget" }

// maxOverBudget is how many tries may run over the budget after all locks
// were granted. Lock queues pass; work that is too long stays too long.
const maxOverBudget = 5

// UnderLocks runs fn in a transaction that holds the locks, and commits.
//
// It never queues while a long transaction stands in the way; it asks again
// instead, with jitter. A try waits in the queue for LockFirstTry at first, up
// to the budget later, and from its first lock request to COMMIT it takes the
// budget at most, enforced from the watch connection and, should this process
// be gone, by the server's timeouts. fn may run several times, and each time
// but the last in a transaction that is rolled back. It should ask for nothing
// but the database and keep the transaction busy.
//
// Errors of fn and of COMMIT are returned as they are (see OutcomeOf); lock
// timeouts, deadlocks and serialization failures are tried again until Wait.
func (s *Session) UnderLocks(ctx context.Context, req LockRequest, fn func(pgx.Tx) error) error {
	st, err := s.newLockStep(req)
	if err != nil {
		return err
	}
	// Without a watch connection nobody would keep the budget.
	if err := s.db.onWatch(ctx, func(Querier) error { return nil }); err != nil {
		return err
	}
	for {
		clear, err := st.wayIsClear(ctx)
		if err != nil {
			return err
		}
		if !clear {
			if err := st.pause(ctx, jitter(s.db.cfg.LockPoll)); err != nil {
				return err
			}
			continue
		}
		if err := st.howToLock(ctx); err != nil {
			return err
		}
		err = st.try(ctx, fn)
		again, err := st.judge(err)
		if !again {
			return err
		}
		st.report("the lock queue did not move in time; trying again after a pause")
		if err := st.pause(ctx, jitter(min(10*st.queue, s.db.cfg.LockPauseMax))); err != nil {
			return err
		}
	}
}

// lockStep is one call of UnderLocks.
type lockStep struct {
	s     *Session
	req   LockRequest
	asked []byte // req.Locks for blockers.sql

	began      time.Time
	queue      time.Duration // how long the next try may stand in the queue
	announced  time.Duration // of the one longer try that displaces an autovacuum, else 0
	tries      int
	overBudget int
	blockers   []Blocker // of the last look
	lockSQL    []string  // one statement a relation
	lastErr    error
	firstSeen  map[string]time.Time // transactions whose age we may not see
	displaced  map[string]bool      // autovacuums that had their one longer try
	canceled   map[Backend]time.Time
	reported   time.Time
	reportKey  string
}

func (s *Session) newLockStep(req LockRequest) (*lockStep, error) {
	cfg := s.db.cfg
	if req.Budget == 0 {
		req.Budget = cfg.LockBudget
	}
	if req.Wait == 0 {
		req.Wait = cfg.LockWait
	}
	type ask struct {
		Rel   string   `json:"rel"`
		Only  bool     `json:"solely"`
		Modes []string `json:"modes"`
	}
	asks := make([]ask, len(req.Locks))
	for i, l := range req.Locks {
		if !l.Mode.Valid() {
			return nil, fmt.Errorf("lock %s: unknown mode %q", l.Relation, l.Mode)
		}
		asks[i] = ask{l.Relation, l.Only, conflicts[l.Mode]}
	}
	asked, err := json.Marshal(asks)
	if err != nil {
		return nil, err
	}
	return &lockStep{
		s: s, req: req, asked: asked,
		began:     time.Now(),
		queue:     min(cfg.LockFirstTry, req.Budget),
		firstSeen: map[string]time.Time{},
		displaced: map[string]bool{},
		canceled:  map[Backend]time.Time{},
	}, nil
}

// try is one stand in the lock queue, work and COMMIT, within the budget.
func (st *lockStep) try(ctx context.Context, fn func(pgx.Tx) error) error {
	st.tries++
	queue, budget := st.queue, st.req.Budget
	if st.announced > 0 {
		queue, budget = st.announced, st.announced+st.req.Budget
		st.announced = 0
	}
	opts := TxOptions{Settings: st.req.Settings, ReplicaRole: st.req.ReplicaRole}
	guard := st.s.db.newGuard(st.s.backend)
	defer guard.stop()
	var start time.Time
	locked := false
	err := st.s.tx(ctx, opts.begin()+st.s.db.tryTimeouts(queue, budget), opts, guard, func(tx pgx.Tx) error {
		start = time.Now()
		guard.watch(start.Add(queue))
		if len(st.lockSQL) > 0 {
			if _, err := tx.Exec(ctx, strings.Join(st.inOrder(), ";")); err != nil {
				return &lockError{err}
			}
		}
		if !guard.extend(start.Add(budget)) {
			return errQueueTooLong
		}
		locked = true
		return fn(tx)
	})
	if locked && Canceled(err) && OutcomeOf(err) == RolledBack && (guard.fired() || time.Since(start) >= budget) {
		return &overBudget{err}
	}
	return err
}

// inOrder gives the statements that lock, every other time with the tables in reverse. No order suits everybody: who
// deletes from a parent goes on to the child, who inserts into the child goes on to the parent, and whichever
// way a busy application has, the other way it stands in front of what we hold with what we want in its hands.
func (st *lockStep) inOrder() []string {
	if st.tries%2 == 1 {
		return st.lockSQL
	}
	sql := slices.Clone(st.lockSQL)
	first := slices.IndexFunc(sql, func(s string) bool { return strings.HasPrefix(s, "LOCK TABLE ") })
	if first >= 0 {
		slices.Reverse(sql[first:])
	}
	return sql
}

// lockError marks an error of the LOCK TABLE statements.
type lockError struct{ err error }

func (e *lockError) Error() string { return "lock: " + e.err.Error() }
func (e *lockError) Unwrap() error { return e.err }

// errQueueTooLong: the locks came, but later than the try may take.
var errQueueTooLong = errors.New("the locks came too late")

// overBudget marks an error of fn or COMMIT that our own guard caused.
type overBudget struct{ err error }

func (e *overBudget) Error() string { return "over the lock budget: " + e.err.Error() }
func (e *overBudget) Unwrap() error { return e.err }

// tryTimeouts are the server's own safeguards, for the case that this process
// is stopped or cut off in the middle of a try. lock_timeout is per lock and
// statement_timeout per statement (RULES 14): the guard is what keeps the budget.
func (db *DB) tryTimeouts(queue, budget time.Duration) string {
	ms := func(d time.Duration) int64 { return max(1, d.Milliseconds()) }
	sql := fmt.Sprintf("; SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = %d; "+
		"SET LOCAL idle_in_transaction_session_timeout = %d", ms(queue), ms(budget), ms(budget))
	if db.server.VersionNum >= 170000 {
		sql += fmt.Sprintf("; SET LOCAL transaction_timeout = %d", ms(budget+budget/2))
	}
	return sql
}

// judge decides whether a try is repeated.
func (st *lockStep) judge(err error) (again bool, _ error) {
	var over *overBudget
	var lock *lockError
	switch {
	case err == nil:
		return false, nil
	case OutcomeOf(err) == Unknown:
		return false, err
	case errors.As(err, &over), errors.Is(err, errBudgetAtCommit):
		if st.overBudget++; st.overBudget >= maxOverBudget {
			return false, &OverBudgetError{Budget: st.req.Budget, Tries: st.overBudget, Err: err}
		}
	case errors.Is(err, errQueueTooLong), LockNotAvailable(err), Deadlock(err), Serialization(err):
	case Canceled(err) && errors.As(err, &lock):
		// our guard, in the queue; a person who cancels us there gets the same answer: later
	case UndefinedTable(err) && errors.As(err, &lock) && st.mayBeGone():
		// dropped since howToLock looked: the next look leaves it out
	default:
		return false, err
	}
	st.lastErr = err
	st.queue = min(2*st.queue, st.req.Budget)
	return true, nil
}

func (st *lockStep) mayBeGone() bool {
	return slices.ContainsFunc(st.req.Locks, func(l Lock) bool { return l.IfExists })
}

// pause waits between tries, when nobody waits behind us.
func (st *lockStep) pause(ctx context.Context, d time.Duration) error {
	left := st.req.Wait - time.Since(st.began)
	if left <= 0 {
		return &LockWaitError{Waited: time.Since(st.began), Tries: st.tries, Blockers: st.blockers, Err: st.lastErr}
	}
	t := time.NewTimer(min(d, left))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for locks: %w", ctx.Err())
	case <-t.C:
		return nil
	}
}

// jitter is d ± 50 %, so that executors do not march in step.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d+1)
}
