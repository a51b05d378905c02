// Package devdb makes the database that a team develops and tests with: it carries out the declared steps of several
// applications (migrations, fixtures, made-up data) in the order of their needs, keeps the result as a template
// database, and hands out copies of it: one to develop with ([Dev.Refresh], [Dev.Reset]), one for each test
// ([Dev.Take]). [Dev.Up] starts the applications on it.
//
// A template is named by a hash over everything that went into it, step by step, so that a change in the last step runs
// that step alone. Every database made here says so in its comment, and nothing else is ever dropped. A server that
// looks like production is refused.
package devdb

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/replank/replank/internal/pg"
)

// Config says what is made, of what, and where.
type Config struct {
	// DSN names the database that Refresh makes. The others stand beside it on the server, their names start with its name.
	DSN string
	// Root is the folder that the folders of apps, and inputs, are relative to. Default: the current folder.
	Root string
	// Environ is the environment that commands get, as os.Environ has it. Default: none.
	Environ []string
	// Env is set for all steps and apps; {url}, {address}, {host}, {port}, {user}, {password} and {database} in a value
	// stand for the database. Default: none.
	Env map[string]string
	// Apps are what Up starts. Default: none.
	Apps []App
	// Steps make the database. In the order given where their needs leave a choice.
	Steps []Step
	// TestAfter is the step after which the databases for tests are taken. Default: the last.
	TestAfter string
	// Keep is how many templates of other states (branches) are kept, besides those of the present one. Default: 8.
	Keep int
	// Pool is how many databases for tests are kept ready. Default: 4.
	Pool int
	// AllowHost is a host that is no production although it is not this machine. Default: none.
	AllowHost string
	// Allow lists signs of production that are none here. Default: none.
	Allow []string
	// TakeOver is the name of a database that Replank has not made and may replace. Default: none.
	TakeOver string
	// MaxBytes is the size from which a database is no development database. Default: 50 GB.
	MaxBytes int64
	// MaxTransactions is the number of transactions after which a server is none for development. Default: 2,000,000,000.
	MaxTransactions int64
	// ReadyWithin is how long an app may take until it is ready. Default: 1m.
	ReadyWithin time.Duration
	// Grace is how long a command may take to end after SIGTERM. Default: 10s.
	Grace time.Duration
	// Events hears what happens, from one goroutine at a time. Default: nobody.
	Events func(Event)
	// Logger hears about what is cleaned away. Default: slog.DiscardHandler.
	Logger *slog.Logger
}

// App is one of the applications.
type App struct {
	Name string
	Dir  string            // where its commands run; "" is Root
	Env  map[string]string // for its steps and itself
	// Start is the command that runs it; "": Up does not start it.
	Start string
	// Ready is a URL that answers with less than 400 when the app is ready, or tcp://host:port, which listens; "": it is
	// when it has started.
	Ready string
}

// Step is one command on the way to the database.
type Step struct {
	Name   string
	App    string   // whose folder and environment it has; "": none
	Run    string   // for sh
	Needs  []string // steps that come before
	Inputs []string // patterns of files that it reads, ** included
	Env    map[string]string
}

func (c Config) withDefaults() Config {
	if c.Root == "" {
		c.Root = "."
	}
	if c.Keep == 0 {
		c.Keep = 8
	}
	if c.Pool == 0 {
		c.Pool = 4
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 50 << 30
	}
	if c.MaxTransactions == 0 {
		c.MaxTransactions = 2_000_000_000
	}
	if c.ReadyWithin == 0 {
		c.ReadyWithin = time.Minute
	}
	if c.Grace == 0 {
		c.Grace = 10 * time.Second
	}
	var mu sync.Mutex
	if heard := c.Events; heard != nil {
		c.Events = func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			heard(e)
		}
	} else {
		c.Events = func(Event) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// EventKind tells what an Event is about.
type EventKind string

// The kinds of events.
const (
	EventWaiting EventKind = "waiting" // another process makes the same
	EventCached  EventKind = "cached"  // the state after a step is there
	EventStep    EventKind = "step"    // a step begins
	EventOutput  EventKind = "output"  // a line that a step or an app has printed
	EventDone    EventKind = "done"    // a step is done
	EventMade    EventKind = "made"    // a database is there
	EventStarted EventKind = "started" // an app has been started
	EventReady   EventKind = "ready"   // an app is ready
	EventEnded   EventKind = "ended"   // an app has ended
)

// Event is something that happened.
type Event struct {
	Kind     EventKind
	Name     string        // of the step or app
	Text     string        // a line of output
	Database string        // that was made
	Took     time.Duration // 0: not told
}

// Error says what was being done when Err came.
type Error struct {
	Op   string
	Step string // "" when it is about none
	Hint string
	Err  error
}

func (e *Error) Error() string {
	if e.Step != "" {
		return e.Op + ", step " + e.Step + ": " + e.Err.Error()
	}
	return e.Op + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Dev is a development set-up on a server that has been looked at.
type Dev struct {
	cfg    Config
	links  []link
	conn   *pgx.ConnConfig // to Config.DSN
	target target          // Config.DSN as parts
	sql    *pgx.Conn       // to database postgres: locks, and all that is made and dropped
	major  int
	host   string // of this machine, for databases that processes of it hold
	procs  processes
}

// Open connects and looks at the server. What looks like production is refused: a *RefusedError for each sign, joined.
func Open(ctx context.Context, cfg Config) (*Dev, error) {
	cfg = cfg.withDefaults()
	d := &Dev{cfg: cfg}
	var err error
	if d.conn, err = pgx.ParseConfig(cfg.DSN); err != nil {
		return nil, &pg.DSNError{Err: err}
	}
	if d.target, err = newTarget(cfg.DSN, d.conn); err != nil {
		return nil, err
	}
	if d.host, err = os.Hostname(); err != nil {
		return nil, &Error{Op: "find out the name of this machine", Err: err}
	}
	// Before anything is sent: a connection alone may already be one too many.
	if err := d.refuseBefore(); err != nil {
		return nil, err
	}
	admin := d.conn.Copy()
	admin.Database = maintenance
	admin.RuntimeParams["application_name"] = "replank dev"
	// Statements of one use: preparing them would take another round trip.
	admin.DefaultQueryExecMode = pgx.QueryExecModeExec
	// A signal ends the statement and leaves the connection, which then cleans up.
	admin.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 10 * time.Second}
	}
	if d.sql, err = pgx.ConnectConfig(ctx, admin); err != nil {
		return nil, &pg.ConnectError{Err: err}
	}
	if err := d.refuseAt(ctx); err != nil {
		d.Close()
		return nil, err
	}
	if d.links, err = chain(cfg, d.major); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Close ends the connection, and with it all locks.
func (d *Dev) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = d.sql.Close(ctx) // nothing is under way on it
}
