package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// toy is a machine with a way back and a state that is finished but not the end.
var toy = Machine{
	Kind: "toy",
	States: []State{{Name: "new"}, {Name: "working"}, {Name: "done", Finished: true}, {Name: "reverting"},
		{Name: "reverted", Finished: true}},
	Edges: map[string][]string{"new": {"working"}, "working": {"done", "reverting"}, "done": {"reverting"},
		"reverting": {"reverted"}},
}

func openDB(t *testing.T, dsn string) *pg.DB {
	t.Helper()
	db, err := pg.Open(t.Context(), pg.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// quick lets a lease end soon; what is tested does not depend on how soon.
var quick = Config{LeaseFor: 300 * time.Millisecond, PredecessorWait: 20 * time.Second}

func create(t *testing.T, dsn string, cfg Config) *Journal {
	t.Helper()
	j, err := Open(t.Context(), openDB(t, dsn), cfg)
	if err == nil {
		err = j.Upgrade(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func acquire(t *testing.T, j *Journal) *Lease {
	t.Helper()
	l, err := j.Acquire(t.Context(), "apply")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Release(context.Background()); err != nil {
			t.Errorf("release: %v", err)
		}
	})
	return l
}

func sessionOf(t *testing.T, l *Lease) *pg.Session {
	t.Helper()
	s, err := l.Session(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// inTx runs fn in a transaction of s.
func inTx(t *testing.T, s *pg.Session, fn func(tx pgx.Tx) error) error {
	t.Helper()
	return s.Tx(t.Context(), pg.TxOptions{}, fn)
}

func newRun(t *testing.T, l *Lease, s *pg.Session) (r Run) {
	t.Helper()
	err := inTx(t, s, func(tx pgx.Tx) (err error) {
		r, err = l.CreateRun(t.Context(), tx, toy, NewRun{Name: "001.sql", Plan: map[string]string{"sql": "SELECT 'secret'"},
			PlanHash: "p", SchemaHash: "s", RequestedBy: "alice",
			Steps: []NewStep{{"a", "expand", "ddl"}, {"b", "fill", "backfill"}}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReadingWithoutAJournalWritesNothing(t *testing.T) {
	dsn := pgtest.DB(t)
	j, err := Open(t.Context(), openDB(t, dsn), Config{})
	if err != nil || j.Present() {
		t.Fatalf("%v, present %v", err, j.Present())
	}
	runs, err := j.Runs(t.Context(), RunFilter{})
	if err != nil || len(runs) != 0 {
		t.Errorf("runs: %v %v", runs, err)
	}
	var absent *AbsentError
	if _, err := j.Acquire(t.Context(), "apply"); !errors.As(err, &absent) {
		t.Errorf("acquire: %v", err)
	}
	if pgtest.Value[bool](t, dsn, `SELECT to_regnamespace('replank') IS NOT NULL`) {
		t.Error("looking created the schema")
	}
}

func TestConcurrentCreate(t *testing.T) {
	dsn := pgtest.DB(t)
	db := openDB(t, dsn)
	g, ctx := errgroup.WithContext(t.Context())
	for range 8 {
		g.Go(func() error {
			j, err := Open(ctx, db, Config{})
			if err != nil {
				return err
			}
			if err := j.Upgrade(ctx); err != nil {
				return err
			}
			if j.Version() != len(upgrades) {
				return fmt.Errorf("version %d", j.Version())
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

func TestEveryTableHasAPrimaryKey(t *testing.T) {
	dsn := pgtest.DB(t)
	create(t, dsn, Config{})
	without := pgtest.Value[string](t, dsn, `SELECT coalesce(string_agg(relname, ', '), '') FROM pg_class c
		WHERE relnamespace = 'replank'::regnamespace AND relkind = 'r'
		AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND contype = 'p')`)
	if without != "" {
		t.Errorf("without a primary key: %s", without)
	}
}

func TestPlanIsForTheOwnerOnly(t *testing.T) {
	role := pgtest.Role(t, "reader", "LOGIN")
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO `+
		pg.Ident(role)+`; ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO PUBLIC`)
	create(t, dsn, Config{})
	if err := pgtest.TryExec(pgtest.As(dsn, role), `SELECT * FROM replank.event`); err != nil {
		t.Errorf("the events: %v", err)
	}
	if err := pgtest.TryExec(pgtest.As(dsn, role), `SELECT * FROM replank.plan`); !pg.InsufficientPrivilege(err) {
		t.Errorf("the plan: %v", err)
	}
}

func TestUpgradeAndNewerJournal(t *testing.T) {
	dsn := pgtest.DB(t)
	old := create(t, dsn, Config{})
	l := acquire(t, old)
	run := newRun(t, l, sessionOf(t, l))
	next := append(upgrades[:len(upgrades):len(upgrades)], `ALTER TABLE replank.run ADD COLUMN mood text NOT NULL DEFAULT 'calm'`)

	g, ctx := errgroup.WithContext(t.Context())
	for range 4 {
		g.Go(func() error {
			j, err := open(ctx, old.db, Config{}, len(next))
			if err == nil {
				err = j.upgrade(ctx, next)
			}
			if err == nil && j.Version() != len(next) {
				err = fmt.Errorf("version %d", j.Version())
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if mood := pgtest.Value[string](t, dsn, `SELECT mood FROM replank.run WHERE id = $1`, run.ID); mood != "calm" {
		t.Errorf("mood %q", mood)
	}
	_, err := Open(t.Context(), old.db, Config{})
	var newer *NewerError
	if !errors.As(err, &newer) || newer.Journal != len(next) {
		t.Errorf("an older binary: %v", err)
	}
	// A failing upgrade leaves everything as it was.
	bad := append(next[:len(next):len(next)], `ALTER TABLE replank.run DROP COLUMN mood; SELECT 1/0`)
	j, err := open(t.Context(), old.db, Config{}, len(bad))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.upgrade(t.Context(), bad); err == nil || j.Version() != len(next) {
		t.Errorf("%v, version %d", err, j.Version())
	}
	if v := pgtest.Value[int](t, dsn, `SELECT version FROM replank.meta`); v != len(next) {
		t.Errorf("version %d in the database", v)
	}
}

func TestForeignJournal(t *testing.T) {
	dsn := pgtest.DB(t)
	create(t, dsn, Config{}).db.Close()
	pgtest.Exec(t, dsn, `INSERT INTO replank.migration VALUES ('001.sql', 'sum', 1)`)
	clone := pgtest.DB(t, pgtest.From(dsn))
	db := openDB(t, clone)
	_, err := Open(t.Context(), db, Config{})
	var foreign *ForeignError
	if !errors.As(err, &foreign) || !strings.Contains(pg.HintOf(err), "--forget") {
		t.Fatalf("got %v, hint %q", err, pg.HintOf(err))
	}
	if err := Forget(t.Context(), db, Config{}); err != nil {
		t.Fatal(err)
	}
	j, err := Open(t.Context(), db, Config{})
	if err != nil {
		t.Fatal(err)
	}
	ms, err := j.Migrations(t.Context())
	if err != nil || len(ms) != 1 || ms[0].Name != "001.sql" {
		t.Errorf("migrations of the clone: %v %v", ms, err)
	}
}

func TestLifeOfARun(t *testing.T) {
	dsn := pgtest.DB(t)
	j := create(t, dsn, Config{})
	l := acquire(t, j)
	s := sessionOf(t, l)
	r := newRun(t, l, s)
	ctx := t.Context()
	move := func(version int, from, to string) (v int, err error) {
		err = inTx(t, s, func(tx pgx.Tx) (err error) {
			v, err = l.Advance(ctx, tx, toy, Change{Run: r.ID, Version: version, From: from, To: to, Detail: map[string]int{"n": 1}})
			return err
		})
		return v, err
	}
	for _, edge := range [][2]string{{"new", "done"}, {"done", "new"}, {"new", "nowhere"}, {"nowhere", "new"}, {"new", "new"}} {
		var refused *EdgeError
		if _, err := move(1, edge[0], edge[1]); !errors.As(err, &refused) {
			t.Errorf("%v: %v", edge, err)
		}
	}
	if v, err := move(1, "new", "working"); v != 2 || err != nil {
		t.Fatalf("version %d, %v", v, err)
	}
	if _, err := move(1, "new", "working"); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "working") {
		t.Errorf("the wrong state: %v", err)
	}
	if _, err := move(1, "working", "done"); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("the wrong version: %v", err)
	}
	if err := j.SetIntent(ctx, r.ID, IntentPause, "bob"); err != nil {
		t.Error(err)
	}
	got, err := j.Run(ctx, r.ID)
	if err != nil || got.Intent != IntentPause || got.FinishedAt != nil {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := move(2, "working", "done"); err != nil {
		t.Error(err)
	}
	if runs, err := j.Runs(ctx, RunFilter{Unfinished: true}); err != nil || len(runs) != 0 {
		t.Errorf("unfinished: %v %v", runs, err)
	}
	if err := j.SetIntent(ctx, r.ID, IntentPause, "bob"); err == nil {
		t.Error("a finished run took an intent")
	}
	if _, err := move(3, "done", "reverting"); err != nil {
		t.Error(err)
	}
	if runs, err := j.Runs(ctx, RunFilter{Unfinished: true, Name: "001.sql", Kind: "toy", Limit: 1}); err != nil || len(runs) != 1 {
		t.Errorf("unfinished: %v %v", runs, err)
	}
	events, err := j.Events(ctx, r.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	if diff := cmp.Diff([]string{"created", "state", "intent", "state", "state"}, kinds); diff != "" {
		t.Errorf("events: %s", diff)
	}
	plan, err := j.Plan(ctx, r.ID)
	if err != nil || !strings.Contains(string(plan), "secret") {
		t.Errorf("plan %s, %v", plan, err)
	}
	if n := pgtest.Value[int](t, dsn, `SELECT count(*)::int FROM replank.event WHERE detail::text LIKE '%secret%'`); n != 0 {
		t.Errorf("%d events show a literal", n)
	}
}

func TestStepsRangesAndRejectedRows(t *testing.T) {
	dsn := pgtest.DB(t)
	j := create(t, dsn, Config{})
	l := acquire(t, j)
	s := sessionOf(t, l)
	r := newRun(t, l, s)
	ctx := t.Context()
	set := func(seq int, from, to string) (n int, err error) {
		err = inTx(t, s, func(tx pgx.Tx) (err error) {
			n, err = l.SetStep(ctx, tx, StepChange{Run: r.ID, Seq: seq, From: from, To: to})
			return err
		})
		return n, err
	}
	for i := range 2 {
		from := StepPending
		if i > 0 {
			from = StepRunning
		}
		if n, err := set(1, from, StepRunning); n != i+1 || err != nil {
			t.Errorf("attempt %d, %v", n, err)
		}
	}
	if _, err := set(1, StepPending, StepRunning); !errors.Is(err, ErrLost) {
		t.Errorf("the wrong state: %v", err)
	}
	var refused *EdgeError
	if _, err := set(1, "nowhere", StepDone); !errors.As(err, &refused) {
		t.Errorf("no such edge: %v", err)
	}
	if _, err := set(1, StepRunning, StepDone); err != nil {
		t.Error(err)
	}
	steps, err := j.Steps(ctx, r.ID)
	if err != nil || len(steps) != 2 || steps[0].State != StepDone || steps[0].FinishedAt == nil || steps[1].ID != "b" {
		t.Errorf("%+v %v", steps, err)
	}

	save := Range{Run: r.ID, StepID: "b", Slice: 1, Lo: json.RawMessage(`[1]`), Hi: json.RawMessage(`[9]`), Position: json.RawMessage(`[5]`),
		Rows: 4, State: "pending"}
	var one, gone Rejected
	err = inTx(t, s, func(tx pgx.Tx) error {
		one = Rejected{Run: r.ID, StepID: "b", Key: json.RawMessage(`{"id": 7}`), Error: "bad", SQLState: "22P02"}
		gone = one
		gone.Key = json.RawMessage(`{"id": 8}`)
		return errors.Join(l.SaveRange(ctx, tx, save), l.Reject(ctx, tx, one), l.Reject(ctx, tx, one), l.Reject(ctx, tx, gone))
	})
	if err != nil {
		t.Fatal(err)
	}
	save.Rows, save.State = 9, "done"
	if err := inTx(t, s, func(tx pgx.Tx) error { return l.SaveRange(ctx, tx, save) }); err != nil {
		t.Error(err)
	}
	ps, err := j.Progress(ctx, r.ID)
	if err != nil || len(ps) != 1 || ps[0].Rows != 9 || ps[0].Done != 1 {
		t.Errorf("%+v %v", ps, err)
	}
	save.Epoch = l.Epoch()
	ranges, err := j.Ranges(ctx, r.ID, "b")
	if diff := cmp.Diff([]Range{save}, ranges); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	rejected, err := j.Rejected(ctx, r.ID, 0)
	if err != nil || len(rejected) != 2 {
		t.Fatalf("%+v %v", rejected, err)
	}
	if err := j.Waive(ctx, r.ID, "bob", rejected[0].ID); err != nil {
		t.Error(err)
	}
	if err := inTx(t, s, func(tx pgx.Tx) error { return l.Unreject(ctx, tx, rejected[1].ID) }); err != nil {
		t.Error(err)
	}
	rejected, err = j.Rejected(ctx, r.ID, 0)
	if err != nil || len(rejected) != 1 || !rejected[0].Waived {
		t.Errorf("%+v %v", rejected, err)
	}
}

func TestMigrations(t *testing.T) {
	j := create(t, pgtest.DB(t), Config{})
	l := acquire(t, j)
	s := sessionOf(t, l)
	want := []Migration{{Name: "b.sql", Checksum: "1", Position: 1, Baseline: true}, {Name: "a.sql", Checksum: "2", Position: 2}}
	gone := Migration{Name: "c.sql", Checksum: "3", Position: 3}
	record := func(ms ...Migration) error {
		return inTx(t, s, func(tx pgx.Tx) error { return l.RecordMigrations(t.Context(), tx, ms...) })
	}
	if err := record(append(want, gone)...); err != nil {
		t.Fatal(err)
	}
	if err := record(want[0]); !pg.UniqueViolation(err) {
		t.Errorf("recorded twice: %v", err)
	}
	if err := inTx(t, s, func(tx pgx.Tx) error { return l.RemoveMigration(t.Context(), tx, gone.Name) }); err != nil {
		t.Error(err)
	}
	got, err := j.Migrations(t.Context())
	for i := range got {
		if got[i].AppliedAt.IsZero() {
			t.Errorf("nobody knows when %s was applied", got[i].Name)
		}
		got[i].AppliedAt = time.Time{}
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestUninstall(t *testing.T) {
	dsn := pgtest.DB(t)
	j := create(t, dsn, Config{})
	l, err := j.Acquire(t.Context(), "apply")
	if err != nil {
		t.Fatal(err)
	}
	s := sessionOf(t, l)
	r := newRun(t, l, s)
	var unfinished *UnfinishedError
	if err := j.Uninstall(t.Context()); !errors.As(err, &unfinished) || len(unfinished.Runs) != 1 {
		t.Errorf("with an unfinished run: %v", err)
	}
	for i, edge := range [][2]string{{"new", "working"}, {"working", "done"}} {
		err := inTx(t, s, func(tx pgx.Tx) error {
			_, err := l.Advance(t.Context(), tx, toy, Change{Run: r.ID, Version: i + 1, From: edge[0], To: edge[1]})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var held *HeldError
	if err := j.Uninstall(t.Context()); !errors.As(err, &held) {
		t.Errorf("with a held lease: %v", err)
	}
	if err := l.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, dsn, `CREATE TABLE t (a int); CREATE FUNCTION replank.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
		CREATE TRIGGER ours BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION replank.f()`)
	if err := j.Uninstall(t.Context()); err == nil || !strings.Contains(err.Error(), "trigger ours on ") {
		t.Errorf("with a trigger in use: %v", err)
	}
	pgtest.Exec(t, dsn, `DROP TRIGGER ours ON t`)
	if err := j.Uninstall(t.Context()); err != nil || j.Present() {
		t.Errorf("%v, present %v", err, j.Present())
	}
	if pgtest.Value[bool](t, dsn, `SELECT to_regnamespace('replank') IS NOT NULL`) {
		t.Error("the schema is still there")
	}
}

func TestLogicalReplication(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (a int PRIMARY KEY); CREATE PUBLICATION everything FOR ALL TABLES; CREATE PUBLICATION one FOR TABLE t`)
	pgtest.Exec(t, dsn, `CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)`)
	name := strings.ReplaceAll(pgtest.Database(dsn), "-", "_")
	pgtest.Value[string](t, dsn, `SELECT pg_create_logical_replication_slot($1, 'pgoutput')::text`, name)
	create(t, dsn, Config{})
	r, err := LogicalReplication(t.Context(), openDB(t, dsn))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Publication{{"everything", true, 1}, {"one", false, 1}}, r.Publications); diff != "" {
		t.Error(diff)
	}
	if len(r.Subscriptions) != 1 || r.Subscriptions[0] != (Subscription{"sub", false}) {
		t.Errorf("subscriptions: %v", r.Subscriptions)
	}
	if len(r.Slots) != 1 || r.Slots[0].Name != name || r.Slots[0].Active || r.Slots[0].LagBytes == nil {
		t.Errorf("slots: %+v", r.Slots)
	}
	if diff := cmp.Diff([]string{"everything"}, r.PublishesJournal()); diff != "" {
		t.Error(diff)
	}
}

func TestMachineValidate(t *testing.T) {
	if err := toy.Validate(); err != nil {
		t.Error(err)
	}
	for name, m := range map[string]Machine{
		"no states":   {Kind: "x"},
		"listed once": {Kind: "x", States: []State{{Name: "a", Finished: true}, {Name: "a", Finished: true}}},
		"unknown end": {Kind: "x", States: []State{{Name: "a"}}, Edges: map[string][]string{"a": {"b"}}},
		"unreachable": {Kind: "x", States: []State{{Name: "a", Finished: true}, {Name: "b", Finished: true}}},
		"dead end":    {Kind: "x", States: []State{{Name: "a"}}},
	} {
		if m.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
