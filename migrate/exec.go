package migrate

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/backfill"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/plan"
)

//go:embed parts.sql
var partsSQL string

// executor carries out the steps of one run, holding the lease of the database. It lives for one connection: when
// that is lost it is thrown away, and a new one resumes from the journal as after a crash.
type executor struct {
	e     *Engine
	j     *journal.Journal
	lease *journal.Lease
	sess  *pg.Session
	run   *run
}

// point calls the failpoint of a place in a step.
func (x *executor) point(kind plan.Kind, place string) {
	if f := x.e.cfg.Failpoint; f != nil {
		f(pointName(x.run.State, kind, place))
	}
}

// statePoint calls the failpoint of a place around a change of state.
func (x *executor) statePoint(place string) {
	if f := x.e.cfg.Failpoint; f != nil {
		f(string(x.run.State) + "/" + place)
	}
}

// step carries out one step that is not done.
func (x *executor) step(ctx context.Context, s plan.Step) error {
	x.point(s.Kind, "begin")
	began := time.Now()
	var ev evidence
	var err error
	if s.SQL, err = x.standing(ctx, s.SQL, s.Parts); err != nil {
		return err
	}
	if s.Parts != nil && len(s.SQL) == 0 {
		return x.needless(ctx, s)
	}
	switch s.Kind {
	case plan.Transaction:
		ev, err = x.transaction(ctx, s)
	case plan.Validate, plan.Long:
		ev, err = x.long(ctx, s)
	case plan.Concurrently:
		ev, err = x.concurrently(ctx, s)
	case plan.Rows:
		ev, err = x.rows(ctx, s)
	case plan.Quiesce:
		ev, err = x.quiesce(ctx, s)
	case plan.Proof:
		ev, err = x.proof(ctx, s)
	case plan.Script:
		ev, err = x.code(ctx, s)
	default:
		err = fmt.Errorf("a step of unknown kind %q: the plan was made by a newer replank", s.Kind)
	}
	if err != nil {
		return err
	}
	x.remember(s, doneState(ev))
	text := ""
	if ev.Found {
		text = "it was so already"
	}
	x.event(EventDone, s, Event{Took: time.Since(began), Rows: ev.Rows, Text: text})
	return nil
}

// standing leaves out the statements about partitions that have been dropped, detached or made again since they were
// planned.
func (x *executor) standing(ctx context.Context, sql, parts []string) ([]string, error) {
	if parts == nil {
		return sql, nil
	}
	oids := make([]uint32, len(parts))
	for i, p := range parts {
		oids[i] = x.run.Plan.Partitions[p]
	}
	var there []bool
	err := x.sess.Tx(ctx, pg.TxOptions{ReadOnly: true}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, partsSQL, parts, oids)
		if err == nil {
			there, err = pgx.CollectRows(rows, pgx.RowTo[bool])
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for partitions: %w", err)
	}
	var out []string
	for i, stmt := range sql {
		if there[i] {
			out = append(out, stmt)
		}
	}
	return out, nil
}

// needless marks a step that has nothing to do, and therefore nothing to take back.
func (x *executor) needless(ctx context.Context, s plan.Step) error {
	ev := evidence{Found: true, Detail: "its partition has gone or was made again"}
	err := x.mark(ctx, func(tx pgx.Tx) error { return x.setStep(ctx, tx, s, journal.StepSkipped, "", ev) })
	if err != nil {
		return err
	}
	x.remember(s, journal.StepSkipped)
	x.event(EventDone, s, Event{Text: ev.Detail})
	return nil
}

func (x *executor) event(kind EventKind, s plan.Step, ev Event) {
	ev.Kind, ev.Run, ev.State, ev.Step, ev.Title = kind, x.run.Name, x.run.State, s.ID, s.Title
	x.e.event(ev)
}

// evidence is what is known about a step that is done; it goes into the journal and the receipt.
type evidence struct {
	// Found means that the effect was there before the step began: somebody else made it, and revert leaves it.
	Found  bool    `json:"found,omitempty"`
	Rows   int64   `json:"rows,omitempty"`
	Tries  int     `json:"tries,omitempty"`          // in lock queues, or of the statement
	Waited float64 `json:"waited_seconds,omitempty"` // before the last try
	Took   float64 `json:"took_seconds,omitempty"`   // of the last try
	Detail string  `json:"detail,omitempty"`
	// Fill is the receipt of a fill.
	Fill *backfill.Receipt `json:"fill,omitempty"`
}

// transaction carries out a short step: locks, statements and journal entry in one commit.
func (x *executor) transaction(ctx context.Context, s plan.Step) (evidence, error) {
	if found, err := x.alreadyThere(ctx, s); found || err != nil {
		return evidence{Found: found}, err
	}
	return x.underLocks(ctx, s, s.SQL, s.Locks, func(tx pgx.Tx, ev evidence) error {
		return x.setStep(ctx, tx, s, doneState(ev), "", ev)
	})
}

// alreadyThere probes a step that was never begun and marks it when its effect is there already.
func (x *executor) alreadyThere(ctx context.Context, s plan.Step) (bool, error) {
	found, err := x.ask(ctx, s, s.Probe)
	if !found || err != nil {
		return false, err
	}
	return true, x.mark(ctx, func(tx pgx.Tx) error {
		return x.setStep(ctx, tx, s, journal.StepSkipped, "", evidence{Found: true})
	})
}

// underLocks runs statements under lock discipline together with entry, which writes the journal.
func (x *executor) underLocks(ctx context.Context, s plan.Step, sql []string, locks []plan.Lock,
	entry func(pgx.Tx, evidence) error) (ev evidence, err error) {
	kind := s.Kind
	if x.run.State == Reverting || kind == plan.Concurrently { // a clean-up
		kind = plan.Transaction
	}
	first := time.Now()
	var began time.Time
	err = x.sess.UnderLocks(ctx, pg.LockRequest{
		Locks:    pgLocks(locks),
		Settings: x.settings(s),
		OnWait:   func(w pg.Waiting) { x.event(EventWaiting, s, Event{Waiting: &w, Text: w.Note}) },
	}, func(tx pgx.Tx) error {
		began = time.Now()
		ev.Tries++
		ev.Waited = began.Sub(first).Seconds()
		if err := execAll(ctx, tx, sql); err != nil {
			return err
		}
		if err := x.asOurselves(ctx, tx); err != nil {
			return err
		}
		ev.Took = time.Since(began).Seconds()
		if err := entry(tx, ev); err != nil {
			return err
		}
		x.point(kind, "before-commit")
		return nil
	})
	if err == nil {
		x.point(kind, "after-commit")
	}
	return ev, err
}

func pgLocks(locks []plan.Lock) []pg.Lock {
	out := make([]pg.Lock, len(locks))
	for i, l := range locks {
		// The plan names partitions and children itself, each with the mode that it gets. Any of them may be dropped or
		// renamed while a run lasts. Where that matters, the statements say so.
		out[i] = pg.Lock{Relation: l.Relation, Mode: pg.LockMode(l.Mode), Only: true, IfExists: true}
	}
	return out
}

// execAll runs statements one by one, so that an error tells which of them it was.
func execAll(ctx context.Context, tx pgx.Tx, sql []string) error {
	for _, s := range sql {
		if _, err := tx.Exec(ctx, s, pgx.QueryExecModeSimpleProtocol); err != nil {
			return &statementError{sql: s, err: err}
		}
	}
	return nil
}

// statementError is an error of one statement of a step. It shows the statement without its literals.
type statementError struct {
	sql string
	err error
}

func (e *statementError) Error() string {
	s := strings.Join(strings.Fields(pg.Redact(e.sql)), " ")
	if r := []rune(s); len(r) > 160 {
		s = string(r[:159]) + "…"
	}
	return e.err.Error() + " in " + s
}
func (e *statementError) Unwrap() error { return e.err }

// ownTimeouts are settings of a file that would break the discipline: the executor sets them itself.
var ownTimeouts = []string{"lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout",
	"idle_session_timeout", "transaction_timeout", "row_security", "session_replication_role"}

// settings are those of the plan and the step, under the role that owns what is made.
func (x *executor) settings(s plan.Step) []pg.Setting {
	return sessionSettings(x.e.cfg.Owner, x.run.Plan.Settings, s.Settings)
}

func sessionSettings(owner string, lists ...[]plan.Setting) []pg.Setting {
	var out []pg.Setting
	if owner != "" {
		out = append(out, pg.Setting{Name: "role", Value: owner})
	}
	for _, list := range lists {
		for _, set := range list {
			if !slices.Contains(ownTimeouts, strings.ToLower(set.Name)) {
				out = append(out, pg.Setting{Name: set.Name, Value: set.Value})
			}
		}
	}
	return out
}

// asOurselves gives up the role of the statements before the journal is written.
func (x *executor) asOurselves(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "SELECT pg_catalog.set_config('role', 'none', true)"); err != nil {
		return fmt.Errorf("return to the role that connected: %w", err)
	}
	return nil
}

// ask runs a probe: a query that returns one boolean. No query is no.
func (x *executor) ask(ctx context.Context, s plan.Step, query string) (yes bool, err error) {
	if query == "" {
		return false, nil
	}
	err = x.sess.Tx(ctx, pg.TxOptions{ReadOnly: true, Settings: x.settings(s)}, func(tx pgx.Tx) error {
		var answer *bool
		err := tx.QueryRow(ctx, query, pgx.QueryExecModeSimpleProtocol).Scan(&answer)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		yes = answer != nil && *answer
		return err
	})
	if err != nil {
		return false, fmt.Errorf("probe: %w", err)
	}
	return yes, nil
}

// long carries out a step without a bound on its time. Its locks are had first, so that nobody waits behind a
// queue; weak ones may be queued for longer, because only maintenance waits behind them, and because an
// ordinary autovacuum gives way only to one who waits for deadlock_timeout (RULES 15).
func (x *executor) long(ctx context.Context, s plan.Step) (ev evidence, err error) {
	if found, err := x.alreadyThere(ctx, s); found || err != nil {
		return evidence{Found: found}, err
	}
	if err := x.start(ctx, s); err != nil {
		return ev, err
	}
	err = x.whileLocked(ctx, s, func(tries int, waited time.Duration) error {
		began := time.Now()
		ev.Tries, ev.Waited, ev.Rows = tries, waited.Seconds(), 0
		return x.sess.Tx(ctx, pg.TxOptions{Settings: x.settings(s)}, func(tx pgx.Tx) error {
			if err := x.queue(ctx, tx, s); err != nil {
				return err
			}
			for _, sql := range s.SQL {
				tag, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
				if err != nil {
					return &statementError{sql: sql, err: err}
				}
				ev.Rows += tag.RowsAffected()
			}
			if err := x.asOurselves(ctx, tx); err != nil {
				return err
			}
			ev.Took = time.Since(began).Seconds()
			if err := x.setStep(ctx, tx, s, journal.StepDone, "", ev); err != nil {
				return err
			}
			x.point(s.Kind, "before-commit")
			return nil
		})
	})
	if err == nil {
		x.point(s.Kind, "after-commit")
	}
	return ev, err
}

// whileLocked tries again while locks of others are in the way, for at most LockWait.
func (x *executor) whileLocked(ctx context.Context, s plan.Step, try func(tries int, waited time.Duration) error) error {
	first := time.Now()
	for tries := 1; ; tries++ {
		err := try(tries, time.Since(first))
		if err == nil || pg.OutcomeOf(err) != pg.RolledBack || !pg.LockNotAvailable(err) && !pg.Deadlock(err) {
			return err
		}
		waited := time.Since(first)
		if waited >= x.e.cfg.LockWait {
			return &pg.LockWaitError{Waited: waited, Tries: tries, Err: err}
		}
		x.event(EventWaiting, s, Event{Text: "its locks are taken; trying again",
			Waiting: &pg.Waiting{Since: waited, Tries: tries}})
		if err := sleep(ctx, 5*x.e.cfg.LockBudget); err != nil {
			return err
		}
	}
}

// queue takes the locks of a long step on tables.
func (x *executor) queue(ctx context.Context, tx pgx.Tx, s plan.Step) error {
	for _, l := range s.Locks {
		timeout := x.e.cfg.LockBudget
		if weak(l.Mode) {
			timeout = x.e.db.Server().DeadlockTimeout + time.Second
		}
		var table bool
		err := tx.QueryRow(ctx, `SELECT coalesce((SELECT relkind IN ('r', 'p') FROM pg_catalog.pg_class
			WHERE oid = to_regclass($1)), false)`, l.Relation).Scan(&table)
		if err != nil {
			return fmt.Errorf("look at %s: %w", l.Relation, err)
		}
		sql := fmt.Sprintf("SET LOCAL lock_timeout = %d", timeout.Milliseconds())
		if table {
			sql += fmt.Sprintf("; LOCK TABLE ONLY %s IN %s MODE", l.Relation, l.Mode)
		}
		if _, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("lock %s: %w", l.Relation, err)
		}
	}
	// What the statement locks beyond that, nobody has planned: it must not be queued for either.
	_, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", x.e.cfg.LockBudget.Milliseconds()))
	return err
}

// weak modes let reads and writes pass, and so does whoever waits for one.
func weak(mode string) bool {
	switch pg.LockMode(mode) {
	case pg.AccessShare, pg.RowShare, pg.RowExclusive, pg.ShareUpdateExclusive:
		return true
	}
	return false
}

// quiesce waits until everybody who does not know what the steps before did is gone.
func (x *executor) quiesce(ctx context.Context, s plan.Step) (ev evidence, err error) {
	if err := x.start(ctx, s); err != nil {
		return ev, err
	}
	x.point(s.Kind, "started")
	began := time.Now()
	err = x.sess.WaitForOlder(ctx, pg.OlderRequest{
		OnWait: func(w pg.Waiting) { x.event(EventWaiting, s, Event{Waiting: &w, Text: w.Note}) },
	})
	if err != nil {
		return ev, err
	}
	x.point(s.Kind, "ran")
	ev.Took = time.Since(began).Seconds()
	return ev, x.markAfter(ctx, s, ev)
}

// markAfter is the journal entry of a step whose effect is not a transaction's.
func (x *executor) markAfter(ctx context.Context, s plan.Step, ev evidence) error {
	if err := x.mark(ctx, func(tx pgx.Tx) error { return x.setStep(ctx, tx, s, doneState(ev), "", ev) }); err != nil {
		return err
	}
	x.point(s.Kind, "marked")
	return nil
}

// ProofError says that rows are not as they must be.
type ProofError struct {
	Rows int64
	What string
}

func (e *ProofError) Error() string {
	return fmt.Sprintf("%s: %d rows are not as they must be", e.What, e.Rows)
}

// proof counts the rows that are not as they must be.
func (x *executor) proof(ctx context.Context, s plan.Step) (ev evidence, err error) {
	if err := x.start(ctx, s); err != nil {
		return ev, err
	}
	x.point(s.Kind, "started")
	began := time.Now()
	if err := x.prove(ctx, s); err != nil {
		return ev, err
	}
	x.point(s.Kind, "ran")
	ev.Took, ev.Detail = time.Since(began).Seconds(), "0 rows"
	return ev, x.markAfter(ctx, s, ev)
}

func (x *executor) prove(ctx context.Context, s plan.Step) error {
	for _, sql := range s.SQL {
		var n int64
		err := x.sess.Tx(ctx, pg.TxOptions{ReadOnly: true, Settings: x.settings(s)}, func(tx pgx.Tx) error {
			// An application may send the same, and pg_stat_statements would not tell it from ours.
			return tx.QueryRow(ctx, "WITH replank_proof AS ("+pg.Mark+sql+"\n) SELECT * FROM replank_proof", pgx.QueryExecModeSimpleProtocol).Scan(&n)
		})
		if err != nil {
			return &statementError{sql: sql, err: err}
		}
		if n != 0 {
			return &ProofError{Rows: n, What: s.Title}
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
