package usage

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
)

//go:embed save.sql
var saveSQL string

//go:embed forget.sql
var forgetSQL string

// Load is the watch that is in the journal. A journal that an older replank wrote has none.
func Load(ctx context.Context, j *journal.Journal) (*Watch, error) {
	w := new(Watch)
	if j.Version() < 2 {
		return w, nil
	}
	err := j.DB().Ask(ctx, func(q pg.Querier) error {
		var reset *time.Time
		err := q.QueryRow(ctx, "SELECT at, first, began, lost, started, reset, evicted FROM replank.reading").
			Scan(&w.At, &w.First, &w.Began, &w.Lost, &w.started, &reset, &w.evicted)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if reset != nil {
			w.reset = *reset
		}
		return w.loadEntries(ctx, q)
	})
	if err != nil {
		return nil, fmt.Errorf("read what was called: %w", err)
	}
	return w, nil
}

func (w *Watch) loadEntries(ctx context.Context, q pg.Querier) error {
	rows, err := q.Query(ctx, "SELECT role, queryid, toplevel, calls, since, counted, last FROM replank.called")
	if err != nil {
		return err
	}
	w.entries = map[Key]Entry{}
	var k Key
	var e Entry
	var since *time.Time
	_, err = pgx.ForEachRow(rows, []any{&k.Role, &k.QueryID, &k.TopLevel, &e.calls, &since, &e.Counted, &e.Last}, func() error {
		one := e
		if since != nil {
			one.since = *since
		}
		w.entries[k] = one
		return nil
	})
	return err
}

// Save writes the watch into the journal.
func (w *Watch) Save(ctx context.Context, tx pgx.Tx, lease *journal.Lease) error {
	if err := lease.Guard(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO replank.reading (at, first, began, lost, started, reset, evicted) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (one) DO UPDATE SET at = excluded.at, first = excluded.first, began = excluded.began, lost = excluded.lost,
			started = excluded.started, reset = excluded.reset, evicted = excluded.evicted`,
		w.At, w.First, w.Began, w.Lost, w.started, orNull(w.reset), w.evicted)
	if err != nil {
		return fmt.Errorf("write down what was called: %w", err)
	}
	var roles []uint32
	var ids, calls, counted []int64
	var top []bool
	var since []*time.Time
	var last []time.Time
	for k, e := range w.entries {
		roles, ids, top = append(roles, k.Role), append(ids, k.QueryID), append(top, k.TopLevel)
		calls, since, counted, last = append(calls, e.calls), append(since, orNull(e.since)), append(counted, e.Counted), append(last, e.Last)
	}
	if _, err := tx.Exec(ctx, forgetSQL, roles, ids, top); err != nil {
		return fmt.Errorf("write down what was called: %w", err)
	}
	if _, err := tx.Exec(ctx, saveSQL, roles, ids, top, calls, since, counted, last); err != nil {
		return fmt.Errorf("write down what was called: %w", err)
	}
	return nil
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
