// Package catalog reads a live PostgreSQL's shape, sizes and server facts into a ddl.Schema.
//
// Everything comes from a few set-based queries in one REPEATABLE READ, READ ONLY transaction, so ten thousand
// tables load in about the time of a hundred, a standby can be asked too, and nothing is written.
// Left out are system and temporary schemas, our own schema "replank", and what belongs to an extension.
package catalog

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/ddl"
)

//go:embed sql/*.sql
var queries embed.FS

// Querier is a *pgx.Conn, a *pgxpool.Pool, or an open pgx.Tx. In an open transaction Load works inside a
// savepoint and sees what that transaction sees.
type Querier interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Options narrows what is loaded.
type Options struct {
	// Schemas to load; default all of the user's.
	Schemas []string
	// Relations to load, together with their partition trees, the tables one foreign key away and all views
	// over these; default all. Types, sequences and functions are not narrowed.
	Relations []ddl.Name
	// LockTimeout bounds each wait for somebody's ACCESS EXCLUSIVE lock: PostgreSQL prints definitions and
	// defaults only with ACCESS SHARE on their table. After it Load gives a *LockedError; default 5s.
	LockTimeout time.Duration
	// StatementTimeout bounds each query; default as the session has it.
	StatementTimeout time.Duration
	// NoSizes leaves out sizes, row estimates and column widths; default they are loaded.
	NoSizes bool
	// NoFacts leaves out ddl.Schema.Facts, which stay the same for long; default they are loaded.
	NoFacts bool
}

// attempts is how often Load starts over when an object vanishes under it: the pg_get_… functions look at the
// present, not at the transaction's snapshot.
const attempts = 4

// Load reads the schema.
func Load(ctx context.Context, q Querier, opt Options) (*ddl.Schema, error) {
	if opt.LockTimeout <= 0 {
		opt.LockTimeout = 5 * time.Second
	}
	for try := 1; ; try++ {
		s, err := loadOnce(ctx, q, opt)
		if err == nil {
			return s, nil
		}
		if try == attempts || !vanished(err) {
			return nil, fmt.Errorf("read the catalog: %w", explain(ctx, q, err))
		}
	}
}

// LockedError says that Load could not read definitions because of somebody's ACCESS EXCLUSIVE lock.
type LockedError struct {
	Relations []ddl.Name // locked so, or about to be
	Err       error
}

func (e *LockedError) Error() string {
	var names []string
	for _, n := range e.Relations {
		names = append(names, n.String())
	}
	return fmt.Sprintf("another session holds or awaits ACCESS EXCLUSIVE on %s: %v", strings.Join(names, ", "), e.Err)
}

func (e *LockedError) Unwrap() error { return e.Err }

// explain names the locked relations when err is a lock timeout.
func explain(ctx context.Context, q Querier, err error) error {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "55P03" {
		return err
	}
	tx, beginErr := q.Begin(ctx)
	if beginErr != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	l := &loader{tx: tx, s: &ddl.Schema{}}
	locked := &LockedError{Err: err}
	var n ddl.Name
	if queryErr := l.query(ctx, "locked", []any{&n.Schema, &n.Name}, func() error {
		locked.Relations = append(locked.Relations, n)
		return nil
	}); queryErr != nil {
		return err
	}
	return locked
}

// vanished reports whether err is what a pg_get_… function says about an object dropped a moment ago.
func vanished(err error) bool {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return false
	}
	switch pe.Code {
	case "XX000", "42P01", "42704", "42883", "42703": // cache lookup failed, undefined table, object, function, column
		return true
	}
	return false
}

func loadOnce(ctx context.Context, q Querier, opt Options) (*ddl.Schema, error) {
	tx, err := begin(ctx, q)
	if err != nil {
		return nil, err
	}
	// Rolling back also takes back the search_path, in a savepoint too.
	defer tx.Rollback(context.WithoutCancel(ctx))

	l := &loader{tx: tx, opt: opt, s: &ddl.Schema{}}
	if err := l.load(ctx); err != nil {
		return nil, err
	}
	return l.s, nil
}

func begin(ctx context.Context, q Querier) (pgx.Tx, error) {
	if c, ok := q.(interface {
		BeginTx(context.Context, pgx.TxOptions) (pgx.Tx, error)
	}); ok {
		return c.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	}
	return q.Begin(ctx)
}

// loader holds what is needed while the rows of the catalog are put together.
type loader struct {
	tx  pgx.Tx
	opt Options
	s   *ddl.Schema

	rels    map[uint32]*ddl.Relation
	relOIDs string // of rels, as the text of an oid[]
	cols    map[uint32]map[int]*ddl.RelColumn
	seqs    map[uint32]*ddl.Sequence
	types   map[uint32]*ddl.Type
	funcs   map[uint32]*ddl.Function
	indexes map[uint32]*ddl.Index
	hasACL  []uint32
	pages   map[uint32]pageStats
}

type pageStats struct {
	tuples float64
	pages  int64
}

func (l *loader) load(ctx context.Context) error {
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"session", l.session},
		{"schemas", l.schemas},
		{"relations", l.relations},
		{"columns", l.columns},
		{"inheritance", l.inheritance},
		{"types", l.loadTypes},
		{"constraints", l.constraints},
		{"indexes", l.loadIndexes},
		{"triggers", l.triggers},
		{"policies", l.policies},
		{"rules", l.rules},
		{"sequences", l.sequences},
		{"functions", l.functions},
		{"statistics objects", l.statistics},
		{"publications", l.publications},
		{"privileges", l.acls},
		{"privileges of others", l.owned},
		{"default privileges", l.defaultGrants},
		{"comments", l.comments},
		{"dependents", l.dependents},
		{"sizes", l.sizes},
		{"server facts", l.facts},
		{"view definitions", l.views}, // last: it takes locks, which are held until the end
	}
	for _, st := range steps {
		if err := st.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", st.what, err)
		}
	}
	return nil
}

// sql gives a query's text. Where versions differ it has {{marks}}.
func (l *loader) sql(name string) string {
	b, err := queries.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // the file is part of the binary
	}
	text := string(b)
	if !strings.Contains(text, "{{") {
		return text
	}
	pick := func(since int, now, before string) string {
		if l.s.Version >= since {
			return now
		}
		return before
	}
	return strings.NewReplacer(
		"{{stxstattarget}}", pick(130000, "coalesce(s.stxstattarget, -1)::int", "-1"),
		"{{attcompression}}", pick(140000, "a.attcompression", `''::"char"`),
		"{{rngmultitypid}}", pick(140000, "r.rngmultitypid", "0::oid"),
		"{{tgparentid}}", pick(130000, "t.tgparentid", "0::oid"),
		"{{conenforced}}", pick(180000, "c.conenforced", "true"),
		"{{indnullsnotdistinct}}", pick(150000, "i.indnullsnotdistinct", "false"),
		"{{prattrs}}", pick(150000, "coalesce(r.prattrs::int2[], '{}')", "'{}'::int2[]"),
		"{{prqual}}", pick(150000, "coalesce(pg_get_expr(r.prqual, r.prrelid), '')", "''::text"),
		"{{pubschemas}}", pick(150000, `UNION ALL
SELECT p.pubname::text, false, 0::oid, n.nspname::text, '{}'::int2[], ''::text
FROM pg_publication_namespace s JOIN pg_publication p ON p.oid = s.pnpubid JOIN pg_namespace n ON n.oid = s.pnnspid`, ""),
	).Replace(text)
}

// query runs one of the queries and calls row for each row, with the destinations filled by scan.
// No prepared statement stays behind on the caller's connection.
func (l *loader) query(ctx context.Context, name string, dest []any, row func() error, args ...any) error {
	rows, err := l.tx.Query(ctx, l.sql(name), append([]any{pgx.QueryExecModeExec}, args...)...)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, dest, row)
	return err
}

// schemaFilter is Options.Schemas as the text of a text[].
func (l *loader) schemaFilter() string { return textArray(l.opt.Schemas) }

// textArray writes an array as PostgreSQL reads it.
func textArray(v []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, s := range v {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`)
	}
	b.WriteByte('}')
	return b.String()
}

// oidArray writes OIDs as the text of an oid[].
func oidArray[V any](m map[uint32]V) string {
	b := make([]byte, 0, 8*len(m)+2)
	b = append(b, '{')
	for oid := range m {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(oid), 10)
	}
	return string(append(b, '}'))
}
