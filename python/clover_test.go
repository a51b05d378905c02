package python_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/pyenv"
)

// clover is the project of two frameworks on one database: a shop of SQLAlchemy and Alembic, and a site of Django that
// has come later and reads the shop's tables.
type clover struct {
	t      *testing.T
	python string
	dir    string // with shop/ and site/
	dsn    string
	env    []string
}

func newClover(t *testing.T, e pyenv.Environment) *clover {
	t.Helper()
	c := &clover{t: t, python: e.Python(t), dir: t.TempDir(), dsn: pgtest.DB(t)}
	if err := os.CopyFS(c.dir, os.DirFS(filepath.Join("testdata", "clover"))); err != nil {
		t.Fatal(err)
	}
	// replank loads projects with the python3 of the PATH.
	c.env = append(connection(t, c.dsn), "DATABASE_URL="+c.dsn, "PYTHONDONTWRITEBYTECODE=1",
		"PATH="+filepath.Dir(c.python)+string(os.PathListSeparator)+os.Getenv("PATH"))
	c.alembic("upgrade", "head")
	c.django("migrate", "--no-input")
	return c
}

// alembic and django are the frameworks' own programs.
func (c *clover) alembic(args ...string) string {
	c.t.Helper()
	return mustIn(c.t, filepath.Join(c.dir, "shop"), c.env, c.python, append([]string{"-m", "alembic"}, args...)...)
}

func (c *clover) django(args ...string) string {
	c.t.Helper()
	return mustIn(c.t, filepath.Join(c.dir, "site"), c.env, c.python, append([]string{"manage.py"}, args...)...)
}

// clean asks both frameworks whether they find anything to do.
func (c *clover) clean() {
	c.t.Helper()
	c.django("makemigrations", "--check", "--dry-run")
	c.django("migrate", "--check")
	c.alembic("check")
}

// change replaces text in a file of the project.
func (c *clover) change(file string, oldNew ...string) {
	c.t.Helper()
	path := filepath.Join(c.dir, file)
	b, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(string(b), oldNew[i]) {
			c.t.Fatalf("%s has no %q", file, oldNew[i])
		}
	}
	if err := os.WriteFile(path, []byte(strings.NewReplacer(oldNew...).Replace(string(b))), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// write makes a file of the project.
func (c *clover) write(file, text string) { write(c.t, c.dir, map[string]string{file: text}) }

var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "replank-test-program-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "replank")
	out, err := exec.Command("go", "build", "-o", path, "../cmd/replank").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

// replank runs it in the project's folder, and wants an exit code.
func (c *clover) replank(code int, args ...string) string {
	c.t.Helper()
	path, err := program()
	if err != nil {
		c.t.Fatal(err)
	}
	out, err := run(context.Background(), c.dir, c.env, path, args...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		c.t.Fatal(err)
	}
	if got != code {
		c.t.Fatalf("replank %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, out)
	}
	return out
}

// stdout is what replank prints, without what it says beside that.
func (c *clover) stdout(args ...string) string {
	c.t.Helper()
	path, err := program()
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), c.env...)
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatal(err)
	}
	return string(out)
}

// difference is one of drift --json.
type difference struct {
	Table, Kind, Object, Wrong, Why, Migration string
	Says                                       map[string]string
	Note                                       bool
}

func (c *clover) drift(code int) []difference {
	c.t.Helper()
	var found struct{ Differences []difference }
	out := c.replank(code, "drift", "--json")
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	return found.Differences
}

// TestDriftOfClover: nothing differs where the frameworks spell the same in their own ways.
func TestDriftOfClover(t *testing.T) {
	t.Parallel()
	c := newClover(t, lts)
	c.clean()
	if found := c.drift(0); len(found) > 0 {
		t.Errorf("differences %v", found)
	}
}

// both makes Django's models of the shared tables such that Django would make these tables itself.
func (c *clover) both() {
	c.t.Helper()
	c.change("site/billing/models.py", "        managed = False\n", "")
}

// TestDriftSaysWhoIsWrong: each kind of difference, and each side that can be the wrong one.
func TestDriftSaysWhoIsWrong(t *testing.T) {
	t.Parallel()
	c := newClover(t, lts)
	c.both()
	c.change("site/billing/models.py", "max_length=80)", "max_length=80, null=True)", "cents = models.BigIntegerField(db_default=0)",
		"cents = models.BigIntegerField(db_default=0)\n    extra = models.IntegerField(null=True)")
	c.change("shop/models.py", `server_default=sa.text("0")`, `server_default=sa.text("7")`, "sa.String(20), unique=True", "sa.String(20)",
		`    email: Mapped`, "    phone: Mapped[str | None] = mapped_column(sa.Text)\n    email: Mapped")
	pgtest.Exec(t, c.dsn, "ALTER TABLE customers ALTER email TYPE text", "DROP INDEX invoices_paid_at", "ALTER TYPE invoice_state ADD VALUE 'void'",
		"ALTER TABLE invoices ALTER COLUMN id DROP IDENTITY", "ALTER TABLE invoices DROP CONSTRAINT invoices_cents_check",
		"CREATE SEQUENCE invoices_id_seq OWNED BY invoices.id", "ALTER TABLE invoices ALTER COLUMN id SET DEFAULT nextval('invoices_id_seq')")
	c.write("shop/migrations/versions/0002_phone.py", `import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("customers", sa.Column("phone", sa.Text))
`)
	got := map[string]string{}
	for _, d := range c.drift(1) {
		text := d.Wrong
		if d.Note {
			text = "note"
		}
		got[d.Table+" "+d.Kind+" "+d.Object] = text
		t.Logf("%s %s %s: %v; %s", d.Table, d.Kind, d.Object, d.Says, d.Why)
	}
	want := map[string]string{
		"public.customers column phone":                   "database", // 0002 is not applied
		"public.customers nullability name":               "django",
		"public.customers type email":                     "database",
		"public.invoices column extra":                    "django",
		"public.invoices constraint invoices_cents_check": "database",
		"public.invoices constraint invoices_number_key":  "sqlalchemy",
		"public.invoices default cents":                   "sqlalchemy",
		"public.invoices default id":                      "database",
		"public.invoices enum state":                      "database",
		"public.invoices index invoices_paid_at":          "database",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	contains(t, c.replank(1, "drift"), "django is wrong: nullability name", "django (billing.Customer): NULL", "it is behind: 0002 is not applied yet; then django stands alone",
		"no migration has it: the model was changed without one", "the migrations of sqlalchemy have it as its models want it: something else has changed the database",
		"10 differences in 2 tables, database, sqlalchemy, django compared")
}

// TestDriftWithoutDatabase: a snapshot and exported projects say the same, and one framework will do.
func TestDriftWithoutDatabase(t *testing.T) {
	t.Parallel()
	c := newClover(t, lts)
	pgtest.Exec(t, c.dsn, "CREATE SCHEMA crm", "ALTER TABLE customers SET SCHEMA crm")
	c.write("s.snapshot", c.stdout("snapshot"))
	c.export("site", "-m", "replank.django", "export", "--models")
	c.export("shop", "-m", "replank.alembic", "export")
	c.export("old", "-m", "replank.django", "export")
	away := *c
	away.env = append(append([]string{}, c.env...), "DATABASE_URL=postgres://127.0.0.1:1/nowhere", "PATH=/usr/bin:/bin")
	out := away.replank(1, "drift", "site.json", "shop.json", "--snapshot", "s.snapshot")
	contains(t, out, "database is wrong: schema", "database: crm", "django (billing.Customer): public", "the others agree")
	contains(t, away.replank(1, "drift", "shop.json", "--snapshot", "s.snapshot"), "database is wrong: schema", "something else has changed the database")
	contains(t, away.replank(1, "drift", "site.json", "--snapshot", "s.snapshot"), "django is wrong: schema", "it leaves the table to others")
	contains(t, away.replank(2, "drift", "old.json", "--snapshot", "s.snapshot"), "could not judge", "--models")
	contains(t, away.replank(2, "drift", "nowhere", "--snapshot", "s.snapshot"), "no project of Django or Alembic at nowhere")
}

// export writes what the companion package says of a project.
func (c *clover) export(name string, args ...string) {
	c.t.Helper()
	dir := map[string]string{"old": "site"}[name]
	if dir == "" {
		dir = name
	}
	here, err := os.Getwd()
	if err != nil {
		c.t.Fatal(err)
	}
	mustIn(c.t, filepath.Join(c.dir, dir), append(append([]string{}, c.env...), "PYTHONPATH="+here), c.python, append(args, "-o", filepath.Join(c.dir, name+".json"))...)
}

// TestAdopt moves the tables from Alembic to Django and back, and asks the frameworks themselves after each step.
func TestAdopt(t *testing.T) {
	for _, e := range environments(t) {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			testAdopt(t, newClover(t, e))
		})
	}
}

func testAdopt(t *testing.T, c *clover) {
	before := pgtest.PgDump(t, c.dsn)

	// Django only reads the tables: its models must want them first.
	out := c.replank(3, "adopt", "invoices", "customers", "--to", "django")
	contains(t, out, "public.invoices: billing.Invoice has managed = False")
	c.both()
	// They must be equal to the live schema.
	c.change("site/billing/models.py", "max_length=80)", "max_length=81)")
	out = c.replank(3, "adopt", "invoices", "customers", "--to", "django")
	contains(t, out, "public.customers type name: django says character varying(81), the database character varying(80)", "--accept drift")
	c.change("site/billing/models.py", "max_length=81)", "max_length=80)")

	// Without --write nothing is written.
	out = c.replank(0, "adopt", "invoices", "customers", "--to", "django")
	contains(t, out, "would write", "0002_adopt_invoices_and_1_more.py", "SeparateDatabaseAndState", "nothing was written")
	if _, err := os.Stat(filepath.Join(c.dir, "replank.owners.toml")); err == nil {
		t.Error("a dry run has written the owners")
	}
	out = c.replank(0, "adopt", "invoices", "customers", "--to", "django", "--write", "--record")
	contains(t, out, "wrote site/billing/migrations/0002_adopt_invoices_and_1_more.py", "billing.0002_adopt_invoices_and_1_more is written down as applied", "include_object")
	c.clean()
	contains(t, c.django("migrate", "--no-input"), "No migrations to apply")
	if d := pgtest.Diff(before, pgtest.PgDump(t, c.dsn)); d != "" {
		t.Errorf("adopt has changed something: %s", d)
	}
	if got := c.owners(); got != "public.customers django, public.invoices django" {
		t.Errorf("the journal has %s", got)
	}
	contains(t, c.replank(0, "adopt", "invoices", "customers", "--to", "django"), "own it already")
	c.replank(0, "drift")

	// From now on lint refuses a revision of Alembic for them, and takes a migration of Django.
	c.replank(0, "lint", "shop", "--fail-on", "error")
	c.write("shop/migrations/versions/zz_more.py", `import sqlalchemy as sa
from alembic import op

revision = "more"
down_revision = "`+c.head()+`"


def upgrade():
    op.add_column("invoices", sa.Column("note", sa.Text))
`)
	contains(t, c.replank(1, "lint", "shop"), "[foreign-owner]", "invoices belongs to the migrations of django since")
	refused := []string{"zz_more.py:9:1: invoices belongs to the migrations of django since", "(foreign-owner)", "hint: write the migration in the history that owns the table"}
	before = pgtest.PgDump(t, c.dsn)
	contains(t, c.replank(3, "plan", "shop"), refused...)
	contains(t, c.replank(3, "apply", "shop"), refused...)
	// A checkout from before the tables were adopted: the journal knows.
	c.rename("replank.owners.toml", "away.toml")
	contains(t, c.replank(3, "apply", "shop"), "zz_more.py:9:1: invoices belongs to the migrations of django", "(foreign-owner)")
	c.rename("away.toml", "replank.owners.toml")
	if d := pgtest.Diff(before, pgtest.PgDump(t, c.dsn)); d != "" {
		t.Errorf("what is refused has changed something: %s", d)
	}
	c.remove("shop/migrations/versions/zz_more.py")
	c.change("site/billing/models.py", "    paid_at", "    note = models.TextField(null=True)\n    paid_at")
	c.django("makemigrations", "-n", "note")
	if out := c.replank(0, "lint", "site", "--fail-on", "error"); strings.Contains(out, "foreign-owner") {
		t.Error(out)
	}
	c.django("migrate", "--no-input")
	// Alembic's side reads the table now: a column that it does not know is no difference, unless it has to write it.
	c.replank(0, "drift")
	pgtest.Exec(t, c.dsn, "ALTER TABLE invoices ALTER note SET NOT NULL")
	contains(t, c.replank(1, "drift"), "sqlalchemy is wrong: column note", "database is wrong: nullability note")
	pgtest.Exec(t, c.dsn, "ALTER TABLE invoices ALTER note DROP NOT NULL")

	// And back, when SQLAlchemy knows the column, and Django's model leaves the table alone.
	out = c.replank(3, "adopt", "public.invoices", "--to", "alembic")
	contains(t, out, "billing.Invoice (", "set managed = False")
	c.change("site/billing/models.py", `        db_table = "invoices"`, "        managed = False\n        db_table = \"invoices\"")
	contains(t, c.replank(3, "adopt", "invoices", "--to", "alembic"), "column note: sqlalchemy says no such column, the database text NULL")
	c.change("shop/models.py", "    paid_at", "    note: Mapped[str | None] = mapped_column(sa.Text)\n    paid_at")
	out = c.replank(0, "adopt", "invoices", "--to", "alembic", "--write")
	contains(t, out, "wrote shop/migrations/versions/", "0004_give_up_invoices.py")
	// Without --record the frameworks write it down themselves, and do nothing.
	shape := pgtest.PgDump(t, c.dsn)
	contains(t, c.django("migrate", "--no-input"), "Applying billing.0004_give_up_invoices... OK")
	c.alembic("upgrade", "head")
	if d := pgtest.Diff(shape, pgtest.PgDump(t, c.dsn)); d != "" {
		t.Errorf("the frameworks have changed something: %s", d)
	}
	c.clean()
	c.replank(0, "adopt", "invoices", "--to", "alembic", "--record")
	if got := c.owners(); got != "public.customers django, public.invoices alembic" {
		t.Errorf("the journal has %s", got)
	}
	if out := c.replank(0, "lint", "site", "--fail-on", "error"); strings.Contains(out, "foreign-owner") {
		t.Error(out) // what Django did with the table while it owned it
	}
	c.write("site/billing/migrations/0005_more.py", `from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_give_up_invoices")]
    operations = [migrations.RunSQL("ALTER TABLE invoices ADD COLUMN more integer")]
`)
	contains(t, c.replank(1, "lint", "site"), "[foreign-owner]", "invoices belongs to the migrations of alembic since billing.0004_give_up_invoices gave it up")
}

// owners are those of the journal.
func (c *clover) owners() string {
	return pgtest.Value[string](c.t, c.dsn, "SELECT string_agg(table_name || ' ' || history, ', ' ORDER BY table_name) FROM replank.owner")
}

// head is the revision that the database is at.
func (c *clover) head() string {
	return pgtest.Value[string](c.t, c.dsn, "SELECT version_num FROM alembic_version")
}

func (c *clover) rename(from, to string) {
	c.t.Helper()
	if err := os.Rename(filepath.Join(c.dir, from), filepath.Join(c.dir, to)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *clover) remove(file string) {
	c.t.Helper()
	if err := os.Remove(filepath.Join(c.dir, file)); err != nil {
		c.t.Fatal(err)
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("no %q in\n%s", p, text)
		}
	}
}

// TestDriftOfPackages: published packages with long histories, migrated by Django itself, differ in nothing.
func TestDriftOfPackages(t *testing.T) {
	if os.Getenv("REPLANK_TEST_FULL") == "" {
		t.Skip("minutes; with REPLANK_TEST_FULL=1")
	}
	t.Parallel()
	c := &clover{t: t, python: lts.Python(t), dir: t.TempDir(), dsn: pgtest.DB(t)}
	settings, err := os.ReadFile(filepath.Join("tests", "settings_of_many.py"))
	if err != nil {
		t.Fatal(err)
	}
	c.write("site/manage.py", `import os
import sys

from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "settings_of_many"
execute_from_command_line(sys.argv)
`)
	c.write("site/settings_of_many.py", strings.Replace(string(settings), `INSTALLED_APPS += ["replank.django"]`, "", 1))
	c.env = append(connection(t, c.dsn), "DATABASE_URL="+c.dsn, "PYTHONDONTWRITEBYTECODE=1",
		"PATH="+filepath.Dir(c.python)+string(os.PathListSeparator)+os.Getenv("PATH"))
	c.django("migrate", "--no-input", "-v", "0")
	for _, d := range c.drift(0) {
		if !d.Note {
			t.Errorf("%+v", d)
		}
	}
}
