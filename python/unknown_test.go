package python_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
)

// The rows of the project whose operations ask the database which SQL to execute.
const tools = "SELECT array_agg(concat_ws(' ', t.name, weight, s.name) ORDER BY t.id) FROM depot_tool t JOIN depot_shed s ON s.id = shed_id"

// TestUnknownFromNothing has Django execute the operations that ask the database, each at its place: nobody uses the
// tables yet, so that only the one of which nothing is known needs a consent.
func TestUnknownFromNothing(t *testing.T) {
	for _, env := range environments(t) {
		t.Run(env.Name, func(t *testing.T) {
			t.Parallel()
			p := history.Project{Dir: filepath.Join("testdata", "depot"), Python: env.Python(t)}
			own := pgtest.DB(t)
			mustIn(t, p.Dir, connection(t, own), p.Python, "-B", "manage.py", "migrate", "--no-input")
			for _, way := range []string{"online", "direct"} {
				dsn := pgtest.DB(t)
				e, x := engine(t, dsn, p, func(c *migrate.Config) { c.Accept = []string{"as-is"} })
				linted(t, x)
				if way == "online" {
					preview, err := e.Plan(t.Context(), x.Migrations(""))
					if err != nil {
						t.Fatal(err)
					}
					for _, f := range preview.Pending() {
						if asks := f.Plan != nil && len(f.Plan.Consents) > 0; asks != (f.Name == "depot.0004_look") {
							t.Errorf("%s needs %+v", f.Name, f.Plan.Consents)
						}
					}
					untilDone(t, e, x.Migrations(""))
				} else if _, err := e.ApplyDirect(t.Context(), x.Migrations("")); err != nil {
					t.Fatalf("%v (%s)", err, migrate.HintOf(err))
				}
				same(t, own, dsn)
				if d := cmp.Diff(pgtest.Value[[]string](t, own, tools), pgtest.Value[[]string](t, dsn, tools)); d != "" {
					t.Errorf("%s: rows (-Django's, +ours):\n%s", way, d)
				}
				mustIn(t, p.Dir, connection(t, dsn), p.Python, "-B", "manage.py", "migrate", "--check")
			}
		})
	}
}

// TestUnknownInUse: on tables that are there already such an operation needs a consent that names its locks, a big one is
// left alone, and revert gives back what was there.
func TestUnknownInUse(t *testing.T) {
	pgtest.Share(t, 2)
	p := history.Project{Dir: filepath.Join("testdata", "depot"), Python: lts.Python(t)}
	dsn := pgtest.DB(t)
	mustIn(t, p.Dir, connection(t, dsn), p.Python, "-B", "manage.py", "migrate", "--no-input", "depot", "0001")
	mustIn(t, p.Dir, connection(t, dsn), p.Python, "-B", "manage.py", "migrate", "--no-input", "contenttypes")
	own := pgtest.DB(t, pgtest.From(dsn))
	mustIn(t, p.Dir, connection(t, own), p.Python, "-B", "manage.py", "migrate", "--no-input")
	before := pgtest.PgDump(t, dsn)

	e, x := engine(t, dsn, p)
	ms := x.Migrations("")
	_, err := e.Apply(t.Context(), ms)
	var refused *migrate.RefusedError
	if !errors.As(err, &refused) || refused.Code != migrate.NeedsConsent {
		t.Fatalf("without consent: %v", err)
	}
	for _, want := range []string{"AddField tool.shed", "public.depot_tool (ACCESS EXCLUSIVE)", "public.depot_shed (SHARE ROW EXCLUSIVE)", "AlterField tool.weight", "IndexOfSheds"} {
		if !strings.Contains(strings.Join(refused.Items, "\n"), want) {
			t.Errorf("the consents do not name %s: %q", want, refused.Items)
		}
	}
	big, _ := engine(t, dsn, p, func(c *migrate.Config) { c.Accept, c.BigRows, c.BigBytes = []string{"as-is"}, -1, -1 })
	if _, err := big.Apply(t.Context(), ms); migrate.VerdictOf(err) != migrate.VerdictRefused ||
		!strings.Contains(err.Error(), "refused (blocking)") || !strings.Contains(err.Error(), "let the framework run this migration itself") {
		t.Errorf("a big table: %v (%s)", err, migrate.HintOf(err))
	}
	if d := pgtest.Diff(before, pgtest.PgDump(t, dsn, pgtest.IgnoreSchema("replank"))); d != "" {
		t.Errorf("what was refused has changed something:\n%s", d)
	}

	e, _ = engine(t, dsn, p, func(c *migrate.Config) { c.Accept = []string{"as-is"} })
	untilDone(t, e, ms)
	same(t, own, dsn)
	if d := cmp.Diff(pgtest.Value[[]string](t, own, tools), pgtest.Value[[]string](t, dsn, tools)); d != "" {
		t.Errorf("rows (-Django's, +ours):\n%s", d)
	}
	for range 3 {
		if _, err := e.Revert(t.Context(), ""); err != nil {
			t.Fatalf("revert: %v (%s)", err, migrate.HintOf(err))
		}
	}
	if d := pgtest.Diff(before, pgtest.PgDump(t, dsn, pgtest.IgnoreSchema("replank"))); d != "" {
		t.Errorf("after revert (-before, +now):\n%s", d)
	}
}

// TestKilledInUnknown kills the executor around such an operation: it is there exactly when the journal says so.
func TestKilledInUnknown(t *testing.T) {
	pgtest.Share(t, 2)
	p := history.Project{Dir: filepath.Join("testdata", "depot"), Python: lts.Python(t)}
	begun, own := pgtest.DB(t), pgtest.DB(t)
	mustIn(t, p.Dir, connection(t, begun), p.Python, "-B", "manage.py", "migrate", "--no-input", "depot", "0001")
	mustIn(t, p.Dir, connection(t, own), p.Python, "-B", "manage.py", "migrate", "--no-input")
	for point, there := range map[string]bool{"started": false, "ran": true} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.DB(t, pgtest.From(begun))
			killed(t, p, dsn, pointEnv+"=filling/code/"+point)
			const added = "SELECT count(*) = 1 FROM pg_attribute WHERE attrelid = 'depot_tool'::regclass AND attname = 'shed_id'"
			if pgtest.Value[bool](t, dsn, added) != there {
				t.Errorf("the column is there: %v", !there)
			}
			e, x := engine(t, dsn, p, func(c *migrate.Config) { c.Accept, c.Wait = []string{"as-is"}, true })
			untilDone(t, e, x.Migrations(""))
			if d := pgtest.Diff(pgtest.PgDump(t, own), pgtest.PgDump(t, dsn, pgtest.IgnoreSchema("replank"))); d != "" {
				t.Errorf("the schema is not what migrate makes:\n%s", d)
			}
			if d := cmp.Diff(pgtest.Value[[]string](t, own, tools), pgtest.Value[[]string](t, dsn, tools)); d != "" {
				t.Errorf("rows (-Django's, +ours):\n%s", d)
			}
		})
	}
}

// TestUnknownIsRefused names the migration in which statements stand behind an operation of which nothing is known,
// before anything is changed.
func TestUnknownIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "depot"))); err != nil {
		t.Fatal(err)
	}
	look := filepath.Join(dir, "depot", "migrations", "0004_look.py")
	text, err := os.ReadFile(look)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"depot/migrations/0004_look.py": strings.Replace(string(text), "[IndexOfSheds()]", "[IndexOfSheds(), migrations.RunSQL('SELECT 1')]", 1)})
	dsn := pgtest.DB(t)
	e, x := engine(t, dsn, history.Project{Dir: dir, Python: lts.Python(t)}, func(c *migrate.Config) { c.Accept = []string{"as-is"} })
	_, online := e.Apply(t.Context(), x.Migrations(""))
	_, direct := e.ApplyDirect(t.Context(), x.Migrations(""))
	for _, err := range []error{online, direct} {
		if migrate.VerdictOf(err) != migrate.VerdictRefused || !strings.Contains(err.Error(), "depot.0004_look") ||
			!strings.Contains(err.Error(), "the SQL of IndexOfSheds") || !strings.Contains(migrate.HintOf(err), "manage.py migrate depot 0004_look") {
			t.Errorf("got %v (%s)", err, migrate.HintOf(err))
		}
	}
	if pgtest.Value[bool](t, dsn, "SELECT to_regclass('depot_tool') IS NOT NULL") {
		t.Error("a migration before it was applied")
	}
}
