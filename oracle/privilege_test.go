package oracle_test

import (
	"context"
	"strings"
	"testing"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/oracle"
)

// TestLeastPrivilege: a role that may do nothing but connect gets a snapshot, which says what it could not see.
func TestLeastPrivilege(t *testing.T) {
	dsn := live(t)
	work(t, dsn)
	pgtest.Exec(t, dsn, `CREATE ROLE guest LOGIN; GRANT SELECT ON item, event, "Odd.Name" TO guest`)
	snap := take(t, pgtest.As(dsn, "guest"))
	said := strings.Join(snap.Unseen, "\n")
	for _, want := range []string{"no SELECT on public.django_migrations", "statements of other roles are hidden", "billing.invoice", "no SELECT on public.goose_db_version"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said in\n%s", want, said)
		}
	}
	if snap.Workload.Hidden < 30 || len(snap.Applied) > 0 {
		t.Errorf("%d hidden, applied %v", snap.Workload.Hidden, snap.Applied)
	}
	if snap.Schema.Relations[ddl.Name{Schema: "public", Name: "orders"}] == nil {
		t.Error("the shape of a table that one may not read is not there")
	}
	if !strings.Contains(snap.Script, "CREATE TABLE public.item") || !strings.Contains(snap.Script, `CREATE TABLE public."Odd.Name"`) || strings.Contains(snap.Script, "CREATE TABLE public.orders") {
		t.Errorf("the script:\n%s", snap.Script)
	}
	c := clone(t, snap)
	snap.Workload.Statements = append(snap.Workload.Statements,
		ddl.LiveStatement{Text: "SELECT label FROM item", Calls: 3}, ddl.LiveStatement{Text: "SELECT id FROM orders", Calls: 9})
	j, err := c.Workload(context.Background(), migrations("ALTER TABLE item RENAME label TO name; ALTER TABLE orders ADD COLUMN x int"))
	if err != nil {
		t.Fatal(err)
	}
	if v := find(j.Broken, "FROM item"); v == nil || v.Migration != "a" {
		t.Errorf("broken: %+v", j.Broken)
	}
	if v := find(j.Unjudged, "FROM orders"); v == nil || v.Code != "42P01" || !strings.Contains(v.Message, "the clone lacks") {
		t.Errorf("could not judge: %+v", j.Unjudged)
	}
	if len(j.Failed) != 1 || !strings.Contains(j.Failed[0].SQL, "orders") {
		t.Errorf("failed: %+v", j.Failed)
	}
}

// TestWhoMayRead: with pg_read_all_stats and pg_read_all_data, everything is seen.
func TestWhoMayRead(t *testing.T) {
	pgtest.AtLeast(t, 14) // pg_read_all_data
	dsn := live(t)
	work(t, dsn)
	pgtest.Exec(t, dsn, "CREATE ROLE reader LOGIN; GRANT pg_read_all_stats, pg_read_all_data TO reader")
	snap := take(t, pgtest.As(dsn, "reader"))
	if len(snap.Unseen) > 0 || snap.Workload.Hidden > 0 || len(snap.Workload.Statements) < 38 {
		t.Errorf("%d statements, not seen: %v", len(snap.Workload.Statements), snap.Unseen)
	}
	got := map[string]string{}
	for _, a := range snap.Applied {
		got[a.Tool] = a.Table.String() + " " + strings.Join(a.Versions, ",")
	}
	want := map[string]string{"django": "public.django_migrations shop.0001_initial,shop.0002_more", "goose": "public.goose_db_version 0,1"}
	for tool, rows := range want {
		if got[tool] != rows {
			t.Errorf("%s: %q, want %q", tool, got[tool], rows)
		}
	}
	if len(got) != len(want) {
		t.Errorf("applied: %v", got)
	}
}

// TestNoExtension: a database without pg_stat_statements, and one where it is not loaded.
func TestNoExtension(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, "CREATE TABLE t (id int)")
	if snap := take(t, dsn); len(snap.Unseen) != 1 || !strings.Contains(snap.Unseen[0], "not installed") {
		t.Errorf("not seen: %v", snap.Unseen)
	}
	pgtest.Exec(t, dsn, "CREATE EXTENSION pg_stat_statements")
	if snap := take(t, dsn); len(snap.Unseen) != 1 || !strings.Contains(snap.Unseen[0], "shared_preload_libraries") {
		t.Errorf("not seen: %v", snap.Unseen)
	}
}

// TestMissingExtension: what rests on an extension that this machine does not have cannot be judged, all else can.
func TestMissingExtension(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, "CREATE TABLE near (id int PRIMARY KEY)")
	snap := take(t, dsn)
	snap.Script = "CREATE EXTENSION not_on_this_machine WITH SCHEMA public;\nCREATE TABLE public.far (id int, at public.geo_point);\n" +
		"CREATE VIEW public.seen AS SELECT id FROM public.far;\n" + snap.Script
	snap.Workload.Statements = []ddl.LiveStatement{{Text: "SELECT id FROM seen", Calls: 2}, {Text: "SELECT id FROM near WHERE id = $1", Calls: 1}}
	c := clone(t, snap)
	if len(c.Missing) != 3 || !strings.Contains(c.Missing[0].String(), "not_on_this_machine") {
		t.Errorf("missing: %v", c.Missing)
	}
	j, err := c.Workload(context.Background(), migrations("ALTER TABLE near DROP COLUMN id;"))
	if err != nil {
		t.Fatal(err)
	}
	if len(j.Unjudged) != 1 || !strings.Contains(j.Unjudged[0].Message, "not_on_this_machine") || len(j.Broken) != 1 || j.Judged != 1 {
		t.Errorf("%+v", j)
	}
}

// TestNoScript: a snapshot without a script says why when a clone is wanted.
func TestNoScript(t *testing.T) {
	_, err := oracle.NewClone(context.Background(), &ddl.Snapshot{Unseen: []string{"no pg_dump"}, Schema: &ddl.Schema{Version: 150000}}, oracle.CloneConfig{})
	if err == nil || !strings.Contains(err.Error(), "no pg_dump") {
		t.Errorf("%v", err)
	}
}
