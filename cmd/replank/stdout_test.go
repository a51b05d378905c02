package main

import (
	"os"
	"testing"

	"github.com/replank/replank/internal/pgtest"
)

// runInto is run with a standard output of the test's own.
func (c *cli) runInto(out *os.File, args ...string) result {
	c.t.Helper()
	s := &started{cmd: c.command(args...), out: newWatched(), err: newWatched()}
	s.cmd.Stdout, s.cmd.Stderr = out, s.err
	if err := s.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	return c.finish(s)
}

// TestOutputThatNobodyReads: the exit code is the command's own, and a migration goes on.
func TestOutputThatNobodyReads(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil { // every write gets EPIPE, as behind | head when it has gone
		t.Fatal(err)
	}
	defer w.Close()
	c.write("1_ok.sql", "CREATE TABLE made (id int);\n", "2_ready.sql", "ALTER TABLE orders ALTER COLUMN id TYPE bigint;\n",
		"3_waits.sql", "ALTER TABLE orders ADD COLUMN a int;\n", "4_fails.sql", "ALTER TABLE customers ADD CHECK (id < 100);\n",
		"5_truncate.sql", "TRUNCATE customers;\n", "6_person.sql", "DO $$ BEGIN PERFORM 1; END $$;\nALTER TABLE customers ADD CHECK (id < 100);\n")
	for _, call := range []struct {
		code int
		args []string
	}{
		{exitOK, []string{"plan", "1_ok.sql"}},
		{exitRefused, []string{"plan", "5_truncate.sql"}},
		{exitOK, []string{"apply", "1_ok.sql"}},
		{exitNotYet, []string{"apply", "2_ready.sql", "3_waits.sql"}},
		{exitFailed, []string{"apply", "4_fails.sql"}},
		{exitRefused, []string{"complete"}},
		{exitOK, []string{"complete", "--yes-no-old-readers"}},
		{exitOK, []string{"status"}},
		{exitOK, []string{"status", "--watch"}}, // it ends, because nobody watches
		{exitPerson, []string{"apply", "6_person.sql", "--accept", "irreversible"}},
		{exitPerson, []string{"status", "--gate"}},
		{exitPerson, []string{"status", "--gate", "--watch"}},
	} {
		for _, args := range [][]string{call.args, append(call.args, "--json")} {
			if r := c.runInto(w, args...); r.code != call.code {
				t.Errorf("replank %s: exit code %d, want %d\n%s", args, r.code, call.code, r.err)
			}
		}
	}
	if pgtest.Value[string](t, dsn, "SELECT pg_typeof(id)::text FROM orders LIMIT 1") != "bigint" ||
		!pgtest.Value[bool](t, dsn, "SELECT to_regclass('made') IS NOT NULL") {
		t.Error("the migrations were not carried out")
	}
}

// TestOutputThatIsLost: a full disk is an error of what only prints, and told by what changes the database.
func TestOutputThatIsLost(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full here: ", err)
	}
	defer full.Close()
	c, dsn := newShop(t)
	c.write("m.sql", "CREATE TABLE made (id int);\n")
	for _, call := range []struct {
		code int
		args []string
	}{
		{exitFailed, []string{"plan", "m.sql"}}, {exitFailed, []string{"plan", "m.sql", "--json"}}, {exitFailed, []string{"grants"}},
		{exitFailed, []string{"--help"}}, {exitOK, []string{"apply", "m.sql"}}, {exitOK, []string{"apply", "m.sql", "--json"}},
	} {
		r := c.runInto(full, call.args...)
		if r.code != call.code {
			t.Errorf("replank %s: exit code %d, want %d", call.args, r.code, call.code)
		}
		contains(t, r.err, "error: write to standard output: no space left on device")
	}
	if !pgtest.Value[bool](t, dsn, "SELECT to_regclass('made') IS NOT NULL") {
		t.Error("the migration was not carried out")
	}
}
