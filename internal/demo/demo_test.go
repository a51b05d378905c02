package demo

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestShow runs the whole demo, small: what it promises has to be so with few rows too.
func TestShow(t *testing.T) {
	major, _ := strconv.Atoi(os.Getenv("REPLANK_TEST_PG"))
	var acts []string
	r, err := Run(t.Context(), Config{Rows: 20_000, Clients: 6, Rate: 120, Watch: 700 * time.Millisecond, Report: 100 * time.Millisecond, Major: major,
		Events: func(e Event) {
			if e.Kind == EventAct {
				acts = append(acts, e.Text)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Err(); err != nil {
		text, _ := json.MarshalIndent(r, "", "  ")
		t.Fatalf("%v\n%s", err, text)
	}
	if r.Replank.Stats.Failed != 0 || r.Differing() != 0 {
		t.Errorf("%d statements failed beside Replank, %d rows differ", r.Replank.Stats.Failed, r.Differing())
	}
	// What psql does to the application: it waits for rewrites, and the old code meets columns that are gone.
	if r.Psql.Stats.Failed == 0 && r.Psql.Stats.Max < 100*time.Millisecond {
		t.Errorf("nothing failed beside psql: %+v", r.Psql.Stats)
	}
	if r.Idle.Stats.Failed != 0 {
		t.Errorf("%v failed while nothing happened", r.Idle.Stats.Errors)
	}
	if n := len(r.Psql.Files); n != 9 {
		t.Errorf("%d files through psql, want 9", n)
	}
	states := map[string]int{}
	for _, f := range r.Replank.Files {
		states[f.State]++
	}
	// 5 files have nothing to complete: done at each of two applies; 4 are ready twice, and done at the end.
	if states["done"] != 2*5+4 || states["ready"] != 2*4 || states["reverted"] != 9 {
		t.Errorf("states of the files through Replank: %v", states)
	}
	for _, side := range []Side{r.Idle, r.Psql, r.Replank} {
		if len(side.Proof) < 4 {
			t.Errorf("%s: only %d proofs", side.Name, len(side.Proof))
		}
		for _, p := range side.Proof {
			if p.Checked == 0 {
				t.Errorf("%s: nothing was checked: %s", side.Name, p.What)
			}
		}
	}
	if len(acts) != 9 {
		t.Errorf("acts: %q", acts)
	}
}

// TestProofSeesLosses breaks what the proofs look at, and each has to say so.
func TestProofSeesLosses(t *testing.T) {
	ctx := t.Context()
	s := &show{cfg: Config{Rows: 10_000, Clients: 2, Rate: 100, Report: time.Millisecond}.withDefaults(), result: &Result{}, events: make(chan Event, 1000)}
	t.Cleanup(s.stopServer)
	if err := s.prepare(ctx); err != nil {
		t.Fatal(err)
	}
	dsn := s.cluster.DSN(idleDB)
	f, err := startFleet(ctx, s.cfg, dsn)
	if err != nil {
		t.Fatal(err)
	}
	// Until something was written to each table that has to be broken.
	for _, table := range []string{"customers", "invoices", "payments"} {
		for len(f.written(table).value) == 0 {
			f.catchUp(time.Minute)
		}
	}
	conn := connect(t, dsn)
	// Who has stopped the application has the tables for himself.
	f.halt()
	before := f.rec.summary(1).Statements
	for range 20 {
		if _, err := conn.Exec(ctx, "BEGIN; LOCK TABLE customers, invoices, entries NOWAIT; SELECT pg_sleep(0.01); COMMIT"); err != nil {
			t.Errorf("with the application stopped: %v", err)
			break
		}
	}
	if after := f.rec.summary(1).Statements; after != before {
		t.Errorf("%d statements of the application while it was stopped", after-before)
	}
	f.reopen()
	f.catchUp(time.Minute)
	if after := f.rec.summary(1).Statements; after == before {
		t.Error("the application does not go on")
	}
	if err := f.end(); err != nil {
		t.Fatal(err)
	}
	count := func() (committed, counted, untouched int) {
		t.Helper()
		a, err1 := f.verify(ctx, conn, oldShape)
		b, err2 := f.counted(ctx, conn)
		c, err3 := s.untouched(ctx, conn, oldShape)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		return a.Count, b.Count, c.Count
	}
	if a, b, c := count(); a != 0 || b != 0 || c != 0 {
		t.Fatalf("before anything is broken: %d, %d, %d", a, b, c)
	}
	one := func(table string) int64 {
		for id := range f.written(table).value {
			return id
		}
		t.Fatalf("nothing was written to %s", table)
		return 0
	}
	for _, tt := range []struct {
		name                          string
		sql                           string
		id                            int64
		committed, counted, untouched int
	}{
		{"a committed value changed", "UPDATE customers SET name = 'Nobody' WHERE id = $1", one("customers"), 1, 0, 0},
		{"a committed row vanished", "WITH e AS (DELETE FROM entries WHERE invoice_id = $1), d AS (DELETE FROM deliveries WHERE invoice_id = $1) DELETE FROM invoices WHERE id = $1", one("invoices"), 3, 2, 0},
		{"a seed row changed", "UPDATE accounts SET label = 'x' WHERE id = $1", 1, 0, 0, 1},
		{"a row appeared", "INSERT INTO payments (account_id, amount, paid_at) VALUES ($1, 1, now())", 1, 0, 1, 0},
	} {
		tx, err := conn.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(ctx, tt.sql, tt.id); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		a, b, c := count()
		if a < tt.committed || tt.committed == 0 && a != 0 || b < tt.counted || tt.counted == 0 && b != 0 || c != tt.untouched {
			t.Errorf("%s: %d, %d, %d; want %d, %d, %d", tt.name, a, b, c, tt.committed, tt.counted, tt.untouched)
		}
		if err := tx.Rollback(ctx); err != nil {
			t.Fatal(err)
		}
	}
	// The naive side is the same without a psql.
	if err := s.writeMigrations(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	for _, m := range s.files {
		if _, _, err := s.naive(ctx, f, "", m); err != nil {
			t.Fatalf("%s: %v", m.Name, err)
		}
	}
	if p, err := sameShape(ctx, "shape", s.cluster.DSN(seedDB), s.cluster.DSN(psqlDB)); err != nil || p.Count < 20 {
		t.Errorf("the folder changed next to nothing: %+v, %v", p, err)
	}
	// Another shape is seen as well.
	other := connect(t, s.cluster.DSN(replankDB))
	if _, err := other.Exec(ctx, "CREATE INDEX extra ON payments (amount)"); err != nil {
		t.Fatal(err)
	}
	p, err := sameShape(ctx, "shape", s.cluster.DSN(seedDB), s.cluster.DSN(replankDB))
	if err != nil || p.Count != 1 || p.Checked < 40 || !strings.Contains(p.Wrong[0], "extra") {
		t.Errorf("a new index: %+v, %v", p, err)
	}
}

// TestInterrupted: whoever presses Ctrl-C leaves nothing behind.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	_, err := Run(ctx, Config{Rows: 10_000, Clients: 2, Watch: time.Hour, Events: func(e Event) {
		if e.Kind == EventLive && e.Live.Rate > 0 {
			cancel(stop)
		}
	}})
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestQuantile(t *testing.T) {
	var d []time.Duration
	if got := quantile(d, 0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	for i := range 100 {
		d = append(d, time.Duration(i+1))
	}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 50, 0.99: 99, 1: 100} {
		if got := quantile(d, q); got != want {
			t.Errorf("quantile %v: %d, want %d", q, got, want)
		}
	}
}

// TestStallCountsForAll: a request that could not begin counts from when it was due.
func TestStallCountsForAll(t *testing.T) {
	r := newRecorder(time.Now().Add(-10 * time.Second))
	at := func(s float64) time.Time { return r.start.Add(time.Duration(s * float64(time.Second))) }
	r.due(1, at(2))
	r.answered(1, tally{statements: 1})
	r.due(2, at(9.9))
	r.answered(2, tally{statements: 2, failed: 1, message: "no"})
	r.due(3, at(4))
	s := r.summary(10)
	if s.Requests != 2 || s.Statements != 3 || s.Failed != 1 || s.Max < 8*time.Second || s.P50 > time.Second {
		t.Errorf("%+v", s)
	}
	if worst, failed := r.window(at(3), at(5)); worst < 8*time.Second || failed != 0 {
		t.Errorf("window over the stall: %v, %d", worst, failed)
	}
	if worst, failed := r.window(at(0), at(1)); worst != 0 || failed != 0 {
		t.Errorf("window before it: %v, %d", worst, failed)
	}
	l := r.live()
	if l.Worst < 8*time.Second || l.Failed != 1 || l.Rate != 2 || l.Series[liveFor-4] < 6*time.Second {
		t.Errorf("live: %+v", l)
	}
}
