package python_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
)

// The tests of crashes run this test binary again as an executor, which is killed.
const (
	childEnv  = "REPLANK_TEST_CHILD" // the project
	pythonEnv = "REPLANK_TEST_PYTHON"
	dsnEnv    = "REPLANK_TEST_DSN"
	pointEnv  = "REPLANK_TEST_POINT" // the failpoint where it kills itself
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := child(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	pgtest.Main(m)
}

// child applies and completes all that there is.
func child(ctx context.Context) error {
	p := history.Project{Dir: os.Getenv(childEnv), Python: os.Getenv(pythonEnv)}
	x, err := p.Export(ctx)
	if err != nil {
		return err
	}
	big := int64(0)
	if strings.HasPrefix(os.Getenv(pointEnv), "completing/") {
		big = -1 // so that there is something to complete
	}
	e, err := migrate.Open(ctx, migrate.Config{BigRows: big, DSN: os.Getenv(dsnEnv), Books: x.Books(), Code: &history.Runner{Project: p},
		Accept: []string{"irreversible", "as-is"}, Failpoint: func(name string) {
			if name == os.Getenv(pointEnv) {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}})
	if err != nil {
		return err
	}
	for {
		sum, err := e.Apply(ctx, x.Migrations(""))
		if err != nil || len(sum.Ready)+len(sum.Blocked) == 0 {
			return err
		}
		if _, err := e.Complete(ctx, "", migrate.CompleteOptions{NoOldReaders: true}); err != nil {
			return err
		}
	}
}

// killed applies a project in a process of its own, which must be killed.
func killed(t *testing.T, p history.Project, dsn string, env ...string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), childEnv+"="+p.Dir, pythonEnv+"="+p.Python, dsnEnv+"="+dsn)
	c.Env = append(c.Env, env...)
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("it was not killed: %v\n%s", err, out)
	}
}

const shouts = "SELECT string_agg(DISTINCT regexp_replace(shout, '^BOOK [0-9]+', '') , ' ') FROM shelf_volume"

// TestKilledInCode kills the executor while code runs. Atomic code is there once, whoever is killed; of other code a
// person has to say what is there.
func TestKilledInCode(t *testing.T) {
	pgtest.Share(t, 2)
	python := lts.Python(t)
	p := history.Project{Dir: filepath.Join("testdata", "shelf"), Python: python}
	full := pgtest.DB(t)
	e, x := engine(t, full, p, func(c *migrate.Config) { c.Accept = []string{"irreversible"} })
	untilDone(t, e, x.Migrations(""))
	want := pgtest.PgDump(t, full, pgtest.IgnoreSchema("replank"))
	for _, tt := range []struct {
		name string
		env  string
		// unknown: a person has to say, and then this stands there.
		unknown map[migrate.Outcome]string
	}{
		{name: "before", env: pointEnv + "=filling/code/begin"},
		{name: "atomic, started", env: pointEnv + "=filling/code/started"},
		{name: "atomic, ran", env: pointEnv + "=filling/code/ran"},
		{name: "atomic, in the middle", env: "SHELF_KILL=default.0006_full_stop"},
		{name: "in the middle", env: "SHELF_KILL=default.0005_tail", unknown: map[migrate.Outcome]string{
			migrate.Ran: "!. !?.", migrate.NotRan: "!?. !??."}},
		{name: "started", env: pointEnv + "=completing/code/started", unknown: map[migrate.Outcome]string{
			migrate.Ran: "?.", migrate.NotRan: "!?."}},
	} {
		outcomes := tt.unknown
		if outcomes == nil {
			outcomes = map[migrate.Outcome]string{"": "!?."}
		}
		for outcome, left := range outcomes {
			t.Run(strings.TrimSpace(tt.name+" "+string(outcome)), func(t *testing.T) {
				t.Parallel()
				dsn := pgtest.DB(t)
				killed(t, p, dsn, tt.env)
				open := func(outcome migrate.Outcome) *migrate.Engine {
					e, _ := engine(t, dsn, p, func(c *migrate.Config) {
						c.Accept, c.Wait, c.Outcome = []string{"irreversible"}, true, outcome
					})
					return e
				}
				e := open("")
				if outcome != "" {
					for range 2 { // it is not run again, however often
						_, err := e.Apply(t.Context(), x.Migrations(""))
						if migrate.VerdictOf(err) != migrate.VerdictUnknown || !strings.Contains(migrate.HintOf(err), "--not-ran") {
							t.Fatalf("got %v (%s), want an unknown outcome", err, migrate.HintOf(err))
						}
					}
					if _, err := open(outcome).Resume(t.Context(), ""); err != nil {
						t.Fatalf("resume: %v (%s)", err, migrate.HintOf(err))
					}
				}
				untilDone(t, e, x.Migrations(""))
				if got := pgtest.Value[string](t, dsn, shouts); got != left {
					t.Errorf("the code has left %q, want %q", got, left)
				}
				if d := pgtest.Diff(want, pgtest.PgDump(t, dsn, pgtest.IgnoreSchema("replank"))); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

// TestRevertCode takes code back by its reverse_code, and refuses where there is none.
func TestRevertCode(t *testing.T) {
	pgtest.Share(t, 2)
	p := history.Project{Dir: filepath.Join("testdata", "shelf"), Python: lts.Python(t)}
	dsn := pgtest.DB(t)
	e, x := engine(t, dsn, p)
	ms := x.Migrations("")
	_, err := e.Apply(t.Context(), ms)
	var refused *migrate.RefusedError
	if !errors.As(err, &refused) || refused.Code != migrate.NeedsConsent || !strings.Contains(err.Error(), "0004_volume") {
		t.Fatalf("without consent: %v", err)
	}
	e, _ = engine(t, dsn, p, func(c *migrate.Config) { c.Accept = []string{"irreversible"} })
	untilDone(t, e, ms)
	if _, err := e.Revert(t.Context(), "shelf.0005_tail"); !errors.As(err, &refused) || refused.Code != migrate.Dependents {
		t.Errorf("revert of what a later migration needs: %v", err)
	}
	for _, want := range []string{"!?", "!"} {
		if _, err := e.Revert(t.Context(), ""); err != nil {
			t.Fatalf("revert: %v (%s)", err, migrate.HintOf(err))
		}
		if got := pgtest.Value[string](t, dsn, shouts); got != want {
			t.Errorf("%q is left, want %q", got, want)
		}
	}
	if got := rows(t, dsn); strings.Contains(strings.Join(got, " "), "0005") {
		t.Errorf("django_migrations still has %q", got)
	}
	if _, err := e.Revert(t.Context(), ""); !errors.As(err, &refused) || refused.Code != migrate.Irreversible {
		t.Errorf("revert of code without a way back: %v", err)
	}
	untilDone(t, e, ms)
	if got := pgtest.Value[string](t, dsn, shouts); got != "!?." {
		t.Errorf("applied again: %q", got)
	}
}
