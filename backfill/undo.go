package backfill

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/walk"
	"github.com/replank/replank/plan"
)

// listed is how many rows a receipt names; the undo table holds them all.
const listed = 1000

// UndoReceipt says what came back.
type UndoReceipt struct {
	Table    string `json:"table"`
	Restored int64  `json:"restored"`
	// NotRestored rows were changed by somebody else since, or something stands in their way. They are as they are.
	NotRestored int64     `json:"not_restored"`
	Rows        []Skipped `json:"rows,omitempty"` // the first 1000 of them
	UndoTable   string    `json:"undo_table"`     // holds their before-images until DropUndo
}

// Skipped is a row that Undo left alone.
type Skipped struct {
	Key    json.RawMessage `json:"key"`
	Reason string          `json:"reason"`
}

// Undo takes a fill back, range by range: every row that is still as the fill left it. It may be called again after
// a crash. A fill that never began has nothing to take back.
func Undo(ctx context.Context, cfg Config) (UndoReceipt, error) {
	rc := UndoReceipt{Table: cfg.Spec.Table, UndoTable: undoName(cfg.Run, cfg.Seq)}
	s, err := cfg.Lease.Session(ctx, cfg.Run)
	if err != nil {
		return rc, err
	}
	defer func() { s.Close() }()
	u, there, err := findUndo(ctx, s, cfg)
	if err != nil || !there {
		return rc, err
	}
	if cfg.Target == 0 {
		cfg.Target = 100 * time.Millisecond
	}
	f := &fill{cfg: cfg}
	progress, err := u.progress(ctx, s, cfg)
	if err != nil {
		return rc, err
	}
	limit, lock := 500, 50*time.Millisecond
	gained := true // since the rows were last tried that others refer to
	for wait := 50 * time.Millisecond; ; {
		began := time.Now()
		opts := f.tx()
		opts.Settings = append(opts.Settings, pg.LockTimeout(lock))
		var restored, skipped int64
		err := s.Tx(ctx, opts, func(tx pgx.Tx) error {
			if err := cfg.Lease.Guard(ctx, tx); err != nil {
				return err
			}
			if err := u.lock(ctx, tx, limit); err != nil {
				return err
			}
			return tx.QueryRow(ctx, u.restore(limit)).Scan(&restored, &skipped)
		})
		switch {
		case err == nil && restored+skipped == 0:
			some := false
			if gained {
				if some, err = u.again(ctx, s, cfg.Lease); err != nil {
					return rc, err
				}
			}
			if !some {
				return rc, u.list1000(ctx, s, &rc)
			}
			gained = false
		case err == nil:
			rc.Restored += restored
			progress(restored+skipped, "")
			gained = gained || restored > 0
			took := time.Since(began)
			limit = min(max(int(float64(limit)*cfg.Target.Seconds()/took.Seconds()), 100), 2*limit, 50_000)
			wait, lock = 50*time.Millisecond, 50*time.Millisecond
		case ctx.Err() != nil:
			return rc, ctx.Err()
		case pg.LockNotAvailable(err) || pg.Deadlock(err) || pg.Serialization(err):
			if limit > 1 {
				limit = max(1, limit/4)
				continue
			}
			progress(0, "row locks")
			lock = time.Second // nobody waits for us: this is the only row we would hold
			if err := pause(ctx, wait); err != nil {
				return rc, err
			}
			wait = min(2*wait, 5*time.Second)
		case walk.DataError(err) && limit > 1:
			limit = max(1, limit/2)
		case walk.DataError(err):
			if err := u.skip(ctx, s, cfg.Lease, err); err != nil {
				return rc, err
			}
		default:
			return rc, fmt.Errorf("undo the %s of %s: %w", u.kind, u.table, err)
		}
	}
}

// progress returns what tells the listener of rows that are through, and why it is idle.
func (u *undoTable) progress(ctx context.Context, s *pg.Session, cfg Config) (func(rows int64, reason string), error) {
	if cfg.OnProgress == nil {
		return func(int64, string) {}, nil
	}
	p := Progress{Phase: "undo"}
	// The newest go first, so that the highest number is about how many there are, without a look at all of them.
	err := s.QueryRow(ctx, "SELECT coalesce(max(replank_id), 0) FROM "+u.name).Scan(&p.Estimate)
	if err != nil {
		return nil, fmt.Errorf("look how many rows there are to restore: %w", err)
	}
	began := time.Now()
	return func(rows int64, reason string) {
		p.Rows, p.Reason = p.Rows+rows, reason
		p.Estimate = max(p.Estimate, p.Rows)
		p.Fraction = float64(p.Rows) / float64(max(p.Estimate, 1))
		if p.Rows > 0 {
			p.Rate = float64(p.Rows) / time.Since(began).Seconds()
			p.ETA = time.Duration(float64(p.Estimate-p.Rows) / p.Rate * float64(time.Second))
		}
		cfg.OnProgress(p)
	}, nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
	return ctx.Err()
}

// findUndo describes the undo table of a fill, where there is one.
func findUndo(ctx context.Context, s *pg.Session, cfg Config) (u *undoTable, there bool, err error) {
	err = s.QueryRow(ctx, "SELECT pg_catalog.to_regclass($1) IS NOT NULL", undoName(cfg.Run, cfg.Seq)).Scan(&there)
	if err != nil || !there {
		return nil, there, err
	}
	st := newStatement(cfg.Spec)
	if st.key, err = lookupKey(ctx, s, cfg.Spec.Table, cfg.Spec.Key); err != nil {
		return nil, there, err
	}
	if u, err = describeUndo(ctx, s, cfg, st); err == nil && u.kind == plan.Insert {
		err = u.lookupReferences(ctx, s)
	}
	return u, there, err
}

//go:embed references.sql
var referencesSQL string

// lookupReferences finds the foreign keys to the table.
func (u *undoTable) lookupReferences(ctx context.Context, s *pg.Session) error {
	rows, err := s.Query(ctx, referencesSQL, u.table)
	if err != nil {
		return fmt.Errorf("look up the foreign keys to %s: %w", u.table, err)
	}
	var from, match string
	_, err = pgx.ForEachRow(rows, []any{&from, &match}, func() error {
		u.refers = append(u.refers, fmt.Sprintf("EXISTS (SELECT FROM %s r WHERE %s)", from, match))
		return nil
	})
	if err != nil {
		return fmt.Errorf("look up the foreign keys to %s: %w", u.table, err)
	}
	return nil
}

// referred is the condition for rows t that other rows refer to. Deleting them would delete those too, or take their
// reference from them (ON DELETE CASCADE, SET NULL, SET DEFAULT), and what an application made is not ours to destroy.
func (u *undoTable) referred() string {
	if len(u.refers) == 0 {
		return "false"
	}
	return "(" + strings.Join(u.refers, " OR ") + ")"
}

// lock takes the rows that restore is about to delete. A new reference to a row needs a lock on it that ours keeps
// out, so the statement behind this one sees every reference that there will be when it deletes.
func (u *undoTable) lock(ctx context.Context, tx pgx.Tx, limit int) error {
	if len(u.refers) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, fmt.Sprintf(`WITH todo AS MATERIALIZED (
	SELECT * FROM %s WHERE replank_skipped IS NULL ORDER BY replank_id DESC LIMIT %d)
SELECT FROM %s t JOIN todo ON %s FOR UPDATE OF t`, u.name, limit, u.table, u.key.Match("t", "todo", u.keyNames())),
		pgx.QueryExecModeSimpleProtocol)
	return err
}

const stillReferred = "rows refer to it"

// again lets the rows be tried once more that were left because others refer to them, which may have been ours and
// have gone since. It says whether there are any.
func (u *undoTable) again(ctx context.Context, s *pg.Session, lease *journal.Lease) (some bool, err error) {
	if len(u.refers) == 0 {
		return false, nil
	}
	err = s.Tx(ctx, pg.TxOptions{}, func(tx pgx.Tx) error {
		if err := lease.Guard(ctx, tx); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, "UPDATE "+u.name+" SET replank_skipped = NULL WHERE replank_skipped = $1", stillReferred)
		some = tag.RowsAffected() > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("go back to the rows that others referred to: %w", err)
	}
	return some, nil
}

// DropUndo forgets the before-images: there is no way back any more.
func DropUndo(ctx context.Context, cfg Config) error {
	s, err := cfg.Lease.Session(ctx, cfg.Run)
	if err != nil {
		return err
	}
	defer s.Close()
	err = s.Tx(ctx, pg.TxOptions{}, func(tx pgx.Tx) error {
		if err := cfg.Lease.Guard(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+undoName(cfg.Run, cfg.Seq))
		return err
	})
	if err != nil {
		return fmt.Errorf("drop the before-images: %w", err)
	}
	return nil
}

// restore takes back the newest limit rows. What comes back leaves the undo table in the same statement; what does
// not is marked with the reason.
func (u *undoTable) restore(limit int) string {
	match := u.key.Match("t", "todo", u.keyNames())
	var change, found string
	switch u.kind {
	case plan.Update:
		var set []string
		for i, c := range u.columns {
			set = append(set, fmt.Sprintf("%s = todo.replank_b%d", pg.Ident(c), i+1))
		}
		// Images are compared, not values: 1.0 and 1.00 are different to whoever wrote them (RULES 2).
		change = fmt.Sprintf("UPDATE %s AS t SET %s FROM todo WHERE %s AND pg_catalog.record_image_eq(ROW(%s), ROW(%s)) RETURNING todo.replank_id",
			u.table, strings.Join(set, ", "), match, strings.Join(u.list("t", "", false), ", "),
			"todo."+strings.Join(numbered("replank_a", len(u.columns)), ", todo."))
		found = "changed since"
	case plan.Insert:
		change = fmt.Sprintf("DELETE FROM %s AS t USING todo WHERE %s AND %s = todo.replank_h AND NOT %s RETURNING todo.replank_id",
			u.table, match, u.digest("t"), u.referred())
		found = "changed since"
	case plan.Delete:
		cols := strings.Join(u.list("", "", false), ", ")
		change = fmt.Sprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM todo ON CONFLICT DO NOTHING RETURNING %s",
			u.table, cols, cols, strings.Join(u.keyList("", false), ", "))
		found = "a row with this key is there again"
	}
	done := "SELECT replank_id FROM changed"
	gone := "deleted since"
	if u.kind == plan.Delete {
		done = "SELECT todo.replank_id FROM todo JOIN changed ON " + u.key.Match("changed", "todo", u.keyNames())
		gone = "a row with the same unique value is there"
	}
	return fmt.Sprintf(`WITH todo AS MATERIALIZED (
	SELECT * FROM %[1]s WHERE replank_skipped IS NULL ORDER BY replank_id DESC LIMIT %[2]d),
changed AS (%[3]s),
done AS (%[4]s),
forgotten AS (DELETE FROM %[1]s u USING done WHERE u.replank_id = done.replank_id),
skipped AS (
	UPDATE %[1]s u SET replank_skipped = CASE WHEN EXISTS (SELECT FROM %[5]s t WHERE %[6]s AND %[9]s) THEN %[10]s
		WHEN EXISTS (SELECT FROM %[5]s t WHERE %[6]s) THEN %[7]s ELSE %[8]s END
	  FROM todo WHERE u.replank_id = todo.replank_id AND todo.replank_id NOT IN (SELECT replank_id FROM done)
	RETURNING 1)
SELECT (SELECT count(*) FROM done), (SELECT count(*) FROM skipped)`,
		u.name, limit, change, done, u.table, match, pg.Literal(found), pg.Literal(gone), u.referred(), pg.Literal(stillReferred))
}

// skip marks the one row that cannot come back because the table would not have it.
func (u *undoTable) skip(ctx context.Context, s *pg.Session, lease *journal.Lease, cause error) error {
	err := s.Tx(ctx, pg.TxOptions{}, func(tx pgx.Tx) error {
		if err := lease.Guard(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE `+u.name+` SET replank_skipped = $1 WHERE replank_id =
			(SELECT max(replank_id) FROM `+u.name+` WHERE replank_skipped IS NULL)`, pg.Condition(cause))
		return err
	})
	if err != nil {
		return fmt.Errorf("mark a row that cannot be restored: %w", err)
	}
	return nil
}

// list1000 names the rows that were left alone.
func (u *undoTable) list1000(ctx context.Context, s *pg.Session, rc *UndoReceipt) error {
	pairs := make([]string, len(u.key))
	for i, c := range u.key {
		pairs[i] = pg.Literal(c.Name) + ", " + pg.Ident(u.keyNames()[i]) + "::text"
	}
	rows, err := s.Query(ctx, fmt.Sprintf(`SELECT pg_catalog.jsonb_build_object(%s)::text, replank_skipped, count(*) OVER ()
		FROM %s WHERE replank_skipped IS NOT NULL ORDER BY replank_id LIMIT %d`, strings.Join(pairs, ", "), u.name, listed))
	if err != nil {
		return fmt.Errorf("list the rows that were not restored: %w", err)
	}
	var key, reason string
	_, err = pgx.ForEachRow(rows, []any{&key, &reason, &rc.NotRestored}, func() error {
		rc.Rows = append(rc.Rows, Skipped{json.RawMessage(key), reason})
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the rows that were not restored: %w", err)
	}
	return nil
}

// doesUpdate: an ON CONFLICT clause that does not end in DO NOTHING ends in DO UPDATE SET ….
func doesUpdate(onConflict string) bool {
	words := strings.Fields(strings.ToUpper(onConflict))
	n := len(words)
	return n > 0 && (n < 2 || words[n-2] != "DO" || words[n-1] != "NOTHING")
}
