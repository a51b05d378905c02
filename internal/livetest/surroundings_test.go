package livetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

// TestTheGrantsAreEnough: a role with what `replank grants` prints, and nothing else, carries out a migration with
// every kind of step, and an application that may only read and write rows uses both shapes of it.
func TestTheGrantsAreEnough(t *testing.T) {
	pgtest.AtLeast(t, 15) // before, a table with triggers needs a superuser, or --accept triggers
	owner, deployer, app := pgtest.Role(t, "owner", "NOLOGIN"), pgtest.Role(t, "deployer", "LOGIN"), pgtest.Role(t, "app", "LOGIN")
	dsn := pgtest.DB(t)
	t.Cleanup(func() { pgtest.Exec(t, dsn, "DROP OWNED BY "+owner+", "+deployer+", "+app) })
	prepare := strings.NewReplacer("«owner»", owner, "«app»", app).Replace(`
		CREATE TABLE customer (id int PRIMARY KEY, n int);
		INSERT INTO customer SELECT g, 0 FROM generate_series(1, 100) AS g;
		CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b text, id2 int);
		INSERT INTO t SELECT g, g % 100 + 1, 'b' FROM generate_series(1, 1000) AS g;
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
		CREATE TRIGGER note BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
		ALTER TABLE customer OWNER TO «owner»; ALTER TABLE t OWNER TO «owner»; ALTER FUNCTION note OWNER TO «owner»;
		GRANT SELECT, INSERT, UPDATE ON t TO «app»;`)
	s := siteOn(t, dsn, prepare, `
		ALTER TABLE t ALTER COLUMN a TYPE bigint;
		ALTER TABLE t ALTER COLUMN b SET NOT NULL;
		CREATE INDEX t_b ON t (b);
		ALTER TABLE t ADD CONSTRAINT t_id_positive CHECK (id > 0);
		ALTER TABLE t ADD CONSTRAINT t_a_customer FOREIGN KEY (id2) REFERENCES customer;
		UPDATE customer SET n = n + 1 WHERE id > 50;`,
		accept("column-order"), func(c *migrate.Config) { c.DSN, c.Owner = pgtest.As(dsn, deployer), owner })

	_, err := s.open().Apply(ctx, s.files)
	var refused *migrate.RefusedError
	if !errors.As(err, &refused) || refused.Code != migrate.Privileges || len(refused.Items) < 2 {
		t.Fatalf("without any grant: %v", err)
	}
	admin := s.open(func(c *migrate.Config) { c.DSN, c.Owner = dsn, "" })
	grants, err := admin.Grants(ctx, migrate.GrantsRequest{Role: deployer, Owner: owner})
	if err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, dsn, grants)
	s.apply()
	asApp := pgtest.As(dsn, app)
	pgtest.Exec(t, asApp, "UPDATE t SET a = a + 1 WHERE id = 1", "UPDATE t SET _replank_a = 77 WHERE id = 2",
		"INSERT INTO t VALUES (5000, 5, 'new')")
	if got := pgtest.Value[int64](t, asApp, "SELECT a FROM t WHERE id = 2"); got != 77 {
		t.Errorf("a write through the new shape arrives in the old one as %d", got)
	}
	s.revert()
	s.apply().complete()
	if got := pgtest.Value[string](t, dsn, "SELECT format_type(atttypid, -1) || ' of ' || pg_get_userbyid(relowner) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attrelid = 't'::regclass AND attname = 'a'"); got != "bigint of "+owner {
		t.Errorf("in the end a is %s", got)
	}
	pgtest.Exec(t, asApp, "UPDATE t SET a = a + 5000000000 WHERE id = 1")
}

// TestRowSecurityThroughAVersionSchema (RULES 13): a view runs with the policies of whoever reads it, and before
// PostgreSQL 15, where it cannot, there is none.
func TestRowSecurityThroughAVersionSchema(t *testing.T) {
	reader := pgtest.Role(t, "reader", "LOGIN")
	dsn := pgtest.DB(t)
	s := siteOn(t, dsn, `CREATE TABLE t (id int PRIMARY KEY, who text);
		INSERT INTO t SELECT g, CASE WHEN g % 2 = 0 THEN '`+reader+`' ELSE 'somebody else' END FROM generate_series(1, 100) AS g;
		ALTER TABLE t ENABLE ROW LEVEL SECURITY;
		CREATE POLICY own ON t USING (who = current_user);
		GRANT SELECT ON t TO `+reader, "ALTER TABLE t ALTER COLUMN id TYPE bigint;",
		accept("column-order"), func(c *migrate.Config) { c.VersionSchema = true })
	if pgtest.Major(t) < 15 {
		_, err := s.open().Apply(ctx, s.files)
		var refusal *plan.Refusal
		if !errors.As(err, &refusal) || refusal.Code != "version-schema-rls" {
			t.Errorf("a version schema before PostgreSQL 15: %v", err)
		}
		return
	}
	s.apply()
	count := `SELECT count(*) FROM "0001_change".t`
	if got := pgtest.Value[int](t, dsn, count); got != 100 {
		t.Errorf("a superuser sees %d rows through the view", got)
	}
	if got := pgtest.Value[int](t, pgtest.As(dsn, reader), count); got != 50 {
		t.Errorf("the policy allows 50 rows, the view shows %d", got)
	}
	s.complete()
	pgtest.Exec(t, dsn, "REVOKE ALL ON t FROM "+reader)
}

// TestDoctorShowsTheColumnBudget (RULES 25): column numbers are used up by each apply and revert.
func TestDoctorShowsTheColumnBudget(t *testing.T) {
	const used = `SELECT max(attnum)::int FROM pg_attribute WHERE attrelid = 't'::regclass`
	s := newSite(t, thousand, "ALTER TABLE t ALTER COLUMN a TYPE bigint;", accept("column-order"))
	before := pgtest.Value[int](t, s.dsn, used)
	s.apply().revert()
	if after := pgtest.Value[int](t, s.dsn, used); after <= before {
		t.Errorf("apply and revert used no column number: %d before, %d after", before, after)
	}
	pgtest.Exec(t, s.dsn, `DO $$ BEGIN FOR i IN 1..1500 LOOP
		EXECUTE 'ALTER TABLE t ADD COLUMN x int'; EXECUTE 'ALTER TABLE t DROP COLUMN x'; END LOOP; END $$`)
	found, err := s.open().Doctor(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Level == migrate.Bad && strings.Contains(f.Text, "of 1,600 column numbers") {
			return
		}
	}
	t.Errorf("doctor says nothing of a table that has used 1,500 column numbers: %+v", found)
}

// TestExpressionsDoNotRunAsASuperuser: the table's owner may replace a function that the migration's expression
// calls, so the trigger that calls it must not have more privileges than that owner.
func TestExpressionsDoNotRunAsASuperuser(t *testing.T) {
	owner := pgtest.Role(t, "owner", "LOGIN")
	dsn := pgtest.DB(t)
	s := siteOn(t, dsn, `CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT g, g FROM generate_series(1, 100) AS g;
		CREATE FUNCTION number(text) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1::int; END';
		ALTER TABLE t OWNER TO `+owner+`; ALTER FUNCTION number OWNER TO `+owner+`; GRANT CREATE ON SCHEMA public TO `+owner,
		"ALTER TABLE t ALTER COLUMN a TYPE int USING number(a);", accept("column-order")).apply()
	asOwner := pgtest.As(dsn, owner)
	pgtest.Exec(t, asOwner, `CREATE OR REPLACE FUNCTION number(text) RETURNS int LANGUAGE plpgsql AS 'BEGIN
		RAISE EXCEPTION ''I am %'', current_user; END'`)
	if err := pgtest.TryExec(asOwner, "UPDATE t SET a = '7' WHERE id = 1"); err == nil || !strings.Contains(err.Error(), "I am "+owner) {
		t.Errorf("the owner's function ran as somebody else: %v", err)
	}
	s.revert()
}
