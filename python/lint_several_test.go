package python_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLintSeveral: a tree with several projects is judged wholly, each project as a history of its own.
func TestLintSeveral(t *testing.T) {
	t.Parallel()
	files := map[string]string{"db/00001_a.sql": "-- +goose Up\nCREATE TABLE g (id bigint PRIMARY KEY, n int);\n", "docs/notes.sql": "SELEC nothing;\n"}
	for dir, project := range map[string]map[string]string{"site/": djangoProject(), "shop/": alembicProject()} {
		for name, text := range project {
			files[dir+name] = text
		}
	}
	c := newCheckout(t, files)
	for _, dir := range []string{"site", "shop"} {
		if err := os.Symlink(filepath.Join(c.dir, ".venv"), filepath.Join(c.dir, dir, ".venv")); err != nil {
			t.Fatal(err)
		}
	}
	c.write("site/one/migrations/0002_index.py", djangoMigration(onFirst, "migrations.AddIndex('t', models.Index(fields=['n'], name='t_n'))"),
		"shop/m/versions/2.py", revision("two", "'one'", "op.alter_column('t', 'n', type_=sa.BigInteger())"),
		"db/00002_b.sql", "-- +goose Up\nCREATE INDEX g_n ON g (n);\n")
	const (
		site = "site/one/migrations/0002_index.py:+ index-not-concurrently"
		shop = "shop/m/versions/2.py:+ column-type"
		db   = "db/00002_b.sql:+ index-not-concurrently"
	)
	want := func(found []string, all ...string) {
		t.Helper()
		slices.Sort(found)
		if d := cmp.Diff(slices.Sorted(slices.Values(all)), found); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
	}
	// Folders of SQL count where they show their tool: notes.sql is none.
	found, _ := c.lint(1, "--since", "main", "--off", "lock-timeout")
	want(found, site, shop, db)
	if _, errs, _ := c.replank("lint", "."); !strings.Contains(errs, "notice: what is judged, each history by itself: shop, site, . (plain SQL beside projects has to be named)") {
		t.Errorf("what is judged is not said:\n%s", errs)
	}
	out, errs, code := c.replank("lint", "site", "shop", "--since", "main", "--off", "lock-timeout")
	if code != 1 || !strings.Contains(out, "[index-not-concurrently]") || !strings.Contains(out, "[column-type]") || errs != "" {
		t.Errorf("named: exit code %d\n%s%s", code, out, errs)
	}
	if _, errs, code := c.replank("lint", "site", "shop", "--fix"); code != 2 || !strings.Contains(errs, "hint: name one: site, shop") {
		t.Errorf("--fix: exit code %d\n%s", code, errs)
	}
	c.remove("db/00001_a.sql", "db/00002_b.sql")
	found, _ = c.lint(1, "--since", "main", "--off", "lock-timeout")
	want(found, site, shop)
	// To run one, it has to be named.
	c.remove("docs/notes.sql")
	if _, errs, code := c.replank("plan", "."); code != 2 || !strings.Contains(errs, "hint: name the project that is meant: shop (alembic), site (django)") {
		t.Errorf("plan: exit code %d\n%s", code, errs)
	}
	// One that cannot be loaded is named, and the others are judged.
	c.write("shop/m/versions/2.py", "raise ValueError('not today')\n")
	if out, errs, code := c.replank("lint", ".", "--since", "main"); code != 2 || !strings.Contains(errs, "shop: ") || !strings.Contains(errs, "not today") || !strings.Contains(out, "[index-not-concurrently]") {
		t.Errorf("broken: exit code %d\n%s%s", code, out, errs)
	}
	if out, _, code := c.replank("lint", ".", "--json"); code != 2 || !strings.Contains(out, `"unjudged": true`) {
		t.Errorf("broken: exit code %d\n%s", code, out)
	}
	if _, errs, code := c.replank("lint", ".", "--baseline", "known.json", "--write-baseline"); code != 2 || !strings.Contains(errs, "not today") {
		t.Errorf("a baseline of a part: exit code %d\n%s", code, errs)
	}
}

// TestLintTwoInOneFolder: a folder may hold both.
func TestLintTwoInOneFolder(t *testing.T) {
	t.Parallel()
	files := djangoProject()
	maps.Copy(files, alembicProject())
	c := newCheckout(t, files)
	c.write("one/migrations/0002_index.py", djangoMigration(onFirst, "migrations.AddIndex('t', models.Index(fields=['n'], name='t_n'))"),
		"m/versions/2.py", revision("two", "'one'", "op.alter_column('t', 'n', type_=sa.BigInteger())"))
	found, _ := c.lint(1, "--since", "main", "--off", "lock-timeout")
	if d := cmp.Diff([]string{"one/migrations/0002_index.py:+ index-not-concurrently", "m/versions/2.py:+ column-type"}, found); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if _, errs, code := c.replank("plan", "."); code != 2 || !strings.Contains(errs, ". holds two projects") || !strings.Contains(errs, "manage.py (django), alembic.ini (alembic)") {
		t.Errorf("plan: exit code %d\n%s", code, errs)
	}
}
