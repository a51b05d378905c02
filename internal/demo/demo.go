// Package demo shows what Replank is for: a busy application on a private PostgreSQL server, a folder of naive
// migrations, first carried out by psql on one copy of the database and then by Replank on another.
//
// It measures what the application feels and proves at the end that nothing it committed was lost. It prints
// nothing: a command tells its events and its result.
package demo

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/localpg"
	"github.com/replank/replank/migrate"
)

// Config says how big the show is.
type Config struct {
	// Rows is how many rows the sample database has in all. Default: 1,000,000.
	Rows int
	// Clients is how many connections the application has. Default: 12.
	Clients int
	// Rate is how many requests a second they make together. Default: 240.
	Rate float64
	// Watch is how long the application is watched while nothing is done: for the baseline, and where both
	// shapes or the new one live. Default: 6s.
	Watch time.Duration
	// Report is how long the transaction of the report that runs beside the clients stays open. Default: 600ms.
	Report time.Duration
	// Major is the major version of PostgreSQL. Default: any, 15 if there is a choice.
	Major int
	// Events hears what happens, from one goroutine at a time. Default: nobody.
	Events func(Event)
	// Keep is called at the end, while the server still runs. Default: nil, the server is stopped.
	Keep func(ctx context.Context, dsn map[string]string)
	// Logger hears what is not worth an event. Default: slog.DiscardHandler.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Rows == 0 {
		c.Rows = 1_000_000
	}
	if c.Clients == 0 {
		c.Clients = 12
	}
	if c.Rate == 0 {
		c.Rate = 240
	}
	if c.Watch == 0 {
		c.Watch = 6 * time.Second
	}
	if c.Report == 0 {
		c.Report = 600 * time.Millisecond
	}
	if c.Events == nil {
		c.Events = func(Event) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// leastRows for each client are enough to have rows of one's own in every table.
const leastRows = 500

func (c Config) check() error {
	switch {
	case c.Clients < 1 || c.Clients > 64:
		return fmt.Errorf("%d clients: 1 to 64 can be had", c.Clients)
	case c.Rows < leastRows*c.Clients:
		return fmt.Errorf("%d rows are too few for %d clients: at least %d are needed", c.Rows, c.Clients, leastRows*c.Clients)
	case c.Rate <= 0 || c.Watch < 0:
		return errors.New("rate and duration must be positive")
	}
	return nil
}

// Event is something worth showing while it happens.
type Event struct {
	Kind EventKind
	Text string // title of an act, a finished piece of work, or what is being done now
	Took time.Duration
	File *File // with EventFile
	Live *Live // with EventLive
}

// EventKind tells events apart.
type EventKind string

// The kinds of event.
const (
	EventAct   EventKind = "act"   // a part of the show begins
	EventDoing EventKind = "doing" // what is being done from now on
	EventDone  EventKind = "done"  // a piece of work is done
	EventFile  EventKind = "file"  // a migration is done
	EventLive  EventKind = "live"  // how the application is, several times a second
)

// File is what the application felt while one migration was carried out.
type File struct {
	Name   string        `json:"name"`
	State  string        `json:"state"`                         // done, ready, reverted, complete
	Tries  int           `json:"tries,omitempty"`               // more than 1 after deadlocks with the application
	Halted bool          `json:"application_stopped,omitempty"` // because tries did not help
	Took   time.Duration `json:"took_ns"`
	Worst  time.Duration `json:"worst_ns"` // the slowest request that was under way meanwhile
	Failed int           `json:"failed"`   // statements
}

// Side is what the application felt on one copy of the database.
type Side struct {
	Name  string  `json:"name"` // idle, psql, Replank
	Stats Stats   `json:"stats"`
	Files []File  `json:"files,omitempty"`
	Proof []Proof `json:"proof,omitempty"`
}

// Proof is the answer of one look for what must not be.
type Proof struct {
	What    string   `json:"what"`
	Rows    bool     `json:"rows,omitempty"` // it is about rows of the application
	Checked int      `json:"checked"`
	Wrong   []string `json:"wrong,omitempty"` // some of them
	Count   int      `json:"wrong_count"`     // all of them
}

// Result is the whole show.
type Result struct {
	Server  string        `json:"server"`
	Rows    int           `json:"rows"`
	Clients int           `json:"clients"`
	Rate    float64       `json:"requests_per_second"`
	Through string        `json:"naive_through"` // what carried out the naive side: psql -f, or pgx
	Took    time.Duration `json:"took_ns"`
	Idle    Side          `json:"idle"`
	Psql    Side          `json:"psql"`
	Replank Side          `json:"replank"`
	// Same compares the two copies at the end.
	Same []Proof `json:"same"`
}

// Err is why the show did not show what it promises; nil when it did. What psql did to the application and to its
// writes is no part of the promise.
func (r *Result) Err() error {
	var errs []error
	if n := r.Replank.Stats.Failed; n > 0 {
		errs = append(errs, fmt.Errorf("%d statements of the application failed beside Replank", n))
	}
	for _, p := range r.promised() {
		if p.Count > 0 {
			errs = append(errs, fmt.Errorf("%s: %d wrong", p.What, p.Count))
		}
	}
	return errors.Join(errs...)
}

// Differing is how many rows and properties were not as they must be.
func (r *Result) Differing() int {
	n := 0
	for _, p := range r.promised() {
		n += p.Count
	}
	return n
}

func (r *Result) promised() []Proof { return slices.Concat(r.Idle.Proof, r.Replank.Proof, r.Same) }

// Lost is how many rows do not have what the application was told is committed.
func (s Side) Lost() int {
	n := 0
	for _, p := range s.Proof {
		if p.Rows {
			n += p.Count
		}
	}
	return n
}

//go:embed migrations/*.sql
var migrations embed.FS

// show is one run of the demo.
type show struct {
	cfg     Config
	cluster *localpg.Cluster
	folder  string
	files   []history.Migration
	events  chan Event
	result  *Result
	seeds   map[string]string // digests of the rows as they were made, in the old shape
}

// Run puts the show on. The result is there, as far as it goes, with an error too.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &show{cfg: cfg, events: make(chan Event, 64), result: &Result{Rows: cfg.Rows, Clients: cfg.Clients, Rate: cfg.Rate}}
	told := make(chan struct{})
	go func() {
		defer close(told)
		for e := range s.events {
			cfg.Events(e)
		}
	}()
	defer func() { close(s.events); <-told }()
	start := time.Now()
	err := s.run(ctx)
	s.result.Took = time.Since(start)
	return s.result, err
}

func (s *show) run(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "replank-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the migrations: %w", err)
	}
	defer os.RemoveAll(folder)
	if err := s.writeMigrations(folder); err != nil {
		return err
	}
	defer s.stopServer()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{s.idle, s.psql, s.replank, s.compare} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	if s.cfg.Keep != nil {
		s.cfg.Keep(ctx, map[string]string{"psql": s.cluster.DSN(psqlDB), "replank": s.cluster.DSN(replankDB)})
	}
	return nil
}

// stopServer works after Ctrl-C too.
func (s *show) stopServer() {
	if s.cluster == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.cluster.Stop(ctx); err != nil {
		s.cfg.Logger.Warn("stop the server", "error", err)
	}
}

func (s *show) writeMigrations(folder string) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	s.folder = filepath.Join(folder, "migrations")
	if err := os.CopyFS(s.folder, sub); err != nil {
		return fmt.Errorf("write the migrations: %w", err)
	}
	s.files, err = history.Read(s.folder)
	return err
}

func (s *show) tell(e Event) { s.events <- e }

func (s *show) act(title string, args ...any) {
	s.tell(Event{Kind: EventAct, Text: fmt.Sprintf(title, args...)})
}

func (s *show) doing(what string, args ...any) {
	s.tell(Event{Kind: EventDoing, Text: fmt.Sprintf(what, args...)})
}

// piece does something and tells how long it took.
func (s *show) piece(what string, do func() error) error {
	s.doing("%s", what)
	start := time.Now()
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	s.tell(Event{Kind: EventDone, Text: what, Took: time.Since(start)})
	return nil
}

// engine opens Replank on its copy. Files' windows are cut by the events of their runs.
func (s *show) engine(ctx context.Context, events func(migrate.Event)) (*migrate.Engine, error) {
	return migrate.Open(ctx, migrate.Config{
		DSN: s.cluster.DSN(replankDB), Requester: "demo", Events: events, Logger: s.cfg.Logger,
		FullPace: true, // the machine of a demo is small, and its application uses a tenth of it
		BigRows:  -1,   // also with few rows the demo shows how big tables are changed
	})
}
