package decisions

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
)

// WrongWay is how often an application has called what it must not call while it served a request.
type WrongWay struct {
	Why              string // direction or loop
	CallerApp        string // modern or legacy
	Caller           string // the template that it served; "": nobody knows
	Method           string
	Route            string // the template that it called; "": nobody knows
	Refused, Allowed int64
	First, Last      time.Time
}

// The reasons of a [WrongWay].
const (
	Direction = "direction" // the legacy application has called the modern one
	Loop      = "loop"      // the request would have come round
)

// Allowance is a waiver for calls of the modern application by the legacy one. It ends by itself: Until is always set.
type Allowance struct {
	Caller, Route string // templates, or Any; "": those that nobody knows
	Waiver
	By string
}

// How people write templates that are none.
const (
	Any     = "*" // every template
	Unknown = "-" // "", the one that nobody knows
)

// LongestTemplate bounds a template in [WrongWay] and [Allowance].
const LongestTemplate = 500

// Allowances are those of a database.
type Allowances []Allowance

// Of returns the one that lets a call through on a day.
func (list Allowances) Of(caller, route string, day time.Time) (Allowance, bool) {
	for _, a := range list {
		if (a.Caller == caller || a.Caller == Any) && (a.Route == route || a.Route == Any) && a.Holds(day) {
			return a, true
		}
	}
	return Allowance{}, false
}

//go:embed wrongway.sql
var wrongWaySQL string

//go:embed allow.sql
var allowSQL string

// readAllowances reads what read.sql gathers.
func readAllowances(text []byte) (list Allowances, err error) {
	var rows []struct{ Caller, Route, Because, At, Until, By string }
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, err
	}
	for _, r := range rows {
		at, err := time.Parse(time.DateOnly, r.At)
		if err != nil {
			return nil, err
		}
		until, err := time.Parse(time.DateOnly, r.Until)
		if err != nil {
			return nil, err
		}
		list = append(list, Allowance{r.Caller, r.Route, Waiver{r.Because, at, &until}, r.By})
	}
	return list, nil
}

// Allow lets a call through. It returns the version that has it.
func (s *Store) Allow(ctx context.Context, a Allowance) (version int64, err error) {
	if a.Until == nil {
		return 0, errors.New("a call in the wrong direction is allowed until a day only")
	}
	err = s.change(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, allowSQL, a.Caller, a.Route, a.Because, a.Until, a.By).Scan(&version)
	})
	return version, err
}

// Disallow takes an allowance back. It returns the version that does not have it, 0 if there was none.
func (s *Store) Disallow(ctx context.Context, caller, route string) (version int64, err error) {
	err = s.change(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "DELETE FROM replank.wrong_way_waiver WHERE caller = $1 AND route = $2", caller, route)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return tx.QueryRow(ctx, "UPDATE replank.route_version SET version = version + 1 RETURNING version").Scan(&version)
	})
	return version, err
}

// AddWrongWays adds what was counted to what is there.
func (s *Store) AddWrongWays(ctx context.Context, list []WrongWay) error {
	if len(list) == 0 {
		return nil
	}
	var why, apps, callers, methods, routes []string
	var refused, allowed []int64
	var first, last []time.Time
	for _, w := range list {
		why, apps, callers, methods, routes = append(why, w.Why), append(apps, w.CallerApp), append(callers, w.Caller), append(methods, w.Method), append(routes, w.Route)
		refused, allowed, first, last = append(refused, w.Refused), append(allowed, w.Allowed), append(first, w.First), append(last, w.Last)
	}
	return s.db.Ask(ctx, func(q pg.Querier) error {
		if _, err := q.Exec(ctx, wrongWaySQL, why, apps, callers, methods, routes, refused, allowed, first, last); err != nil {
			return fmt.Errorf("write the calls in the wrong direction: %w", err)
		}
		return nil
	})
}

// WrongWays returns what was counted, the last seen first.
func (s *Store) WrongWays(ctx context.Context) (list []WrongWay, err error) {
	err = s.db.Ask(ctx, func(q pg.Querier) error {
		rows, err := q.Query(ctx, `SELECT why, caller_app, caller, method, route, refused, allowed, first_seen, last_seen
			FROM replank.wrong_way ORDER BY last_seen DESC, why, caller_app, caller, method, route`)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[WrongWay])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the calls in the wrong direction: %w", err)
	}
	return list, nil
}

// HopSecret is what all gateways on this database sign hop tokens with. The first one makes it.
func (s *Store) HopSecret(ctx context.Context) (secret []byte, err error) {
	fresh := make([]byte, 32)
	rand.Read(fresh)
	err = s.db.Ask(ctx, func(q pg.Querier) error {
		if _, err := q.Exec(ctx, "INSERT INTO replank.hop_secret (secret) VALUES ($1) ON CONFLICT DO NOTHING", fresh); err != nil {
			return err
		}
		return q.QueryRow(ctx, "SELECT secret FROM replank.hop_secret").Scan(&secret)
	})
	if err != nil {
		return nil, fmt.Errorf("read the secret of the hop tokens: %w", err)
	}
	return secret, nil
}
