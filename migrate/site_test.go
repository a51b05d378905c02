package migrate

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/plan"
)

func TestMain(m *testing.M) {
	if scenario := os.Getenv(childEnv); scenario != "" {
		os.Exit(child(scenario))
	}
	pgtest.Main(m)
}

// site is a database with a table of rows and a table that counts what was done to it.
const siteSQL = `
CREATE TABLE t (id integer PRIMARY KEY, n integer NOT NULL, old text);
INSERT INTO t SELECT i, i * 10, 'v' || i FROM generate_series(1, 500) i;
CREATE TABLE audit (what text NOT NULL, at timestamptz DEFAULT clock_timestamp());
ANALYZE`

func site(t testing.TB, extra ...string) string {
	t.Helper()
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, siteSQL)
	pgtest.Exec(t, dsn, extra...)
	return dsn
}

// library are the hand-written plans of the tests, by the name of the migration. They stand in for the
// compiler: what is tested here is how steps are carried out.
type library map[string]func() *plan.Plan

// history gives the library as a folder.
func (l library) history(names ...string) []history.Migration {
	var ms []history.Migration
	for _, n := range names {
		ms = append(ms, history.Migration{Name: n, Path: n + ".sql", Text: "SELECT 1", Checksum: "sum of " + n})
	}
	return ms
}

func (l library) compile(schema *ddl.Schema, m history.Migration) (*plan.Plan, *ddl.File, error) {
	make, ok := l[m.Name]
	if !ok {
		return nil, nil, &ddl.SyntaxError{Pos: ddl.Pos{File: m.Path, Line: 1, Column: 1}, Message: "no such plan"}
	}
	p := make()
	p.Format, p.Name, p.File, p.Checksum = plan.Format, m.Name, m.Path, m.Checksum
	p.Settings = append([]plan.Setting{{Name: "search_path", Value: "public"}, {Name: "TimeZone", Value: "UTC"}}, p.Settings...)
	for i := range p.Steps {
		if p.Steps[i].ID == "" {
			p.Steps[i].ID = fmt.Sprintf("%02d-%s-%s", i+1, p.Steps[i].Phase, p.Steps[i].Kind)
		}
	}
	var live []ddl.Name
	for _, n := range relations(p.Touches) {
		if schema.Relation(n) != nil {
			live = append(live, n)
		}
	}
	p.SchemaHash = schema.Hash(live)
	return p, &ddl.File{Name: m.Path, Text: m.Text}, nil
}

func (l library) open(t testing.TB, dsn string, change ...func(*Config)) *Engine {
	t.Helper()
	cfg := Config{DSN: dsn, Code: program{}, Logger: nil, LockWait: 10 * time.Second, Reconnect: 20 * time.Second, Failpoint: knownPoint(t)}
	for _, c := range change {
		c(&cfg)
	}
	e, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	e.compile = l.compile
	return e
}

// knownPoint fails the test at a failpoint that is not listed.
func knownPoint(t testing.TB) func(string) {
	all := Failpoints()
	return func(name string) {
		if _, ok := slices.BinarySearch(all, name); !ok {
			t.Errorf("failpoint %s is not listed", name)
		}
	}
}

var table = plan.Object{Kind: "table", Schema: "public", Name: "t"}

func touches(names ...string) []plan.Object {
	var out []plan.Object
	for _, n := range names {
		out = append(out, plan.Object{Kind: "table", Schema: "public", Name: n})
	}
	return out
}

// addColumn is a change without a contract; its column can be taken back.
func addColumn(name string) func() *plan.Plan {
	return func() *plan.Plan {
		return &plan.Plan{Touches: []plan.Object{table}, Steps: []plan.Step{{
			Phase: plan.Expand, Kind: plan.Transaction, Title: "add column " + name,
			SQL:          []string{"ALTER TABLE public.t ADD COLUMN " + name + " integer"},
			Locks:        []plan.Lock{{Relation: "public.t", Mode: "ACCESS EXCLUSIVE"}},
			Reverse:      []string{"ALTER TABLE public.t DROP COLUMN " + name},
			ReverseLocks: []plan.Lock{{Relation: "public.t", Mode: "ACCESS EXCLUSIVE"}},
		}}}
	}
}

// dropColumn keeps the old shape until complete.
func dropColumn(name string) func() *plan.Plan {
	return func() *plan.Plan {
		return &plan.Plan{Touches: []plan.Object{table}, Steps: []plan.Step{{
			Phase: plan.Contract, Kind: plan.Transaction, Title: "drop column " + name,
			SQL:      []string{"ALTER TABLE public.t DROP COLUMN " + name},
			Locks:    []plan.Lock{{Relation: "public.t", Mode: "ACCESS EXCLUSIVE"}},
			Destroys: "column " + name + " with its values", Irreversible: "its values are gone",
		}}}
	}
}

// steps is a plan of the given steps on table t.
func steps(s ...plan.Step) func() *plan.Plan {
	return func() *plan.Plan {
		return &plan.Plan{Touches: []plan.Object{table}, Steps: slices.Clone(s)}
	}
}

// note is a transaction that leaves one row in audit, and its way back.
func note(phase plan.Phase, kind plan.Kind, what string) plan.Step {
	return plan.Step{Phase: phase, Kind: kind, Title: "note " + what,
		SQL:     []string{"INSERT INTO audit VALUES ('" + what + "')"},
		Reverse: []string{"DELETE FROM audit WHERE what = '" + what + "'"},
		Locks:   []plan.Lock{{Relation: "public.audit", Mode: "ROW EXCLUSIVE"}}}
}

// program runs code as a framework does: on a connection of its own, whose transaction writes the journal. Code number n
// leaves a row in audit.
type program struct{}

func (program) Run(ctx context.Context, c history.CodeRun) error {
	conn, err := pgx.Connect(ctx, c.DSN)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	one := func(q interface {
		QueryRow(context.Context, string, ...any) pgx.Row
	}, sql string) error {
		var n int64
		return q.QueryRow(ctx, sql).Scan(&n)
	}
	if err := one(conn, c.Enlist); err != nil {
		return err
	}
	for _, sql := range c.Session {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		sql := "INSERT INTO audit VALUES ('code ' || $1::int)"
		if c.Backwards {
			sql = "DELETE FROM audit WHERE what = 'code ' || $1::int"
		}
		if _, err := tx.Exec(ctx, sql, c.At[0]); err != nil {
			return err
		}
		return one(tx, c.Mark)
	})
}

// code is a step that program carries out.
func code(phase plan.Phase) plan.Step {
	n := slices.Index([]plan.Phase{plan.Expand, plan.Fill, plan.Verify, plan.Contract}, phase)
	return plan.Step{Phase: phase, Kind: plan.Script, Title: "run a program", Code: &plan.CodeSpec{Name: "a program", At: []int{n}, Atomic: true, Back: true}}
}

func index(phase plan.Phase, name string) plan.Step {
	valid := "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('public." + name + "')"
	return plan.Step{Phase: phase, Kind: plan.Concurrently, Title: "build index " + name,
		SQL:       []string{"CREATE INDEX CONCURRENTLY " + name + " ON public.t (n)"},
		Probe:     valid,
		CleanupIf: "SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass('public." + name + "')",
		Cleanup:   []string{"DROP INDEX CONCURRENTLY IF EXISTS public." + name},
		Reverse:   []string{"DROP INDEX CONCURRENTLY IF EXISTS public." + name}, ReverseConcurrently: true}
}

func increment(phase plan.Phase) plan.Step {
	return plan.Step{Phase: phase, Kind: plan.Rows, Title: "add one to every row", Fill: &plan.FillSpec{
		Kind: plan.Update, Table: "public.t", Set: []ddl.Assignment{{Column: "n", Expr: "n + 1"}},
		Key: []string{"id"}, Undo: true}}
}

// everything has a step of every kind in each of the phases (none = all).
func everything(phases ...plan.Phase) *plan.Plan {
	p := &plan.Plan{Touches: []plan.Object{table}, Place: &plan.Place{Framework: "program"}}
	if len(phases) == 0 {
		phases = []plan.Phase{plan.Expand, plan.Fill, plan.Verify, plan.Contract}
	}
	for _, phase := range phases {
		p.Steps = append(p.Steps,
			note(phase, plan.Transaction, string(phase)+" transaction"),
			note(phase, plan.Validate, string(phase)+" validate"),
			note(phase, plan.Long, string(phase)+" long"),
			index(phase, "t_"+string(phase)),
			increment(phase),
			code(phase),
			plan.Step{Phase: phase, Kind: plan.Quiesce, Title: "wait for older transactions"},
			plan.Step{Phase: phase, Kind: plan.Proof, Title: "no row is negative", SQL: []string{"SELECT count(*) FROM t WHERE n < 0"}},
		)
	}
	return p
}

// picture is what the tests look at: everything that steps change, in one string.
func picture(t testing.TB, dsn string) string {
	t.Helper()
	return pgtest.Value[string](t, dsn, `SELECT concat_ws(E'\n',
		(SELECT 'columns ' || string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
		 WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped),
		(SELECT 'indexes ' || string_agg(indexrelid::regclass || ' ' || indisvalid, ',' ORDER BY indexrelid::regclass::text)
		 FROM pg_index WHERE indrelid = 't'::regclass),
		(SELECT 'rows ' || count(*) || ' off by ' || string_agg(DISTINCT (n - id * 10)::text, ',') FROM t),
		(SELECT 'audit ' || coalesce(string_agg(what, ',' ORDER BY what), '') FROM audit))`)
}

// log collects events.
type eventLog struct {
	mu     sync.Mutex
	events []Event
}

func (l *eventLog) add(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

func (l *eventLog) states() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var s []string
	for _, e := range l.events {
		if e.Kind == EventState {
			s = append(s, string(e.State))
		}
	}
	return strings.Join(s, " ")
}
