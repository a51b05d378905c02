package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/plan"
)

// Error says what was being done to which run when Err came.
type Error struct {
	Op   string // "apply", "complete", "revert" …
	Run  string // name of the migration, "" when it is about none
	Step string // ID of the step, "" when it is about none
	Hint string // "" when there is nothing to say
	Err  error
	// TakenBack is true when the run was reverted because of Err: the database has the shape of before.
	TakenBack bool
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Run != "" {
		b.WriteString(" " + e.Run)
	}
	if e.Step != "" {
		b.WriteString(", step " + e.Step)
	}
	b.WriteString(": " + e.Err.Error())
	if e.TakenBack {
		b.WriteString(" (the migration was taken back)")
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// HintOf is the first hint in the chain of err, or "".
func HintOf(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Hint != "" {
		return e.Hint
	}
	var r *plan.Refusal
	if errors.As(err, &r) && r.Hint != "" {
		return r.Hint
	}
	return pg.HintOf(err)
}

// Verdict is what an error means for the database.
type Verdict string

// Failed, refused and unknown are three different things, and a run that merely stopped is a fourth.
const (
	VerdictOK      Verdict = "ok"
	VerdictRefused Verdict = "refused" // it was not begun, and nothing was changed
	VerdictFailed  Verdict = "failed"  // it was begun and did not work; Error.TakenBack says whether it was taken back
	VerdictStopped Verdict = "stopped" // progress is kept; apply or resume goes on
	VerdictBusy    Verdict = "busy"    // somebody else is at it
	VerdictUnknown Verdict = "unknown" // it cannot be told what happened; a person must look
)

// VerdictOf judges an error of this package.
func VerdictOf(err error) Verdict {
	var (
		refused *RefusedError
		stopped *StoppedError
		busy    *BusyError
		unknown *UnknownError
	)
	switch {
	case err == nil:
		return VerdictOK
	case errors.As(err, &unknown):
		return VerdictUnknown
	case errors.As(err, &busy):
		return VerdictBusy
	case errors.As(err, &stopped):
		return VerdictStopped
	case errors.As(err, &refused):
		return VerdictRefused
	case isInput(err):
		return VerdictRefused
	case errors.Is(err, context.Canceled):
		return VerdictStopped
	}
	return VerdictFailed
}

// isInput reports whether err is an answer about the input or the server, given before anything was touched.
func isInput(err error) bool {
	var (
		refusal *plan.Refusal
		syntax  *ddl.SyntaxError
		hist    *history.Error
		old     *pg.TooOldError
		ro      *pg.ReadOnlyError
		pooler  *pg.PoolerError
	)
	return errors.As(err, &refusal) || errors.As(err, &syntax) || errors.As(err, &hist) ||
		errors.As(err, &old) || errors.As(err, &ro) || errors.As(err, &pooler)
}

// Code is why something was refused.
type Code string

// The reasons for a refusal.
const (
	Edited       Code = "edited"        // an applied file was changed
	ForeignOwner Code = "foreign-owner" // a table belongs to another history
	NeedsConsent Code = "consent"       // a person must accept something
	Privileges   Code = "privileges"    // the role may not do what is needed
	Foreign      Code = "foreign"       // the journal belongs to another database
	Replication  Code = "replication"   // subscribers do not have the new objects
	Room         Code = "room"          // disk or replication slots may not take what is written
	Drift        Code = "drift"         // what the plan touches is not as it was
	Blocked      Code = "blocked"       // an earlier file still holds the object
	Dependents   Code = "dependents"    // later files stand on the one to be reverted
	Irreversible Code = "irreversible"  // there is no way back
	NotFound     Code = "not-found"     // no such migration in the journal or the folder
	WrongState   Code = "wrong-state"   // not from the state the run is in
	NoProof      Code = "no-proof"      // complete lacks evidence
	OldReaders   Code = "old-readers"   // complete needs the word that nobody reads the old shape
	NewerJournal Code = "newer-journal" // a newer replank wrote the journal
	Held         Code = "held"          // uninstall while migrations are under way
	Input        Code = "input"         // a file cannot be carried out as it stands
)

// RefusedError is a refusal: nothing was changed.
type RefusedError struct {
	Code   Code
	Reason string
	Items  []string // what Reason is about, one each
	Advice string   // what to do
	Err    error    // what Reason comes from, nil when it stands for itself
}

func (e *RefusedError) Error() string {
	if e.Err != nil {
		return e.Reason + ": " + e.Err.Error()
	}
	if len(e.Items) == 0 {
		return e.Reason
	}
	return e.Reason + ": " + strings.Join(e.Items, "; ")
}

func (e *RefusedError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *RefusedError) Hint() string {
	if e.Advice == "" && e.Err != nil {
		return HintOf(e.Err)
	}
	return e.Advice
}

func refuse(code Code, advice, format string, args ...any) *RefusedError {
	return &RefusedError{Code: code, Reason: fmt.Sprintf(format, args...), Advice: advice}
}

// StoppedError is a run that stands still with its progress kept.
type StoppedError struct {
	Run    string // name of the migration, "" when it is about none
	Step   string // ID of the step, "" when it is about none
	Reason string // "paused", "interrupted", …
	Advice string
	Err    error // nil when it stopped because it was told to
}

func (e *StoppedError) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return e.Reason + ": " + e.Err.Error()
}
func (e *StoppedError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *StoppedError) Hint() string {
	if e.Advice != "" {
		return e.Advice
	}
	if h := pg.HintOf(e.Err); h != "" {
		return h
	}
	return "everything done so far is kept; apply or resume goes on from here"
}

// BusyError says that another executor works on this database.
type BusyError struct{ Who string }

func (e *BusyError) Error() string { return "another executor is at work: " + e.Who }

// Hint says what to do.
func (e *BusyError) Hint() string { return "wait for it, or give --wait" }

// UnknownError is an outcome that could not be found out.
type UnknownError struct {
	What   string
	Err    error
	Advice string // "" where looking again is all that is to do
}

func (e *UnknownError) Error() string {
	return "the outcome is unknown: " + e.What + ": " + e.Err.Error()
}
func (e *UnknownError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *UnknownError) Hint() string {
	if e.Advice != "" {
		return e.Advice
	}
	return "when the server answers again, status and then resume look at what really happened"
}
