package python_test

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
)

// TestPytest runs the tests of the package itself with each set of frameworks.
func TestPytest(t *testing.T) {
	for _, e := range environments(t) {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			python := e.Python(t)
			out, err := run(t.Context(), ".", connection(t, pgtest.DB(t)), python, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests")
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Log(out[strings.LastIndexByte(strings.TrimSpace(out), '\n')+1:])
		})
	}
}

// connection tells Python's tests where their database is.
func connection(t *testing.T, dsn string) []string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	sa := *u
	sa.Scheme = "postgresql+psycopg"
	return []string{"REPLANK_TEST_HOST=" + c.Host, "REPLANK_TEST_PORT=" + portOf(c), "REPLANK_TEST_USER=" + c.User,
		"REPLANK_TEST_PASSWORD=" + c.Password, "REPLANK_TEST_DATABASE=" + c.Database, "REPLANK_TEST_URL=" + sa.String()}
}

func portOf(c *pgx.ConnConfig) string {
	var b []byte
	for n := c.Port; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

// TestDjangoFindsNothingToDo executes what was exported, records it, and asks Django what is left.
func TestDjangoFindsNothingToDo(t *testing.T) {
	for _, e := range environments(t) {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			python := e.Python(t)
			project := filepath.Join("testdata", "shop")
			dsn, own := pgtest.DB(t), pgtest.DB(t)
			x, err := history.Project{Dir: project, Python: python}.Export(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(x.Warnings)+len(x.Unknown) > 0 {
				t.Fatalf("warnings %q, unknown %v", x.Warnings, x.Unknown)
			}
			apply(t, dsn, x)
			env := connection(t, dsn)
			if out := mustIn(t, project, env, python, "-B", "manage.py", "migrate", "--check"); out != "" {
				t.Errorf("migrate --check says %s", out)
			}
			before := rows(t, dsn)
			mustIn(t, project, env, python, "-B", "manage.py", "migrate", "--no-input")
			mustIn(t, project, connection(t, own), python, "-B", "manage.py", "migrate", "--no-input")
			if d := cmp.Diff(rows(t, own), before); d != "" {
				t.Errorf("rows of django_migrations (-Django's, +ours):\n%s", d)
			}
			if d := pgtest.Diff(pgtest.PgDump(t, own), pgtest.PgDump(t, dsn)); d != "" {
				t.Errorf("the schema is not what migrate makes:\n%s", d)
			}
		})
	}
}

// apply executes a history as its framework would and keeps its books.
func apply(t *testing.T, dsn string, x *history.Export) {
	t.Helper()
	conn := pgtest.Connect(t, dsn)
	books := x.Books()
	exec := func(statements []history.Statement) {
		t.Helper()
		for _, s := range statements {
			if _, err := conn.Exec(t.Context(), s.SQL, s.Args...); err != nil {
				t.Fatalf("%s: %v", s.SQL, err)
			}
		}
	}
	exec(books.Create())
	for _, m := range x.Migrations("") {
		text := m.Text
		if m.Tx == history.Whole {
			text = "BEGIN;\n" + text + "COMMIT;\n"
			if _, err := conn.Exec(t.Context(), text); err != nil {
				t.Fatalf("%s: %v\n%s", m.Name, err, m.Text)
			}
		} else {
			for _, s := range strings.SplitAfter(text, ";\n") {
				if _, err := conn.Exec(t.Context(), s); err != nil {
					t.Fatalf("%s: %v\n%s", m.Name, err, s)
				}
			}
		}
		exec(books.Record(m))
	}
	answer := pgtest.Value[[]string](t, dsn, "SELECT coalesce(array_agg(a), '{}') FROM ("+books.Applied().SQL+") q (a)")
	applied, err := books.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range x.Plan("", applied) {
		if !applied[m.Version] {
			t.Errorf("%s does not count as applied", m.Name)
		}
	}
}

func rows(t *testing.T, dsn string) []string {
	t.Helper()
	found := pgtest.Value[[]string](t, dsn, "SELECT array_agg(app || '.' || name) FROM django_migrations")
	slices.Sort(found)
	return found
}

// TestAlembicFindsNothingToDo is the same for Alembic: branches, a merge, depends_on, an autocommit block.
func TestAlembicFindsNothingToDo(t *testing.T) {
	for _, e := range environments(t) {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			python := e.Python(t)
			project := filepath.Join("testdata", "blog")
			dsn, own := pgtest.DB(t), pgtest.DB(t)
			x, err := history.Project{Dir: project, Python: python}.Export(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(x.Warnings)+len(x.Unknown) > 0 {
				t.Fatalf("warnings %q, unknown %v", x.Warnings, x.Unknown)
			}
			apply(t, dsn, x)
			env := connection(t, dsn)
			if out := mustIn(t, project, env, python, "-B", "-m", "alembic", "upgrade", "heads"); strings.Contains(out, "Running upgrade") {
				t.Errorf("upgrade still runs something:\n%s", out)
			}
			mustIn(t, project, connection(t, own), python, "-B", "-m", "alembic", "upgrade", "heads")
			if d := pgtest.Diff(pgtest.PgDump(t, own), pgtest.PgDump(t, dsn)); d != "" {
				t.Errorf("the schema is not what upgrade makes:\n%s", d)
			}
			if d := cmp.Diff(versions(t, own), versions(t, dsn)); d != "" {
				t.Errorf("alembic_version (-Alembic's, +ours):\n%s", d)
			}
			// And back: the heads of what is left, as Alembic counts them.
			books, ms := x.Books(), x.Migrations("")
			for i, want := range [][]string{{"side", "size"}, {"mood", "names", "side"}, {"names", "side"}, {"names"}, {"users"}} {
				for _, s := range books.Erase(ms[len(ms)-1-i]) {
					if _, err := pgtest.Connect(t, dsn).Exec(t.Context(), s.SQL, s.Args...); err != nil {
						t.Fatal(err)
					}
				}
				if d := cmp.Diff(want, versions(t, dsn)); d != "" {
					t.Errorf("after taking back %s (-Alembic's, +ours):\n%s", ms[len(ms)-1-i].Name, d)
				}
			}
		})
	}
}

func versions(t *testing.T, dsn string) []string {
	t.Helper()
	return pgtest.Value[[]string](t, dsn, "SELECT coalesce(array_agg(version_num ORDER BY version_num), '{}') FROM alembic_version")
}

// TestBrokenProjects: what the person who runs it is told.
func TestBrokenProjects(t *testing.T) {
	python := lts.Python(t)
	const settings = "SECRET_KEY = 'x'\nDATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql'}}\nINSTALLED_APPS = ['one']\n"
	const manage = "import os, sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\n" +
		"from django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n"
	migration := func(needs, operations string) string {
		return "from django.db import migrations, models\nclass Migration(migrations.Migration):\n    dependencies = [" + needs +
			"]\n    operations = [" + operations + "]\n"
	}
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"no project", map[string]string{"x.txt": ""}, "neither a manage.py nor an alembic.ini"},
		{"settings raise", map[string]string{"settings.py": "import nothing_of_the_kind\n"}, "ModuleNotFoundError: No module named 'nothing_of_the_kind'"},
		{"syntax error in a migration", map[string]string{"one/migrations/0001_a.py": "class Migration(:\n"}, "SyntaxError"},
		{"missing dependency", map[string]string{"one/migrations/0001_a.py": migration("('one', '0000_gone')", "")}, "a dependency is missing: Migration one.0001_a dependencies reference nonexistent parent node ('one', '0000_gone')"},
		{"circle", map[string]string{"one/migrations/0001_a.py": migration("('one', '0002_b')", ""), "one/migrations/0002_b.py": migration("('one', '0001_a')", "")}, "depend on each other in a circle"},
		{"unfitting operation", map[string]string{"one/migrations/0001_a.py": migration("", "migrations.RemoveField('gone', 'x')")}, "one.0001_a: RemoveField does not fit the models before it: KeyError"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.name != "no project" {
				tt.files["manage.py"] = manage
				tt.files["one/__init__.py"], tt.files["one/migrations/__init__.py"] = "", ""
				if tt.files["settings.py"] == "" {
					tt.files["settings.py"] = settings
				}
			}
			write(t, dir, tt.files)
			_, err := history.Project{Dir: dir, Python: python}.Export(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("got %v; want one line with %q", err, tt.want)
			}
		})
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
