package history

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/ddl"
)

func TestOwners(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, OwnersFile)
	o, err := ReadOwners(path)
	if err != nil || len(o.Tables) > 0 {
		t.Fatalf("no file: %v, %v", o, err)
	}
	plain, odd := ddl.Name{Schema: "public", Name: "invoices"}, ddl.Name{Schema: "Big", Name: `a."b`}
	o.Move(plain, "alembic", "r1", "django", "billing.0002")
	o.Move(odd, "alembic", "r1", "django", "billing.0002")
	o.Move(odd, "django", "billing.0007", "alembic", "r9")
	if err := o.Write(path); err != nil {
		t.Fatal(err)
	}
	read, err := ReadOwners(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[ddl.Name]Owner{
		plain: {History: "django", Since: "billing.0002", Until: map[string]string{"alembic": "r1"}},
		// Back at its first owner, who may change it in all its history.
		odd: {History: "alembic", Since: "r9", Until: map[string]string{"django": "billing.0007"}},
	}
	if d := cmp.Diff(want, read.Relations()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	for _, text := range []string{"x = 1\n", "[tables.\"a.b\"]\nsince = \"1\"\n", "[tables\n"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadOwners(path); err == nil || !strings.Contains(err.Error(), OwnersFile) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFindOwners(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"repo/.git", "repo/site/app", "other/.git"} {
		if err := os.MkdirAll(filepath.Join(dir, path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{OwnersFile, "repo/" + OwnersFile} {
		if err := os.WriteFile(filepath.Join(dir, path), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := FindOwners(filepath.Join(dir, "repo", "site", "app")); got != filepath.Join(dir, "repo", OwnersFile) {
		t.Errorf("below the repository: %q", got)
	}
	if got := FindOwners(filepath.Join(dir, "other")); got != "" {
		t.Errorf("above a repository: %q", got)
	}
}

func TestRelationName(t *testing.T) {
	for text, want := range map[string]ddl.Name{
		"a": {Name: "a"}, "a.b": {Schema: "a", Name: "b"}, `"A"."b.c"`: {Schema: "A", Name: "b.c"}, `a."b""c"`: {Schema: "a", Name: `b"c`}, `"A`: {Name: "A"},
	} {
		if got := RelationName(text); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
	for _, n := range []ddl.Name{{Schema: "S", Name: `x"."y`}, {Name: "select"}, {Schema: "a", Name: "b"}} {
		if got := RelationName(n.String()); got != n {
			t.Errorf("%+v: %+v", n, got)
		}
	}
}

func TestProjects(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"site/manage.py", "apps/shop/alembic.ini", "both/manage.py", "both/alembic.ini", "site/inner/manage.py",
		"venv/pyvenv.cfg", "venv/x/manage.py", "node_modules/y/manage.py", ".tox/manage.py", "a/b/c/d/manage.py"} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, p := range Projects(dir) {
		rel, _ := filepath.Rel(dir, p.Dir)
		got = append(got, p.Framework+" "+filepath.ToSlash(rel))
	}
	if d := cmp.Diff([]string{"alembic apps/shop", "django both", "alembic both", "django site"}, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if ps := Projects(filepath.Join(dir, "both", "alembic.ini")); len(ps) != 1 || ps[0].Framework != "alembic" || ps[0].Dir != filepath.Join(dir, "both") {
		t.Errorf("the file of one of two: %+v", ps)
	}
}
