package python_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/pyenv"
	"github.com/replank/replank/lint"
	"github.com/replank/replank/migrate"
)

// exported is the history of a project, read once.
func exported(t *testing.T, p history.Project) *history.Export {
	t.Helper()
	type once struct {
		sync.Once
		x   *history.Export
		err error
	}
	kept, _ := exports.LoadOrStore(p, new(once))
	o := kept.(*once)
	o.Do(func() { o.x, o.err = p.Export(context.Background()) })
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.x
}

var exports sync.Map

// engine carries the history of a project out.
func engine(t *testing.T, dsn string, p history.Project, change ...func(*migrate.Config)) (*migrate.Engine, *history.Export) {
	t.Helper()
	x := exported(t, p)
	runner := &history.Runner{Project: p, Printed: func(line string) { t.Log("code: " + line) }}
	t.Cleanup(runner.Close)
	cfg := migrate.Config{DSN: dsn, Books: x.Books(), Code: runner}
	for _, c := range change {
		c(&cfg)
	}
	e, err := migrate.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e, x
}

// untilDone applies and completes until nothing is left.
func untilDone(t *testing.T, e *migrate.Engine, ms []history.Migration) {
	t.Helper()
	for round := 0; ; round++ {
		sum, err := e.Apply(t.Context(), ms)
		if err != nil {
			t.Fatalf("apply: %v (%s)", err, migrate.HintOf(err))
		}
		done, err := e.Complete(t.Context(), "", migrate.CompleteOptions{NoOldReaders: true})
		if err != nil {
			t.Fatalf("complete: %v (%s)", err, migrate.HintOf(err))
		}
		if len(done)+len(sum.Blocked) == 0 {
			return
		}
		t.Logf("round %d: completed %v, blocked %d", round, done, len(sum.Blocked))
		if round > len(ms) {
			t.Fatal("it does not end")
		}
	}
}

// TestDjangoCode applies a history with code from nothing, and lets Django look at it.
func TestDjangoCode(t *testing.T) {
	for _, env := range environments(t) {
		t.Run(env.Name, func(t *testing.T) {
			t.Parallel()
			python := env.Python(t)
			project := history.Project{Dir: filepath.Join("testdata", "shelf"), Python: python}
			dsn, own := pgtest.DB(t), pgtest.DB(t)
			e, x := engine(t, dsn, project, func(c *migrate.Config) { c.Accept = []string{"irreversible"} })
			untilDone(t, e, x.Migrations(""))
			mustIn(t, project.Dir, connection(t, own), python, "-B", "manage.py", "migrate", "--no-input")
			same(t, own, dsn)
			if out := mustIn(t, project.Dir, connection(t, dsn), python, "-B", "manage.py", "migrate", "--check"); out != "" {
				t.Errorf("migrate --check says %s", out)
			}
			const books = "SELECT array_agg(title || shout || a.name ORDER BY v.id) FROM shelf_volume v JOIN shelf_author a ON a.id = author_id"
			if d := cmp.Diff(pgtest.Value[[]string](t, own, books), pgtest.Value[[]string](t, dsn, books)); d != "" {
				t.Errorf("what the code did (-Django's, +ours):\n%s", d)
			}
		})
	}
}

// same compares what Django's own migrate has made with what replank has made.
func same(t *testing.T, own, dsn string) {
	t.Helper()
	if d := cmp.Diff(inOrder(t, own), inOrder(t, dsn)); d != "" {
		t.Errorf("rows of django_migrations (-Django's, +ours):\n%s", d)
	}
	if d := pgtest.Diff(pgtest.PgDump(t, own), pgtest.PgDump(t, dsn, pgtest.IgnoreSchema("replank"))); d != "" {
		t.Errorf("the schema is not what migrate makes:\n%s", d)
	}
}

// TestAlembicCode does the same for Alembic.
func TestAlembicCode(t *testing.T) {
	for _, env := range environments(t) {
		t.Run(env.Name, func(t *testing.T) {
			t.Parallel()
			python := env.Python(t)
			project := history.Project{Dir: filepath.Join("testdata", "ledger"), Python: python}
			dsn, own := pgtest.DB(t), pgtest.DB(t)
			e, x := engine(t, dsn, project, func(c *migrate.Config) { c.Accept = []string{"as-is", "irreversible"} })
			untilDone(t, e, x.Migrations(""))
			mustIn(t, project.Dir, connection(t, own), python, "-B", "-m", "alembic", "upgrade", "head")
			if d := pgtest.Diff(pgtest.PgDump(t, own), pgtest.PgDump(t, dsn, pgtest.IgnoreSchema("replank"))); d != "" {
				t.Errorf("the schema is not what upgrade makes:\n%s", d)
			}
			if d := cmp.Diff(versions(t, own), versions(t, dsn)); d != "" {
				t.Errorf("alembic_version (-Alembic's, +ours):\n%s", d)
			}
			for _, args := range [][]string{{"upgrade", "head"}, {"check"}} {
				out := mustIn(t, project.Dir, connection(t, dsn), python, append([]string{"-B", "-m", "alembic"}, args...)...)
				if strings.Contains(out, "Running upgrade") {
					t.Errorf("alembic %v:\n%s", args, out)
				}
			}
			const entries = "SELECT array_agg(concat_ws(' ', e.id, cents, a.name) ORDER BY e.id) FROM entry e JOIN account a ON a.id = account_id"
			if d := cmp.Diff(pgtest.Value[[]string](t, own, entries), pgtest.Value[[]string](t, dsn, entries)); d != "" {
				t.Errorf("what the code did (-Alembic's, +ours):\n%s", d)
			}
		})
	}
}

// inOrder are the rows of django_migrations as they were written, and those of squashes, which Django writes when
// everything else is there.
func inOrder(t *testing.T, dsn string) []string {
	t.Helper()
	const ofSquash = "(name LIKE '%squashed%')"
	return pgtest.Value[[]string](t, dsn, "SELECT array_agg(app || '.' || name ORDER BY "+ofSquash+", CASE WHEN NOT "+ofSquash+" THEN id END, name) FROM django_migrations")
}

// TestPublishedDjangoApps applies the histories of Django's own apps and of published packages from nothing.
func TestPublishedDjangoApps(t *testing.T) {
	settings := []string{"settings_of_contrib", "settings_of_oauth", "settings_of_wagtail"}
	if os.Getenv("REPLANK_TEST_FULL") != "" {
		settings = append(settings, "settings_of_published")
	}
	for _, env := range environments(t) {
		for _, s := range settings {
			t.Run(env.Name+"/"+s, func(t *testing.T) {
				t.Parallel()
				p := history.Project{Dir: "tests", Python: env.Python(t), Settings: s}
				dsn, own := pgtest.DB(t), pgtest.DB(t)
				e, x := engine(t, dsn, p, func(c *migrate.Config) { c.Accept = []string{"irreversible"} })
				linted(t, x)
				untilDone(t, e, x.Migrations(""))
				variables := append(connection(t, own), "DJANGO_SETTINGS_MODULE="+s)
				mustIn(t, p.Dir, variables, p.Python, "-B", "-m", "django", "migrate", "--no-input")
				same(t, own, dsn)
				variables = append(connection(t, dsn), "DJANGO_SETTINGS_MODULE="+s)
				mustIn(t, p.Dir, variables, p.Python, "-B", "-m", "django", "migrate", "--check")
			})
		}
	}
}

// TestDjangoCodeOnline applies a history with code to tables that an application uses: what has two shapes waits for
// complete, and so does code that would see the old one. The application goes on writing the shape that it knows.
func TestDjangoCodeOnline(t *testing.T) {
	python := lts.Python(t)
	p := history.Project{Dir: filepath.Join("testdata", "shelf"), Python: python}
	dsn, own := pgtest.DB(t), pgtest.DB(t)
	for _, db := range []string{dsn, own} {
		mustIn(t, p.Dir, connection(t, db), python, "-B", "manage.py", "migrate", "--no-input", "contenttypes")
		mustIn(t, p.Dir, connection(t, db), python, "-B", "manage.py", "migrate", "--no-input", "shelf", "0001")
	}
	e, x := engine(t, dsn, p, func(c *migrate.Config) {
		c.Accept, c.BigRows, c.BigBytes = []string{"irreversible"}, -1, -1
	})
	ms := x.Migrations("")
	preview, err := e.Plan(t.Context(), ms)
	if err != nil || preview.Err() != nil {
		t.Fatal(err, preview.Err())
	}
	blocked := map[string][]string{}
	for _, f := range preview.Pending() {
		blocked[f.Name] = f.BlockedBy
	}
	if d := cmp.Diff(map[string][]string{"shelf.0002_shout": nil, "shelf.0003_author": nil, "shelf.0004_volume": {"shelf.0003_author"},
		"shelf.0005_tail": {"shelf.0004_volume"}, "shelf.0006_full_stop": {"shelf.0004_volume", "shelf.0005_tail"}}, blocked); d != "" {
		t.Errorf("what plan says (-want +got):\n%s", d)
	}
	insist := func(state string) {
		t.Helper()
		sum, err := e.Apply(t.Context(), ms)
		if err != nil {
			t.Fatalf("apply: %v (%s)", err, migrate.HintOf(err))
		}
		if got := strings.Join(sum.Ready, " "); got != state {
			t.Errorf("ready is %q, want %q", got, state)
		}
		// Whatever waits is no error, the second time either.
		if _, err := e.Apply(t.Context(), ms); err != nil {
			t.Errorf("apply again: %v (%s)", err, migrate.HintOf(err))
		}
	}
	complete := func() {
		t.Helper()
		if _, err := e.Complete(t.Context(), "", migrate.CompleteOptions{NoOldReaders: true}); err != nil {
			t.Fatalf("complete: %v (%s)", err, migrate.HintOf(err))
		}
	}
	insist("shelf.0003_author")
	// A book that is written by the version of the application before 0003 would lack its author: Django's order has no
	// place for it, and the one after 0003 does not know the writer.
	const write = `INSERT INTO shelf_book (title, shout, author_id) SELECT 'new', 'NEW', min(id) FROM shelf_author`
	pgtest.Exec(t, dsn, write)
	complete()
	insist("shelf.0004_volume")
	if rows := inOrder(t, dsn); slices.Contains(rows, "shelf.0004_volume") {
		t.Errorf("django_migrations has %q before its code has run", rows)
	}
	pgtest.Exec(t, dsn, strings.ReplaceAll(write, "book", "volume"))
	complete()
	insist("")
	mustIn(t, p.Dir, connection(t, own), python, "-B", "manage.py", "migrate", "--no-input", "shelf", "0003")
	pgtest.Exec(t, own, write, write)
	mustIn(t, p.Dir, connection(t, own), python, "-B", "manage.py", "migrate", "--no-input")
	same(t, own, dsn)
	const volumes = "SELECT array_agg(concat_ws(' ', title, shout, a.name) ORDER BY title, v.id) FROM shelf_volume v JOIN shelf_author a ON a.id = author_id"
	if d := cmp.Diff(pgtest.Value[[]string](t, own, volumes), pgtest.Value[[]string](t, dsn, volumes)); d != "" {
		t.Errorf("rows (-Django's, +ours):\n%s", d)
	}
}

// TestDirectCode executes migrations as they are, code between their statements.
func TestDirectCode(t *testing.T) {
	pgtest.Share(t, 2)
	python := lts.Python(t)
	p := history.Project{Dir: filepath.Join("testdata", "shelf"), Python: python}
	dsn, own := pgtest.DB(t), pgtest.DB(t)
	e, x := engine(t, dsn, p)
	if sum, err := e.ApplyDirect(t.Context(), x.Migrations("")); err != nil || len(sum.Done) != len(x.Migrations("")) {
		t.Fatalf("%+v, %v (%s)", sum, err, migrate.HintOf(err))
	}
	mustIn(t, p.Dir, connection(t, own), python, "-B", "manage.py", "migrate", "--no-input")
	same(t, own, dsn)
	if got := pgtest.Value[string](t, dsn, shouts); got != "!?." {
		t.Errorf("the code has left %q", got)
	}
}

// TestDirectAlembicCode does the same for Alembic, whose revisions with code are run as a whole.
func TestDirectAlembicCode(t *testing.T) {
	pgtest.Share(t, 2)
	python := lts.Python(t)
	p := history.Project{Dir: filepath.Join("testdata", "ledger"), Python: python}
	dsn, own := pgtest.DB(t), pgtest.DB(t)
	e, x := engine(t, dsn, p)
	if sum, err := e.ApplyDirect(t.Context(), x.Migrations("")); err != nil || len(sum.Done) != len(x.Migrations("")) {
		t.Fatalf("%+v, %v (%s)", sum, err, migrate.HintOf(err))
	}
	mustIn(t, p.Dir, connection(t, own), python, "-B", "-m", "alembic", "upgrade", "head")
	if d := pgtest.Diff(pgtest.PgDump(t, own), pgtest.PgDump(t, dsn, pgtest.IgnoreSchema("replank"))); d != "" {
		t.Errorf("the schema is not what upgrade makes:\n%s", d)
	}
	if d := cmp.Diff(versions(t, own), versions(t, dsn)); d != "" {
		t.Errorf("alembic_version (-Alembic's, +ours):\n%s", d)
	}
}

// TestPublishedAlembic applies the history of MLflow: 67 revisions, seven of which read the database.
func TestPublishedAlembic(t *testing.T) {
	if os.Getenv("REPLANK_TEST_FULL") == "" {
		t.Skip("REPLANK_TEST_FULL=1")
	}
	env := pyenv.Environment{Name: "mlflow", Packages: []string{"mlflow-skinny==3.17.*", "alembic==1.20.*", "SQLAlchemy==2.0.*", "psycopg[binary]==3.3.*"}}
	python := env.Python(t)
	dsn, own := pgtest.DB(t), pgtest.DB(t)
	const first = "import os, sqlalchemy as sa\nfrom mlflow.store.tracking.dbmodels.initial_models import Base\n" +
		"Base.metadata.create_all(sa.create_engine(os.environ['REPLANK_TEST_URL']))\n"
	for _, db := range []string{dsn, own} {
		mustIn(t, ".", connection(t, db), python, "-c", first)
	}
	ini := "[alembic]\nscript_location = mlflow:store/db_migrations\npath_separator = os\n"
	p := history.Project{Dir: t.TempDir(), Python: python}
	write(t, p.Dir, map[string]string{"alembic.ini": ini})
	e, x := engine(t, dsn, p, func(c *migrate.Config) { c.Accept = []string{"as-is", "irreversible"} })
	linted(t, x)
	untilDone(t, e, x.Migrations(""))
	by := t.TempDir()
	url, _ := strings.CutPrefix(connection(t, own)[5], "REPLANK_TEST_URL=")
	write(t, by, map[string]string{"alembic.ini": ini + "sqlalchemy.url = " + strings.ReplaceAll(url, "%", "%%") + "\n"})
	mustIn(t, by, nil, python, "-B", "-m", "alembic", "upgrade", "head")
	// The tables that were there before are in use: what changes its type there moves to the end.
	pgtest.SameShape(t, own, dsn, pgtest.IgnoreColumnOrder(), pgtest.IgnoreSchema("replank"))
	if d := cmp.Diff(versions(t, own), versions(t, dsn)); d != "" {
		t.Errorf("alembic_version (-Alembic's, +ours):\n%s", d)
	}
}

// linted has a history judged: all of it can be.
func linted(t *testing.T, x *history.Export) {
	t.Helper()
	var sources []lint.Source
	for _, m := range x.Migrations("") {
		s := lint.Source{Name: m.Name, Path: m.Path, Text: m.Text, Tx: lint.Tx(m.Tx)}
		for _, c := range m.Code {
			if len(c.SQL) == 0 {
				s.Code = append(s.Code, c.Offset)
			}
		}
		sources = append(sources, s)
	}
	if r := lint.Run(lint.Config{Schema: ddl.Empty(17, "postgres")}, sources); r.Files != len(sources) {
		t.Errorf("%d of %d migrations were judged: %+v", r.Files, len(sources), r.Findings)
	}
}
