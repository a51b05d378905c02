package journal

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/replank/replank/internal/pg"
)

// ErrLost: the run, step or range is not ours or not in the state any more.
// Whoever gets it stops, and does not guess. The details are in a *LostError.
var ErrLost = errors.New("the lease or the state was lost")

// LostError says what was expected and what was found.
type LostError struct {
	What   string // "run 7: pending -> running"
	Reason string
}

func (e *LostError) Error() string { return e.What + ": " + e.Reason }
func (e *LostError) Unwrap() error { return ErrLost }

// EdgeError refuses a change of state that the machine does not list.
type EdgeError struct{ Kind, From, To string }

func (e *EdgeError) Error() string {
	return fmt.Sprintf("%s: there is no edge from %q to %q", e.Kind, e.From, e.To)
}

// AbsentError: there is no journal here yet.
type AbsentError struct{}

func (e *AbsentError) Error() string {
	return "there is no journal in this database (no schema replank)"
}

// Hint says what to do.
func (e *AbsentError) Hint() string { return "replank apply creates it" }

// NewerError refuses a journal that a newer binary has written.
type NewerError struct{ Journal, Known int }

func (e *NewerError) Error() string {
	return fmt.Sprintf("the journal has version %d, this replank knows up to %d", e.Journal, e.Known)
}

// Hint says what to do.
func (e *NewerError) Hint() string { return "use the newer replank" }

// OlderError: the journal must be upgraded before it is written to.
type OlderError struct{ Journal, Known int }

func (e *OlderError) Error() string {
	return fmt.Sprintf("the journal has version %d, this replank writes %d", e.Journal, e.Known)
}

// Hint says what to do.
func (e *OlderError) Hint() string { return "replank apply upgrades it" }

// ForeignError refuses a journal that came here with a dump, a clone or a
// restored backup of another database (RULES 24).
type ForeignError struct {
	JournalSystem, System     string
	JournalDatabase, Database uint32
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("the journal belongs to another database (system %s, database %d; here system %s, database %d)",
		e.JournalSystem, e.JournalDatabase, e.System, e.Database)
}

// Hint says what to do.
func (e *ForeignError) Hint() string {
	return "if this is a clone or a restored copy that goes its own way from here: replank doctor --forget"
}

// HeldError: somebody else holds the lease.
type HeldError struct {
	Name        string
	Holder      string // "alice@build7"
	Host        string
	OSPID       int
	Application string
	Backend     pg.Backend
	Since       time.Time
	Until       time.Time
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s is held by %s (process %d on %s, %s) since %s", e.Name, e.Holder, e.OSPID, e.Host,
		e.Application, e.Since.Format(time.RFC3339))
}

// Hint says what to do.
func (e *HeldError) Hint() string {
	return "wait for it, or end that process; its lease ends by itself"
}

// PredecessorError: backends of an executor that is gone are still at work.
type PredecessorError struct {
	Backends []pg.Backend
	Err      error // why they could not be ended, if that is known
}

func (e *PredecessorError) Error() string {
	pids := make([]string, len(e.Backends))
	for i, b := range e.Backends {
		pids[i] = fmt.Sprint(b.PID)
	}
	s := "backends of an earlier executor are still at work: pid " + strings.Join(pids, ", ")
	if e.Err != nil {
		s += " (" + e.Err.Error() + ")"
	}
	return s
}
func (e *PredecessorError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *PredecessorError) Hint() string {
	return "wait for them, or end them with pg_terminate_backend"
}

// PrivilegeError: the role may not read or write the journal, or may not make one.
type PrivilegeError struct {
	Op  string // "acquire migrate"
	Err error
}

func (e *PrivilegeError) Error() string { return e.Op + ": " + e.Err.Error() }
func (e *PrivilegeError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *PrivilegeError) Hint() string {
	return "replank grants prints the SQL for an administrator (with --owner, where statements run as another role)"
}

// UnfinishedError refuses to remove a journal that is still needed.
type UnfinishedError struct{ Runs []Run }

func (e *UnfinishedError) Error() string {
	names := make([]string, len(e.Runs))
	for i, r := range e.Runs {
		names[i] = fmt.Sprintf("%s (%s)", r.Name, r.State)
	}
	return "unfinished runs: " + strings.Join(names, ", ")
}

// Hint says what to do.
func (e *UnfinishedError) Hint() string { return "complete or revert them first" }

// Redact takes the constants out of SQL: for logs, events and JSON.
func Redact(sql string) string { return pg.Redact(sql) }
