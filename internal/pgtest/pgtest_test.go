package pgtest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { Main(m) }

func TestDBIsFreshAndGone(t *testing.T) {
	var dsn string
	t.Run("inner", func(t *testing.T) {
		dsn = DB(t)
		Exec(t, dsn, "CREATE TABLE a (id int)")
		other := DB(t)
		if Value[int](t, other, "SELECT count(*) FROM pg_class WHERE relname = 'a'") != 0 {
			t.Error("a new database has the other's table")
		}
	})
	exists := Value[bool](t, Shared(t).DSN("postgres"), "SELECT exists (SELECT FROM pg_database WHERE datname = $1)", Database(dsn))
	if exists {
		t.Errorf("database %s outlived its test", Database(dsn))
	}
}

// Whatever a test leaves behind in its database, the database goes.
func TestDBIsDroppedUnderAllCircumstances(t *testing.T) {
	ctx := context.Background()
	names := map[string]bool{}
	t.Run("inner", func(t *testing.T) {
		dsn := DB(t)
		names[Database(dsn)] = true
		Exec(t, dsn, "CREATE TABLE a (id int)", "SELECT pg_create_logical_replication_slot('left_'||pg_backend_pid(), 'pgoutput')")
		Exec(t, dsn, "BEGIN; INSERT INTO a VALUES (1); PREPARE TRANSACTION 'left over'")
		Exec(t, dsn, "CREATE SUBSCRIPTION s CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false)")
		leaked, err := pgx.Connect(ctx, dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { leaked.PgConn().Conn().Close() })
		if _, err := leaked.Exec(ctx, "BEGIN; LOCK a IN ROW SHARE MODE"); err != nil {
			t.Fatal(err)
		}
		renamed := DB(t)
		Exec(t, Shared(t).DSN("postgres"), "ALTER DATABASE "+quote(Database(renamed))+" RENAME TO renamed_by_test", "DROP DATABASE renamed_by_test")
	})
	for name := range names {
		if Value[bool](t, Shared(t).DSN("postgres"), "SELECT exists (SELECT FROM pg_database WHERE datname = $1)", name) {
			t.Errorf("database %s is still there", name)
		}
	}
}

func TestRoles(t *testing.T) {
	role := Role(t, "clerk", "LOGIN")
	dsn := DB(t)
	Exec(t, dsn, "CREATE TABLE a (id int)")
	if got := Value[string](t, As(dsn, role), "SELECT current_user::text"); got != role {
		t.Errorf("connected as %s, want %s", got, role)
	}
	if err := TryExec(As(dsn, role), "SELECT * FROM a"); err == nil {
		t.Error("a role without privileges may read")
	}
	if got := Value[string](t, Param(dsn, "application_name", "a b+c"), "SHOW application_name"); got != "a b+c" {
		t.Errorf("application_name is %q", got)
	}
}

// A server of one's own can be crashed without the others noticing, has its own settings, and can have a replica.
func TestOwnServer(t *testing.T) {
	s := Own(t, map[string]string{"work_mem": "7MB"})
	dsn := DB(t, On(s))
	Exec(t, dsn, "CREATE TABLE a AS SELECT 1 AS id")
	if got := Value[string](t, dsn, "SHOW work_mem"); got != "7MB" {
		t.Errorf("work_mem is %s", got)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := TryExec(dsn, "SELECT 1"); err == nil {
		t.Error("a killed server answers")
	}
	if err := TryExec(Shared(t).DSN("postgres"), "SELECT 1"); err != nil {
		t.Errorf("the shared server suffered: %v", err)
	}
	if err := s.Restart(context.Background()); err != nil {
		t.Fatal(err)
	}
	replica := Replica(t, s, nil)
	if !Value[bool](t, replica.DSN(Database(dsn)), "SELECT pg_is_in_recovery() AND (SELECT id FROM a) = 1") {
		t.Error("the replica has not the row")
	}
}

func TestMajor(t *testing.T) {
	if got, want := Value[int](t, Shared(t).DSN("postgres"), "SELECT current_setting('server_version_num')::int / 10000"), Major(t); got != want {
		t.Errorf("the shared server is %d, want %d", got, want)
	}
	for value, want := range map[string]int{"": defaultMajor, "18": 18, "9": 0, "new": 0} {
		t.Setenv(envMajor, value)
		if got, err := wantedMajor(); got != want || (err != nil) != (want == 0) {
			t.Errorf("%s=%q: %d, %v", envMajor, value, got, err)
		}
	}
}
