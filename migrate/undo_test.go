package migrate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/plan"
)

// stuckSQL lets the way back of the fill fail at one row, in the middle: not by an error of that row, which would be
// left alone, but by one that stops it.
const stuckSQL = `CREATE TABLE stuck (); CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF NEW.id = 100 AND NEW.n < OLD.n AND to_regclass('stuck') IS NOT NULL THEN
		RAISE insufficient_privilege USING MESSAGE = 'row 100 is stuck'; END IF;
	RETURN NEW; END $$;
	CREATE TRIGGER stuck BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION stuck()`

// TestUndoThatStopsHalfWay: whichever way a person goes from there, each row is changed once or not at all.
func TestUndoThatStopsHalfWay(t *testing.T) {
	grown := "INSERT INTO t SELECT i, i * 10, 'v' FROM generate_series(501, 3000) i"
	halfBack := func(t *testing.T) (*Engine, string, string, string) {
		t.Helper()
		dsn := site(t, grown, stuckSQL)
		before := picture(t, dsn)
		lib := library{"1": steps(note(plan.Expand, plan.Transaction, "a"), increment(plan.Fill))}
		e := lib.open(t, dsn)
		mustApply(t, e, lib, "1")
		ready := picture(t, dsn)
		if _, err := e.Revert(ctx, "1"); err == nil || !strings.Contains(err.Error(), "row 100 is stuck") {
			t.Fatalf("revert: %v", err)
		}
		if left := pgtest.Value[int](t, dsn, "SELECT count(*)::int FROM t WHERE n <> id * 10"); left == 0 || left == 3000 {
			t.Fatalf("%d rows are left of 3000: it did not stop half way", left)
		}
		if got := pgtest.Value[string](t, dsn, "SELECT state FROM replank.step WHERE kind = 'rows'"); got != "reversing" {
			t.Fatalf("the step is %s", got)
		}
		return e, dsn, before, ready
	}
	t.Run("forward", func(t *testing.T) {
		e, dsn, _, ready := halfBack(t)
		// The cause is still there: the way forward stops at it, too, and nothing is lost.
		if _, err := e.Resume(ctx, "1"); err == nil || !strings.Contains(err.Error(), "row 100 is stuck") {
			t.Fatalf("resume: %v", err)
		}
		pgtest.Exec(t, dsn, "DROP TABLE stuck")
		if sum, err := e.Resume(ctx, "1"); err != nil || len(sum.Ready) != 1 {
			t.Fatalf("resume: %+v, %v", sum, err)
		}
		if d := cmp.Diff(ready, picture(t, dsn)); d != "" {
			t.Error(d)
		}
	})
	t.Run("back", func(t *testing.T) {
		e, dsn, before, _ := halfBack(t)
		pgtest.Exec(t, dsn, "DROP TABLE stuck")
		if _, err := e.Revert(ctx, "1"); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(before, picture(t, dsn)); d != "" {
			t.Error(d)
		}
	})
}

// TestUndoShowsProgress: the way back of a fill takes as long as the fill.
func TestUndoShowsProgress(t *testing.T) {
	dsn := site(t, "INSERT INTO t SELECT i, i * 10, 'v' FROM generate_series(501, 3000) i")
	lib := library{"1": steps(increment(plan.Fill))}
	mustApply(t, lib.open(t, dsn), lib, "1")
	var log eventLog
	e := lib.open(t, dsn, func(c *Config) { c.Events = log.add })
	if _, err := e.Revert(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	var last Event
	for _, ev := range log.events {
		if ev.Kind == EventProgress {
			if ev.Rows < last.Rows || ev.Fraction < last.Fraction || ev.Text != "undo" || ev.State != Reverting || ev.Total < 3000 {
				t.Errorf("%+v after %+v", ev, last)
			}
			last = ev
		}
	}
	if last.Rows != 3000 || last.Fraction < 0.9 {
		t.Errorf("the last progress is %+v", last)
	}
}

// TestRejectedRowOfAFillThatBeginsAnew is changed once, although it was waited for before the way back.
func TestRejectedRowOfAFillThatBeginsAnew(t *testing.T) {
	dsn := site(t, "ALTER TABLE t ADD CONSTRAINT low CHECK (n <> 71)")
	hard := note(plan.Expand, plan.Transaction, "hard")
	hard.Reverse = append(hard.Reverse, "SELECT 1 / (SELECT count(*) FROM t WHERE id = 0)")
	lib := library{"1": steps(hard, increment(plan.Fill))}
	e := lib.open(t, dsn)
	if _, err := e.Apply(ctx, lib.history("1")); VerdictOf(err) != VerdictStopped {
		t.Fatalf("apply: %v", err)
	}
	if _, err := e.Revert(ctx, "1"); VerdictOf(err) != VerdictFailed {
		t.Fatalf("revert: %v", err)
	}
	pgtest.Exec(t, dsn, "ALTER TABLE t DROP CONSTRAINT low")
	if sum, err := e.Resume(ctx, "1"); err != nil || len(sum.Ready) != 1 {
		t.Fatalf("resume: %+v, %v", sum, err)
	}
	if wrong := pgtest.Value[int](t, dsn, "SELECT count(*)::int FROM t WHERE n <> id * 10 + 1"); wrong != 0 {
		t.Errorf("%d rows were not changed exactly once", wrong)
	}
}
