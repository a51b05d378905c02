package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
)

// newCountedShop is a shop on a server that counts statements.
func newCountedShop(t *testing.T) (*cli, string) {
	t.Helper()
	server := pgtest.Own(t, map[string]string{"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"})
	dsn := pgtest.DB(t, pgtest.On(server))
	pgtest.Exec(t, dsn, "CREATE EXTENSION pg_stat_statements", shop, "ANALYZE", "SELECT pg_stat_statements_reset()")
	return newCLI(t, dsn).with("REPLANK_BIG_ROWS=100"), dsn
}

// send sends statements as an application does.
func send(t *testing.T, dsn string, statements ...string) {
	t.Helper()
	conn := pgtest.Connect(t, dsn)
	for _, sql := range statements {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// daysLater lets time pass for what was read of pg_stat_statements.
func daysLater(t *testing.T, dsn string, days string) {
	t.Helper()
	pgtest.Exec(t, dsn, "UPDATE replank.reading SET at = at - '"+days+" days'::interval, began = began - '"+days+" days'::interval, first = first - '"+days+" days'::interval",
		"UPDATE replank.called SET last = last - '"+days+" days'::interval")
}

// TestCompleteWaitsForTheOldShape: complete --unused-for refuses while statements that need the old shape are called,
// and needs nobody's word when they are not.
func TestCompleteWaitsForTheOldShape(t *testing.T) {
	t.Parallel()
	c, dsn := newCountedShop(t)
	c.write("m/001_names.sql", "ALTER TABLE customers RENAME name TO full_name;\nALTER TABLE orders DROP COLUMN note;\n")
	send(t, dsn, "SELECT name FROM customers WHERE email = 'a secret'", "SELECT count(*) FROM orders")
	c.want(exitOK, "apply", "m", "--accept", "irreversible")

	r := c.want(exitRefused, "complete", "--unused-for", "7d")
	contains(t, r.err, "old-readers", "has not been unused for 7d yet", "SELECT name FROM customers WHERE email = $1: 0 calls, by",
		`column "name" does not exist`, "allowed from")
	for _, own := range []string{"ctid", "count(*)", "a secret"} {
		if strings.Contains(r.err, own) {
			t.Errorf("%s is in %s", own, r.err)
		}
	}
	send(t, dsn, "SELECT name FROM customers WHERE email = 'b'", "UPDATE orders SET note = 'x' WHERE id = 1", "SELECT full_name FROM customers WHERE id = 1")
	out := c.want(exitOK, "status").out
	contains(t, out, "old shape: 1 live statement needs it", "1 call since", "SELECT name FROM customers", "2 statements are new since complete asked last")

	// Nobody has called anything for eight days; then one statement is called once more.
	daysLater(t, dsn, "8")
	r = c.want(exitRefused, "complete", "--unused-for", "7d")
	contains(t, r.err, "UPDATE orders SET note = $1 WHERE id = $2: 1 call", "SELECT name FROM customers WHERE email = $1: 1 call")
	daysLater(t, dsn, "8")
	send(t, dsn, "SELECT name FROM customers WHERE email = 'c'")
	r = c.want(exitRefused, "complete", "--unused-for", "7d")
	contains(t, r.err, "SELECT name FROM customers WHERE email = $1: 2 calls")
	if strings.Contains(r.err, "UPDATE orders") {
		t.Errorf("a statement that was not called for eight days: %s", r.err)
	}
	var status statusJSON
	if err := json.Unmarshal([]byte(c.want(exitOK, "status", "--json").out), &status); err != nil {
		t.Fatal(err)
	}
	if old := status.Runs[0].OldShape; old == nil || len(old.Used) != 2 || old.Used[0].Calls != 2 || !strings.Contains(old.Used[0].Statement, "SELECT name") {
		t.Errorf("status --json: %+v", old)
	}
	daysLater(t, dsn, "8")
	contains(t, c.want(exitOK, "complete", "--unused-for", "7d").out, "done: 001_names")
	contains(t, c.want(exitOK, "receipt", "001_names").out, `"unused"`, `"last_call"`, `"asked_seconds": 604800`)
	if pgtest.Value[int](t, dsn, "SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'note'") != 0 {
		t.Error("the column is still there")
	}
}

// TestCompleteNamesWhatItCannotJudge: statements that cannot be tried, and those of roles that it may not see, hold
// complete up until a person accepts that; DECLARE, COPY and PREPARE are looked into; a backup is no reader of the
// old shape; and a role's own search_path counts.
func TestCompleteNamesWhatItCannotJudge(t *testing.T) {
	t.Parallel()
	c, dsn := newCountedShop(t)
	c.write("m/001_note.sql", "ALTER TABLE orders DROP COLUMN note;\n", "replank.toml", "unused_for = \"2h\"\n")
	const app, blind = "app", "blind"
	pgtest.Exec(t, dsn, "CREATE ROLE app LOGIN; CREATE ROLE blind LOGIN", "CREATE SCHEMA other; CREATE TABLE other.orders (id int, note text); GRANT USAGE ON SCHEMA other TO PUBLIC",
		"GRANT ALL ON ALL TABLES IN SCHEMA public, other TO PUBLIC", "ALTER ROLE "+app+" SET search_path = other, public",
		"ALTER TABLE orders OWNER TO "+blind, "GRANT CREATE, USAGE ON SCHEMA public TO "+blind)
	c.want(exitOK, "apply", "m", "--accept", "irreversible")
	send(t, dsn, "BEGIN", "DECLARE c CURSOR FOR SELECT note FROM orders WHERE id = 5", "COMMIT", "PREPARE p AS SELECT note FROM orders LIMIT 7", "EXECUTE p",
		"COPY orders (id, note) TO '/dev/null'", "COPY public.orders (id, customer_id, note) TO stdout",
		"CREATE TEMPORARY TABLE temporary_orders AS SELECT id FROM orders", "SELECT * FROM temporary_orders JOIN orders USING (id)", "SELECT * FROM temporary_orders")
	send(t, pgtest.As(dsn, app), "SELECT note, id FROM orders")
	r := c.want(exitRefused, "complete")
	contains(t, r.err, "not been unused for 2h yet", "SELECT note FROM orders WHERE id = $1: ", "SELECT note FROM orders LIMIT $1", "SELECT id, note FROM orders: 1 call",
		`SELECT * FROM temporary_orders JOIN orders USING (id): 1 call`, `relation "temporary_orders" does not exist`, "--accept unjudged")
	for _, no := range []string{"FROM public.orders", "SELECT * FROM temporary_orders: ", "SELECT note, id"} {
		if strings.Contains(r.err, no) {
			t.Errorf("%s is no use of the old shape:\n%s", no, r.err)
		}
	}
	r = c.want(exitRefused, "complete", "--accept", "unjudged")
	if strings.Contains(r.err, "temporary_orders") {
		t.Errorf("accepted, and still waited for:\n%s", r.err)
	}
	contains(t, r.err, "SELECT note FROM orders WHERE id = $1: ")

	// Somebody who may not see what others do.
	pgtest.Exec(t, dsn, "GRANT ALL ON SCHEMA replank TO "+blind, "GRANT ALL ON ALL TABLES IN SCHEMA replank TO "+blind, "GRANT ALL ON ALL SEQUENCES IN SCHEMA replank TO "+blind)
	seen := c.with("DATABASE_URL=" + pgtest.As(dsn, blind))
	contains(t, seen.want(exitRefused, "complete").err, "statements of other roles are hidden", "pg_read_all_stats")
	pgtest.Exec(t, dsn, "GRANT pg_read_all_stats TO "+blind)
	contains(t, seen.want(exitRefused, "complete").err, "SELECT note FROM orders WHERE id = $1")

	pgtest.Exec(t, dsn, "DROP EXTENSION pg_stat_statements")
	contains(t, c.want(exitRefused, "complete").err, "nobody can tell who uses the old shape", "extension pg_stat_statements is not in this database", "CREATE EXTENSION")
	contains(t, c.want(exitUsage, "complete", "--unused-for", "a week").err, "--unused-for", "7d")
}

// TestPlanTriesLiveStatements: plan --live says which statements would break at complete.
func TestPlanTriesLiveStatements(t *testing.T) {
	t.Parallel()
	c, dsn := newCountedShop(t)
	c.write("m/001_names.sql", "ALTER TABLE customers RENAME name TO full_name;\n")
	send(t, dsn, "SELECT name FROM customers WHERE email = 'a secret'", "SELECT email FROM customers")
	r := c.want(exitOK, "plan", "m", "--live")
	contains(t, r.out, "001_names", `breaks 24 calls a day: column "name" does not exist (42703), from 001_names on`, "1 broken")
	r = c.want(exitOK, "plan", "m", "--live", "--json")
	contains(t, r.out, `"live": {`, `"text": "SELECT name FROM customers WHERE email = $1"`)
	if strings.Contains(r.out, "a secret") {
		t.Error("a literal is in the plan")
	}
}

// TestUnusedForAsksWhereThereIsAnOldShape: values of before that a fill has kept are used by nobody.
func TestUnusedForAsksWhereThereIsAnOldShape(t *testing.T) {
	t.Parallel()
	c, _ := newShop(t)
	c.write("replank.toml", "unused_for = \"7d\"\n", "m/001_type.sql", "ALTER TABLE orders ALTER COLUMN id TYPE bigint;\n")
	c.want(exitOK, "backfill", "UPDATE orders SET note = upper(note)")
	contains(t, c.want(exitOK, "complete").out, "done: ")
	c.want(exitOK, "apply", "m")
	contains(t, c.want(exitRefused, "complete", "--yes-no-old-readers").err, "extension pg_stat_statements is not in this database")
}
