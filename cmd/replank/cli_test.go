package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pgtest"
)

// shop is a small application's database; a table is big from a hundred rows on (--big-rows).
const shop = `
	CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text);
	CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id int NOT NULL, note text);
	INSERT INTO customers (name, email) SELECT 'n' || i, 'e' || i FROM generate_series(1, 500) i;
	INSERT INTO orders (customer_id, note) SELECT 1 + i % 500, 'x' || i FROM generate_series(1, 2000) i;`

func newShop(t *testing.T) (*cli, string) {
	t.Helper()
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, shop)
	pgtest.Exec(t, dsn, "ANALYZE")
	return newCLI(t, dsn).with("REPLANK_BIG_ROWS=100"), dsn
}

func TestPlanWritesNothing(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	before := pgtest.Dump(t, dsn)
	c.write("m/001_bigint.sql", "ALTER TABLE orders ALTER COLUMN id TYPE bigint;\n",
		"m/002_index.sql", "CREATE INDEX orders_note ON orders (note);\n")
	// A server that takes no writes at all is as good.
	readOnly := c.with("DATABASE_URL=" + pgtest.Param(dsn, "options", "-c default_transaction_read_only=on"))
	for _, c := range []*cli{c, readOnly} {
		r := c.want(exitOK, "plan", "m")
		contains(t, r.out, "2 files to apply", "001_bigint", "at complete", "ACCESS EXCLUSIVE on public.orders",
			"for at most 200ms", "CREATE INDEX CONCURRENTLY", "cached-plan", "until complete")
		c.want(exitOK, "apply", "m", "--dry-run")
		contains(t, c.want(exitOK, "status").out, "no journal yet")
		c.want(exitOK, "doctor")
	}
	if d := pgtest.Diff(before, pgtest.Dump(t, dsn)); d != "" {
		t.Errorf("plan changed the database:\n%s", d)
	}
	if pgtest.Value[bool](t, dsn, "SELECT to_regnamespace('replank') IS NOT NULL") {
		t.Error("plan created schema replank")
	}
	c.want(exitRefused, "apply", "m", "--db", pgtest.Param(dsn, "options", "-c default_transaction_read_only=on"))
}

func TestLifeCycle(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	before := pgtest.Dump(t, dsn)
	c.write("m/001_index.sql", "CREATE INDEX customers_name ON customers (name);\n",
		"m/002_bigint.sql", "ALTER TABLE orders ALTER COLUMN id TYPE bigint;\n",
		"m/003_note.sql", "UPDATE orders SET note = upper(note);\n")
	typeOfID := func() string {
		return pgtest.Value[string](t, dsn, `SELECT format_type(atttypid, atttypmod) FROM pg_attribute
			WHERE attrelid = 'orders'::regclass AND attname = 'id'`)
	}

	r := c.want(exitNotYet, "apply", "m")
	contains(t, r.out, "done: 001_index", "ready: 002_bigint", "next: ")
	contains(t, r.err, "003_note waits for complete of 002_bigint")
	c.want(exitNotYet, "status", "--gate", "m")
	c.want(exitOK, "status", "--gate") // nothing is under way
	contains(t, c.want(exitOK, "status").out, "1 migration applied", "002_bigint", "ready")
	contains(t, c.want(exitOK, "plan", "m").out, "1 applied", "002_bigint is ready: complete or revert comes next")
	r = c.want(exitRefused, "plan", "m", "--owner", "nosuch")
	contains(t, r.err, "there is no role nosuch, which --owner names (privileges)", "create the role")
	contains(t, c.want(exitFailed, "doctor", "--owner", "nosuch").out, "there is no role nosuch")

	r = c.want(exitRefused, "complete")
	contains(t, r.err, "old-readers", "--yes-no-old-readers")
	c.want(exitRefused, "complete", "--yes-no-old-readers", "--wait-old-readers", "24h")
	if got := typeOfID(); got != "integer" {
		t.Fatalf("id is %s before complete", got)
	}
	contains(t, c.want(exitOK, "complete", "--yes-no-old-readers").out, "done: 002_bigint")
	if got := typeOfID(); got != "bigint" {
		t.Errorf("id is %s after complete", got)
	}
	contains(t, c.want(exitOK, "complete").out, "nothing to complete")
	contains(t, c.want(exitOK, "receipt", "002_bigint.sql").out, `"old_readers"`, `"done_at"`)

	c.want(exitOK, "apply", "m")
	c.want(exitOK, "status", "--gate", "m")
	c.write("m/004_more.sql", "CREATE TABLE more (id int);\n")
	contains(t, c.with("REPLANK_MIGRATIONS=m").want(exitNotYet, "status", "--gate").out, "004_more")
	if err := os.Remove(filepath.Join(c.dir, "m/004_more.sql")); err != nil {
		t.Fatal(err)
	}
	if n := pgtest.Value[int](t, dsn, "SELECT count(*) FROM orders WHERE note LIKE 'X%'"); n != 2000 {
		t.Errorf("%d rows are changed", n)
	}
	contains(t, c.want(exitOK, "revert", "003_note.sql").out, "reverted: 003_note")
	if n := pgtest.Value[int](t, dsn, "SELECT count(*) FROM orders WHERE note LIKE 'x%'"); n != 2000 {
		t.Errorf("%d rows have their value back", n)
	}
	c.want(exitRefused, "revert", "002_bigint") // the former column is gone
	contains(t, c.want(exitOK, "revert", "001_index").out, "reverted: 001_index")
	if d := pgtest.Diff(before, pgtest.Dump(t, dsn)); strings.Contains(d, "customers_name") {
		t.Errorf("the index is still there:\n%s", d)
	}
	contains(t, c.want(exitOK, "uninstall", "--yes").out, "gone")
	if pgtest.Value[bool](t, dsn, "SELECT to_regnamespace('replank') IS NOT NULL") {
		t.Error("schema replank is still there")
	}
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	const update = "UPDATE orders SET note = note || '!' WHERE id % 2 = 0"
	marked := func() int { return pgtest.Value[int](t, dsn, "SELECT count(*) FROM orders WHERE note LIKE '%!'") }
	c.want(exitOK, "backfill", update)
	if n := marked(); n != 1000 {
		t.Fatalf("%d rows are changed", n)
	}
	contains(t, c.want(exitRefused, "backfill", update).err, "still keeps the values of before")
	c.want(exitOK, "revert")
	if n := marked(); n != 0 {
		t.Fatalf("%d rows are still changed", n)
	}
	contains(t, c.want(exitRefused, "backfill", update, "--no-undo").err, "--accept irreversible")
	contains(t, c.want(exitOK, "backfill", update, "--no-undo", "--accept", "irreversible").out, "done: backfill-")
	contains(t, c.want(exitOK, "backfill", update, "--no-undo", "--accept", "irreversible").out, "done: backfill-")
	if n := pgtest.Value[int](t, dsn, "SELECT count(*) FROM orders WHERE note LIKE '%!!'"); n != 1000 {
		t.Errorf("%d rows are changed a second time: the same backfill may be done again", n)
	}
	c.want(exitUsage, "backfill", "DROP TABLE orders")
	contains(t, c.want(exitUsage, "backfill", "UPDATE orders SET").err, "backfill:2:", "^")
}

func TestBaselineAndEditedFile(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	c.write("m/001_old.sql", "CREATE TABLE customers (id int);\n", "m/002_new.sql", "CREATE TABLE fresh (id int);\n")
	c.want(exitUsage, "baseline", "009_nosuch", "m")
	contains(t, c.want(exitOK, "baseline", "001_old.sql", "m").out, "1 migration taken over")
	c.want(exitOK, "apply", "m")
	pgtest.Exec(t, dsn, "SELECT id FROM fresh")
	contains(t, c.want(exitOK, "apply", "m").out, "nothing to do")
	contains(t, c.want(exitOK, "plan", "m").out, "nothing to do")
	c.write("m/001_old.sql", "CREATE TABLE customers (id bigint);\n")
	contains(t, c.want(exitRefused, "plan", "m").err, "m/001_old.sql", "edited")
	c.want(exitRefused, "apply", "m")
}

func TestDirect(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DB(t)
	c := newCLI(t, dsn)
	c.write("m/001.sql", shop)
	contains(t, c.want(exitOK, "apply", "--direct", "m").out, "done: 001")
	contains(t, c.want(exitOK, "status").out, "1 migration applied")
	contains(t, c.want(exitRefused, "revert").err, "001 was executed as written")

	c.write("m/002.sql", "CREATE INDEX CONCURRENTLY half ON orders (id);\nSELECT 1 / 0;\n")
	for range 2 { // the second time it is no more applied than the first time
		contains(t, c.want(exitPerson, "apply", "--direct", "m").err, "hint: ")
	}
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"doctor"}} { // they name the same way out
		contains(t, strings.Join(strings.Fields(c.run(args...).out), " "), "revert with --accept irreversible forgets it")
	}
	contains(t, c.want(exitRefused, "revert").err, "nothing of that can be taken back", "--accept irreversible")
	contains(t, c.want(exitOK, "revert", "002", "--accept", "irreversible").out, "reverted: 002")
}

// TestTwoAtOnce lets one apply wait for a lock while another comes.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	c.write("m/001.sql", "ALTER TABLE orders ADD COLUMN a int;\n")
	blocker := block(t, dsn)
	first := c.start("apply", "m")
	first.out.waitFor("add_a_lock") // who is in the way, by the name of the application

	contains(t, c.want(exitBusy, "apply", "m").err, "busy: ", "--wait")
	second := c.start("apply", "m", "--wait")
	second.out.waitFor("waits")
	c.want(exitNotYet, "status", "--gate")
	gate := c.start("status", "--gate", "--watch", "m")
	gate.out.waitFor("executor: ")

	release(t, blocker)
	if r := c.finish(first); r.code != exitOK {
		t.Errorf("the first apply: %d\n%s%s", r.code, r.out, r.err)
	}
	if r := c.finish(second); r.code != exitOK {
		t.Errorf("the apply that waited: %d\n%s%s", r.code, r.out, r.err)
	}
	if r := c.finish(gate); r.code != exitOK {
		t.Errorf("the gate: %d\n%s%s", r.code, r.out, r.err)
	}
}

// TestInterrupted stops an apply in the middle; the next one goes on.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	c.write("m/001.sql", "CREATE TABLE made (id int);\nALTER TABLE orders ADD COLUMN a int;\n")
	blocker := block(t, dsn)
	apply := c.start("apply", "m")
	apply.out.waitFor("waits")
	if err := apply.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	r := c.finish(apply)
	if r.code != exitStopped {
		t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	contains(t, r.err, "stopping after the current transaction", "stopped: ", "hint: ")
	if !pgtest.Value[bool](t, dsn, "SELECT to_regclass('made') IS NOT NULL") {
		t.Error("what was done is not kept")
	}
	c.want(exitNotYet, "status", "--gate")
	release(t, blocker)
	c.want(exitOK, "apply", "m")
	pgtest.Exec(t, dsn, "SELECT a FROM orders")
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	c.write("m/001.sql", "CREATE TABLE made (id int);\nALTER TABLE orders ADD COLUMN a int;\n")
	blocker := block(t, dsn)
	apply := c.start("apply", "m", "--json")
	apply.out.waitFor("waiting")
	contains(t, c.want(exitOK, "pause", "--requester", "olga").out, "paused: 001")
	if r := c.finish(apply); r.code != exitStopped {
		t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.err)
	} else {
		contains(t, r.out, `"message":"apply: paused","migration":"001","step":"02-expand"`)
	}
	release(t, blocker)
	contains(t, c.want(exitNotYet, "apply", "m").err, "001 is paused")
	contains(t, c.want(exitOK, "status").out, "paused by olga")
	contains(t, c.want(exitOK, "resume").out, "done: 001")
	contains(t, c.want(exitOK, "resume").out, "nothing to resume")
}

func TestRowsThatFail(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	c.write("m/001_fill.sql", "UPDATE customers SET name = nullif(name, 'n7');\n")
	r := c.want(exitStopped, "apply", "m")
	contains(t, r.err, "1 rows of public.customers were rejected", "waive")
	contains(t, c.want(exitOK, "status").out, "1 row was set aside")
	c.want(exitStopped, "resume")
	c.want(exitUsage, "waive", "nosuch", "1")
	id := pgtest.Value[int64](t, dsn, "SELECT id FROM replank.rejected")
	r = c.want(exitUsage, "waive", "001_fill", strconv.FormatInt(id, 10), "998", "999")
	contains(t, r.err, "001_fill has no rejected row 998, 999")
	if pgtest.Value[bool](t, dsn, "SELECT waived FROM replank.rejected") || strings.Contains(r.out, "waived") {
		t.Error("a row is waived although others that were named are unknown")
	}
	for range 2 { // what is waived already is no error
		contains(t, c.want(exitOK, "waive", "001_fill", strconv.FormatInt(id, 10)).out, "waived: ")
	}
	contains(t, c.want(exitOK, "resume").out, "ready: 001_fill")
}

func TestFailedAndTakenBack(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	before := pgtest.Dump(t, dsn)
	c.write("m/001.sql", "ALTER TABLE orders ADD COLUMN a int;\nALTER TABLE orders ADD CHECK (id < 100);\n")
	r := c.want(exitFailed, "apply", "m")
	contains(t, r.err, "taken back", "orders_id_check")
	contains(t, r.out, "undone", "as it was before")
	if d := pgtest.Diff(before, pgtest.Dump(t, dsn)); d != "" {
		t.Errorf("it was not taken back:\n%s", d)
	}
}

func TestNeedsPerson(t *testing.T) {
	t.Parallel()
	c, _ := newShop(t)
	c.write("m/001.sql", "DO $$ BEGIN PERFORM 1; END $$;\nALTER TABLE orders ADD CHECK (id < 100);\n")
	c.want(exitRefused, "apply", "m")
	c.want(exitPerson, "apply", "m", "--accept", "irreversible")
	contains(t, c.want(exitPerson, "status", "--gate").err, "001")
	contains(t, c.want(exitOK, "status").out, "failed", "a person decides: resume")
	contains(t, c.want(exitPerson, "apply", "m").err, "replank status says why")
	c.write("m/002.sql", "ALTER TABLE orders ADD COLUMN a int;\n")
	contains(t, c.run("plan", "m").out, "001 has failed: a person decides", "0 applied")
	contains(t, c.want(exitFailed, "doctor").out, "has failed")
	if doc := objects(t, c.want(exitFailed, "doctor", "--json").out); doc[len(doc)-1]["exit_code"] != 1.0 {
		t.Errorf("doctor --json: %v", doc)
	}
}

func TestPlainWhenPiped(t *testing.T) {
	t.Parallel()
	c, _ := newShop(t)
	c.write("m/001.sql", "ALTER TABLE orders ALTER COLUMN id TYPE bigint;\n", "bad.sql", "SELEC 1")
	for _, args := range [][]string{{"plan", "m"}, {"apply", "m"}, {"status"}, {"doctor"}, {"plan", "bad.sql"}, {"--help"},
		{"complete"}, {"revert"}, {"nonsense"}} {
		r := c.with("TERM=xterm-256color").run(args...)
		if strings.Contains(r.out+r.err, "\x1b") {
			t.Errorf("replank %s writes escape codes into a pipe:\n%q", args, r.out+r.err)
		}
		if r.out+r.err == "" {
			t.Errorf("replank %s says nothing", args)
		}
	}
}

var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

func TestTerminal(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("script"); err != nil {
		t.Skip("there is no script(1) to make a terminal with")
	}
	c, dsn := newShop(t)
	c.write("m/001.sql", "ALTER TABLE orders ADD COLUMN a int;\n")
	onTerminal := func(c *cli, args string) *started {
		self := c.command().Path
		s := &started{cmd: c.command(), out: newWatched(), err: newWatched()}
		script, err := exec.LookPath("script")
		if err != nil {
			t.Fatal(err)
		}
		s.cmd.Path, s.cmd.Args = script, []string{"script", "-q", "-e", "-c", "stty rows 40 cols 72; '" + self + "' " + args, "/dev/null"}
		s.cmd.Stdout = s.out
		if err := s.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return s
	}
	plain := c.with("TERM=xterm", "NO_COLOR=1")
	r := c.finish(onTerminal(c.with("TERM=xterm"), "plan m"))
	if !colours.MatchString(r.out) {
		t.Errorf("a plan without colours on a terminal:\n%q", r.out)
	}
	for _, l := range strings.Split(colours.ReplaceAllString(r.out, ""), "\n") {
		if runes(strings.TrimRight(l, "\r")) > 72 {
			t.Errorf("a line is wider than the terminal: %q", l)
		}
	}
	for _, r := range []result{c.finish(onTerminal(plain, "plan m")), c.finish(onTerminal(c.with("TERM=xterm"), "plan m --no-color"))} {
		if strings.Contains(r.out, "\x1b") {
			t.Errorf("colours although nobody wants them:\n%q", r.out)
		}
	}
	blocker := block(t, dsn)
	apply := onTerminal(plain, "apply m")
	apply.out.waitFor("waits")
	apply.out.waitFor("⠋ ALTER TABLE orders ADD COLUMN a int") // the live line
	release(t, blocker)
	r = c.finish(apply)
	if r.code != exitOK || colours.MatchString(r.out) {
		t.Errorf("exit code %d, output %q", r.code, r.out)
	}
	contains(t, r.out, "done  ALTER TABLE orders ADD COLUMN a int")
}

// block keeps everybody from changing table orders until release.
func block(t *testing.T, dsn string) pgx.Tx {
	t.Helper()
	conn := pgtest.Connect(t, pgtest.Param(dsn, "application_name", "add_a_lock"))
	tx, err := conn.Begin(context.Background())
	if err == nil {
		_, err = tx.Exec(context.Background(), "SELECT count(*) FROM orders")
	}
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func release(t *testing.T, tx pgx.Tx) {
	t.Helper()
	if err := tx.Rollback(context.Background()); err != nil {
		t.Fatal(err)
	}
}
