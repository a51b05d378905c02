package backfill_test

import (
	"errors"
	"testing"

	"github.com/replank/replank/backfill"
	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/plan"
)

// TestRejected: rows that fail are found, named and stepped over; the gate is shut until each is fixed or waived.
func TestRejected(t *testing.T) {
	for name, schema := range map[string]string{
		"with key":    "CREATE TABLE t (id int PRIMARY KEY, old text, new int CHECK (new < 100000))",
		"without key": "CREATE TABLE t (id int, old text, new int CHECK (new < 100000))",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, schema, `INSERT INTO t SELECT g, CASE g WHEN 7 THEN 'seven' WHEN 1500 THEN '' WHEN 2999 THEN '100001' ELSE g::text END
				FROM generate_series(1, 3000) g`)
			c := s.config(plan.FillSpec{Kind: plan.Twin, Table: "public.t", Quiet: true, Set: []ddl.Assignment{{Column: "new", Expr: "old::int"}},
				Guard: "record_image_ne(ROW(new), ROW(old::int))"})
			rc, err := backfill.Run(t.Context(), c)
			s.must(err)
			if rc.Rows != 2997 || rc.Rejected != 3 || rc.Left != 3 || rc.Open() == "" {
				t.Errorf("receipt %+v", rc)
			}
			s.want("SELECT string_agg(sqlstate, ',' ORDER BY sqlstate) FROM replank.rejected", "22P02,22P02,23514")
			// The server's messages quote values of the rows, which have no business in the journal.
			s.want("SELECT string_agg(DISTINCT error, '; ' ORDER BY error) FROM replank.rejected",
				`check_violation (23514): constraint "t_new_check", table "public"."t"; invalid_text_representation (22P02)`)
			if name == "with key" {
				s.want(`SELECT string_agg(key->>'id', ',' ORDER BY id) FROM replank.rejected WHERE sqlstate = '22P02'`, "7,1500")
			}
			s.exec("UPDATE t SET old = '70' WHERE id = 7")
			fixed, failed, err := backfill.Retry(t.Context(), c)
			s.must(err)
			if name == "with key" && (fixed != 1 || failed != 2) {
				t.Errorf("%d fixed, %d failed", fixed, failed)
			}
			s.want("SELECT count(*) FROM t WHERE id <> 7 AND new IS NULL", "2")
			if name == "without key" {
				return // the row has moved; its trigger, which this table has not, would have made it right
			}
			s.want("SELECT new FROM t WHERE id = 7", "70")
			all, err := s.j.Rejected(t.Context(), s.run, 0)
			s.must(err)
			s.must(s.j.Waive(t.Context(), s.run, "somebody", all[0].ID, all[1].ID))
			rc, err = backfill.Prove(t.Context(), c)
			s.must(err)
			if rc.Rejected != 0 || rc.Waived != 2 || rc.Left != 2 || rc.Open() != "" {
				t.Errorf("receipt after the waiver %+v", rc)
			}
		})
	}
}

// TestRejectedOfUser: the rows beside a failing one of the user's own statement are changed once, and it is, too,
// when it can be.
func TestRejectedOfUser(t *testing.T) {
	s := newSite(t, `CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n <> 1001)); INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g`)
	c := s.config(plan.FillSpec{Kind: plan.Update, Table: "public.t", Key: []string{"id"}, Undo: true, Set: []ddl.Assignment{{Column: "n", Expr: "n + 1"}}})
	rc, err := backfill.Run(t.Context(), c)
	s.must(err)
	if rc.Rows != 999 || rc.Rejected != 1 {
		t.Errorf("receipt %+v", rc)
	}
	s.exec("ALTER TABLE t DROP CONSTRAINT t_n_check")
	for range 2 {
		_, _, err = backfill.Retry(t.Context(), c)
		s.must(err)
	}
	s.want("SELECT count(*) FROM t WHERE n <> id + 1", "0")
	u, err := backfill.Undo(t.Context(), c)
	s.must(err)
	if u.Restored != 1000 {
		t.Errorf("undo %+v", u)
	}
}

// TestTooManyRejected: when every row fails, the statement is wrong and not the rows.
func TestTooManyRejected(t *testing.T) {
	s := newSite(t, `CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT g, 0 FROM generate_series(1, 1000) g`)
	c := s.config(plan.FillSpec{Kind: plan.Update, Table: "public.t", Key: []string{"id"}, Set: []ddl.Assignment{{Column: "n", Expr: "1 / n"}}})
	c.MaxRejected = 5
	_, err := backfill.Run(t.Context(), c)
	var many *backfill.TooManyRejectedError
	if !errors.As(err, &many) || pg.SQLState(many.Last) != "22012" {
		t.Errorf("got %v", err)
	}
}

// TestImages (RULES 2): guards by image see what equality does not, and converge.
func TestImages(t *testing.T) {
	s := newSite(t, `CREATE EXTENSION citext;
		CREATE TABLE t (id int PRIMARY KEY, c citext, n numeric, j json);
		INSERT INTO t SELECT g, 'ABC' || g, 1.50, '{"a": 1}' FROM generate_series(1, 2000) g`)
	for column, expr := range map[string]string{"c": "lower(c::text)::citext", "n": "trim_scale(n)", "j": `'{"a":1}'::json`} {
		rc := s.fill(plan.FillSpec{Kind: plan.Twin, Table: "public.t", Quiet: true, Set: []ddl.Assignment{{Column: column, Expr: expr}},
			Guard: "record_image_ne(ROW(" + column + "), ROW(" + expr + "))"})
		if rc.Rows != 2000 || rc.Left != 0 {
			t.Errorf("%s: %+v", column, rc)
		}
	}
	s.want(`SELECT count(*) FROM t WHERE c::text = 'abc' || id AND n::text = '1.5' AND j::text = '{"a":1}'`, "2000")
}

// TestUndoUpdate: what nobody has changed since comes back, the rest is listed and left alone.
func TestUndoUpdate(t *testing.T) {
	s := newSite(t, `CREATE TABLE t (a int, b text, n numeric, j json, other int, u int UNIQUE, PRIMARY KEY (a, b));
		INSERT INTO t SELECT g, 'b' || g, 1.50, '{"a": 1}', 0, g FROM generate_series(1, 2000) g; CREATE TABLE before AS TABLE t`)
	c := s.config(plan.FillSpec{Kind: plan.Update, Table: "public.t", Key: []string{"a", "b"}, Undo: true,
		Set: []ddl.Assignment{{Column: "n", Expr: "trim_scale(n)"}, {Column: "j", Expr: "NULL"}, {Column: "u", Expr: "-u"}}})
	s.must(second(backfill.Run(t.Context(), c)))
	s.exec("UPDATE t SET other = 9 WHERE a = 1", // not ours: comes back all the same
		"UPDATE t SET n = 1.500 WHERE a = 2", "DELETE FROM t WHERE a = 3",
		"INSERT INTO t VALUES (0, 'x', 0, NULL, 0, 4)") // in the way of row 4
	u, err := backfill.Undo(t.Context(), c)
	s.must(err)
	if u.Restored != 1997 || u.NotRestored != 3 || len(u.Rows) != 3 {
		t.Errorf("undo %+v", u)
	}
	reasons := map[string]string{}
	for _, r := range u.Rows {
		reasons[string(r.Key)] = r.Reason
	}
	if reasons[`{"a": "2", "b": "b2"}`] != "changed since" || reasons[`{"a": "3", "b": "b3"}`] != "deleted since" || reasons[`{"a": "4", "b": "b4"}`] == "" {
		t.Errorf("reasons %v", reasons)
	}
	s.exec("DELETE FROM t WHERE a IN (0, 2, 4)", "DELETE FROM before WHERE a IN (2, 3, 4)", "UPDATE before SET other = 9 WHERE a = 1")
	s.same("t", "before")
	s.must(backfill.DropUndo(t.Context(), c))
	s.want("SELECT to_regclass('"+u.UndoTable+"')", "NULL")
}

func second[T any](_ T, err error) error { return err }

// TestUndoDelete: rows come back with their identity, computed columns are computed, conflicts are listed.
func TestUndoDelete(t *testing.T) {
	s := newSite(t, `CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Odd c" json, u int UNIQUE, g int GENERATED ALWAYS AS (u * 2) STORED);
		INSERT INTO t ("Odd c", u) SELECT '{"x":1}', g FROM generate_series(1, 2000) g; CREATE TABLE before AS TABLE t`)
	c := s.config(plan.FillSpec{Kind: plan.Delete, Table: "public.t", Key: []string{"id"}, Undo: true, Where: "id % 2 = 0"})
	s.must(second(backfill.Run(t.Context(), c)))
	s.want("SELECT count(*) FROM t", "1000")
	s.exec("INSERT INTO t (id, u) OVERRIDING SYSTEM VALUE VALUES (10, -1), (99999, 20)")
	u, err := backfill.Undo(t.Context(), c)
	s.must(err)
	if u.Restored != 998 || u.NotRestored != 2 {
		t.Errorf("undo %+v", u)
	}
	s.exec("DELETE FROM t WHERE id IN (10, 99999)", "DELETE FROM before WHERE id IN (10, 20)")
	s.same("t", "before")
}

// TestPrivileges (RULES 4, 5): what would be skipped or filtered in silence is an error.
func TestPrivileges(t *testing.T) {
	role := pgtest.Role(t, "filler", "LOGIN")
	s := newSite(t, `CREATE TABLE t (id int PRIMARY KEY, n int, m int); INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
		ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON t USING (false)`)
	s.exec("GRANT ALL ON t TO "+role, "GRANT ALL ON SCHEMA replank TO "+role, "GRANT ALL ON ALL TABLES IN SCHEMA replank TO "+role,
		"GRANT ALL ON ALL SEQUENCES IN SCHEMA replank TO "+role)
	s.must(s.lease.Release(t.Context()))
	s.open(pgtest.As(s.dsn, role))
	s.acquire()
	spec := plan.FillSpec{Kind: plan.Twin, Table: "public.t", Set: []ddl.Assignment{{Column: "m", Expr: "n"}}, Guard: "m IS NULL"}
	if rc, err := backfill.Run(t.Context(), s.config(spec)); !pg.InsufficientPrivilege(err) {
		t.Errorf("under row security: %v, %+v", err, rc)
	}
	spec.Quiet = true
	var quiet *backfill.QuietError
	if _, err := backfill.Run(t.Context(), s.config(spec)); !errors.As(err, &quiet) {
		t.Errorf("quiet: %v", err)
	}
}
