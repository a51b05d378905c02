package decisions

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/route"
)

// Config says where the decisions are.
type Config struct {
	// DSN of the control database. Default: the libpq environment.
	DSN string
	// Owner is the role that owns schema replank. Default: the role of the connection.
	Owner string
	// Poll is how often Watch asks, whether it was notified or not. Default: 500ms.
	Poll time.Duration
	// Logger hears of lost connections. Default: slog.DiscardHandler.
	Logger *slog.Logger
}

// Store is the decisions of one control database.
type Store struct {
	db   *pg.DB
	cfg  Config
	lost atomic.Pointer[error]
}

// Route is what is known about a template of one application beside its routes.
type Route struct {
	route.Decision // Phase "": none was chosen
	Owner          string
	Waiver         *Waiver
	ChangedAt      time.Time
	ChangedBy      string
}

// Waiver says that a route will not be ported.
type Waiver struct {
	Because string
	At      time.Time
	Until   *time.Time // nil: for good
}

// Holds reports whether it is in force on a day.
func (w *Waiver) Holds(day time.Time) bool {
	return w != nil && (w.Until == nil || !day.After(*w.Until))
}

// Snapshot is all decisions at one time.
type Snapshot struct {
	Version    int64
	Routes     []Route
	Allowances Allowances // calls in the wrong direction that are let through
}

// Decisions are those that choose a phase.
func (s Snapshot) Decisions() []route.Decision {
	var list []route.Decision
	for _, r := range s.Routes {
		if r.Phase != "" {
			list = append(list, r.Decision)
		}
	}
	return list
}

// channel is where the database tells gateways that something has changed.
const channel = "replank_gateway"

//go:embed read.sql
var readSQL string

//go:embed decide.sql
var decideSQL string

//go:embed describe.sql
var describeSQL string

//go:embed count.sql
var countSQL string

// Open connects, and makes schema replank or brings it up to date.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Poll == 0 {
		cfg.Poll = 500 * time.Millisecond
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	db, err := pg.Open(ctx, pg.Config{DSN: cfg.DSN, ApplicationName: "replank gateway", Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	j, err := journal.Open(ctx, db, journal.Config{Owner: cfg.Owner, Logger: cfg.Logger})
	if err == nil {
		err = j.Upgrade(ctx)
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return &Store{db: db, cfg: cfg}, nil
}

// Close ends the connections.
func (s *Store) Close() { s.db.Close() }

// Read returns all decisions.
func (s *Store) Read(ctx context.Context) (snap Snapshot, err error) {
	err = s.db.Ask(ctx, func(q pg.Querier) error {
		snap, err = read(ctx, q)
		return err
	})
	return snap, err
}

func read(ctx context.Context, q pg.Querier) (Snapshot, error) {
	var snap Snapshot
	rows, err := q.Query(ctx, readSQL)
	if err != nil {
		return snap, fmt.Errorf("read the decisions about routes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r Route
		var app, template, owner, because, by *string
		var phase string
		var canary, allowed []byte
		var waived, until, changed *time.Time
		if err := rows.Scan(&snap.Version, &app, &template, &phase, &canary, &r.ShadowWrites, &owner, &because, &waived, &until, &changed, &by, &allowed); err != nil {
			return snap, fmt.Errorf("read the decisions about routes: %w", err)
		}
		if allowed != nil {
			if snap.Allowances, err = readAllowances(allowed); err != nil {
				return snap, fmt.Errorf("read what is allowed in the wrong direction: %w", err)
			}
		}
		if app == nil {
			continue // there is none
		}
		r.App, r.Template, r.Phase = route.App(*app), *template, route.Phase(phase)
		if canary != nil {
			if err := json.Unmarshal(canary, &r.Canary); err != nil {
				return snap, fmt.Errorf("read the canary of %s: %w", r.Template, err)
			}
		}
		r.Owner, r.ChangedAt, r.ChangedBy = *owner, *changed, *by
		if waived != nil {
			r.Waiver = &Waiver{Because: *because, At: *waived, Until: until}
		}
		snap.Routes = append(snap.Routes, r)
	}
	return snap, rows.Err()
}

// Decide puts a template into a phase; "" takes the decision back. It returns the version that has it, and the phase
// before.
func (s *Store) Decide(ctx context.Context, d route.Decision, because, by string) (version int64, before route.Phase, err error) {
	if err := d.Check(); err != nil && d.Phase != "" {
		return 0, "", err
	}
	var canary []byte
	if d.Phase == route.PhaseCanary {
		if canary, err = json.Marshal(d.Canary); err != nil {
			return 0, "", err
		}
	}
	err = s.change(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, decideSQL, d.App, d.Template, string(d.Phase), canary, by, because, d.ShadowWrites).Scan(&version, (*string)(&before))
	})
	return version, before, err
}

// Demote is Decide, unless somebody has decided otherwise since from: then it does nothing, and moved is false.
func (s *Store) Demote(ctx context.Context, d route.Decision, from route.Phase, because, by string) (moved bool, err error) {
	err = s.change(ctx, func(tx pgx.Tx) error {
		var still bool
		err := tx.QueryRow(ctx, "SELECT phase = $3 FROM replank.route WHERE app = $1 AND template = $2 FOR UPDATE", d.App, d.Template, string(from)).Scan(&still)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && !still {
			return nil
		}
		if err != nil {
			return err
		}
		moved = true
		_, err = tx.Exec(ctx, decideSQL, d.App, d.Template, string(d.Phase), nil, by, because, d.ShadowWrites)
		return err
	})
	return moved && err == nil, err
}

// Describe notes the owner of a template, a waiver, or both; nil leaves them as they are. A waiver without a reason takes
// the waiver back.
func (s *Store) Describe(ctx context.Context, app route.App, template string, owner *string, w *Waiver, by string) (version int64, err error) {
	var because *string
	var until *time.Time
	if w != nil {
		because, until = &w.Because, w.Until
	}
	err = s.change(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, describeSQL, app, template, owner, because, until, by).Scan(&version)
	})
	return version, err
}

// change runs fn in a transaction and tells the gateways at its end.
func (s *Store) change(ctx context.Context, fn func(pgx.Tx) error) error {
	if err := s.notify(ctx, "route", fn); err != nil {
		return fmt.Errorf("write the decision about a route: %w", err)
	}
	return nil
}

// notify runs fn in a transaction, which tells the gateways at its end that something of a kind has changed.
func (s *Store) notify(ctx context.Context, kind string, fn func(pgx.Tx) error) error {
	session, err := s.db.Session(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	return session.Tx(ctx, pg.TxOptions{}, func(tx pgx.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "SELECT pg_notify($1, $2)", channel, kind)
		return err
	})
}

// Count is how often a template was called on a day.
type Count struct {
	Day        time.Time
	Template   string // "": nobody knows the route
	Method     string
	AnsweredBy string // modern, legacy or nobody
	Requests   int64
	Errors     int64
}

// Add adds what was counted to what is there.
func (s *Store) Add(ctx context.Context, counts []Count) error {
	if len(counts) == 0 {
		return nil
	}
	var days []time.Time
	var templates, methods, by []string
	var requests, errs []int64
	for _, c := range counts {
		days, templates, methods, by = append(days, c.Day), append(templates, c.Template), append(methods, c.Method), append(by, c.AnsweredBy)
		requests, errs = append(requests, c.Requests), append(errs, c.Errors)
	}
	return s.db.Ask(ctx, func(q pg.Querier) error {
		_, err := q.Exec(ctx, countSQL, days, templates, methods, by, requests, errs)
		if err != nil {
			return fmt.Errorf("write the counts of requests: %w", err)
		}
		return nil
	})
}

// Counts returns what was counted since a day.
func (s *Store) Counts(ctx context.Context, since time.Time) (list []Count, err error) {
	err = s.db.Ask(ctx, func(q pg.Querier) error {
		rows, err := q.Query(ctx, "SELECT * FROM replank.traffic WHERE day >= $1 ORDER BY day, template, method, answered_by", since)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Count])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the counts of requests: %w", err)
	}
	return list, nil
}
