package migrate

import (
	"slices"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
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
