package python_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
)

// TestSquashAppliedInPart: a database that has run some of what a squash replaces runs the others, and not the squash.
func TestSquashAppliedInPart(t *testing.T) {
	pgtest.Share(t, 2)
	settings, err := os.ReadFile(filepath.Join("testdata", "shelf", "settings.py"))
	if err != nil {
		t.Fatal(err)
	}
	manage, err := os.ReadFile(filepath.Join("testdata", "shelf", "manage.py"))
	if err != nil {
		t.Fatal(err)
	}
	migration := func(needs, operations string) string {
		if needs != "" {
			needs = `("stock", "` + needs + `")`
		}
		return "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    dependencies = [" + needs + "]\n    operations = [" + operations + "]\n"
	}
	const (
		item   = `migrations.CreateModel("Item", [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())]),`
		amount = `migrations.AddField("Item", "amount", models.IntegerField(default=0)),`
		note   = `migrations.AddField("Item", "note", models.TextField(null=True)),`
		index  = `migrations.AddIndex("Item", models.Index(fields=["name"], name="item_name")),`
	)
	project := history.Project{Dir: t.TempDir(), Python: lts.Python(t)}
	write(t, project.Dir, map[string]string{
		"manage.py": string(manage), "settings.py": strings.Replace(string(settings), `"shelf"`, `"stock"`, 1),
		"stock/__init__.py": "", "stock/migrations/__init__.py": "",
		"stock/models.py": "from django.db import models\n\n\nclass Item(models.Model):\n    name = models.TextField()\n    amount = models.IntegerField(default=0)\n" +
			"    note = models.TextField(null=True)\n\n    class Meta:\n        indexes = [models.Index(fields=[\"name\"], name=\"item_name\")]\n",
		"stock/migrations/0001_initial.py": migration("", item),
		"stock/migrations/0002_amount.py":  migration("0001_initial", amount),
		"stock/migrations/0003_note.py":    migration("0002_amount", note),
	})
	dsn := pgtest.DB(t)
	django := func(dsn string, args ...string) string {
		return mustIn(t, project.Dir, connection(t, dsn), project.Python, append([]string{"-B", "manage.py"}, args...)...)
	}
	django(dsn, "migrate", "--no-input", "stock", "0002")
	write(t, project.Dir, map[string]string{
		"stock/migrations/0001_squashed_0003_note.py": migration("", item+amount+note) +
			"    replaces = [(\"stock\", \"0001_initial\"), (\"stock\", \"0002_amount\"), (\"stock\", \"0003_note\")]\n",
		"stock/migrations/0004_index.py": migration("0001_squashed_0003_note", index),
	})
	own := pgtest.DB(t, pgtest.From(dsn))
	e, x := engine(t, dsn, project)
	p, err := e.Plan(t.Context(), x.Migrations(""))
	if err != nil {
		t.Fatal(err)
	}
	var pending []string
	for _, m := range p.Pending() {
		pending = append(pending, m.Name)
	}
	if got := strings.Join(pending, " "); !strings.HasSuffix(got, "stock.0003_note stock.0004_index") || strings.Contains(got, "squashed") {
		t.Errorf("to be applied: %s", got)
	}
	lintOfSquash(t, project, dsn)
	sum, err := e.Apply(t.Context(), x.Migrations(""))
	if err != nil {
		t.Fatalf("apply: %v (%s)", err, migrate.HintOf(err))
	}
	if len(sum.Ready)+len(sum.Blocked) > 0 {
		t.Errorf("%+v", sum)
	}
	if p, err = e.Plan(t.Context(), x.Migrations("")); err != nil || len(p.Pending()) > 0 {
		t.Errorf("after apply: %+v, %v", p, err)
	}
	django(own, "migrate", "--no-input")
	django(dsn, "migrate", "--check")
	django(dsn, "migrate", "--no-input")
	same(t, own, dsn)
}

// lintOfSquash: lint judges what apply would take on the database of the snapshot.
func lintOfSquash(t *testing.T, project history.Project, dsn string) {
	t.Helper()
	c := &clover{t: t, python: project.Python, dir: project.Dir, dsn: dsn, env: append(connection(t, dsn), "DATABASE_URL="+dsn,
		"PYTHONDONTWRITEBYTECODE=1", "PATH="+filepath.Dir(project.Python)+string(os.PathListSeparator)+os.Getenv("PATH"))}
	c.write("s.json", c.stdout("snapshot"))
	out := c.replank(0, "lint", ".", "--snapshot", "s.json", "--format", "junit", "--fail-on", "error")
	for _, file := range []string{"stock/migrations/0003_note.py", "stock/migrations/0004_index.py"} {
		contains(t, out, file)
	}
	for _, file := range []string{"stock/migrations/0001_squashed", "stock/migrations/0001_initial", "stock/migrations/0002_amount", "already exists"} {
		if strings.Contains(out, file) {
			t.Errorf("%s is judged:\n%s", file, out)
		}
	}
}
