// Package migrate carries plans out: it takes a live database from one shape to the next in steps, keeps the
// truth about them in the journal, and takes them back.
//
// states.go is the whole life of a run. Everything particular to a form of SQL stands in plan.Step; this
// package knows only how steps of each kind are carried out so that a crash at any moment does no harm: what
// PostgreSQL can do in a transaction commits together with its journal entry, everything else is probed.
package migrate

import (
	"context"
	"log/slog"
	"time"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/lint"
	"github.com/replank/replank/plan"
)

// Config says which database is changed, and how.
type Config struct {
	// DSN is a libpq URL or keyword string. Default: the libpq environment.
	DSN string
	// Owner is the role that the migrations' statements run as (SET ROLE). Default: the role that connects.
	Owner string
	// LockBudget bounds the time from the first lock request to COMMIT. Default: 200ms.
	LockBudget time.Duration
	// LockWait is how long a step keeps trying to get its locks, or waits for older transactions. Default: 30m.
	LockWait time.Duration
	// Reconnect is how long a lost connection is tried to be had again. Default: 2m.
	Reconnect time.Duration
	// Workers is how many sessions change rows at the same time. Default: 2.
	Workers int
	// FullPace leaves no cores of the server to others while they are at work. Default: false, half of them.
	FullPace bool
	// Accept are the consents given: irreversible, column-order, triggers, subscribers … Default: none.
	Accept []string
	// CancelBlockers cancels the queries of sessions that block a lock step. Default: false.
	CancelBlockers bool
	// VersionSchema makes each migration's new shape visible in a schema of views that bears the migration's
	// name. Default: false.
	VersionSchema bool
	// DiskFree are the bytes free on the server's disk. Default: looked up where the server runs on this machine and
	// the role may see its data directory; not known elsewhere.
	DiskFree int64
	// BigRows and BigBytes are where a table is big (RULES 29). Default: 10,000 rows and 16 MB.
	BigRows, BigBytes int64
	// Books are those of the history's own tool. Default: none, only replank's journal says what is applied.
	Books history.Books
	// History is what the migrations' history is called (django, goose), and Owners are the tables that one of several
	// histories owns alone, by their qualified names. Default: those that the journal knows.
	History string
	Owners  map[ddl.Name]lint.Owner
	// Code runs the code of frameworks. Default: nobody does, and migrations with code are refused.
	Code CodeRunner
	// Outcome is what a person says of code with an unknown outcome that resume or revert finds. Default: nothing.
	Outcome Outcome
	// Wait waits for another executor to finish. Default: false, say who it is.
	Wait bool
	// Requester says who asks, for the receipt. Default: the database role.
	Requester string
	// Events hears what happens, from one goroutine at a time. Default: nobody.
	Events func(Event)
	// Logger hears what is not worth an event. Default: slog.DiscardHandler.
	Logger *slog.Logger
	// Failpoint is called at each of Failpoints, for crash tests. Default: nil.
	Failpoint func(name string)
}

func (c Config) withDefaults() Config {
	if c.LockBudget == 0 {
		c.LockBudget = 200 * time.Millisecond
	}
	if c.LockWait == 0 {
		c.LockWait = 30 * time.Minute
	}
	if c.Reconnect == 0 {
		c.Reconnect = 2 * time.Minute
	}
	if c.Workers == 0 {
		c.Workers = 2
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Event is something a person may want to see while it happens.
type Event struct {
	Kind  EventKind
	Run   string // name of the migration
	State State
	Step  string // ID, "" when the event is about the run
	Title string // of the step
	N, Of int    // the step's place among those of this call
	Text  string // one sentence
	// Waiting is set with EventWaiting.
	Waiting *pg.Waiting
	// Progress of a statement that takes long, with EventProgress.
	Progress *pg.Progress
	// Rows done and in all (an estimate), with EventProgress of a fill.
	Rows, Total int64
	Fraction    float64       // of the table visited, 0 to 1
	Rate        float64       // rows a second
	ETA         time.Duration // 0: not known yet
	Idle        string        // why a fill is idle, "" while it works
	Took        time.Duration
}

// EventKind tells events apart.
type EventKind string

// The kinds of event.
const (
	EventState    EventKind = "state"    // the run entered State
	EventStep     EventKind = "step"     // a step begins
	EventDone     EventKind = "done"     // a step is done
	EventUndone   EventKind = "undone"   // a step is taken back
	EventWaiting  EventKind = "waiting"  // for locks, older transactions or another executor
	EventProgress EventKind = "progress" // of something long
	EventNote     EventKind = "note"     // worth knowing
)

// Engine changes one database.
type Engine struct {
	cfg Config
	db  *pg.DB
	// booksPresent says whether the tool of the history has its table, as knownTo has found it last.
	booksPresent bool
	// before is the schema that the present apply, or the preview of one, has found.
	before *ddl.Schema

	// Tests put hand-written plans and short leases here.
	compile  func(*ddl.Schema, history.Migration) (*plan.Plan, *ddl.File, error)
	leaseFor time.Duration // 0: the journal's default
}

// Open connects and finds out who the server is. It writes nothing, and a standby is fine until something is
// to be changed.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	db, err := pg.Open(ctx, pg.Config{
		DSN:            cfg.DSN,
		ReadOnly:       true, // refused by begin, when it matters
		LockBudget:     cfg.LockBudget,
		LockWait:       cfg.LockWait,
		CancelBlockers: cfg.CancelBlockers,
		Logger:         cfg.Logger,
	})
	if err != nil {
		return nil, &Error{Op: "open the database", Err: err}
	}
	e := &Engine{cfg: cfg, db: db}
	e.compile = e.compileFile
	return e, nil
}

// Close lets the database go.
func (e *Engine) Close() { e.db.Close() }

// Server says which server it is.
func (e *Engine) Server() pg.Server { return e.db.Server() }

func (e *Engine) event(ev Event) {
	if e.cfg.Events != nil {
		e.cfg.Events(ev)
	}
}

// writable refuses a server that cannot be changed.
func (e *Engine) writable() error {
	if s := e.db.Server(); s.InRecovery || s.ReadOnly {
		return &pg.ReadOnlyError{InRecovery: s.InRecovery}
	}
	return nil
}
