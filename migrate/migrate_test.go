package migrate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/plan"
)

var ctx = context.Background()

func TestMachine(t *testing.T) {
	if err := Machine.Validate(); err != nil {
		t.Fatal(err)
	}
	for phase, s := range phaseState {
		if _, listed := Machine.State(string(s)); !listed {
			t.Errorf("phase %s: state %s is not listed", phase, s)
		}
	}
}

func wantCode(t *testing.T, err error, code Code) {
	t.Helper()
	var r *RefusedError
	if !errors.As(err, &r) || r.Code != code {
		t.Fatalf("got %v, want a refusal with code %s", err, code)
	}
	if v := VerdictOf(err); v != VerdictRefused {
		t.Fatalf("verdict %s of %v", v, err)
	}
}

func mustApply(t *testing.T, e *Engine, l library, names ...string) *Summary {
	t.Helper()
	sum, err := e.Apply(ctx, l.history(names...))
	if err != nil {
		t.Fatalf("apply: %v (%s)", err, HintOf(err))
	}
	return sum
}

func TestEveryKindInEveryPhase(t *testing.T) {
	dsn := site(t)
	before := picture(t, dsn)
	lib := library{"1": func() *plan.Plan { return everything() }}
	var log eventLog
	e := lib.open(t, dsn, func(c *Config) { c.Events = log.add })
	if sum := mustApply(t, e, lib, "1"); len(sum.Ready) != 1 {
		t.Fatalf("summary %+v", sum)
	}
	ready := picture(t, dsn)
	if got, err := e.Revert(ctx, ""); err != nil || got != "1" {
		t.Fatalf("revert: %q, %v", got, err)
	}
	if d := cmp.Diff(before, picture(t, dsn)); d != "" {
		t.Errorf("after revert:\n%s", d)
	}
	mustApply(t, e, lib, "1")
	if d := cmp.Diff(ready, picture(t, dsn)); d != "" {
		t.Errorf("applied again:\n%s", d)
	}
	done, err := e.Complete(ctx, "", CompleteOptions{})
	if err != nil || len(done) != 1 {
		t.Fatalf("complete: %v, %v", done, err)
	}
	want := "planned expanding filling verifying ready reverting reverted " +
		"planned expanding filling verifying ready completing done"
	if d := cmp.Diff(want, log.states()); d != "" {
		t.Error(d)
	}
	end := picture(t, dsn)
	if !strings.Contains(end, "rows 500 off by 4") || strings.Count(end, "t_") != 5 {
		t.Errorf("at the end:\n%s", end)
	}
	if done, err := e.Complete(ctx, "", CompleteOptions{}); err != nil || len(done) != 0 {
		t.Errorf("complete with nothing to do: %v, %v", done, err)
	}
	rec, err := e.Receipt(ctx, "1")
	if err != nil || rec.DoneAt == nil || rec.ReadySince == nil || len(rec.Steps) != 32 || len(rec.Proofs) != 3 {
		t.Errorf("receipt %+v, %v", rec, err)
	}
	_, err = e.Revert(ctx, "1")
	wantCode(t, err, Irreversible)
}

func TestDoneIsRevertedWhereNothingWasLost(t *testing.T) {
	dsn := site(t)
	before := picture(t, dsn)
	lib := library{"1": addColumn("a"), "2": addColumn("b")}
	e := lib.open(t, dsn)
	if sum := mustApply(t, e, lib, "1", "2"); len(sum.Done) != 2 {
		t.Fatalf("summary %+v", sum)
	}
	_, err := e.Revert(ctx, "1")
	wantCode(t, err, Dependents)
	for _, want := range []string{"2", "1"} {
		if got, err := e.Revert(ctx, ""); err != nil || got != want {
			t.Fatalf("revert: %q, %v; want %s", got, err, want)
		}
	}
	if d := cmp.Diff(before, picture(t, dsn)); d != "" {
		t.Error(d)
	}
	_, err = e.Revert(ctx, "")
	wantCode(t, err, NotFound)
}

func TestFailingStepTakesTheFileBack(t *testing.T) {
	for _, tt := range []struct {
		name string
		step plan.Step
		want string
	}{
		{"transaction", plan.Step{Phase: plan.Verify, Kind: plan.Transaction, SQL: []string{"SELECT 1/0"}}, "22012"},
		{"long", plan.Step{Phase: plan.Verify, Kind: plan.Long, SQL: []string{"SELECT 1/0"}}, "22012"},
		{"proof", plan.Step{Phase: plan.Verify, Kind: plan.Proof, Title: "all is well", SQL: []string{"SELECT 7::bigint"}}, "7 rows are not"},
		{"unique index", func() plan.Step {
			s := index(plan.Verify, "t_unique")
			s.SQL[0] = "CREATE UNIQUE INDEX CONCURRENTLY t_unique ON public.t ((n > 0))"
			return s
		}(), "could not create unique index"},
		{"no effect", plan.Step{Phase: plan.Verify, Kind: plan.Concurrently, SQL: []string{"ANALYZE public.t"}, Probe: "SELECT false"},
			"its effect is not there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dsn := site(t)
			before := picture(t, dsn)
			lib := library{"1": steps(note(plan.Expand, plan.Transaction, "a"), index(plan.Expand, "t_n"),
				increment(plan.Fill), tt.step, note(plan.Verify, plan.Transaction, "never"))}
			e := lib.open(t, dsn, func(c *Config) { c.LockBudget = 20 * time.Millisecond })
			_, err := e.Apply(ctx, lib.history("1"))
			var my *Error
			if !errors.As(err, &my) || !my.TakenBack || !strings.Contains(err.Error(), tt.want) || VerdictOf(err) != VerdictFailed {
				t.Fatalf("got %v, want it taken back because of %q", err, tt.want)
			}
			if d := cmp.Diff(before, picture(t, dsn)); d != "" {
				t.Error(d)
			}
			st, err := e.Status(ctx)
			if err != nil || len(st.Runs) != 0 || len(st.Last) != 1 || st.Last[0].State != Reverted ||
				!strings.Contains(st.Last[0].Error, tt.want) {
				t.Errorf("status %+v, %v", st, err)
			}
		})
	}
}

func TestCompleteAsksForTheWordAndThePeriod(t *testing.T) {
	dsn := site(t)
	lib := library{"1": dropColumn("old")}
	e := lib.open(t, dsn)
	mustApply(t, e, lib, "1")
	_, err := e.Complete(ctx, "1", CompleteOptions{})
	wantCode(t, err, OldReaders)
	_, err = e.Complete(ctx, "1", CompleteOptions{NoOldReaders: true, Period: time.Hour})
	wantCode(t, err, OldReaders)
	if !strings.Contains(picture(t, dsn), "old") {
		t.Fatal("a refused complete dropped the column")
	}
	if _, err := e.Complete(ctx, "1", CompleteOptions{NoOldReaders: true}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(picture(t, dsn), "old") {
		t.Fatal("the column is still there")
	}
	rec, err := e.Receipt(ctx, "1")
	if err != nil || rec.OldReaders == nil || rec.OldReaders.SaidBy == "" {
		t.Fatalf("receipt %+v, %v", rec, err)
	}
	_, err = e.Revert(ctx, "1")
	wantCode(t, err, Irreversible)
	_, err = e.Complete(ctx, "nobody", CompleteOptions{})
	wantCode(t, err, NotFound)
}

func TestProofIsRepeatedBeforeTheOldShapeGoes(t *testing.T) {
	dsn := site(t)
	lib := library{"1": steps(
		plan.Step{Phase: plan.Verify, Kind: plan.Proof, Title: "no row is negative", SQL: []string{"SELECT count(*) FROM t WHERE n < 0"}},
		note(plan.Contract, plan.Transaction, "gone"))}
	e := lib.open(t, dsn)
	mustApply(t, e, lib, "1")
	pgtest.Exec(t, dsn, "UPDATE t SET n = -1 WHERE id = 3")
	_, err := e.Complete(ctx, "1", CompleteOptions{})
	wantCode(t, err, NoProof)
	pgtest.Exec(t, dsn, "UPDATE t SET n = 30 WHERE id = 3")
	if _, err := e.Complete(ctx, "1", CompleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestFailingContractGoesBackToReady(t *testing.T) {
	dsn := site(t)
	bad := note(plan.Contract, plan.Transaction, "first")
	bad.SQL = append(bad.SQL, "SELECT 1 / (SELECT count(*) FROM t WHERE id = 0)")
	lib := library{"1": steps(bad, note(plan.Contract, plan.Transaction, "second"))}
	e := lib.open(t, dsn)
	mustApply(t, e, lib, "1")
	_, err := e.Complete(ctx, "1", CompleteOptions{})
	if VerdictOf(err) != VerdictFailed {
		t.Fatalf("complete: %v", err)
	}
	st, err := e.Status(ctx)
	if err != nil || st.Runs[0].State != Ready || st.Runs[0].Error == "" {
		t.Fatalf("status %+v, %v", st, err)
	}
	pgtest.Exec(t, dsn, "INSERT INTO t VALUES (0, 0)")
	if _, err := e.Complete(ctx, "1", CompleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := pgtest.Value[string](t, dsn, "SELECT string_agg(what, ',' ORDER BY what) FROM audit"); got != "first,second" {
		t.Errorf("audit %s", got)
	}
}

func TestWayBackThatFailsCanBeTriedAgainBothWays(t *testing.T) {
	dsn := site(t)
	before := picture(t, dsn)
	hard := note(plan.Expand, plan.Transaction, "hard")
	hard.Reverse = append(hard.Reverse, "SELECT 1 / (SELECT count(*) FROM t WHERE id = 0)")
	lib := library{"1": steps(hard, note(plan.Expand, plan.Transaction, "easy"), index(plan.Verify, "t_n"),
		note(plan.Contract, plan.Transaction, "end"))}
	e := lib.open(t, dsn)
	mustApply(t, e, lib, "1")
	ready := picture(t, dsn)
	fail := func() {
		t.Helper()
		if _, err := e.Revert(ctx, "1"); VerdictOf(err) != VerdictFailed {
			t.Fatalf("revert: %v", err)
		}
		if st, err := e.Status(ctx); err != nil || st.Runs[0].State != Failed {
			t.Fatalf("status %+v, %v", st, err)
		}
	}
	fail()
	if sum, err := e.Resume(ctx, "1"); err != nil || len(sum.Ready) != 1 {
		t.Fatalf("resume: %+v, %v", sum, err)
	}
	if d := cmp.Diff(ready, picture(t, dsn)); d != "" {
		t.Errorf("forward again:\n%s", d)
	}
	fail()
	pgtest.Exec(t, dsn, "INSERT INTO t VALUES (0, 0)")
	if _, err := e.Revert(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, dsn, "DELETE FROM t WHERE id = 0")
	if d := cmp.Diff(before, picture(t, dsn)); d != "" {
		t.Errorf("back again:\n%s", d)
	}
}

func TestIrreversibleStepThatIsDoneNeedsAPerson(t *testing.T) {
	dsn := site(t)
	forever := note(plan.Expand, plan.Transaction, "forever")
	forever.Reverse, forever.Irreversible = nil, "it cannot be"
	lib := library{"1": steps(forever, note(plan.Expand, plan.Transaction, "after"),
		plan.Step{Phase: plan.Verify, Kind: plan.Proof, Title: "row 0 is there", SQL: []string{"SELECT 1 - count(*) FROM t WHERE id = 0"}})}
	e := lib.open(t, dsn)
	_, err := e.Apply(ctx, lib.history("1"))
	if VerdictOf(err) != VerdictFailed || !strings.Contains(HintOf(err), "it cannot be") {
		t.Fatalf("apply: %v (%s)", err, HintOf(err))
	}
	st, err := e.Status(ctx)
	if err != nil || len(st.Runs) != 1 || st.Runs[0].State != Failed {
		t.Fatalf("status %+v, %v", st, err)
	}
	_, err = e.Revert(ctx, "1")
	wantCode(t, err, Irreversible)
	pgtest.Exec(t, dsn, "INSERT INTO t VALUES (0, 0)")
	if sum, err := e.Resume(ctx, "1"); err != nil || len(sum.Done) != 1 {
		t.Fatalf("resume: %+v, %v", sum, err)
	}
	if got := pgtest.Value[string](t, dsn, "SELECT string_agg(what, ',' ORDER BY what) FROM audit"); got != "after,forever" {
		t.Errorf("audit %s", got)
	}
}
