package python_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkout is a project in a repository of git, with an environment of its own as teams have it.
type checkout struct {
	t   *testing.T
	dir string
}

func newCheckout(t *testing.T, files map[string]string) *checkout {
	t.Helper()
	c := &checkout{t, t.TempDir()}
	if err := os.Symlink(filepath.Dir(filepath.Dir(lts.Python(t))), filepath.Join(c.dir, ".venv")); err != nil {
		t.Fatal(err)
	}
	write(t, c.dir, map[string]string{".gitignore": ".venv\n__pycache__\n"})
	write(t, c.dir, files)
	c.git("init", "-q", "-b", "main")
	c.commit()
	c.git("switch", "-qc", "feature")
	return c
}

func (c *checkout) git(args ...string) {
	c.t.Helper()
	mustIn(c.t, c.dir, []string{"GIT_CONFIG_NOSYSTEM=1", "HOME=" + c.dir}, "git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
}

func (c *checkout) commit() {
	c.t.Helper()
	c.git("add", ".")
	c.git("commit", "-qm", "x")
}

func (c *checkout) remove(files ...string) {
	c.t.Helper()
	for _, f := range files {
		if err := os.Remove(filepath.Join(c.dir, f)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// replank runs the program and gives what it prints and its exit code.
func (c *checkout) replank(args ...string) (out, errs string, code int) {
	c.t.Helper()
	file, err := program()
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.CommandContext(c.t.Context(), file, args...)
	cmd.Dir = c.dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "GITHUB_") || strings.HasPrefix(v, "CI_") || strings.HasPrefix(v, "DATABASE_URL=") || strings.HasPrefix(v, "PG")
	}), "PYTHONDONTWRITEBYTECODE=1")
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		c.t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// lint gives the findings as "path:line rule", and what they say.
func (c *checkout) lint(want int, args ...string) (findings []string, said string) {
	c.t.Helper()
	out, errs, code := c.replank(append([]string{"lint", ".", "--json"}, args...)...)
	var d struct {
		Findings []struct {
			Rule, Path, Message string
			Position            struct{ Line int }
		}
	}
	if err := json.Unmarshal([]byte(out), &d); err != nil || code != want {
		c.t.Fatalf("lint %q: exit code %d, want %d (%v)\n%s%s", args, code, want, err, out, errs)
	}
	for _, f := range d.Findings {
		findings = append(findings, f.Path+":"+strings.Repeat("+", min(f.Position.Line, 1))+" "+f.Rule)
		said += f.Path + ": " + f.Message + "\n"
	}
	return findings, said
}

const (
	djangoSettings = "SECRET_KEY = 'x'\nDEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'\n" +
		"DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': 'x', 'HOST': '/nowhere'}}\nINSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth', 'one']\n"
	djangoManage = "import os, sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\n" +
		"from django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n"
)

// djangoMigration is a migration's file; the first operation stands on line 6.
func djangoMigration(needs, operations string, more ...string) string {
	return "from django.db import migrations, models\nclass Migration(migrations.Migration):\n    dependencies = [" + needs +
		"]\n" + strings.Join(append(more, ""), "\n") + "    operations = [\n\n        " + operations + "\n    ]\n"
}

const (
	createT = "migrations.CreateModel('T', [('id', models.BigAutoField(primary_key=True)), ('n', models.IntegerField())])"
	onFirst = "('one', '0001_t')"
)

func djangoProject(more ...string) map[string]string {
	files := map[string]string{"manage.py": djangoManage, "settings.py": djangoSettings, "one/__init__.py": "", "one/migrations/__init__.py": "",
		"one/migrations/0001_t.py": djangoMigration("", createT)}
	for i := 0; i < len(more); i += 2 {
		files[more[i]] = more[i+1]
	}
	return files
}

func addField(name string) string {
	return "migrations.AddField('t', '" + name + "', models.IntegerField(null=True))"
}

// TestLintDjango judges a real project from end to end.
func TestLintDjango(t *testing.T) {
	c := newCheckout(t, djangoProject())
	if out, errs, code := c.replank("lint", "."); code != 0 {
		t.Errorf("a new project: exit code %d\n%s%s", code, out, errs)
	}
	// What the branch adds is judged on tables that are in use, at the line of the operation; contrib's migrations are not.
	c.write("one/migrations/0002_index.py", djangoMigration(onFirst, "migrations.AddIndex('t', models.Index(fields=['n'], name='t_n')),\n        migrations.AlterField('t', 'n', models.BigIntegerField())"))
	found, said := c.lint(1, "--since", "main")
	for _, want := range []string{"one/migrations/0002_index.py:+ index-not-concurrently", "one/migrations/0002_index.py:+ column-type"} {
		if !slices.Contains(found, want) {
			t.Errorf("%q is not in %q\n%s", want, found, said)
		}
	}
	if text, _, _ := c.replank("lint", ".", "--since", "main"); !strings.Contains(text, "0002_index.py:6") || !strings.Contains(text, "0002_index.py:7") || strings.Contains(text, "site-packages") {
		t.Errorf("the lines of the operations are not named:\n%s", text)
	}
	// Alone, the table is made by the same history and empty.
	if found, said := c.lint(0); len(found) > 0 {
		t.Errorf("%q\n%s", found, said)
	}
	// Safe in Django's own way.
	c.write("one/migrations/0002_index.py", "from django.contrib.postgres.operations import AddIndexConcurrently\n"+
		djangoMigration(onFirst, "AddIndexConcurrently('t', models.Index(fields=['n'], name='t_n'))", "    atomic = False"))
	if found, said := c.lint(0, "--since", "main", "--fail-on", "notice"); len(found) > 0 {
		t.Errorf("%q\n%s", found, said)
	}
}

// TestLintHistories: forks and squashes of real projects are findings, and nothing that anyone would run.
func TestLintHistories(t *testing.T) {
	squash := func(operations string) string {
		return djangoMigration("", operations, "    replaces = [('one', '0001_t'), ('one', '0002_a')]")
	}
	whole := "migrations.CreateModel('T', [('id', models.BigAutoField(primary_key=True)), ('n', models.IntegerField()), ('a', models.IntegerField(null=True))])"
	for _, tt := range []struct {
		name         string
		more         []string // on main
		change       func(*checkout)
		args, want   []string // findings
		said         []string
		plan, django string // what plan, and Django itself, say of it
	}{
		{name: "two heads", change: func(c *checkout) {
			c.write("one/migrations/0002_a.py", djangoMigration(onFirst, addField("a")), "one/migrations/0002_b.py", djangoMigration(onFirst, addField("b")))
		}, want: []string{"one/migrations/0002_a.py:+ history", "one/migrations/0002_b.py:+ history"},
			said: []string{"is an end of the history of one, and so is one.0002_b", "makemigrations --merge"},
			plan: "one.0002_a is an end of the history of one", django: "Conflicting migrations detected; multiple leaf nodes"},
		{name: "the head of another branch", more: []string{"one/migrations/0002_a.py", djangoMigration(onFirst, addField("a"))}, change: func(c *checkout) {
			c.write("one/migrations/0002_b.py", djangoMigration(onFirst, addField("b")))
		}, args: []string{"--since", "main", "--off", "lock-timeout"}, want: []string{"one/migrations/0002_b.py:+ history"}},
		{name: "put before what is deployed", more: []string{"one/migrations/0002_a.py", djangoMigration(onFirst, addField("a"))}, change: func(c *checkout) {
			c.write("one/migrations/0001_z.py", djangoMigration(onFirst, addField("z")), "one/migrations/0002_a.py", djangoMigration("('one', '0001_z')", addField("a")))
		}, args: []string{"--since", "main", "--off", "lock-timeout"}, want: []string{"one/migrations/0001_z.py:+ history", "one/migrations/0002_a.py:+ history"},
			said: []string{"comes before one.0002_a, which is deployed", "0002_a.py: differs from what main has"}},
		{name: "squashed, half of it gone", more: []string{"one/migrations/0001_squashed.py", squash(whole), "one/migrations/0002_a.py", djangoMigration(onFirst, addField("a"))},
			change: func(c *checkout) { c.remove("one/migrations/0001_t.py") },
			want:   []string{"one/migrations/0001_squashed.py:+ history"}, said: []string{"replaces one.0001_t, which is not there, and one.0002_a, which is"}},
		{name: "squashed", more: []string{"one/migrations/0002_a.py", djangoMigration(onFirst, addField("a"))}, change: func(c *checkout) {
			c.write("one/migrations/0001_squashed.py", squash(whole), "one/migrations/0003_b.py", djangoMigration("('one', '0002_a')", addField("b")))
		}, args: []string{"--since", "main", "--off", "lock-timeout"}},
		{name: "squashed, and all of it gone", more: []string{"one/migrations/0002_a.py", djangoMigration(onFirst, addField("a"))}, change: func(c *checkout) {
			c.write("one/migrations/0001_squashed.py", squash(whole))
			c.remove("one/migrations/0001_t.py", "one/migrations/0002_a.py")
		}, args: []string{"--since", "main", "--off", "lock-timeout"}, want: []string{"one/migrations/0001_squashed.py:+ history"}, said: []string{"which go with the same change"}},
		{name: "gone", more: []string{"one/migrations/0002_a.py", djangoMigration(onFirst, addField("a"))}, change: func(c *checkout) {
			c.remove("one/migrations/0002_a.py")
		}, args: []string{"--since", "main"}, want: []string{"one/migrations/0002_a.py:+ history"}, said: []string{"main has it, and here it is gone"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCheckout(t, djangoProject(tt.more...))
			tt.change(c)
			code := min(len(tt.want), 1)
			found, said := c.lint(code, tt.args...)
			slices.Sort(found)
			if d := cmp.Diff(tt.want, found); d != "" {
				t.Errorf("%s\n%s", d, said)
			}
			for _, part := range tt.said {
				if !strings.Contains(said, part) {
					t.Errorf("%q is not said:\n%s", part, said)
				}
			}
			if tt.plan != "" {
				if _, errs, code := c.replank("plan", "."); code != 2 || !strings.Contains(errs, tt.plan) {
					t.Errorf("plan: exit code %d\n%s", code, errs)
				}
			}
			if tt.django != "" {
				out, err := run(t.Context(), c.dir, nil, lts.Python(t), "-B", "manage.py", "makemigrations", "--check")
				if err == nil || !strings.Contains(out, tt.django) {
					t.Errorf("Django itself does not mind: %v\n%s", err, out)
				}
			}
		})
	}
}

// revision is a file of Alembic; its operation stands on line 5.
func revision(name, down, operation string) string {
	return "from alembic import op\nimport sqlalchemy as sa\nrevision, down_revision = '" + name + "', " + down + "\ndef upgrade():\n    " + operation + "\ndef downgrade():\n    pass\n"
}

func alembicProject(more ...string) map[string]string {
	files := map[string]string{"alembic.ini": "[alembic]\nscript_location = m\n",
		"m/env.py":        "from alembic import context\ncontext.configure(url='postgresql://', transactional_ddl=True)\nwith context.begin_transaction():\n    context.run_migrations()\n",
		"m/versions/1.py": revision("one", "None", "op.create_table('t', sa.Column('id', sa.BigInteger(), primary_key=True), sa.Column('n', sa.Integer()))")}
	for i := 0; i < len(more); i += 2 {
		files[more[i]] = more[i+1]
	}
	return files
}

// TestLintAlembic is the same for Alembic.
func TestLintAlembic(t *testing.T) {
	c := newCheckout(t, alembicProject())
	if found, said := c.lint(0); len(found) > 0 {
		t.Errorf("%q\n%s", found, said)
	}
	c.write("m/versions/2.py", revision("two", "'one'", "op.alter_column('t', 'n', type_=sa.BigInteger())"))
	if found, said := c.lint(1, "--since", "main"); !slices.Contains(found, "m/versions/2.py:+ column-type") {
		t.Errorf("%q\n%s", found, said)
	}
	if text, _, _ := c.replank("lint", ".", "--since", "main"); !strings.Contains(text, "m/versions/2.py:5") {
		t.Errorf("the line of the operation is not named:\n%s", text)
	}
	c.write("m/versions/3.py", revision("three", "'one'", "op.add_column('t', sa.Column('b', sa.Integer()))"))
	found, said := c.lint(1, "--since", "main", "--off", "lock-timeout,column-type")
	if d := cmp.Diff([]string{"m/versions/2.py:+ history", "m/versions/3.py:+ history"}, slices.Sorted(slices.Values(found))); d != "" || !strings.Contains(said, "three is") && !strings.Contains(said, "so is three") {
		t.Errorf("%s\n%s", d, said)
	}
	if _, errs, code := c.replank("plan", "."); code != 2 || !strings.Contains(errs, "is an end of the history") || !strings.Contains(errs, "alembic merge heads") {
		t.Errorf("plan: exit code %d\n%s", code, errs)
	}
	if out, err := run(t.Context(), c.dir, nil, lts.Python(t), "-B", "-m", "alembic", "upgrade", "head", "--sql"); err == nil || !strings.Contains(out, "Multiple head revisions") {
		t.Errorf("Alembic itself does not mind: %v\n%s", err, out)
	}
	c.remove("m/versions/3.py")
	// env.py may ask for what is not here: the revisions are read without it, and that is said.
	c.write("m/env.py", "raise RuntimeError('no settings today')\n")
	if _, said := c.lint(1, "--since", "main"); !strings.Contains(said, "RuntimeError: no settings today") {
		t.Errorf("%s", said)
	}
	c.git("checkout", "-q", "m/env.py")
	c.commit()
	c.git("switch", "-qc", "next")
	c.write("m/versions/3.py", revision("three", "'one'", "op.add_column('t', sa.Column('b', sa.Integer()))"), "m/versions/2.py", revision("two", "'three'", "op.alter_column('t', 'n', type_=sa.BigInteger())"))
	if found, said := c.lint(1, "--since", "feature", "--off", "lock-timeout"); !slices.Contains(found, "m/versions/3.py:+ history") || !strings.Contains(said, "Alembic never runs it where that one was run") {
		t.Errorf("%q\n%s", found, said)
	}
}

// TestLintBroken: a project that cannot be loaded is one error that says why, and the exit code 2.
func TestLintBroken(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"settings that raise", djangoProject("settings.py", "import nothing_of_the_kind\n"), "ModuleNotFoundError: No module named 'nothing_of_the_kind'"},
		{"an app that is not there", djangoProject("settings.py", strings.Replace(djangoSettings, "'one'", "'two'", 1)), "ModuleNotFoundError: No module named 'two'"},
		{"a migration that raises", djangoProject("one/migrations/0002_a.py", "raise ValueError('not today')\n"), "ValueError: not today"},
		{"a syntax error", djangoProject("one/migrations/0002_a.py", "class Migration(:\n"), "SyntaxError"},
		{"unreadable encoding", djangoProject("one/migrations/0002_a.py", "x = 'M\xfcller'\n"), "SyntaxError"},
		{"missing dependency", djangoProject("one/migrations/0002_a.py", djangoMigration("('one', '0001_gone')", addField("a"))), "a dependency is missing: Migration one.0002_a dependencies reference nonexistent parent node ('one', '0001_gone')"},
		{"two heads that do not fit", djangoProject("one/migrations/0002_a.py", djangoMigration(onFirst, "migrations.DeleteModel('T')"), "one/migrations/0002_b.py", djangoMigration(onFirst, "migrations.RemoveField('t', 'n')")),
			"several heads in one app (one: 0002_a, 0002_b); merge them with `manage.py makemigrations --merge`; one.0002_b: RemoveField does not fit"},
		{"a revision that is not there", alembicProject("m/versions/2.py", revision("two", "'zero'", "pass")), "'zero'"},
		{"a revision in unreadable encoding", alembicProject("m/versions/2.py", revision("two", "'one'", "pass")+"x = 'M\xfcller'\n"), "2.py"},
		{"a revision twice", alembicProject("m/versions/2.py", revision("one", "None", "pass")), "Revision one is present more than once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCheckout(t, tt.files)
			out, errs, code := c.replank("lint", ".")
			lines := strings.Split(strings.TrimSpace(errs), "\n")
			if code != 2 || !strings.HasPrefix(lines[0], "error: ") || !strings.Contains(lines[0], tt.want) || strings.Contains(errs, "Traceback") || len(lines) > 2 {
				t.Errorf("exit code %d, want 2 and one line with %q\n%s%s", code, tt.want, out, errs)
			}
		})
	}
}

func (c *checkout) write(files ...string) {
	c.t.Helper()
	all := map[string]string{}
	for i := 0; i < len(files); i += 2 {
		all[files[i]] = files[i+1]
	}
	write(c.t, c.dir, all)
}
