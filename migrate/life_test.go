package migrate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/plan"
)

// halt lets a test act while an executor stands at a failpoint.
type halt struct {
	at      string
	reached chan struct{}
	goOn    chan struct{}
}

func haltAt(point string) *halt {
	return &halt{at: point, reached: make(chan struct{}), goOn: make(chan struct{})}
}

func (h *halt) hook(c *Config) {
	c.Failpoint = func(name string) {
		if name == h.at {
			close(h.reached)
			<-h.goOn
			h.at = ""
		}
	}
}

func TestTwoExecutors(t *testing.T) {
	dsn := site(t)
	lib := library{"1": addColumn("a"), "2": addColumn("b")}
	h := haltAt("expanding/transaction/begin")
	first := lib.open(t, dsn, h.hook)
	ended := make(chan error, 1)
	go func() { _, err := first.Apply(ctx, lib.history("1", "2")); ended <- err }()
	<-h.reached
	_, err := lib.open(t, dsn).Apply(ctx, lib.history("1", "2"))
	if VerdictOf(err) != VerdictBusy {
		t.Errorf("the second: %v", err)
	}
	var log eventLog
	patient := lib.open(t, dsn, func(c *Config) {
		c.Wait = true
		c.Events = func(e Event) {
			log.add(e)
			if e.Kind == EventWaiting && h.goOn != nil {
				close(h.goOn)
				h.goOn = nil
			}
		}
	})
	sum, err := patient.Apply(ctx, lib.history("1", "2"))
	if err != nil || len(sum.Done) != 0 {
		t.Errorf("the one who waited: %+v, %v", sum, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the first: %v", err)
	}
	if n := pgtest.Value[int](t, dsn, "SELECT count(*) FROM replank.run"); n != 2 {
		t.Errorf("%d runs", n)
	}
}

func TestZombieCannotCommit(t *testing.T) {
	dsn := site(t)
	lib := library{"1": addColumn("a")}
	h := haltAt("expanding/transaction/begin")
	zombie := lib.open(t, dsn, h.hook)
	ended := make(chan error, 1)
	go func() { _, err := zombie.Apply(ctx, lib.history("1")); ended <- err }()
	<-h.reached
	// As if it had not renewed its lease for too long.
	pgtest.Exec(t, dsn, "UPDATE replank.lease SET lease_until = '-infinity'")
	if _, err := lib.open(t, dsn).Apply(ctx, lib.history("1")); err != nil {
		t.Fatal(err)
	}
	close(h.goOn)
	if err := <-ended; VerdictOf(err) != VerdictStopped && err != nil {
		t.Errorf("the zombie: %v", err)
	}
	if n := pgtest.Value[int](t, dsn, "SELECT count(*) FROM replank.run WHERE state = 'done'"); n != 1 {
		t.Errorf("%d runs are done", n)
	}
}

func TestPauseAndResume(t *testing.T) {
	dsn := site(t)
	lib := library{"1": steps(note(plan.Expand, plan.Transaction, "a"), note(plan.Expand, plan.Transaction, "b"))}
	h := haltAt("expanding/transaction/after-commit")
	e := lib.open(t, dsn, h.hook)
	ended := make(chan error, 1)
	go func() { _, err := e.Apply(ctx, lib.history("1")); ended <- err }()
	<-h.reached
	operator := lib.open(t, dsn)
	if names, err := operator.Pause(ctx, ""); err != nil || !slices.Equal(names, []string{"1"}) {
		t.Fatalf("pause: %v, %v", names, err)
	}
	close(h.goOn)
	if err := <-ended; VerdictOf(err) != VerdictStopped || !strings.Contains(err.Error(), "paused") {
		t.Fatalf("apply: %v", err)
	}
	if sum, err := operator.Apply(ctx, lib.history("1")); err != nil || !slices.Equal(sum.Paused, []string{"1"}) {
		t.Fatalf("apply while paused: %+v, %v", sum, err)
	}
	st, err := operator.Status(ctx)
	if err != nil || !st.Runs[0].Paused || st.Runs[0].State != Expanding || st.AtRest() {
		t.Fatalf("status %+v, %v", st, err)
	}
	if sum, err := operator.Resume(ctx, ""); err != nil || !slices.Equal(sum.Done, []string{"1"}) {
		t.Fatalf("resume: %+v, %v", sum, err)
	}
	if got := pgtest.Value[string](t, dsn, "SELECT string_agg(what, ',' ORDER BY what) FROM audit"); got != "a,b" {
		t.Errorf("audit %s", got)
	}
}

func TestRevertCancelsTheExecutor(t *testing.T) {
	dsn := site(t)
	lib := library{"0": addColumn("kept"), "1": steps(note(plan.Expand, plan.Transaction, "a"),
		plan.Step{Phase: plan.Verify, Kind: plan.Quiesce, Title: "wait"}, note(plan.Verify, plan.Transaction, "b"))}
	mustApply(t, lib.open(t, dsn), lib, "0")
	before := picture(t, dsn)
	// An open transaction holds the run at its quiesce step for as long as the test wants.
	blocker := pgtest.Connect(t, dsn)
	if _, err := blocker.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; INSERT INTO audit VALUES ('x')"); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan struct{}, 100)
	e := lib.open(t, dsn, func(c *Config) {
		c.Events = func(ev Event) {
			if ev.Kind == EventWaiting {
				waiting <- struct{}{}
			}
		}
	})
	ended := make(chan error, 1)
	go func() { _, err := e.Apply(ctx, lib.history("0", "1")); ended <- err }()
	<-waiting
	// Once the other executor has taken the newest one back, another is the newest: that is not meant.
	if name, err := lib.open(t, dsn).Revert(ctx, ""); name != "1" || err != nil {
		t.Fatalf("revert: %q, %v", name, err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "cancelled by an operator") {
		t.Errorf("apply: %v", err)
	}
	if _, err := blocker.Exec(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, picture(t, dsn)); d != "" {
		t.Error(d)
	}
}

func TestDriftStopsComplete(t *testing.T) {
	dsn := site(t)
	lib := library{"1": dropColumn("old")}
	e := lib.open(t, dsn)
	mustApply(t, e, lib, "1")
	pgtest.Exec(t, dsn, "CREATE TABLE another (id integer)", "ALTER TABLE t ADD COLUMN by_hand integer")
	_, err := e.Complete(ctx, "1", CompleteOptions{NoOldReaders: true})
	wantCode(t, err, Drift)
	if !strings.Contains(err.Error(), "public.t") || strings.Contains(err.Error(), "another") {
		t.Errorf("it does not name what changed: %v", err)
	}
	pgtest.Exec(t, dsn, "ALTER TABLE t DROP COLUMN by_hand")
	if _, err := e.Complete(ctx, "1", CompleteOptions{NoOldReaders: true}); err != nil {
		t.Error(err)
	}
}

// TestDriftDoesNotStopRevert: the way out of a drifted run needs no consent.
func TestDriftDoesNotStopRevert(t *testing.T) {
	dsn := site(t)
	lib := library{"1": steps(addColumn("a")().Steps[0], note(plan.Contract, plan.Transaction, "gone"))}
	e := lib.open(t, dsn)
	mustApply(t, e, lib, "1")
	pgtest.Exec(t, dsn, "ALTER TABLE t ADD COLUMN by_hand integer")
	_, err := e.Complete(ctx, "1", CompleteOptions{})
	wantCode(t, err, Drift)
	if _, err := e.Revert(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	if p := picture(t, dsn); !strings.Contains(p, "columns id,n,old,by_hand\n") {
		t.Errorf("after revert:\n%s", p)
	}
}

// TestEditedFileIsSeenAfterTheWait: the other executor applied another text of the file.
func TestEditedFileIsSeenAfterTheWait(t *testing.T) {
	for name, apply := range map[string]func(*Engine, []history.Migration) (*Summary, error){
		"apply":  func(e *Engine, ms []history.Migration) (*Summary, error) { return e.Apply(ctx, ms) },
		"direct": func(e *Engine, ms []history.Migration) (*Summary, error) { return e.ApplyDirect(ctx, ms) },
	} {
		t.Run(name, func(t *testing.T) {
			dsn := site(t)
			lib := library{"0": addColumn("z"), "1": addColumn("a"), "2": addColumn("b")}
			mustApply(t, lib.open(t, dsn), lib, "0")
			j, err := journal.Open(ctx, lib.open(t, dsn).db, journal.Config{})
			if err != nil {
				t.Fatal(err)
			}
			lease, err := j.Acquire(ctx, leaseName)
			if err != nil {
				t.Fatal(err)
			}
			patient := lib.open(t, dsn, func(c *Config) {
				c.Wait = true
				c.Events = func(e Event) {
					if e.Kind == EventWaiting {
						pgtest.Exec(t, dsn, "INSERT INTO replank.migration (name, checksum, position) VALUES ('1', 'another', 1)")
						if err := lease.Release(ctx); err != nil {
							t.Error(err)
						}
					}
				}
			})
			sum, err := apply(patient, lib.history("0", "1", "2"))
			wantCode(t, err, Edited)
			if !strings.Contains(err.Error(), "1.sql") || len(sum.Done) != 0 {
				t.Errorf("%+v, %v", sum, err)
			}
		})
	}
}

func TestBlockedFilesWaitAndOthersGoOn(t *testing.T) {
	dsn := site(t, "CREATE TABLE u (id integer)")
	onU := func() *plan.Plan {
		p := note2("independent")
		p.Touches = touches("u")
		return p
	}
	lib := library{"1": dropColumn("old"), "2": addColumn("a"), "3": onU, "4": addColumn("b")}
	e := lib.open(t, dsn)
	p, err := e.Plan(ctx, lib.history("1", "2", "3", "4"))
	if err != nil || p.Err() != nil || !slices.Equal(p.Files[3].BlockedBy, []string{"1", "2"}) {
		t.Fatalf("plan %+v, %v, %v", p, p.Err(), err)
	}
	sum := mustApply(t, e, lib, "1", "2", "3", "4")
	want := &Summary{Ready: []string{"1"}, Done: []string{"3"}, Blocked: []BlockedFile{{"2", []string{"1"}}, {"4", []string{"1", "2"}}}}
	if d := cmp.Diff(want, sum); d != "" {
		t.Error(d)
	}
	if _, err := e.Complete(ctx, "1", CompleteOptions{NoOldReaders: true}); err != nil {
		t.Fatal(err)
	}
	if sum := mustApply(t, e, lib, "1", "2", "3", "4"); !slices.Equal(sum.Done, []string{"2", "4"}) {
		t.Errorf("after complete: %+v", sum)
	}
}

func note2(what string) *plan.Plan {
	return &plan.Plan{Steps: []plan.Step{note(plan.Expand, plan.Transaction, what)}}
}

func TestConsentsAndPrivilegesAreAskedForBeforeTheStart(t *testing.T) {
	role := pgtest.Role(t, "weak", "LOGIN")
	dsn := site(t)
	lib := library{"1": addColumn("a"), "2": func() *plan.Plan {
		p := addColumn("b")()
		p.Consents = []plan.Consent{{Class: "irreversible", Reason: "it is"}}
		return p
	}}
	_, err := lib.open(t, dsn).Apply(ctx, lib.history("1", "2"))
	wantCode(t, err, NeedsConsent)
	_, err = lib.open(t, pgtest.As(dsn, role), func(c *Config) { c.Accept = []string{"irreversible"} }).Apply(ctx, lib.history("1", "2"))
	wantCode(t, err, Privileges)
	for _, want := range []string{"ownership of public.t", "CREATE on database"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in %v", want, err)
		}
	}
	if pgtest.Value[bool](t, dsn, "SELECT to_regnamespace('replank') IS NOT NULL") {
		t.Error("a refused apply made a journal")
	}
	if sum := mustApply(t, lib.open(t, dsn, func(c *Config) { c.Accept = []string{"irreversible"} }), lib, "1", "2"); len(sum.Done) != 2 {
		t.Errorf("%+v", sum)
	}
}

func TestOwnerOwnsWhatIsMade(t *testing.T) {
	owner := pgtest.Role(t, "owner", "NOLOGIN")
	login := pgtest.Role(t, "deploy", "LOGIN")
	dsn := site(t, "GRANT "+owner+" TO "+login, "ALTER TABLE t OWNER TO "+owner, "ALTER TABLE audit OWNER TO "+owner,
		"GRANT CREATE ON SCHEMA public TO "+owner)
	pgtest.Exec(t, dsn, "GRANT CREATE ON DATABASE "+pgtest.Database(dsn)+" TO "+owner)
	lib := library{"1": func() *plan.Plan {
		p := everything(plan.Verify)
		p.Steps = append(p.Steps, plan.Step{Phase: plan.Verify, Kind: plan.Transaction, SQL: []string{"CREATE TABLE made ()"},
			Reverse: []string{"DROP TABLE made"}})
		return p
	}}
	e := lib.open(t, pgtest.As(dsn, login), func(c *Config) { c.Owner = owner })
	_, err := e.Apply(ctx, lib.history("1"))
	wantCode(t, err, Privileges)
	pgtest.Exec(t, dsn, "GRANT pg_read_all_stats TO "+login)
	mustApply(t, e, lib, "1")
	if got := pgtest.Value[string](t, dsn, "SELECT string_agg(DISTINCT relowner::regrole::text, ',') FROM pg_class WHERE relname IN ('made', 't_verify', 'run')"); got != owner {
		t.Errorf("owned by %s", got)
	}
	if _, err := e.Revert(ctx, "1"); err != nil {
		t.Error(err)
	}
}

func TestPlanWritesNothingAndWorksOnAReplica(t *testing.T) {
	primary := pgtest.Own(t, nil)
	dsn := pgtest.DB(t, pgtest.On(primary))
	pgtest.Exec(t, dsn, siteSQL)
	replica := pgtest.Replica(t, primary, nil)
	lib := library{"1": addColumn("a")}
	e := lib.open(t, replica.DSN(pgtest.Database(dsn)))
	p, err := e.Plan(ctx, lib.history("1"))
	if err != nil || p.Files[0].Plan == nil {
		t.Fatalf("%+v, %v", p, err)
	}
	if st, err := e.Status(ctx); err != nil || st.Installed {
		t.Errorf("status %+v, %v", st, err)
	}
	if _, err := e.Doctor(ctx); err != nil {
		t.Errorf("doctor: %v", err)
	}
	if _, err := e.Apply(ctx, lib.history("1")); VerdictOf(err) != VerdictRefused || !strings.Contains(err.Error(), "standby") {
		t.Errorf("apply on a standby: %v", err)
	}
}

func TestConnectionCutAtCommit(t *testing.T) {
	dsn := site(t)
	proxy := pgtest.Proxy(t, dsn)
	lib := library{"1": steps(note(plan.Expand, plan.Transaction, "a"), index(plan.Verify, "t_n"),
		note(plan.Verify, plan.Long, "b"))}
	for i, at := range []string{"expanding/transaction/before-commit", "verifying/long/before-commit",
		"expanding/transaction/before-commit", "verifying/long/before-commit"} {
		when := []pgtest.When{pgtest.BeforeServer, pgtest.AfterServer}[i/2]
		armed := true
		e := lib.open(t, proxy.DSN(), func(c *Config) {
			c.Failpoint = func(name string) {
				if armed && name == at {
					armed = false
					proxy.CutOn("commit", when)
				}
			}
		})
		if _, err := e.Apply(ctx, lib.history("1")); err != nil {
			t.Fatalf("cut at %s: %v", at, err)
		}
		if armed {
			t.Fatalf("%s was never reached", at)
		}
		if got := pgtest.Value[string](t, dsn, "SELECT string_agg(what, ',' ORDER BY what) FROM audit"); got != "a,b" {
			t.Errorf("cut at %s: audit %s", at, got)
		}
		if _, err := e.Revert(ctx, "1"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBaselineEditedFilesAndTenThousandOfThem(t *testing.T) {
	dsn := site(t)
	dir := t.TempDir()
	for i := range 10_000 {
		path := filepath.Join(dir, fmt.Sprintf("%05d_change.sql", i))
		if err := os.WriteFile(path, fmt.Appendf(nil, "ALTER TABLE t%d ADD COLUMN c integer;\n", i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	e := library{}.open(t, dsn)
	e.compile = e.compileFile
	ms, err := history.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Baseline(ctx, ms, "nobody")
	wantCode(t, err, NotFound)
	if n, err := e.Baseline(ctx, ms, "09999_change"); err != nil || n != 10_000 {
		t.Fatalf("baseline: %d, %v", n, err)
	}
	p, err := e.Plan(ctx, ms)
	if err != nil || len(p.Pending()) != 0 || p.Err() != nil {
		t.Fatalf("%d pending, %v, %v", len(p.Pending()), p.Err(), err)
	}
	if sum, err := e.Apply(ctx, ms); err != nil || sum.Done != nil {
		t.Fatalf("apply: %+v, %v", sum, err)
	}
	edited := filepath.Join(dir, "04711_change.sql")
	if err := os.WriteFile(edited, []byte("ALTER TABLE t4711 ADD COLUMN d integer;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if ms, err = history.Read(dir); err != nil {
		t.Fatal(err)
	}
	if p, err = e.Plan(ctx, ms); err != nil {
		t.Fatal(err)
	}
	t.Logf("read and compared in %s", time.Since(began))
	wantCode(t, p.Err(), Edited)
	if err := p.Err(); !strings.Contains(err.Error(), edited) || strings.Contains(err.Error(), "04712") {
		t.Errorf("it names the wrong file: %v", err)
	}
	_, err = e.Apply(ctx, ms)
	wantCode(t, err, Edited)
	_, err = e.Revert(ctx, "00001_change")
	wantCode(t, err, Irreversible)
}

func TestReplicationIsRefusedUntilSubscribersHaveTheObjects(t *testing.T) {
	dsn := site(t, "CREATE PUBLICATION everything FOR ALL TABLES")
	lib := library{"1": addColumn("a")}
	e := lib.open(t, dsn)
	_, err := e.Apply(ctx, lib.history("1"))
	wantCode(t, err, Replication)
	p, err := e.Plan(ctx, lib.history("1"))
	if err != nil {
		t.Fatal(err)
	}
	sql, err := e.SubscriberSQL(ctx, p)
	if err != nil || !strings.Contains(sql, "CREATE TABLE replank.run") || !strings.Contains(sql, "ADD COLUMN a") {
		t.Errorf("subscriber SQL %v:\n%s", err, sql)
	}
	mustApply(t, lib.open(t, dsn, func(c *Config) { c.Accept = []string{acceptSubscribers} }), lib, "1")
}

func TestForeignJournal(t *testing.T) {
	dsn := site(t)
	lib := library{"1": addColumn("a"), "2": addColumn("b")}
	original := lib.open(t, dsn)
	mustApply(t, original, lib, "1")
	original.Close()
	clone := pgtest.DB(t, pgtest.From(dsn))
	e := lib.open(t, clone)
	_, err := e.Apply(ctx, lib.history("1", "2"))
	wantCode(t, err, Foreign)
	found, err := e.Doctor(ctx)
	if err != nil || found[0].Level != Bad || !strings.Contains(found[0].Hint, "--forget") {
		t.Errorf("doctor %+v, %v", found, err)
	}
	if err := e.Forget(ctx); err != nil {
		t.Fatal(err)
	}
	if sum := mustApply(t, e, lib, "1", "2"); !slices.Equal(sum.Done, []string{"2"}) {
		t.Errorf("%+v", sum)
	}
}

func TestDoctorFindsLeftoversAndUninstallRefusesHalfDoneWork(t *testing.T) {
	dsn := site(t, "ALTER TABLE t ADD COLUMN _replank_x integer", "INSERT INTO t SELECT 0, n FROM t WHERE id = 1")
	if err := pgtest.TryExec(dsn, "CREATE UNIQUE INDEX CONCURRENTLY broken ON t ((id > 5))"); err == nil {
		t.Fatal("the index is not broken")
	}
	lib := library{"1": func() *plan.Plan { p := dropColumn("old")(); p.Touches = touches("other"); return p }}
	e := lib.open(t, dsn)
	mustApply(t, e, lib, "1")
	found, err := e.Doctor(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"index broken is invalid", "column _replank_x of t is ours"} {
		if !slices.ContainsFunc(found, func(f Finding) bool { return strings.Contains(f.Text, want) }) {
			t.Errorf("doctor does not say %q: %+v", want, found)
		}
	}
	wantCode(t, e.Uninstall(ctx), Held)
	if _, err := e.Complete(ctx, "", CompleteOptions{NoOldReaders: true}); err != nil {
		t.Fatal(err)
	}
	if err := e.Uninstall(ctx); err != nil {
		t.Fatal(err)
	}
	if pgtest.Value[bool](t, dsn, "SELECT to_regnamespace('replank') IS NOT NULL") {
		t.Error("schema replank is still there")
	}
}

func TestLiteralsAreForgottenWhenTheRunIsDone(t *testing.T) {
	dsn := site(t)
	lib := library{"1": func() *plan.Plan { return note2("my secret word") }}
	lib["1"] = func() *plan.Plan {
		p := note2("my secret word")
		p.Steps[0].Reverse = nil
		p.Steps[0].Title = "note"
		return p
	}
	mustApply(t, lib.open(t, dsn), lib, "1")
	for _, tab := range []string{"run", "plan", "step", "event"} {
		if n := pgtest.Value[int](t, dsn, "SELECT count(*) FROM replank."+tab+" x WHERE x::text LIKE '%secret%'"); n != 0 {
			t.Errorf("replank.%s still holds the literal", tab)
		}
	}
}

func TestInterruptedRunGoesOn(t *testing.T) {
	dsn := site(t)
	lib := library{"1": steps(note(plan.Expand, plan.Transaction, "a"), note(plan.Expand, plan.Transaction, "b"))}
	stopped, stop := context.WithCancel(ctx)
	e := lib.open(t, dsn, func(c *Config) {
		c.Failpoint = func(name string) {
			if name == "expanding/transaction/after-commit" {
				stop()
			}
		}
	})
	if _, err := e.Apply(stopped, lib.history("1")); VerdictOf(err) != VerdictStopped {
		t.Fatalf("apply: %v", err)
	}
	mustApply(t, lib.open(t, dsn), lib, "1")
	if got := pgtest.Value[string](t, dsn, "SELECT string_agg(what, ',' ORDER BY what) FROM audit"); got != "a,b" {
		t.Errorf("audit %s", got)
	}
	j, err := journal.Open(ctx, e.db, journal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if held, err := j.Holder(ctx, leaseName); err != nil || held != nil {
		t.Errorf("the lease was not given back: %v, %v", held, err)
	}
}
