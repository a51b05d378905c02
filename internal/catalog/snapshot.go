package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pg"
)

// Snapshot reads what a ddl.Snapshot holds, but for its script. It runs two short read-only transactions, waits for
// nobody's lock longer than opt.LockTimeout, and needs no privilege beyond connecting: what it may not see, the
// snapshot says.
func Snapshot(ctx context.Context, q Querier, opt Options) (*ddl.Snapshot, error) {
	opt.NoFacts = false
	schema, err := Load(ctx, q, opt)
	if err != nil {
		return nil, err
	}
	tx, err := begin(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("take a snapshot: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	r := &snapshotReader{
		loader: loader{tx: tx, opt: opt, s: schema},
		out:    &ddl.Snapshot{Format: ddl.SnapshotFormat, Settings: map[string]string{}, Schema: schema},
	}
	hideSecrets(schema)
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"timeouts", r.bound}, {"the server", r.server}, {"settings", r.settings}, {"facts", r.snapshotFacts},
		{"migrations that are applied", r.books}, {"pg_stat_statements", r.workload},
	} {
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("take a snapshot: %s: %w", step.what, err)
		}
	}
	return r.out, nil
}

type snapshotReader struct {
	loader
	out *ddl.Snapshot
}

func (r *snapshotReader) unseen(format string, args ...any) {
	r.out.Unseen = append(r.out.Unseen, fmt.Sprintf(format, args...))
}

// hideSecrets takes passwords out of what is code: dblink's connection strings, crypt keys.
func hideSecrets(s *ddl.Schema) {
	for _, f := range s.Functions {
		f.Definition, f.Body = pg.HideSecrets(f.Definition), pg.HideSecrets(f.Body)
	}
	for _, rel := range s.Relations {
		rel.Definition = pg.HideSecrets(rel.Definition)
		for _, u := range rel.Rules {
			u.Definition = pg.HideSecrets(u.Definition)
		}
		for _, t := range rel.Triggers {
			t.Definition = pg.HideSecrets(t.Definition)
		}
	}
}

func (r *snapshotReader) server(ctx context.Context) error {
	o := r.out
	if err := r.query(ctx, "snapshot_server", []any{&o.Taken, &o.Server, &o.Database, &o.Encoding, &o.Collate, &o.CType},
		func() error { return nil }); err != nil {
		return err
	}
	o.Taken = o.Taken.UTC().Truncate(time.Second)
	return nil
}

func (r *snapshotReader) settings(ctx context.Context) error {
	var name, value string
	return r.query(ctx, "snapshot_settings", []any{&name, &value}, func() error {
		r.out.Settings[name] = value
		return nil
	})
}

// snapshotFacts leaves of the facts what is not built in.
func (r *snapshotReader) snapshotFacts(ctx context.Context) error {
	const firstOwn = 16384 // FirstNormalObjectId
	f := r.s.Facts
	maps.DeleteFunc(f.Types, func(_ ddl.Name, t *ddl.BuiltinType) bool { return t.OID < firstOwn })
	f.Casts = map[ddl.CastKey]ddl.Cast{}
	var k ddl.CastKey
	var c ddl.Cast
	err := r.query(ctx, "snapshot_casts", []any{&k.From, &k.To, &c.Method, &c.Context, &c.Function, &c.Volatility}, func() error {
		f.Casts[k] = c
		return nil
	})
	if err != nil {
		return err
	}
	f.Immutable, f.Stable, f.Volatile = map[string]bool{}, map[string]bool{}, map[string]bool{}
	var name string
	var rank int
	return r.query(ctx, "snapshot_functions", []any{&name, &rank}, func() error {
		[]map[string]bool{f.Immutable, f.Stable, f.Volatile}[rank][name] = true
		return nil
	})
}

// book is the table in which a migration tool keeps what it has applied.
type book struct {
	table string
	marks []string // columns that tell it from others of that name
	tool  string
	query string
}

// The more particular first: golang-migrate, dbmate and Rails share a name. The answers are those that the history
// package's Books of the tool give and read (a test compares), but that sqitch's have their project before them.
var books = []book{
	{"goose_db_version", []string{"version_id", "is_applied"}, "goose",
		`SELECT version_id::text FROM (SELECT DISTINCT ON (version_id) version_id, is_applied FROM %s ORDER BY version_id, id DESC) v WHERE is_applied ORDER BY version_id`},
	{"schema_migrations", []string{"version", "dirty"}, "golang-migrate",
		`SELECT version::text || CASE WHEN dirty THEN ' dirty' ELSE '' END FROM %s ORDER BY version`},
	{"schema_migrations", []string{"version"}, "dbmate", `SELECT version::text FROM %s ORDER BY 1`},
	{"flyway_schema_history", []string{"installed_rank", "version", "description", "type", "checksum", "success"}, "flyway",
		`SELECT coalesce(version, 'R ' || description || ' ' || coalesce(checksum, 0)) ||
	CASE WHEN NOT success THEN ' failed' WHEN type LIKE '%%BASELINE' THEN ' baseline' ELSE '' END
FROM (SELECT DISTINCT ON (version, CASE WHEN version IS NULL THEN description END) *
	FROM %s WHERE type <> 'SCHEMA' ORDER BY version, CASE WHEN version IS NULL THEN description END, installed_rank DESC) AS newest
WHERE type <> 'DELETE' AND type NOT LIKE 'UNDO%%' ORDER BY installed_rank`},
	{"changes", []string{"change_id", "project", "change", "committed_at"}, "sqitch",
		`SELECT project || ':' || change_id FROM %s ORDER BY committed_at, change`},
	{"django_migrations", []string{"app", "name"}, "django", `SELECT app || '.' || name FROM %s ORDER BY id`},
	{"alembic_version", []string{"version_num"}, "alembic", `SELECT version_num::text FROM %s ORDER BY 1`},
	{"migration", []string{"name", "checksum", "position", "run_id", "baseline"}, "replank", `SELECT name FROM %s ORDER BY position, name`},
}

func (r *snapshotReader) books(ctx context.Context) error {
	type found struct {
		book
		name     ddl.Name
		readable bool
	}
	var list []found
	var n ddl.Name
	var columns []string
	var readable bool
	err := r.query(ctx, "snapshot_books", []any{&n.Schema, &n.Name, &columns, &readable}, func() error {
		for _, b := range books {
			missing := slices.ContainsFunc(b.marks, func(c string) bool { return !slices.Contains(columns, c) })
			if b.table == n.Name && !missing {
				list = append(list, found{b, n, readable})
				break
			}
		}
		columns = nil
		return nil
	})
	if err != nil {
		return err
	}
	for _, f := range list {
		if !f.readable {
			r.unseen("no SELECT on %s: which migrations of %s are applied is not known", f.name, f.tool)
			continue
		}
		rows, err := r.tx.Query(ctx, fmt.Sprintf(f.query, f.name), pgx.QueryExecModeExec)
		if err != nil {
			return err
		}
		versions, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		r.out.Applied = append(r.out.Applied, ddl.Applied{Tool: f.tool, Table: f.name, Versions: append([]string{}, versions...)})
	}
	return nil
}

func (r *snapshotReader) workload(ctx context.Context) error {
	r.out.Workload.Statements = []ddl.LiveStatement{}
	var schema, track string
	var toplevel, since, info bool
	err := r.query(ctx, "snapshot_workload_view", []any{&schema, &toplevel, &since, &info, &track}, func() error { return nil })
	if err != nil {
		return err
	}
	if schema == "" {
		r.unseen("extension pg_stat_statements is not installed in this database: the workload is not known")
		return nil
	}
	switch track {
	case "none":
		r.unseen("pg_stat_statements.track is none: nothing is counted")
	case "top":
		r.unseen("pg_stat_statements.track is top: statements inside of functions are not counted")
	}
	sp, err := r.tx.Begin(ctx)
	if err != nil {
		return err
	}
	defer sp.Rollback(context.WithoutCancel(ctx))
	reader := *r
	reader.tx = sp
	var pe *pgconn.PgError
	if err := reader.statements(ctx, ddl.QuoteIdent(schema), toplevel, since, info); errors.As(err, &pe) {
		r.out.Workload = ddl.Workload{Statements: []ddl.LiveStatement{}}
		r.unseen("pg_stat_statements cannot be read: %s", pe.Message) // not loaded, or no privilege
		return nil
	} else if err != nil {
		return err
	}
	return nil
}

func (r *snapshotReader) statements(ctx context.Context, schema string, toplevel, since, info bool) error {
	w := &r.out.Workload
	if info {
		err := r.tx.QueryRow(ctx, "SELECT dealloc, stats_reset FROM "+schema+".pg_stat_statements_info", pgx.QueryExecModeExec).
			Scan(&w.Evicted, &w.Since)
		if err != nil {
			return err
		}
		w.Since = w.Since.UTC()
	}
	nested, sinceColumn := "false", "NULL::timestamptz"
	if toplevel {
		nested = "pg_catalog.bool_and(NOT toplevel)"
	}
	if since {
		sinceColumn = "pg_catalog.min(stats_since)"
	}
	sql := strings.NewReplacer("{{view}}", schema+".pg_stat_statements", "{{nested}}", nested, "{{stats_since}}", sinceColumn, "{{mark}}", pg.Mark).
		Replace(r.sql("snapshot_workload"))
	rows, err := r.tx.Query(ctx, sql, pgx.QueryExecModeExec)
	if err != nil {
		return err
	}
	at := map[string]int{}
	var st ddl.LiveStatement
	var text *string
	var first *time.Time
	var entries int64
	_, err = pgx.ForEachRow(rows, []any{&st.QueryID, &text, &st.Calls, &st.Rows, &first, &st.Nested, &entries}, func() error {
		one := st
		if first != nil {
			one.Since = first.UTC()
		}
		addStatement(w, one, text, entries, at)
		return nil
	})
	if err != nil {
		return err
	}
	if w.Hidden > 0 {
		r.unseen("%d statements of other roles are hidden: pg_read_all_stats shows them", w.Hidden)
	}
	if w.Evicted > 0 {
		r.unseen("pg_stat_statements has made room %d times by forgetting statements: pg_stat_statements.max is small for this workload", w.Evicted)
	}
	return nil
}

// addStatement counts entries of the view with one text for what they are. at are the places in Statements, by text.
func addStatement(w *ddl.Workload, st ddl.LiveStatement, text *string, entries int64, at map[string]int) {
	switch {
	case text == nil:
		w.Lost += entries
		return
	case *text == hiddenText:
		w.Hidden += entries
		return
	}
	clean, err := ddl.NormalizeQuery(*text)
	switch {
	case ddl.IsUtility(err):
		w.Utility += entries
		return
	case err != nil:
		w.Unreadable += entries
		return
	}
	st.Text = clean
	i, known := at[clean]
	if !known {
		at[clean] = len(w.Statements)
		w.Statements = append(w.Statements, st)
		return
	}
	same := &w.Statements[i] // the same but for constants that stood in it
	same.Calls += st.Calls
	same.Rows += st.Rows
	same.Nested = same.Nested && st.Nested
	if st.Since.Before(same.Since) {
		same.Since = st.Since
	}
}

// hiddenText stands for the statements of roles that one may not see.
const hiddenText = "<insufficient privilege>"
