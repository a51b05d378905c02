package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/plan"
)

// CodeRunner runs code of a history through its framework; a *history.Runner does.
type CodeRunner interface {
	Run(ctx context.Context, c history.CodeRun) error
}

// Outcome is what a person has found out about code that ran outside of a transaction and did not live to say.
type Outcome string

// The outcomes.
const (
	Ran    Outcome = "ran"     // all of it, as far as it matters
	NotRan Outcome = "not-ran" // it may be run again from its beginning
)

// code has a framework run the code of a step. Where the code is atomic, its own transaction writes the journal, so that
// it is there exactly when the journal says so. Otherwise nobody can tell what became of it when it did not answer.
func (x *executor) code(ctx context.Context, s plan.Step) (ev evidence, err error) {
	if s.Code == nil {
		return ev, errors.New("a step of kind code without code")
	}
	state := x.run.steps[s.ID].State
	if s.Code.Nothing {
		if state == journal.StepReversed {
			if err := x.start(ctx, s); err != nil {
				return ev, err
			}
		}
		ev.Detail = "it does nothing"
		return ev, x.markAfter(ctx, s, ev)
	}
	if !s.Code.Atomic && (state == journal.StepRunning || state == journal.StepFailed && x.e.cfg.Outcome == Ran) {
		switch x.e.cfg.Outcome {
		case Ran:
			ev.Detail = x.e.requester() + " says that it ran"
			return ev, x.markAfter(ctx, s, ev)
		case NotRan:
		default:
			return ev, codeUnknown(s, x.run.Name, "resume")
		}
	}
	if err := x.start(ctx, s); err != nil {
		return ev, err
	}
	x.point(s.Kind, "started")
	began := time.Now()
	err = x.untilThrough(ctx, s, func(tries int, waited time.Duration) error {
		ev.Tries, ev.Waited = tries, waited.Seconds()
		return x.runCode(ctx, s, false, journal.StepDone, ev)
	})
	if err != nil {
		return ev, err
	}
	x.point(s.Kind, "ran")
	ev.Took = time.Since(began).Seconds()
	return ev, nil
}

// untilThrough tries again while locks of others are in the way of code that is rolled back then.
func (x *executor) untilThrough(ctx context.Context, s plan.Step, try func(tries int, waited time.Duration) error) error {
	if !s.Code.Atomic {
		return try(1, 0)
	}
	return x.whileLocked(ctx, s, try)
}

func codeUnknown(s plan.Step, run, way string) error {
	return &UnknownError{What: s.Code.Name + " ran outside of a transaction, and its executor ended before it did",
		Err:    errors.New("nobody knows how far it came"),
		Advice: fmt.Sprintf("look what it did; then replank %s %s --ran if all of it is there, or --not-ran when it may start from its beginning", way, run)}
}

// reverseCode has a framework take the code of a step back.
func (x *executor) reverseCode(ctx context.Context, s plan.Step) error {
	state := x.run.steps[s.ID].State
	if !s.Code.Back || x.neverRan(s) {
		return x.setReversed(ctx, s)
	}
	if !s.Code.Atomic {
		switch {
		case state == journal.StepDone:
		case x.e.cfg.Outcome == "":
			return codeUnknown(s, x.run.Name, "revert")
		case (x.e.cfg.Outcome == Ran) == (state == journal.StepReversing):
			// There is nothing left to do: its way back ran, or it never ran itself.
			return x.setReversed(ctx, s)
		}
		if state != journal.StepReversing {
			err := x.mark(ctx, func(tx pgx.Tx) error { return x.setStep(ctx, tx, s, journal.StepReversing, "", nil) })
			if err != nil {
				return err
			}
			x.remember(s, journal.StepReversing)
		}
	}
	x.point(s.Kind, "begin")
	err := x.untilThrough(ctx, s, func(int, time.Duration) error {
		return x.runCode(ctx, s, true, journal.StepReversed, nil)
	})
	if err != nil {
		return err
	}
	x.remember(s, journal.StepReversed)
	x.point(s.Kind, "ran")
	return nil
}

// neverRan reports whether a person says of code with an unknown outcome that nothing of it is there.
func (x *executor) neverRan(s plan.Step) bool {
	state := x.run.steps[s.ID].State
	return s.Code != nil && !s.Code.Atomic && x.e.cfg.Outcome == NotRan && (state == journal.StepRunning || state == journal.StepFailed)
}

// halfRun is why nobody knows what is there of code; empty = it is known.
func (r *run) halfRun(s plan.Step) string {
	state := r.steps[s.ID].State
	if s.Code == nil || s.Code.Atomic || state != journal.StepFailed && state != journal.StepRunning {
		return ""
	}
	return "it stopped in the middle, outside of a transaction; look what it did: --ran when all of it is there, --not-ran when nothing is"
}

func (x *executor) setReversed(ctx context.Context, s plan.Step) error {
	if err := x.mark(ctx, func(tx pgx.Tx) error { return x.setStep(ctx, tx, s, journal.StepReversed, "", nil) }); err != nil {
		return err
	}
	x.remember(s, journal.StepReversed)
	return nil
}

// runCode has code run once. The framework sets the step to a state, with what it did.
func (x *executor) runCode(ctx context.Context, s plan.Step, backwards bool, to string, detail any) error {
	was := x.run.steps[s.ID]
	mark, err := x.lease.StepSQL(journal.StepChange{Run: x.run.ID, Seq: was.Seq, From: was.State, To: to, Detail: detail})
	if err != nil {
		return err
	}
	if !s.Code.Atomic {
		ctx = context.WithoutCancel(ctx) // an end in the middle would help nobody
	}
	if err := x.askFramework(ctx, *s.Code, mark, backwards); err != nil {
		// Its backend may have been in the middle of COMMIT: the journal knows when it is gone.
		return x.settleCode(ctx, s, to, err)
	}
	return nil
}

// askFramework has code of the run's migration run.
func (x *executor) askFramework(ctx context.Context, code plan.CodeSpec, mark string, backwards bool) error {
	if code.Nothing && !backwards {
		return nil
	}
	if x.e.cfg.Code == nil || x.run.Plan.Place == nil {
		return refuse(Input, "apply the project's folder", "there is nobody who could run %s", code.Name)
	}
	sv := x.e.db.Server()
	session := []string{"SET application_name = " + pg.Literal(x.e.db.Config().ApplicationName)}
	if sv.VersionNum >= 140000 {
		session = append(session, "SET client_connection_check_interval = '5s'")
	}
	if code.Atomic {
		// Whoever waits for a lock of code makes others wait behind it. It is rolled back then, and tried again.
		session = append(session, fmt.Sprintf("SET lock_timeout = %d", (codeLocks*x.e.cfg.LockBudget).Milliseconds()))
	}
	if x.e.cfg.Owner != "" {
		session = append(session, "SET ROLE "+pg.Ident(x.e.cfg.Owner))
	}
	place := x.run.Plan.Place
	return x.e.cfg.Code.Run(ctx, history.CodeRun{Migration: x.run.Name, At: code.At, Backwards: backwards, Atomic: code.Atomic, Deferred: len(code.SQL) > 0,
		DSN: x.e.cfg.DSN, Database: sv.Database, Enlist: x.lease.EnlistSQL(x.run.ID), Mark: mark, Session: session,
		Place: history.Place{Framework: place.Framework, Dir: place.Dir, Database: place.Database}})
}

// codeLocks is how many lock budgets a statement of code may wait for a lock.
const codeLocks = 5

// codeFailure makes an error of the server known as such.
func codeFailure(err error) error {
	var failed *history.CodeError
	if !errors.As(err, &failed) || failed.SQLState == "" {
		return err
	}
	return fmt.Errorf("%w (%w)", err, &pgconn.PgError{Code: failed.SQLState, Severity: "ERROR", Message: failed.Text})
}

// settleCode finds out what became of code that gave no answer, or answered with an error.
func (x *executor) settleCode(ctx context.Context, s plan.Step, to string, cause error) error {
	ctx = context.WithoutCancel(ctx)
	if err := x.lease.EndForeign(ctx); err != nil {
		return &UnknownError{What: s.Code.Name, Err: errors.Join(cause, err)}
	}
	steps, err := x.j.Steps(ctx, x.run.ID)
	if err != nil {
		return errors.Join(cause, err)
	}
	for _, st := range steps {
		if st.ID == s.ID && st.State == to {
			return nil // it was committed, and only the answer is missing
		}
	}
	var failed *history.CodeError
	if s.Code.Atomic || errors.As(cause, &failed) {
		return codeFailure(cause)
	}
	way := "resume"
	if to == journal.StepReversed {
		way = "revert"
	}
	return codeUnknown(s, x.run.Name, way)
}

// codeOf is the code of a migration as the compiler takes it, and where it runs.
func codeOf(m history.Migration) (code []plan.Code, place *plan.Place) {
	for _, c := range m.Code {
		k := plan.Code{Offset: c.Offset, CodeSpec: plan.CodeSpec{Name: c.Name, At: c.At, Atomic: c.Atomic, Nothing: c.Nothing, Back: c.Back == history.BackByCode, SQL: c.SQL},
			End: c.End, Schema: c.Schema}
		k.Source.File, k.Source.Line, k.Source.Column = c.Path, c.Line, 1
		if c.Back == history.BackNone {
			k.Irreversible = "it has no way back"
		}
		if c.At == nil {
			k.Offset, k.End = 0, len(m.Text) // all of it
		}
		if k.Nothing && !k.Back && k.Irreversible == "" {
			continue
		}
		code = append(code, k)
	}
	if len(code) > 0 {
		place = &plan.Place{Framework: m.Place.Framework, Dir: m.Place.Dir, Database: m.Place.Database}
	}
	return code, place
}

// runnable refuses what neither replank nor a framework that it can reach could carry out.
func runnable(m history.Migration) error {
	if len(m.Unknown) > 0 {
		u := m.Unknown[0]
		return refuse(Input, "let the framework run this migration itself ("+ownCommand(m)+"), then apply the ones after it",
			"%s:%d: the SQL of %s depends on what is in the database: %s", u.Path, u.Line, u.What, u.Reason)
	}
	if len(m.Code) > 0 && m.Place == (history.Place{}) {
		return refuse(Input, "apply the folder of the project, whose framework runs it; or let the tool itself run this migration, and apply the ones after it",
			"%s:%d runs code of its own (%s)", m.Code[0].Path, m.Code[0].Line, m.Code[0].Name)
	}
	return nil
}

// whole reports whether a migration is one function, of whose text nothing can be carried out by itself.
func whole(m history.Migration) bool {
	return slices.ContainsFunc(m.Code, func(c history.Code) bool { return c.At == nil })
}

// ownCommand is how the framework is told to run a migration.
func ownCommand(m history.Migration) string {
	if app, name, ok := strings.Cut(m.Name, "."); ok && m.Place.Framework != "alembic" {
		return "manage.py migrate " + app + " " + name
	}
	return "alembic upgrade " + m.Name
}
