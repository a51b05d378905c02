package history

import (
	"slices"
	"testing"

	"github.com/replank/replank/internal/pgtest"
)

// TestFlywayRunsAgain: a changed repeatable migration gets a row of its own, and without it the older one counts.
func TestFlywayRunsAgain(t *testing.T) {
	files := map[string]string{"V1__a.sql": "SELECT 1", "R__r.sql": "SELECT 1", "V2__Fill.java": ""}
	old := open(t, Config{}, files)
	files["R__r.sql"] = "SELECT 2"
	changed := open(t, Config{}, files)
	b := newBookkeeper(t, old, pgtest.DB(t))
	b.exec(old.Books.Create())
	left := func(h *History, want ...string) {
		t.Helper()
		ms, err := h.Pending(answer(t, h, b.dsn))
		if err != nil || !slices.Equal(names(ms), want) {
			t.Errorf("%v, %v are left, want %v", names(ms), err, want)
		}
	}
	left(old, "V1__a", "V2__Fill", "R__r")
	for _, m := range old.Migrations {
		b.exec(old.Books.Record(m))
	}
	left(old)
	left(changed, "R__r")
	r := changed.Migrations[2]
	b.exec(changed.Books.Record(r))
	left(changed)
	left(old, "R__r")
	b.exec(changed.Books.Erase(r))
	left(old)
	b.exec(old.Books.Erase(old.Migrations[2]))
	b.exec(old.Books.Erase(old.Migrations[1]))
	left(old, "V2__Fill", "R__r")
	pgtest.Exec(t, b.dsn, "UPDATE flyway_schema_history SET type = 'BASELINE', version = '2'")
	left(old, "R__r")
}

// TestSqitchNeedsAnotherProject: what a change requires of another project is the change deployed of it.
func TestSqitchNeedsAnotherProject(t *testing.T) {
	const other = "%syntax-version=1.0.0\n%project=other\n\n"
	first := open(t, Config{}, map[string]string{"sqitch.plan": other + "a" + who + "@v1" + who + "b" + who, "deploy/a.sql": "", "deploy/b.sql": "x"})
	second := open(t, Config{}, map[string]string{"deploy/c.sql": "c",
		"sqitch.plan": plan + "c [other:a other:@v1 other:a@v1 other:b other:" + first.Migrations[1].Version + "]" + who})
	b := newBookkeeper(t, first, pgtest.DB(t))
	b.exec(first.Books.Create())
	record := func(h *History) error {
		tx, err := b.conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback(t.Context())
		for _, m := range h.Migrations {
			for _, s := range h.Books.Record(m) {
				if _, err := tx.Exec(t.Context(), s.SQL, s.Args...); err != nil {
					return err
				}
			}
		}
		return tx.Commit(t.Context())
	}
	if err := record(second); err == nil {
		t.Error("a change is written down as deployed before what it requires")
	}
	for _, h := range []*History{first, second} {
		if err := record(h); err != nil {
			t.Fatal(err)
		}
	}
	got := pgtest.Value[[]string](t, b.dsn, "SELECT array_agg(dependency || ' ' || c.change ORDER BY dependency) FROM sqitch.dependencies AS d JOIN sqitch.changes AS c ON c.change_id = d.dependency_id")
	want := []string{"other:" + first.Migrations[1].Version + " b", "other:@v1 a", "other:a a", "other:a@v1 a", "other:b b"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("dependencies %v, want %v", got, want)
	}
}

// TestMigrateGoesBackToNothing: with the first version its row goes.
func TestMigrateGoesBackToNothing(t *testing.T) {
	h := open(t, Config{Table: "Audit.Versions"}, map[string]string{"1_a.up.sql": "", "2_b.up.sql": ""})
	b := newBookkeeper(t, h, pgtest.DB(t))
	pgtest.Exec(t, b.dsn, `CREATE SCHEMA "Audit"`)
	b.exec(h.Books.Create())
	for _, m := range h.Migrations {
		b.exec(h.Books.Record(m))
	}
	for i, want := range [][]string{{"2"}, {"1"}, nil} {
		if i > 0 {
			b.exec(h.Books.Erase(h.Migrations[2-i]))
		}
		if got := answer(t, h, b.dsn); !slices.Equal(got, want) {
			t.Errorf("%d steps back: %v, want %v", i, got, want)
		}
	}
	pgtest.Exec(t, b.dsn, `INSERT INTO "Audit"."Versions" VALUES (2, true)`)
	if _, err := h.Pending(answer(t, h, b.dsn)); err == nil {
		t.Error("a dirty row is taken for applied")
	}
}
