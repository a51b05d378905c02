package migrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/plan"
)

// The crash tests run this test binary again as an executor, which kills itself at a failpoint.
const (
	childEnv = "REPLANK_TEST_CHILD" // the scenario
	dsnEnv   = "REPLANK_TEST_DSN"
	nameEnv  = "REPLANK_TEST_MIGRATION"
	pointEnv = "REPLANK_TEST_POINT"
)

// scenarios are what a child does until it is killed.
var scenarios = map[string]func(ctx context.Context, e *Engine, name string) error{
	"forward": func(ctx context.Context, e *Engine, name string) error {
		if _, err := e.Apply(ctx, crashPlans.history(name)); err != nil {
			return err
		}
		_, err := e.Complete(ctx, name, CompleteOptions{NoOldReaders: true})
		return err
	},
	"back": func(ctx context.Context, e *Engine, name string) error {
		if _, err := e.Apply(ctx, crashPlans.history(name)); err != nil {
			return err
		}
		_, err := e.Revert(ctx, name)
		return err
	},
	"failed": func(ctx context.Context, e *Engine, name string) error {
		if _, err := e.Apply(ctx, crashPlans.history(name)); err == nil {
			return errors.New("it went through")
		}
		_, err := e.Resume(ctx, name)
		return err
	},
}

var crashPlans = library{
	"all":        func() *plan.Plan { return everything() },
	"expanding":  func() *plan.Plan { return everything(plan.Expand) },
	"filling":    func() *plan.Plan { return everything(plan.Fill) },
	"verifying":  func() *plan.Plan { return everything(plan.Verify) },
	"completing": func() *plan.Plan { return everything(plan.Contract) },
	"column":     addColumn("a"),
	"stuck": func() *plan.Plan {
		forever := note(plan.Expand, plan.Transaction, "forever")
		forever.Reverse, forever.Irreversible = nil, "it cannot be"
		return steps(forever, plan.Step{Phase: plan.Verify, Kind: plan.Proof, Title: "row 0 is there",
			SQL: []string{"SELECT 1 - count(*) FROM t WHERE id = 0"}})()
	},
}

func child(scenario string) int {
	point := os.Getenv(pointEnv)
	e, err := Open(context.Background(), Config{DSN: os.Getenv(dsnEnv), Code: program{}, Failpoint: func(name string) {
		if name == point {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}})
	if err == nil {
		e.compile = crashPlans.compile
		err = scenarios[scenario](context.Background(), e, os.Getenv(nameEnv))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// scenarioOf says in which scenario, and with which migration, a failpoint is reached.
func scenarioOf(point string) (scenario, name string) {
	state, _, _ := strings.Cut(point, "/")
	switch State(state) {
	case Expanding, Filling, Verifying, Completing:
		return "forward", state
	case Reverting, Reverted:
		return "back", "verifying"
	case Failed:
		return "failed", "stuck"
	case Done:
		return "back", "column"
	}
	return "forward", "completing"
}

// executorProcess is this test binary as an executor in a process of its own.
func executorProcess(t *testing.T, scenario, dsn, name string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), childEnv+"="+scenario, dsnEnv+"="+dsn, nameEnv+"="+name)
	return c
}

// killed reports whether a process ended by SIGKILL.
func killed(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

// crash runs a scenario in a process of its own, which must die at the point.
func crash(t *testing.T, dsn, scenario, name, point string) {
	t.Helper()
	c := executorProcess(t, scenario, dsn, name)
	c.Env = append(c.Env, pointEnv+"="+point)
	out, err := c.CombinedOutput()
	if !killed(err) {
		t.Fatalf("failpoint %s was never hit in scenario %s: %v\n%s", point, scenario, err, out)
	}
}

// TestCrashMatrix kills an executor at every failpoint there is. Whoever comes next must reach the same end,
// forwards and backwards, with every effect there exactly once.
func TestCrashMatrix(t *testing.T) {
	points := Failpoints()
	if testing.Short() {
		points = slices.DeleteFunc(points, func(p string) bool { return !strings.HasPrefix(p, "filling/") })
	}
	template := site(t)
	before := picture(t, template)
	want := map[string]string{}
	for _, name := range []string{"expanding", "filling", "verifying", "completing", "column"} {
		want[name] = wholeWay(t, template, name)
	}
	for _, point := range points {
		t.Run(strings.ReplaceAll(point, "/", ":"), func(t *testing.T) {
			pgtest.Share(t, 2)
			t.Parallel()
			scenario, name := scenarioOf(point)
			dsn := pgtest.DB(t, pgtest.From(template))
			crash(t, dsn, scenario, name, point)
			// The server may need a moment to notice that the process is gone.
			e := crashPlans.open(t, dsn, func(c *Config) { c.Wait = true })
			switch scenario {
			case "forward":
				forward(t, e, name)
				if d := cmp.Diff(want[name], picture(t, dsn)); d != "" {
					t.Errorf("after resume and complete:\n%s", d)
				}
			case "back":
				backward(t, e)
				if d := cmp.Diff(before, picture(t, dsn)); d != "" {
					t.Errorf("after resume and revert:\n%s", d)
				}
			case "failed":
				pgtest.Exec(t, dsn, "INSERT INTO t VALUES (0, 0)")
				if _, err := e.Resume(ctx, "stuck"); err != nil {
					t.Fatal(err)
				}
				if got := pgtest.Value[string](t, dsn, "SELECT string_agg(what, ',') FROM audit"); got != "forever" {
					t.Errorf("audit %s", got)
				}
			}
		})
	}
}

// TestCrashThenRevert kills an executor on its way forward, and goes backward from there.
func TestCrashThenRevert(t *testing.T) {
	template := site(t)
	before := picture(t, template)
	for _, point := range Failpoints() {
		state, _, _ := strings.Cut(point, "/")
		last := strings.HasSuffix(point, "/before-commit") || strings.HasSuffix(point, "/ran")
		if !slices.Contains([]string{"expanding", "filling", "verifying"}, state) || !last ||
			testing.Short() && state != "filling" {
			continue
		}
		t.Run(strings.ReplaceAll(point, "/", ":"), func(t *testing.T) {
			pgtest.Share(t, 2)
			t.Parallel()
			dsn := pgtest.DB(t, pgtest.From(template))
			crash(t, dsn, "forward", state, point)
			backward(t, crashPlans.open(t, dsn))
			if d := cmp.Diff(before, picture(t, dsn)); d != "" {
				t.Error(d)
			}
		})
	}
}

// wholeWay is the picture of an undisturbed apply and complete.
func wholeWay(t *testing.T, template, name string) string {
	t.Helper()
	dsn := pgtest.DB(t, pgtest.From(template))
	forward(t, crashPlans.open(t, dsn), name)
	return picture(t, dsn)
}

// forward applies and completes, from wherever a run is.
func forward(t *testing.T, e *Engine, name string) {
	t.Helper()
	if _, err := e.Apply(ctx, crashPlans.history(name)); err != nil {
		t.Fatalf("apply: %v", err)
	}
	if _, err := e.Complete(ctx, name, CompleteOptions{NoOldReaders: true}); err != nil {
		t.Fatalf("complete: %v", err)
	}
}

// backward reverts what there is, from wherever it is.
func backward(t *testing.T, e *Engine) {
	t.Helper()
	if _, err := e.Revert(ctx, ""); err != nil {
		var r *RefusedError
		if !errors.As(err, &r) || r.Code != NotFound {
			t.Fatalf("revert: %v", err)
		}
	}
	st, err := e.Status(ctx)
	if err != nil || len(st.Runs) != 0 || st.Applied != 0 {
		t.Fatalf("status after revert: %+v, %v", st, err)
	}
}

// TestKilledAtAnyTime kills executors at random times, again and again, until one gets through: on the way forward and
// on the way back. REPLANK_TEST_KILLS is how often in all.
func TestKilledAtAnyTime(t *testing.T) {
	wanted := 20
	if v := os.Getenv("REPLANK_TEST_KILLS"); v != "" {
		var err error
		if wanted, err = strconv.Atoi(v); err != nil {
			t.Fatalf("REPLANK_TEST_KILLS: %v", err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	template := site(t)
	end := map[string]string{"forward": wholeWay(t, template, "all"), "back": picture(t, template)}
	rounds, kills := 0, 0
	for ; kills < wanted; rounds++ {
		scenario := []string{"forward", "back"}[rounds%2]
		dsn := pgtest.DB(t, pgtest.From(template))
		kills += killedUntilThrough(t, rng, scenario, dsn)
		if d := cmp.Diff(end[scenario], picture(t, dsn)); d != "" {
			t.Fatalf("%s, after %d kills (seed %d):\n%s", scenario, kills, seed, d)
		}
	}
	t.Logf("%d kills in %d rounds (seed %d)", kills, rounds, seed)
}

// killedUntilThrough starts a scenario as often as it takes, and says how often it was killed.
func killedUntilThrough(t *testing.T, rng *rand.Rand, scenario, dsn string) (kills int) {
	t.Helper()
	for ; ; kills++ {
		c := executorProcess(t, scenario, dsn, "all")
		var errs strings.Builder
		c.Stderr = &errs
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		// Later each time, so that one gets through in the end.
		limit := time.Duration(rng.Int64N(int64(time.Second))) + time.Duration(kills)*20*time.Millisecond
		timer := time.AfterFunc(limit, func() { _ = c.Process.Kill() })
		err := c.Wait()
		timer.Stop()
		if err == nil {
			return kills
		}
		if !killed(err) {
			t.Fatalf("%s, after %d kills: %v\n%s", scenario, kills, err, errs.String())
		}
	}
}
