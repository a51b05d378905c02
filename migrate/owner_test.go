package migrate

import (
	"slices"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/plan"
)

// deployment is a site whose tables belong to a role that nobody logs in as, and a role that migrates.
func deployment(t *testing.T, attributes string) (dsn, owner, login string) {
	t.Helper()
	owner, login = pgtest.Role(t, "owner", "NOLOGIN"), pgtest.Role(t, "deploy", attributes)
	dsn = site(t, "ALTER TABLE t OWNER TO "+owner, "ALTER TABLE audit OWNER TO "+owner, "GRANT "+owner+" TO "+login)
	t.Cleanup(func() { pgtest.Exec(t, dsn, "DROP OWNED BY "+login) }) // SET ON PARAMETER stands in no database
	return dsn, owner, login
}

// TestGrantsLeadOutOfEachDeadEnd: what plan and apply name as missing, the printed SQL gives.
func TestGrantsLeadOutOfEachDeadEnd(t *testing.T) {
	lib := library{"1": addColumn("a"), "2": addColumn("b")}
	// worksAfterGrants applies what was refused, by the SQL of grants.
	worksAfterGrants := func(t *testing.T, dsn, owner, login, missing string, names ...string) {
		t.Helper()
		e := lib.open(t, pgtest.As(dsn, login), func(c *Config) { c.Owner = owner })
		_, err := e.Apply(ctx, lib.history(names...))
		wantCode(t, err, Privileges)
		if !strings.Contains(err.Error(), missing) {
			t.Fatalf("%q is not named in: %v", missing, err)
		}
		sql, err := lib.open(t, dsn).Grants(ctx, GrantsRequest{Role: login, Owner: owner})
		if err != nil {
			t.Fatal(err)
		}
		pgtest.Exec(t, dsn, sql)
		mustApply(t, e, lib, names...)
		if got := pgtest.Value[string](t, dsn, "SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ',') FROM pg_class WHERE relnamespace = 'replank'::regnamespace"); got != owner {
			t.Errorf("the journal belongs to %s", got)
		}
		if got, err := e.Revert(ctx, ""); err != nil || got != names[len(names)-1] {
			t.Errorf("revert: %q, %v", got, err)
		}
	}
	t.Run("a member without INHERIT", func(t *testing.T) {
		dsn, owner, login := deployment(t, "LOGIN NOINHERIT")
		pgtest.Exec(t, dsn, "GRANT CREATE ON DATABASE "+pgtest.Database(dsn)+" TO "+owner, "GRANT CREATE ON SCHEMA public TO "+owner)
		worksAfterGrants(t, dsn, owner, login, "with INHERIT", "1")
	})
	t.Run("a journal made without an owner", func(t *testing.T) {
		dsn, owner, login := deployment(t, "LOGIN")
		pgtest.Exec(t, dsn, "GRANT CREATE ON DATABASE "+pgtest.Database(dsn)+" TO "+login)
		mustApply(t, lib.open(t, pgtest.As(dsn, login)), lib, "1")
		worksAfterGrants(t, dsn, owner, login, "schema replank (it belongs to "+login+")", "1", "2")
	})
	t.Run("a journal of somebody else", func(t *testing.T) {
		dsn, owner, login := deployment(t, "LOGIN")
		mustApply(t, lib.open(t, dsn), lib, "1")
		e := lib.open(t, pgtest.As(dsn, login), func(c *Config) { c.Owner = owner })
		_, err := e.Status(ctx)
		wantCode(t, err, Privileges)
		_, err = e.Complete(ctx, "", CompleteOptions{})
		wantCode(t, err, Privileges)
		_, err = e.Revert(ctx, "1")
		wantCode(t, err, Privileges)
		found, err := e.Doctor(ctx)
		if err != nil || !slices.ContainsFunc(found, func(f Finding) bool { return f.Level == Bad && strings.Contains(f.Hint, "grants") }) {
			t.Errorf("doctor: %+v, %v", found, err)
		}
		sql, err := lib.open(t, dsn).Grants(ctx, GrantsRequest{Role: login, Owner: owner})
		if err != nil {
			t.Fatal(err)
		}
		pgtest.Exec(t, dsn, sql)
		mustApply(t, e, lib, "1", "2")
	})
	t.Run("readable, not writable", func(t *testing.T) {
		dsn, _, login := deployment(t, "LOGIN")
		mustApply(t, lib.open(t, dsn), lib, "1")
		pgtest.Exec(t, dsn, "GRANT USAGE ON SCHEMA replank TO "+login, "GRANT SELECT ON ALL TABLES IN SCHEMA replank TO "+login)
		e := lib.open(t, pgtest.As(dsn, login))
		if _, err := e.Status(ctx); err != nil {
			t.Errorf("status: %v", err)
		}
		_, err := e.Complete(ctx, "", CompleteOptions{})
		wantCode(t, err, Privileges)
		_, err = e.Apply(ctx, lib.history("1", "2"))
		wantCode(t, err, Privileges)
	})
}

// TestNothingToGoOnWithMakesNoJournal: only what begins something leaves a journal behind.
func TestNothingToGoOnWithMakesNoJournal(t *testing.T) {
	dsn := site(t)
	e := library{}.open(t, dsn)
	if done, err := e.Complete(ctx, "", CompleteOptions{}); err != nil || len(done) != 0 {
		t.Errorf("complete: %v, %v", done, err)
	}
	if sum, err := e.Resume(ctx, ""); err != nil || len(sum.Done) != 0 {
		t.Errorf("resume: %+v, %v", sum, err)
	}
	_, err := e.Revert(ctx, "")
	wantCode(t, err, NotFound)
	_, err = e.Complete(ctx, "1", CompleteOptions{})
	wantCode(t, err, NotFound)
	_, err = e.Resume(ctx, "1")
	wantCode(t, err, NotFound)
	_, err = e.Revert(ctx, "1")
	wantCode(t, err, NotFound)
	if pgtest.Value[bool](t, dsn, "SELECT to_regnamespace('replank') IS NOT NULL") {
		t.Error("there is a journal now")
	}
}

// TestBeforeImagesBelongToTheOwner: who keeps them may be away when somebody else takes the rows back.
func TestBeforeImagesBelongToTheOwner(t *testing.T) {
	lib := library{"1": steps(increment(plan.Fill)), "2": addColumn("b")}
	for _, withOwner := range []bool{true, false} {
		dsn, owner, first := deployment(t, "LOGIN")
		second := pgtest.Role(t, "deploy", "LOGIN")
		pgtest.Exec(t, dsn, "GRANT "+owner+" TO "+second, "GRANT pg_read_all_stats TO "+first+", "+second,
			"GRANT CREATE ON DATABASE "+pgtest.Database(dsn)+" TO "+owner, "GRANT CREATE ON SCHEMA public TO "+owner)
		owned := func(c *Config) { c.Owner = owner }
		before := picture(t, dsn)
		e2 := lib.open(t, pgtest.As(dsn, second), owned)
		mustApply(t, e2, lib, "2")
		if _, err := e2.Revert(ctx, "2"); err != nil {
			t.Fatal(err)
		}
		e1 := lib.open(t, pgtest.As(dsn, first), func(c *Config) {
			if withOwner {
				owned(c)
			}
		})
		for _, back := range []bool{true, false} {
			mustApply(t, e1, lib, "1")
			if got := pgtest.Value[string](t, dsn, "SELECT tableowner::text FROM pg_tables WHERE schemaname = 'replank' AND tablename LIKE 'undo%'"); got != owner {
				t.Errorf("with --owner %v the values of before belong to %s", withOwner, got)
			}
			var err error
			if back {
				if _, err = e2.Revert(ctx, "1"); err == nil && picture(t, dsn) != before {
					t.Errorf("not as before:\n%s", picture(t, dsn))
				}
			} else {
				_, err = e2.Complete(ctx, "1", CompleteOptions{})
			}
			if err != nil {
				t.Errorf("with --owner %v, back %v: %v", withOwner, back, err)
			}
		}
	}
}

// TestBeforeImagesOfAnotherRole: those that an earlier version made belong to whoever made them, and grants mends that.
func TestBeforeImagesOfAnotherRole(t *testing.T) {
	lib := library{"1": steps(increment(plan.Fill)), "2": addColumn("b")}
	dsn, owner, login := deployment(t, "LOGIN")
	pgtest.Exec(t, dsn, "GRANT CREATE ON DATABASE "+pgtest.Database(dsn)+" TO "+owner, "GRANT CREATE ON SCHEMA public TO "+owner)
	owned := func(c *Config) { c.Owner = owner }
	mustApply(t, lib.open(t, dsn, owned), lib, "1")
	pgtest.Exec(t, dsn, "ALTER TABLE replank.undo_1_1 OWNER TO CURRENT_USER")
	e := lib.open(t, pgtest.As(dsn, login), owned)
	_, err := e.Apply(ctx, lib.history("1", "2"))
	wantCode(t, err, Privileges)
	if !strings.Contains(err.Error(), "on the tables of schema replank") {
		t.Errorf("apply: %v", err)
	}
	sql, err := lib.open(t, dsn).Grants(ctx, GrantsRequest{Role: login, Owner: owner})
	if err != nil || !strings.Contains(sql, "ALTER TABLE replank.undo_1_1 OWNER TO "+owner) {
		t.Fatalf("%v\n%s", err, sql)
	}
	pgtest.Exec(t, dsn, sql)
	mustApply(t, e, lib, "1", "2")
	if _, err := e.Complete(ctx, "1", CompleteOptions{}); err != nil {
		t.Errorf("complete: %v", err)
	}
}
