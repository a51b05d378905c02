package backfill

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/walk"
)

// rejects records rows that fail.
type rejects struct {
	fill *fill
	// key names a row for people and for Retry; without columns it is ctid.
	key walk.Key

	mu    sync.Mutex
	count int
}

//go:embed primarykey.sql
var primaryKeySQL string

func openRejects(ctx context.Context, s *pg.Session, f *fill) (*rejects, error) {
	r := &rejects{fill: f}
	columns := f.cfg.Spec.Key
	if len(columns) == 0 {
		rows, err := s.Query(ctx, primaryKeySQL, f.cfg.Spec.Table)
		if err == nil {
			columns, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err != nil {
			return nil, fmt.Errorf("look up the primary key of %s: %w", f.cfg.Spec.Table, err)
		}
	}
	if len(columns) > 0 {
		key, err := lookupKey(ctx, s, f.cfg.Spec.Table, columns)
		var refused *walk.KeyError
		if err != nil && (len(f.cfg.Spec.Key) > 0 || !errors.As(err, &refused)) {
			return nil, err
		}
		r.key = key
	}
	before, err := f.cfg.Journal.Rejected(ctx, f.cfg.Run, 0)
	if err != nil {
		return nil, err
	}
	for _, b := range before {
		if b.StepID == f.cfg.Step {
			r.count++
		}
	}
	return r, nil
}

// record names the one row of the range in the journal. The condition of the fill is left out: it may be what fails.
func (r *rejects) record(ctx context.Context, tx pgx.Tx, at walk.Range, cause error) error {
	st := r.fill.st
	object := "'ctid', " + st.alias + ".ctid::text"
	if len(r.key) > 0 {
		pairs := make([]string, len(r.key))
		for i, c := range r.key {
			pairs[i] = pg.Literal(c.Name) + ", " + st.alias + "." + pg.Ident(c.Name) + "::text"
		}
		object = strings.Join(pairs, ", ")
	}
	var keys []string
	err := walk.Plainly(ctx, tx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, fmt.Sprintf("SELECT pg_catalog.jsonb_build_object(%s)::text FROM %s WHERE %s",
			object, st.relation(at), at.Where(st.alias)))
		if err != nil {
			return err
		}
		keys, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return fmt.Errorf("name the rejected row: %w", err)
	}
	r.mu.Lock()
	r.count += len(keys)
	n := r.count
	r.mu.Unlock()
	if n > r.fill.cfg.MaxRejected {
		return &TooManyRejectedError{Limit: r.fill.cfg.MaxRejected, Last: cause}
	}
	for _, k := range keys {
		if err := r.fill.reject(ctx, tx, json.RawMessage(k), cause); err != nil {
			return err
		}
	}
	return nil
}

// reject writes what the server said, without any value of the row.
func (f *fill) reject(ctx context.Context, tx pgx.Tx, key json.RawMessage, cause error) error {
	f.cfg.Logger.Warn("row rejected", "table", f.cfg.Spec.Table, "sqlstate", pg.SQLState(cause))
	return f.cfg.Lease.Reject(ctx, tx, journal.Rejected{Run: f.cfg.Run, StepID: f.cfg.Step, Key: key,
		Error: pg.Condition(cause), SQLState: pg.SQLState(cause)})
}

// row is one row by its key, for the statements that otherwise take a range.
type row struct {
	relation string
	where    func(alias string) string
}

func (r row) Relation() string          { return r.relation }
func (r row) Where(alias string) string { return r.where(alias) }

// Retry tries every rejected row again that is not waived, each in a transaction of its own, and says how many went
// through and how many failed once more. A row that is gone or needs the change no longer has gone through.
func Retry(ctx context.Context, cfg Config) (fixed, failed int64, err error) {
	f, err := open(ctx, cfg)
	if err != nil {
		return 0, 0, err
	}
	all, err := cfg.Journal.Rejected(ctx, cfg.Run, 0)
	if err != nil {
		return 0, 0, err
	}
	s, err := cfg.Lease.Session(ctx, cfg.Run)
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	for _, rej := range all {
		if rej.StepID != cfg.Step || rej.Waived {
			continue
		}
		target, err := f.rejectedRow(rej)
		if err != nil {
			return fixed, failed, err
		}
		err = s.Tx(ctx, f.tx(), func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, f.st.change(target), pgx.QueryExecModeSimpleProtocol); err != nil {
				return err
			}
			return cfg.Lease.Unreject(ctx, tx, rej.ID)
		})
		switch {
		case err == nil:
			fixed++
		case walk.DataError(err):
			failed++
			cause := err
			if err := s.Tx(ctx, pg.TxOptions{}, func(tx pgx.Tx) error { return f.reject(ctx, tx, rej.Key, cause) }); err != nil {
				return fixed, failed, err
			}
		default:
			return fixed, failed, fmt.Errorf("retry rejected row %s: %w", rej.Key, err)
		}
	}
	return fixed, failed, nil
}

func (f *fill) rejectedRow(rej journal.Rejected) (row, error) {
	var named map[string]string
	if err := json.Unmarshal(rej.Key, &named); err != nil {
		return row{}, fmt.Errorf("decode rejected row %d: %w", rej.ID, err)
	}
	key := f.rejected.key
	values := make([]string, len(key))
	for i, c := range key {
		v, ok := named[c.Name]
		if !ok {
			return row{}, fmt.Errorf("rejected row %d has no value of key column %s", rej.ID, c.Name)
		}
		values[i] = v
	}
	return row{relation: f.cfg.Spec.Table, where: func(alias string) string {
		if len(key) == 0 {
			return alias + ".ctid = " + pg.Literal(named["ctid"]) + "::pg_catalog.tid"
		}
		return key.Equal(alias, values)
	}}, nil
}
