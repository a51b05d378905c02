package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/replank/replank/devdb"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/testdb"
)

// TestDevMistakes: all of them at once, each with its line.
func TestDevMistakes(t *testing.T) {
	t.Parallel()
	c := newCLI(t, "")
	c.write("a.sql", "", "replank.toml", `workers = 0
[dev]
pool = "many"
test_after = "none"

[dev.apps.legacy]
port = 8000
ready = "nowhere"

[dev.steps.one]
run    = """
true # [dev.steps.none]
"""
needs  = ["two"]
inputs = [
  "a.sql", # there
  "b.sql",
]

[dev.steps.two]
app   = "modern"
run   = "true"
needs = ["one"]
[dev.steps."th ree"]
`)
	r := c.want(exitUsage, "dev", "refresh")
	for _, want := range []string{
		"replank.toml:1:1: workers: want", "replank.toml:3:1: dev.pool: want a whole number", "replank.toml:4:1: dev.test_after: there is no step none",
		"replank.toml:7:1: dev.apps.legacy.port: unknown key; known are dir, env, start, ready", "replank.toml:8:1: dev.apps.legacy.ready: want a URL",
		"replank.toml:14:1: dev.steps.one.needs: the steps need each other: one needs two needs one", "replank.toml:15:1: dev.steps.one.inputs: b.sql matches no file",
		"replank.toml:21:1: dev.steps.two.app: there is no app modern", "dev.steps: want names of letters", "dev.steps.th ree: it has no command", "replank.toml:2:2: dev.db: the database to make is not named",
	} {
		contains(t, strings.Join(strings.Fields(r.err), " "), want)
	}
	c.write("replank.toml", "")
	contains(t, c.want(exitUsage, "dev", "refresh").err, "there is no table [dev]")
	contains(t, c.want(exitUsage, "dev", "refreshed").err, "refresh, reset or up")
}

// TestDevKeysAreDocumented compares the keys that are read with the page.
func TestDevKeysAreDocumented(t *testing.T) {
	text := page(t, "configuration.md")
	_, text, _ = strings.Cut(text, "## The table [dev]")
	var listed []string
	for line := range strings.Lines(text) {
		if key, ok := strings.CutPrefix(line, "| `dev."); ok {
			key, _, _ = strings.Cut(key, "`")
			listed = append(listed, key)
		}
	}
	var known []string
	for _, k := range devKeys {
		if k != "apps" && k != "steps" {
			known = append(known, k)
		}
	}
	for _, k := range devAppKeys {
		known = append(known, "apps.NAME."+k)
	}
	for _, k := range devStepKeys {
		known = append(known, "steps.NAME."+k)
	}
	slices.Sort(listed)
	slices.Sort(known)
	if !slices.Equal(listed, known) {
		t.Errorf("docs/configuration.md lists %q, known are %q", listed, known)
	}
	guide := page(t, "guide-dev.md")
	for _, sign := range append(slices.Clone(devdb.Signs), devdb.SignHost, devdb.SignUnmarked) {
		contains(t, guide, "| `"+sign+"` |")
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[devJSON](), reflect.TypeFor[devdb.TestDB]()} {
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			contains(t, guide, "`"+name+"`")
		}
	}
}

// TestDevCommands: refresh, a refusal with its exit code, a database for a test.
func TestDevCommands(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Shared(t).DSN("commands_dev")
	c := newCLI(t, "postgres://db.example.com/production").with("REPLANK_DEV_DB=" + dsn) // which nobody looks at
	c.write("replank.toml", "[dev]\ndb = \"postgres:///x\"\npool = 1\n[dev.steps.only]\nrun = \"echo $PGDATABASE > seen\"\n")
	contains(t, c.want(exitOK, "dev", "refresh").out, "only", "commands_dev", "made from its template")
	seen, err := os.ReadFile(filepath.Join(c.dir, "seen"))
	if err != nil || !strings.HasPrefix(string(seen), "commands_dev_replank_scratch_") {
		t.Errorf("%v %s", err, seen)
	}
	contains(t, c.want(exitOK, "dev", "refresh").out, "commands_dev is up to date")
	r := c.with("FLASK_ENV=production").want(exitRefused, "dev", "reset")
	contains(t, r.err, "FLASK_ENV=production", "--allow settings")
	c.with("FLASK_ENV=production").want(exitOK, "dev", "reset", "--allow", "settings")
	contains(t, c.with("REPLANK_DEV_DB=postgres://db.example.com/live").want(exitRefused, "dev", "up").err, "--allow-host db.example.com", "--allow name")
	var db devdb.TestDB
	if err := json.Unmarshal([]byte(c.want(exitOK, "testdb", "--json").out), &db); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, db.DSN, "CREATE TABLE mine ()")
	c.want(exitOK, "testdb", "release", db.Name)
	contains(t, c.want(exitFailed, "testdb", "release", "commands_dev").err, "no database for tests")
	c.want(exitOK, "testdb", "fill")
}

// TestGoHelper: what applications' tests import gives each test its own database, found from the folder of a package.
func TestGoHelper(t *testing.T) {
	c := newCLI(t, "")
	c.write("replank.toml", "[dev]\ndb = \""+pgtest.Shared(t).DSN("helper_dev")+"\"\n[dev.steps.only]\nrun = \"true\"\n", "deep/below/x", "")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("REPLANK_BIN", self)
	t.Setenv(asProgram, "1")
	t.Chdir(filepath.Join(c.dir, "deep", "below"))
	var dsns []string
	t.Run("tests", func(t *testing.T) {
		for range 2 {
			dsn := testdb.New(t)
			pgtest.Exec(t, dsn, "CREATE TABLE mine ()")
			dsns = append(dsns, dsn)
		}
	})
	c.want(exitOK, "testdb", "fill")
	if len(dsns) != 2 || dsns[0] == dsns[1] {
		t.Errorf("%q", dsns)
	}
}
