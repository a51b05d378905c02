package main

import (
	"strings"
	"testing"
)

const ownersOfA = "[tables.\"public.a\"]\nowner = \"django\"\n"

// TestLintForeignOwner: a folder of SQL beside a framework's project; python/clover_test.go has two frameworks.
func TestLintForeignOwner(t *testing.T) {
	t.Parallel()
	c := newCLI(t, "")
	c.write("m/1.sql", "ALTER TABLE a ADD COLUMN x int;\n", "m/2.sql", "ALTER TABLE b ADD COLUMN x int;\n",
		"m/3.sql", "ALTER TABLE a DROP COLUMN y; -- replank:allow drop-column because nobody reads it\n")
	if r := c.run("lint", "m"); strings.Contains(r.out, "foreign-owner") {
		t.Errorf("without owners:\n%s", r.out)
	}
	c.write("replank.owners.toml", ownersOfA)
	r := c.want(1, "lint", "m", "--fail-on", "error")
	contains(t, r.out, "m/1.sql:1:1: a belongs to the migrations of django [foreign-owner]", "m/3.sql:1:1: a belongs")
	if strings.Contains(r.out, "b belongs") {
		t.Error(r.out)
	}
	// From the migration on with which the folder gave the table up.
	c.write("replank.owners.toml", ownersOfA+"until = { bare = \"2\" }\n")
	r = c.want(1, "lint", "m", "--fail-on", "error")
	contains(t, r.out, "m/3.sql:1:1: a belongs to the migrations of django since 2 gave it up [foreign-owner]")
	if strings.Contains(r.out, "m/1.sql:1:1: a belongs") {
		t.Error(r.out)
	}
	// A history that begins behind that one.
	contains(t, c.want(1, "lint", "m/1.sql", "--fail-on", "error").out, "since 2 gave it up")
	c.want(0, "lint", "m", "--fail-on", "error", "--off", "foreign-owner,drop-column")
	c.write("replank.owners.toml", ownersOfA+"to = 1\n")
	contains(t, c.want(2, "lint", "m").err, "replank.owners.toml: unknown key", "known are owner, since and until")
}

func TestAdoptAndDriftAskForProjects(t *testing.T) {
	t.Parallel()
	c := newCLI(t, "")
	c.write("m/1.sql", "SELECT 1;\n")
	contains(t, c.want(2, "adopt", "a").err, "who is to own the tables?", "--to django or --to alembic")
	contains(t, c.want(2, "adopt", "--to", "django").err, "requires at least 1 arg")
	contains(t, c.want(2, "adopt", "a", "--to", "django").err, "no project of Django or Alembic at .", "manage.py and alembic.ini")
	contains(t, c.want(2, "drift", "m").err, "no project of Django or Alembic at m")
	contains(t, c.want(2, "drift", "nosuch.json").err, "nosuch.json")
	c.write("x.json", `{"format": "replank-history", "version": 1, "framework": {"name": "django"}, "migrations": [], "models": []}`)
	contains(t, c.want(2, "adopt", "a", "--to", "django", "--project", "x.json").err, "an exported file is no project")
	contains(t, c.want(2, "drift", "x.json", "--snapshot", "nosuch").err, "read the snapshot nosuch")
	// A database that cannot be had is nothing that could be judged.
	contains(t, c.with("DATABASE_URL=postgres://127.0.0.1:1/nowhere").want(2, "drift", "x.json").err, "127.0.0.1")
}
