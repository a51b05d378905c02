package equivalence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// outcome is what a form came to on a variant, for docs/forms.md.
type outcome struct {
	class  plan.Class
	detail string
}

var (
	outcomesMu sync.Mutex
	outcomes   = map[string]map[string]outcome{} // form → variant → outcome
)

// TestForms is the proof of equivalence for every form on every variant.
func TestForms(t *testing.T) {
	roles(t)
	if n := countRuns(); n < 150 {
		t.Fatalf("%d forms × variants that are not refusals, want at least 150", n)
	}
	t.Cleanup(func() {
		if pgtest.Major(t) == 15 && !t.Failed() || os.Getenv("REPLANK_UPDATE") != "" {
			checkPage(t)
		}
	})
	for _, v := range variants {
		template := pgtest.DB(t)
		pgtest.Exec(t, template, v.sql())
		for _, f := range forms {
			if !wanted(f, v) || f.since > pgtest.Major(t) || !chosen(t, f, v) {
				continue
			}
			t.Run(v.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				runForm(t, v, f, template)
			})
		}
	}
}

// chosen keeps the default run short: every fourth form on the plain table, others on the next major, and a sixteenth of
// the forms on each other kind.
func chosen(t *testing.T, f form, v variant) bool {
	nth := 16
	if v.name == "plain" || len(f.only) > 0 && !slices.Contains(f.only, "plain") {
		nth = 4
	}
	return pgtest.InShare(t, v.name+f.name, nth)
}

func countRuns() int {
	n := 0
	for _, f := range forms {
		switch {
		case f.refused != "":
		default:
			for _, v := range variants {
				if wanted(f, v) {
					n++
				}
			}
		}
	}
	return n
}

// roles are of the whole server, so they are made once and by name.
func roles(t *testing.T) {
	admin := pgtest.DB(t)
	for _, r := range []string{"replank_test_other", "replank_test_reader"} {
		pgtest.Exec(t, admin, fmt.Sprintf(`DO $$ BEGIN CREATE ROLE %s; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`, r))
	}
}

// database is a copy of the variant's fixture.
func database(t *testing.T, v variant, template string) string {
	return pgtest.Param(pgtest.DB(t, pgtest.From(template)), "search_path", v.fill("{s}"))
}

func runForm(t *testing.T, v variant, f form, template string) {
	opts := []pgtest.ViewOption{pgtest.IgnoreColumnOrder(), pgtest.IgnoreSchema("replank")}
	if strings.Contains(f.sql, "{name:vol}") {
		table := "t"
		if strings.Contains(f.sql, "{nopk}") {
			table = "nopk"
		}
		opts = append(opts, pgtest.IgnoreColumn(columnPath(v, table, "vol")))
		for _, leaf := range []string{"t_1", "t_1a", "t_1b", "t_2", "spare"} {
			opts = append(opts, pgtest.IgnoreColumn(columnPath(v, leaf, "vol")))
		}
	}
	sql := v.fill(f.sql)
	ms := migration(t, "0001_form.sql", sql)

	online := database(t, v, template)
	conn := pgtest.Connect(t, online) // one for all that the test asks: a new backend costs more than its questions
	if _, err := conn.PgConn().Exec(context.Background(), v.fill(f.prep)).ReadAll(); err != nil {
		t.Fatalf("prepare: %v", err)
	}
	cfg := migrate.Config{DSN: online, Accept: f.accept, BigRows: -1, BigBytes: -1}
	if f.plainly {
		cfg.BigRows, cfg.BigBytes = 0, 0
	}
	e := open(t, cfg)
	look := pgtest.Look(t, online, opts...)
	before, rows := look.Dump(), look.Data()
	tables := ask[[]string](t, conn, `SELECT array_agg(format('%I.%I', relnamespace::regnamespace::name, relname)) FROM pg_class WHERE relkind IN ('r', 'p')`)
	_, err := e.Apply(context.Background(), ms)
	if code := expectedRefusal(f, v); code != "" {
		var r *plan.Refusal
		if !errors.As(err, &r) || r.Code != code {
			t.Fatalf("apply: %v, want refusal %s", err, code)
		}
		same(t, "shape", before, look.Dump())
		record(f, v, outcome{plan.Refused, r.Reason})
		return
	}
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	_, err = e.Revert(context.Background(), "")
	switch {
	case f.noRevert && err != nil:
		// The refusal changed nothing: complete goes on from there.
	case err != nil:
		t.Fatalf("revert: %v", err)
	default:
		if !f.noRevert {
			same(t, "shape after revert", before, look.Dump())
			same(t, "rows after revert", rows, look.Data())
		}
		if _, err = e.Apply(context.Background(), ms); err != nil {
			t.Fatalf("apply again: %v", err)
		}
	}
	if _, err := e.Complete(context.Background(), "", migrate.CompleteOptions{NoOldReaders: true}); err != nil {
		t.Fatalf("complete: %v", err)
	}

	oracle := database(t, v, template)
	script := sql
	if f.psql != "" {
		script = v.fill(f.psql)
	}
	// psql's URLs know no search_path.
	script = v.fill("SET search_path = {s};\n"+f.prep+"\n") + script
	if out, err := pgtest.Psql(t, strings.Split(oracle, "?")[0], script); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	want := pgtest.Look(t, oracle, opts...)
	same(t, "shape", want.Dump(), look.Dump())
	same(t, "rows", want.Data(), look.Data())
	record(f, v, classOf(t, conn, tables, f.plainly))
	if f.afterToo {
		if _, err := e.Revert(context.Background(), ""); err != nil {
			t.Fatalf("revert after complete: %v", err)
		}
		same(t, "shape after complete and revert", before, look.Dump())
	}
}

// migration is a history of one file.
func migration(t *testing.T, name, sql string) []history.Migration {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(sql), 0o644); err != nil {
		t.Fatal(err)
	}
	ms, err := history.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

func open(t *testing.T, cfg migrate.Config) *migrate.Engine {
	t.Helper()
	e, err := migrate.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func expectedRefusal(f form, v variant) string {
	for _, r := range strings.Fields(f.refused) {
		name, code, both := strings.Cut(r, ":")
		switch {
		case !both:
			return name
		case name == v.name || name == "partitioned" && v.nested:
			return code
		}
	}
	return ""
}

func columnPath(v variant, table, col string) string { return v.table(table) + "." + v.ident(col) }

func record(f form, v variant, o outcome) {
	outcomesMu.Lock()
	defer outcomesMu.Unlock()
	key := f.group + "\x00" + f.name
	if outcomes[key] == nil {
		outcomes[key] = map[string]outcome{}
	}
	outcomes[key][v.name] = o
}

// classOf reads the stored plan of the only run.
func classOf(t *testing.T, conn *pgx.Conn, tables []string, small bool) outcome {
	var p plan.Plan
	text := ask[string](t, conn, "SELECT plan::text FROM replank.plan ORDER BY run_id DESC LIMIT 1")
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	for _, st := range p.Steps {
		if why := keepsOut(st, tables); why != "" && !small {
			t.Errorf("step %s (%s) %s", st.ID, st.Title, why)
		}
	}
	return outcome{class: p.Class()}
}

// ask is the one value of a query.
func ask[T any](t *testing.T, conn *pgx.Conn, sql string) (v T) {
	t.Helper()
	if err := conn.QueryRow(context.Background(), sql).Scan(&v); err != nil {
		t.Fatalf("%v\nin: %s", err, sql)
	}
	return v
}

// keepsOut says why a step would keep readers or writers of a table that was there before waiting for longer than
// a moment.
func keepsOut(st plan.Step, tables []string) string {
	if len(st.Rewrites)+len(st.Scans)+len(st.Reindex) == 0 || strings.HasPrefix(st.Title, "TRUNCATE") { // it makes empty files
		return ""
	}
	for _, l := range st.Locks {
		mode, err := ddl.ParseLockMode(l.Mode)
		if err != nil {
			return err.Error()
		}
		if mode > ddl.ShareUpdateExclusive && slices.Contains(tables, l.Relation) && (slices.Contains(st.Rewrites, l.Relation) || slices.Contains(st.Scans, l.Relation)) {
			return fmt.Sprintf("rewrites %v, reads %v, rebuilds %v under %s on %s", st.Rewrites, st.Scans, st.Reindex, l.Mode, l.Relation)
		}
	}
	return ""
}

// same compares two texts of pgtest's oracles.
func same(t *testing.T, what, want, got string) {
	t.Helper()
	if d := pgtest.Diff(want, got); d != "" {
		t.Errorf("%s differ (-want +got):\n%s", what, d)
	}
}
