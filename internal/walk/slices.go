package walk

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
)

//go:embed key.sql
var keySQL string

//go:embed parts.sql
var partsSQL string

//go:embed part.sql
var partSQL string

// slicesPerWalk is into how many slices a large table is cut: enough that workers which take the next one from the
// queue end together.
const slicesPerWalk = 128

// Slice is a part of the table that one worker walks from its Pos to its To. It lives in the journal.
type Slice struct {
	ID       int
	Part     string
	OID      uint32 // of Part, which may be renamed, dropped or detached meanwhile; 0 = it is the table itself, by key
	Only     bool
	From     []string // where it began
	Pos, To  []string // as in Range: what is left
	Late     bool     // left by another slice because somebody held locks there
	Done     bool
	Rows     int64    // changed
	Visited  int64    // rows (by key) or blocks (by ctid)
	Window   []string // in passes: where the window begins that Pos is in
	Pass, Of int      // in passes: which one it is, of how many
	Expected int64    // Visited when done, estimated
}

// at says whether two states of a slice have their cursor at the same place.
func (s Slice) at(o Slice) bool {
	return s.Done == o.Done && s.Pass == o.Pass && slices.Equal(s.Pos, o.Pos)
}

// KeyError says why a table cannot be walked by a key.
type KeyError struct {
	Table  string
	Key    []string
	Reason string
}

func (e *KeyError) Error() string {
	return fmt.Sprintf("walk %s by (%s): %s", e.Table, strings.Join(e.Key, ", "), e.Reason)
}

// Hint says what to do.
func (e *KeyError) Hint() string {
	return "a primary key, or a unique index over NOT NULL columns, is needed"
}

// PartError refuses a relation that holds rows which cannot be walked by ctid.
type PartError struct{ Relation, Kind string }

func (e *PartError) Error() string {
	return fmt.Sprintf("walk %s: a %s has no row positions", e.Relation, e.Kind)
}

// LookupKey finds out how to compare the columns of a key, and refuses one that no unique index carries.
func LookupKey(ctx context.Context, q pg.Querier, table string, columns []string) (Key, error) {
	rows, err := q.Query(ctx, keySQL, table, columns)
	if err != nil {
		return nil, fmt.Errorf("look up the key of %s: %w", table, err)
	}
	var key Key
	var c Column
	var notNull, plain bool
	refused := ""
	_, err = pgx.ForEachRow(rows, []any{&c.Name, &c.Type, &notNull, &c.Schema, &plain}, func() error {
		key = append(key, c)
		switch {
		case !notNull:
			refused = "column " + pg.Ident(c.Name) + " may be NULL"
		case !plain:
			refused = "the index does not order column " + pg.Ident(c.Name) + " as the column's type and collation do"
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("look up the key of %s: %w", table, err)
	case len(key) == 0:
		refused = "no unique, immediate, valid and total index is over exactly these columns"
	}
	if refused != "" {
		return nil, &KeyError{Table: table, Key: columns, Reason: refused}
	}
	return key, nil
}

type part struct {
	oid          uint32
	name         string
	kind         string
	blocks       int64
	tuples, page float64
}

func lookupParts(ctx context.Context, q pg.Querier, table string) ([]part, error) {
	rows, err := q.Query(ctx, partsSQL, table)
	if err != nil {
		return nil, fmt.Errorf("look up the partitions of %s: %w", table, err)
	}
	parts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p part, err error) {
		err = row.Scan(&p.oid, &p.name, &p.kind, &p.blocks, &p.tuples, &p.page)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("look up the partitions of %s: %w", table, err)
	}
	return parts, nil
}

func rowEstimate(parts []part) int64 {
	n := 0.0
	for _, p := range parts {
		if p.page > 0 {
			n += p.tuples / p.page * float64(p.blocks)
		} else {
			n += float64(p.blocks) * 50 // never analysed: about what a page of middling rows holds
		}
	}
	return int64(n)
}

// cutByTid cuts every leaf into slices of whole blocks; where it ends is fixed by its size now.
func (w *walker) cutByTid(parts []part) ([]Slice, error) {
	var total int64
	for _, p := range parts {
		if p.kind == "f" {
			return nil, &PartError{Relation: p.name, Kind: "foreign table"}
		}
		total += p.blocks
	}
	step := max(total/slicesPerWalk, 64)
	if w.choosePasses(total); w.passes > 1 {
		step = max(step, min(windowBlocks, total/8))
	}
	var out []Slice
	for _, p := range parts {
		for from := int64(0); from < p.blocks; from += step {
			to := min(from+step, p.blocks)
			at := []string{fmt.Sprintf("(%d,0)", from)}
			out = append(out, Slice{Part: p.name, OID: p.oid, Only: true, Expected: to - from,
				From: at, Pos: at, To: []string{fmt.Sprintf("(%d,0)", to)}})
		}
	}
	return out, nil
}

// cutByKey cuts a table at key values found in a sample, up to the greatest key there is now. The values need not
// exist later: they are only places in an order.
func cutByKey(ctx context.Context, q pg.Querier, table string, key Key, parts []part) ([]Slice, error) {
	order := key.columns("t", " DESC")
	upper, err := readKey(ctx, q, fmt.Sprintf("SELECT %s FROM %s t ORDER BY %s LIMIT 1", key.Texts("t"), table, order), len(key))
	if err != nil || upper == nil {
		return nil, err
	}
	var blocks int64
	for _, p := range parts {
		blocks += p.blocks
	}
	rows := rowEstimate(parts)
	n := min(slicesPerWalk, int(rows/2000))
	var cuts [][]string
	if n > 1 {
		percent := min(100, 100*2000/float64(max(blocks, 1)))
		cuts, err = sampleCuts(ctx, q, table, key, percent, n, upper)
		if err != nil {
			return nil, err
		}
	}
	var out []Slice
	var from []string
	for _, to := range append(cuts, upper) {
		out = append(out, Slice{Part: table, From: from, Pos: from, To: to, Expected: rows / int64(len(cuts)+1)})
		from = to
	}
	return out, nil
}

func sampleCuts(ctx context.Context, q pg.Querier, table string, key Key, percent float64, n int, upper []string) ([][]string, error) {
	sql := fmt.Sprintf(`SELECT k FROM (
			SELECT ARRAY[%[1]s] AS k, pg_catalog.row_number() OVER (ORDER BY %[2]s) AS i, pg_catalog.count(*) OVER () AS n
			  FROM %[3]s t TABLESAMPLE SYSTEM (%[4]g) REPEATABLE (1)
			 WHERE %[5]s) s
		WHERE n >= %[6]d AND i %% (n / %[6]d) = 0 AND i < n ORDER BY i LIMIT %[6]d - 1`,
		key.Texts("t"), key.columns("t", ""), table, percent, key.compare("t", "<", upper), n)
	rows, err := q.Query(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("sample the keys of %s: %w", table, err)
	}
	cuts, err := pgx.CollectRows(rows, pgx.RowTo[[]string])
	if err != nil {
		return nil, fmt.Errorf("sample the keys of %s: %w", table, err)
	}
	return cuts, nil
}

// readKey reads one row of texts; nil = there is none.
func readKey(ctx context.Context, q pg.Querier, sql string, n int) ([]string, error) {
	vals := make([]string, n)
	dest := make([]any, n)
	for i := range vals {
		dest[i] = &vals[i]
	}
	err := q.QueryRow(ctx, sql).Scan(dest...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a key: %w", err)
	}
	return vals, nil
}

// find gives a slice the name that its relation has now. What has been dropped or detached holds no rows of the table
// any more: its slice is done.
func (w *walker) find(ctx context.Context, q pg.Querier, s Slice) (Slice, error) {
	if s.OID == 0 {
		return s, nil
	}
	err := q.QueryRow(ctx, partSQL, s.OID, w.cfg.Table).Scan(&s.Part)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		s.Done, s.Visited = true, s.Expected
	case err != nil:
		return s, fmt.Errorf("look for %s: %w", s.Part, err)
	}
	return s, nil
}

// cut takes the next range of about size rows (or row positions) off a slice.
func (w *walker) cut(ctx context.Context, q pg.Querier, s Slice, size int64) (Range, error) {
	r := Range{Part: s.Part, Only: s.Only, From: s.Pos, To: s.To, key: w.key}
	if len(w.key) == 0 {
		from, err1 := w.tids.parse(s.Pos[0])
		end, err2 := w.end(s)
		if err := errors.Join(err1, err2); err != nil {
			return r, err
		}
		to := from + size
		if size >= w.tids.perBlock {
			to -= to % w.tids.perBlock
		} else if block := from / w.tids.perBlock; to/w.tids.perBlock > block {
			to = (block + 1) * w.tids.perBlock // finish the page first
		}
		to = min(to, end)
		if !w.lastPass(s) {
			r.share, r.of = s.Pass, w.passes
		}
		r.Size, r.To = to-from, []string{w.tids.text(to)}
		return r, nil
	}
	where := Range{From: s.Pos, To: s.To, key: w.key}.Where("t")
	sql := fmt.Sprintf("SELECT %s FROM %s t WHERE %s ORDER BY %s OFFSET %d LIMIT 1",
		w.key.Texts("t"), r.Relation(), where, w.key.columns("t", ""), size-1)
	to, err := readKey(ctx, q, sql, len(w.key))
	if err != nil {
		return r, err
	}
	r.Size = size
	if to != nil {
		r.To = to
	}
	return r, nil
}

// The JSON that the journal keeps of a slice. Lo stays as it was cut, Position moves.
type (
	savedLo struct {
		Part     string   `json:"part"`
		OID      uint32   `json:"oid,omitempty"`
		Only     bool     `json:"only,omitempty"`
		From     []string `json:"from"`
		Expected int64    `json:"expected"`
		Late     bool     `json:"late,omitempty"`
	}
	savedPosition struct {
		At      []string `json:"at"`
		Visited int64    `json:"visited"`
		Window  []string `json:"window,omitempty"`
		Pass    int      `json:"pass,omitempty"`
		Of      int      `json:"of,omitempty"`
	}
)

// save writes a slice into the journal, in the transaction that changed its rows. It fails when the lease is lost,
// and keeps a successor waiting until the transaction has ended.
func (w *walker) save(ctx context.Context, tx pgx.Tx, s Slice) error {
	if w.cfg.Lease == nil {
		return nil
	}
	lo, err1 := json.Marshal(savedLo{Part: s.Part, OID: s.OID, Only: s.Only, From: s.From, Expected: s.Expected, Late: s.Late})
	hi, err2 := json.Marshal(s.To)
	at, err3 := json.Marshal(savedPosition{At: s.Pos, Visited: s.Visited, Window: s.Window, Pass: s.Pass, Of: s.Of})
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("encode a range: %w", err)
	}
	state := "pending"
	switch {
	case s.Done:
		state = "done"
	case s.Late:
		state = "dirty"
	}
	return w.cfg.Lease.SaveRange(ctx, tx, journal.Range{Run: w.cfg.Run, StepID: w.cfg.Step, Slice: s.ID,
		Lo: lo, Hi: hi, Position: at, Rows: s.Rows, State: state})
}

// load reads the slices of the walk; none = it has not been cut.
func (w *walker) load(ctx context.Context) ([]Slice, error) {
	if w.cfg.Lease == nil {
		return nil, nil
	}
	ranges, err := w.cfg.Journal.Ranges(ctx, w.cfg.Run, w.cfg.Step)
	if err != nil {
		return nil, err
	}
	out := make([]Slice, len(ranges))
	for i, r := range ranges {
		var lo savedLo
		var at savedPosition
		var to []string
		err := errors.Join(json.Unmarshal(r.Lo, &lo), json.Unmarshal(r.Hi, &to), json.Unmarshal(r.Position, &at))
		if err != nil {
			return nil, fmt.Errorf("decode range %d of run %d step %s: %w", r.Slice, r.Run, r.StepID, err)
		}
		out[i] = Slice{ID: r.Slice, Part: lo.Part, OID: lo.OID, Only: lo.Only, From: lo.From, Pos: at.At, To: to, Late: lo.Late,
			Done: r.State == "done", Rows: r.Rows, Visited: at.Visited, Expected: lo.Expected,
			Window: at.Window, Pass: at.Pass, Of: at.Of}
	}
	return out, nil
}
