package migrate

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/plan"
)

// texts are files by name and text, in turns.
func texts(pairs ...string) []history.Migration {
	var ms []history.Migration
	for i := 0; i < len(pairs); i += 2 {
		ms = append(ms, history.Migration{Name: pairs[i], Path: pairs[i] + ".sql", Text: pairs[i+1], Checksum: "sum of " + pairs[i+1]})
	}
	return ms
}

const halfWay = "INSERT INTO audit VALUES ('half'); CREATE INDEX CONCURRENTLY t_n ON t (n); SELECT 1 / 0;"

// TestDirectThatStopsHalfWay needs a person, each time that somebody asks, until it is forgotten.
func TestDirectThatStopsHalfWay(t *testing.T) {
	dsn := site(t)
	ms := texts("1", halfWay, "2", "INSERT INTO audit VALUES ('two')")
	e := library{}.open(t, dsn)
	if sum, err := e.ApplyDirect(ctx, ms); err == nil || len(sum.Done) != 0 || !strings.Contains(HintOf(err), "--accept irreversible") {
		t.Fatalf("apply --direct: %+v, %v (%s)", sum, err, HintOf(err))
	}
	for _, files := range [][]history.Migration{ms, ms[:1]} {
		sum, err := e.ApplyDirect(ctx, files)
		if err != nil || len(sum.Failed) != 1 || len(sum.Done) != 0 {
			t.Fatalf("again: %+v, %v", sum, err)
		}
	}
	found, err := e.Doctor(ctx)
	if err != nil || found[0].Level != Bad || !strings.Contains(found[0].Text, "half way: ") || found[0].Hint != forgetDirect {
		t.Errorf("doctor: %+v, %v", found, err)
	}
	if _, err := e.Resume(ctx, "1"); VerdictOf(err) != VerdictUnknown || !strings.Contains(err.Error(), "division_by_zero (22012)") {
		t.Fatalf("resume: %v", err)
	}
	_, err = e.Revert(ctx, "1")
	wantCode(t, err, NeedsConsent)
	_, err = e.Revert(ctx, "")
	wantCode(t, err, NeedsConsent)
	e = library{}.open(t, dsn, func(c *Config) { c.Accept = []string{acceptIrreversible} })
	if _, err := e.Revert(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	st, err := e.Status(ctx)
	if err != nil || len(st.Runs) != 0 || !strings.Contains(st.Last[0].Error, "nothing of it was undone") {
		t.Errorf("status: %+v, %v", st, err)
	}
	pgtest.Exec(t, dsn, "DROP INDEX t_n")
	ms[0].Text = strings.Replace(ms[0].Text, "1 / 0", "1", 1)
	if sum, err := e.ApplyDirect(ctx, ms); err != nil || len(sum.Done) != 2 {
		t.Errorf("apply --direct after it was forgotten: %+v, %v", sum, err)
	}
}

// TestKilledDirect knows three cases: nothing, everything, and nobody knows.
func TestKilledDirect(t *testing.T) {
	for _, tt := range []struct {
		name, sql string
		unknown   bool
	}{
		{"not begun", "UPDATE replank.step SET state = 'pending'; DROP INDEX t_n", false},
		{"half way", "UPDATE replank.step SET state = 'running'", true},
		{"all done", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dsn := site(t)
			e := library{}.open(t, dsn)
			ms := texts("1", "CREATE INDEX CONCURRENTLY t_n ON t (n)")
			if _, err := e.ApplyDirect(ctx, ms); err != nil {
				t.Fatal(err)
			}
			pgtest.Exec(t, dsn, "UPDATE replank.run SET state = 'expanding', finished_at = NULL, receipt = NULL; "+tt.sql)
			sum, err := e.ApplyDirect(ctx, ms)
			if tt.unknown {
				if VerdictOf(err) != VerdictUnknown || !strings.Contains(HintOf(err), "--accept irreversible") {
					t.Errorf("%+v, %v (%s)", sum, err, HintOf(err))
				}
				return
			}
			if err != nil || len(sum.Done) != 1 || !strings.Contains(picture(t, dsn), "t_n t") {
				t.Errorf("%+v, %v\n%s", sum, err, picture(t, dsn))
			}
			if st, err := e.Status(ctx); err != nil || len(st.Runs) != 0 || st.Applied != 1 {
				t.Errorf("status: %+v, %v", st, err)
			}
		})
	}
}

// TestDirectRespectsWhatIsHeld: a file as written may touch whatever a migration holds until complete.
func TestDirectRespectsWhatIsHeld(t *testing.T) {
	dsn := site(t)
	lib := library{"1": dropColumn("old")}
	e := lib.open(t, dsn)
	mustApply(t, e, lib, "1")
	ms := append(lib.history("1"), texts("2", "ALTER TABLE t RENAME COLUMN old TO new")...)
	sum, err := e.ApplyDirect(ctx, ms)
	wantCode(t, err, Blocked)
	if len(sum.Done) != 0 || !strings.Contains(picture(t, dsn), "columns id,n,old\n") {
		t.Errorf("%+v\n%s", sum, picture(t, dsn))
	}
	if _, err := e.Complete(ctx, "1", CompleteOptions{NoOldReaders: true}); err != nil {
		t.Fatal(err)
	}
	ms[1] = texts("2", "ALTER TABLE t ADD COLUMN new integer")[0]
	if sum, err = e.ApplyDirect(ctx, ms); err != nil || len(sum.Done) != 1 {
		t.Errorf("after complete: %+v, %v", sum, err)
	}
}

// TestRevertDoesNotPassOverADirectFile: the newest is the newest, whoever executed it.
func TestRevertDoesNotPassOverADirectFile(t *testing.T) {
	dsn := site(t)
	lib := library{"1": addColumn("a"), "3": func() *plan.Plan { return note2("three") }}
	e := lib.open(t, dsn)
	mustApply(t, e, lib, "1")
	ms := append(lib.history("1"), texts("2", "ALTER TABLE t ADD COLUMN b integer")...)
	if _, err := e.ApplyDirect(ctx, ms); err != nil {
		t.Fatal(err)
	}
	before := picture(t, dsn)
	for _, name := range []string{"", "2"} {
		_, err := e.Revert(ctx, name)
		wantCode(t, err, Irreversible)
		if !strings.Contains(err.Error(), "2 was executed as written") {
			t.Errorf("revert %q: %v", name, err)
		}
	}
	if picture(t, dsn) != before {
		t.Errorf("it was changed:\n%s", picture(t, dsn))
	}
	// What comes after it can be taken back, and what is named when a person says that it is not in the way.
	if _, err := e.Apply(ctx, append(ms, lib.history("3")...)); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Revert(ctx, ""); err != nil || got != "3" {
		t.Errorf("revert: %q, %v", got, err)
	}
	_, err := e.Revert(ctx, "1")
	wantCode(t, err, Dependents)
	e = lib.open(t, dsn, func(c *Config) { c.Accept = []string{acceptIrreversible} })
	if got, err := e.Revert(ctx, "1"); err != nil || got != "1" {
		t.Errorf("revert 1: %q, %v", got, err)
	}
}

// TestRevertUnderADirectFile: what a file names that was executed as written, no revert takes away from under it.
func TestRevertUnderADirectFile(t *testing.T) {
	for name, tt := range map[string]struct {
		sql     string
		refused bool
	}{
		"its table":           {"ALTER TABLE t ADD COLUMN b integer", true},
		"quoted, in a schema": {`CREATE VIEW v AS SELECT n FROM public."t"`, true},
		"regclass":            {"COMMENT ON TABLE audit IS 'x'; SELECT 't'::regclass", true},
		"statement by itself": {"CREATE INDEX CONCURRENTLY t_n ON t (n)", true},
		"any code":            {"DO 'BEGIN ALTER TABLE t ADD COLUMN b integer; END'", true},
		"a function":          {"SELECT pg_catalog.set_config('a.b', 'c', false)", true},
		"its name in a value": {"INSERT INTO audit VALUES ('t')", false},
		"another table":       {"CREATE TABLE other (id integer)", false},
		"another, by itself":  {"CREATE INDEX CONCURRENTLY audit_i ON audit ((1))", false},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := site(t)
			lib := library{"1": addColumn("a")}
			e := lib.open(t, dsn)
			mustApply(t, e, lib, "1")
			if _, err := e.ApplyDirect(ctx, append(lib.history("1"), texts("2", tt.sql)...)); err != nil {
				t.Fatal(err)
			}
			before := picture(t, dsn)
			_, err := e.Revert(ctx, "1")
			if !tt.refused {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCode(t, err, Dependents)
			var refused *RefusedError
			if !errors.As(err, &refused) || !slices.Equal(refused.Items, []string{"2"}) || picture(t, dsn) != before {
				t.Errorf("%v names %v", err, refused)
			}
			// A file that was executed before there were notes may have touched anything.
			pgtest.Exec(t, dsn, "DELETE FROM replank.event WHERE kind = 'direct'")
			if _, err = e.Revert(ctx, "1"); tt.sql == "ALTER TABLE t ADD COLUMN b integer" {
				wantCode(t, err, Dependents)
			}
		})
	}
}
