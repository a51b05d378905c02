package demo

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// words are the expressions over a row t that differ between old and new code.
type words struct {
	ledger string // a row as the ledgers have it
	// seed are the columns of a row of the sample data that nobody changes. What clients change they change in
	// every eighth row only.
	seed string
}

var inWords = map[string][2]words{
	"customers": {
		{"t.name", "t.email, t.since, CASE WHEN t.id % 8 <> 0 THEN t.name END"},
		{"t.first_name || ' ' || t.last_name", "t.email, t.since, CASE WHEN t.id % 8 <> 0 THEN t.first_name || ' ' || t.last_name END"},
	},
	"accounts": {
		{"t.label", "t.customer_id, t.number, CASE WHEN t.id % 8 <> 0 THEN t.label END"},
		{"t.title", "t.customer_id, t.number, CASE WHEN t.id % 8 <> 0 THEN t.title END"},
	},
	"payments":   same("t.status::text", "t.account_id, t.amount, t.paid_at, CASE WHEN t.id % 8 <> 0 THEN t.status::text END"),
	"invoices":   same("concat_ws('|', t.number, t.currency, t.total)", "t.account_id, t.number, t.currency, t.total, t.issued_on"),
	"entries":    same("concat_ws('|', t.invoice_id, t.account_id, t.amount, t.memo)", "t.invoice_id, t.account_id, t.amount, t.posted_on, t.memo"),
	"deliveries": same("concat_ws('|', t.invoice_id, t.address)", "t.invoice_id, t.address"),
}

func same(ledger, seed string) [2]words { return [2]words{{ledger, seed}, {ledger, seed}} }

// digests sums the sample data up, table by table.
func digests(ctx context.Context, conn *pgx.Conn, s shape, rows map[string]int64) (map[string]string, error) {
	sums := map[string]string{}
	for _, t := range tables {
		sql := fmt.Sprintf(`SELECT count(*) || ' rows, digest ' || coalesce(sum(hashtextextended(concat_ws('|', t.id, %s), 0)::numeric), 0)
			FROM %s t WHERE t.id <= $1`, inWords[t.name][s.index()].seed, t.name)
		var sum string
		if err := conn.QueryRow(ctx, sql, rows[t.name]).Scan(&sum); err != nil {
			return nil, fmt.Errorf("digest of %s: %w", t.name, err)
		}
		sums[t.name] = sum
	}
	return sums, nil
}

// untouched compares the rows of the sample data that no client changes with what they were.
func (s *show) untouched(ctx context.Context, conn *pgx.Conn, now shape) (Proof, error) {
	p := Proof{Rows: true, What: "rows that nobody changed are as they were made"}
	sums, err := digests(ctx, conn, now, s.cfg.seedRows())
	if err != nil {
		return p, err
	}
	for _, t := range tables {
		p.Checked += int(s.cfg.seedRows()[t.name])
		if sums[t.name] != s.seeds[t.name] {
			p.miss("%s: %s instead of %s", t.name, sums[t.name], s.seeds[t.name])
		}
	}
	return p, nil
}

// examples is how many of the wrong things are told.
const examples = 5

func (p *Proof) miss(format string, args ...any) {
	p.Count++
	if len(p.Wrong) < examples {
		p.Wrong = append(p.Wrong, fmt.Sprintf(format, args...))
	}
}

// verify compares what the application was told is committed with what is there. It may go on writing
// meanwhile: a row that seems wrong is looked at again, and is wrong when it stays so.
func (f *fleet) verify(ctx context.Context, conn *pgx.Conn, s shape) (Proof, error) {
	p := Proof{Rows: true, What: "every committed write is there, with its last value"}
	for _, t := range tables {
		book := f.written(t.name)
		p.Checked += len(book.value) - len(book.doubt)
		wrong, err := misses(ctx, conn, t.name, s, book, nil)
		for again := 0; again < 5 && err == nil && len(wrong) > 0; again++ {
			select {
			case <-ctx.Done():
				return p, context.Cause(ctx)
			case <-time.After(200 * time.Millisecond):
			}
			wrong, err = misses(ctx, conn, t.name, s, f.written(t.name), wrong)
		}
		if err != nil {
			return p, err
		}
		for id, is := range wrong {
			p.miss("%s %d: wrote %q, found %s", t.name, id, book.value[id], is)
		}
	}
	return p, nil
}

// misses finds the rows that are not as a page has them: all of it, or only the given ones.
func misses(ctx context.Context, conn *pgx.Conn, table string, s shape, book *page, only map[int64]string) (map[int64]string, error) {
	var ids []int64
	var want []string
	for id, v := range book.value {
		if _, ok := only[id]; (ok || only == nil) && !book.doubt[id] {
			ids, want = append(ids, id), append(want, v)
		}
	}
	sql := fmt.Sprintf(`SELECT l.id, coalesce(quote_literal(%[1]s), 'nothing') FROM unnest($1::bigint[], $2::text[]) l(id, want)
		LEFT JOIN %[2]s t ON t.id = l.id WHERE (%[1]s) IS DISTINCT FROM l.want`, inWords[table][s.index()].ledger, table)
	rows, err := conn.Query(ctx, sql, ids, want)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", table, err)
	}
	wrong := map[int64]string{}
	var id int64
	var is string
	_, err = pgx.ForEachRow(rows, []any{&id, &is}, func() error { wrong[id] = is; return nil })
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", table, err)
	}
	return wrong, nil
}

// counted says that no row appeared or vanished. The fleet has ended.
func (f *fleet) counted(ctx context.Context, conn *pgx.Conn) (Proof, error) {
	p := Proof{Rows: true, What: "no row appeared or vanished"}
	for _, t := range tables {
		book := f.written(t.name)
		want := f.rows[t.name]
		for id := range book.value {
			if id > f.rows[t.name] {
				want++
			}
		}
		var is int64
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM "+t.name).Scan(&is); err != nil {
			return p, fmt.Errorf("count %s: %w", t.name, err)
		}
		p.Checked += int(is)
		if is < want || is > want+int64(book.more) {
			p.miss("%s has %d rows instead of %d", t.name, is, want)
		}
	}
	return p, nil
}

// believed says that what was written through one shape was always read through the other.
func (f *fleet) believed() Proof {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Proof{What: "reads gave what had been written, through either shape", Checked: f.seen, Wrong: slices.Clone(f.wrong), Count: f.lies}
}

//go:embed sql/shape.sql
var shapeSQL string

// properties is the shape of a database, one property a line; the order of columns is none of them.
func properties(ctx context.Context, dsn string) ([]string, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("read the shape: %w", err)
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(ctx, shapeSQL)
	if err != nil {
		return nil, fmt.Errorf("read the shape: %w", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read the shape: %w", err)
	}
	return lines, nil
}

// sameShape compares two databases property by property.
func sameShape(ctx context.Context, what, want, got string) (Proof, error) {
	p := Proof{What: what}
	a, err := properties(ctx, want)
	if err != nil {
		return p, err
	}
	b, err := properties(ctx, got)
	if err != nil {
		return p, err
	}
	p.Checked = len(a)
	for _, l := range a {
		if !slices.Contains(b, l) {
			p.miss("missing: %s", strings.TrimSpace(l))
		}
	}
	for _, l := range b {
		if !slices.Contains(a, l) {
			p.miss("not wanted: %s", strings.TrimSpace(l))
		}
	}
	return p, nil
}
