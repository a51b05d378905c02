package livetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
)

// book is a partitioned table whose column changes its type. What else there is of it depends on the test.
const book = `CREATE TABLE t (id int NOT NULL, n int NOT NULL, CHECK (n >= 0)) PARTITION BY RANGE (id);
	CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (20000);
	CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (20000) TO (40000);
	CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (40000) TO (60000);
	INSERT INTO t SELECT g, g FROM generate_series(0, 59999) g;`

// duringFill does something when the first rows are filled.
func duringFill(do func()) func(*migrate.Config) {
	var once sync.Once
	return func(c *migrate.Config) {
		c.Events = func(ev migrate.Event) {
			if ev.Kind == migrate.EventProgress && ev.Text == "fill" && ev.Rows > 0 {
				once.Do(do)
			}
		}
	}
}

// TestPartitionsChangeDuringAFill: a fill goes on when a partition is dropped, detached, renamed or made beside it,
// whatever stands on the partitions, and so does everything behind it.
func TestPartitionsChangeDuringAFill(t *testing.T) {
	for name, tt := range map[string]struct {
		sql  []string
		rows int
	}{
		"drop":                {[]string{"DROP TABLE t3"}, 40000},
		"detach":              {[]string{"ALTER TABLE t DETACH PARTITION t3"}, 40000},
		"detach concurrently": {[]string{"ALTER TABLE t DETACH PARTITION t3 CONCURRENTLY"}, 40000},
		"rename":              {[]string{"ALTER TABLE t3 RENAME TO t3_old"}, 60000},
		"drop and make again": {[]string{"DROP TABLE t3", "CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (40000) TO (60000)", "INSERT INTO t VALUES (40000, 40000), (40001, 40001)"}, 40002},
		"make":                {[]string{"CREATE TABLE t4 PARTITION OF t FOR VALUES FROM (60000) TO (80000)", "INSERT INTO t VALUES (60000, 60000)", "SET session_replication_role = replica; INSERT INTO t VALUES (60001, 60001)"}, 60002},
	} {
		for on, more := range map[string]string{"bare": "", "indexed": "ALTER TABLE t ADD PRIMARY KEY (id, n); CREATE INDEX ON t (n)"} {
			t.Run(name+"/"+on, func(t *testing.T) {
				pgtest.Share(t, 4)
				s := newSite(t, book+more, "ALTER TABLE t ALTER COLUMN n TYPE bigint;", accept("column-order"))
				e := s.open(duringFill(func() { pgtest.Exec(t, s.dsn, tt.sql...) }))
				if _, err := e.Apply(ctx, s.files); err != nil {
					t.Fatalf("apply: %v (%s)", err, migrate.HintOf(err))
				}
				if s.state() != string(migrate.Ready) {
					t.Fatalf("the run is %s", s.state())
				}
				s.complete()
				got := pgtest.Value[string](t, s.dsn, "SELECT count(*) || ' ' || count(*) FILTER (WHERE n = id) || ' ' || (SELECT format_type(atttypid, -1) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'n') FROM t")
				if want := fmt.Sprintf("%d %d bigint", tt.rows, tt.rows); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			})
		}
	}
}

// TestPartitionGoneBeforeTheWayOut: a partition that has gone since the plan was made stops a run in neither direction,
// from wherever it goes on.
func TestPartitionGoneBeforeTheWayOut(t *testing.T) {
	const keys = "ALTER TABLE t ADD PRIMARY KEY (id, n); CREATE INDEX ON t (n); ALTER TABLE t1 ADD CHECK (n < 20000); ALTER TABLE t2 ADD CHECK (n < 40000)"
	const change = "ALTER TABLE t ALTER COLUMN n TYPE bigint;"
	fill := func(s *site) {
		stopped, stop := context.WithCancel(ctx)
		if _, err := s.open(duringFill(stop)).Apply(stopped, s.files); migrate.VerdictOf(err) != migrate.VerdictStopped {
			s.t.Fatalf("apply: %v", err)
		}
	}
	for name, tt := range map[string]struct {
		reach, goOn func(s *site)
		changed     bool
	}{
		"filling, resume": {fill, func(s *site) {
			if _, err := s.open().Resume(ctx, ""); err != nil {
				s.t.Fatalf("resume: %v (%s)", err, migrate.HintOf(err))
			}
			s.complete()
		}, true},
		"filling, revert": {fill, (*site).revert, false},
		"ready, complete": {func(s *site) { s.apply() }, (*site).complete, true},
		"ready, revert":   {func(s *site) { s.apply() }, (*site).revert, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, book+keys, change, accept("column-order"))
			tt.reach(s)
			pgtest.Exec(t, s.dsn, "DROP TABLE t2")
			tt.goOn(s)
			want := pgtest.DB(t)
			pgtest.Exec(t, want, book+keys+"; DROP TABLE t2")
			if tt.changed {
				pgtest.Exec(t, want, change)
			}
			pgtest.SameShape(t, want, s.dsn, pgtest.IgnoreColumnOrder())
			pgtest.SameData(t, want, s.dsn)
		})
	}
}

// TestChildGoneDuringAFill: the same for a child by inheritance, which keeps what it has when it goes its own way.
func TestChildGoneDuringAFill(t *testing.T) {
	for name, sql := range map[string]string{"drop": "DROP TABLE c", "no inherit": "ALTER TABLE c NO INHERIT p"} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, `CREATE TABLE p (id int, n int); CREATE TABLE c () INHERITS (p); INSERT INTO p SELECT g, g FROM generate_series(1, 30000) g;
				INSERT INTO c SELECT g, g FROM generate_series(1, 30000) g`, "ALTER TABLE p RENAME COLUMN n TO m;")
			if _, err := s.open(duringFill(func() { pgtest.Exec(t, s.dsn, sql) })).Apply(ctx, s.files); err != nil {
				t.Fatalf("apply: %v (%s)", err, migrate.HintOf(err))
			}
			s.revert()
			if n := pgtest.Value[int](t, s.dsn, "SELECT count(*)::int FROM p WHERE n = id"); n != 30000 {
				t.Errorf("%d rows", n)
			}
			if n := pgtest.Value[int](t, s.dsn, "SELECT count(*)::int FROM pg_trigger WHERE NOT tgisinternal"); n != 0 {
				t.Errorf("%d triggers are left", n)
			}
		})
	}
}

// TestPartitionMadeAgainBeforeComplete: a partition that takes the place of another under its name is a new one: it has
// what its parent gives it, and nothing that the plan knows of the one before.
func TestPartitionMadeAgainBeforeComplete(t *testing.T) {
	const again = "DROP TABLE t3; CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (40000) TO (60000); INSERT INTO t SELECT g, g FROM generate_series(40000, 40099) g"
	const change = "ALTER TABLE t ALTER COLUMN n TYPE bigint;"
	for name, prepare := range map[string]string{
		"bare":             "",
		"primary key":      "ALTER TABLE t ADD PRIMARY KEY (id, n)",
		"unique":           "ALTER TABLE t ADD UNIQUE (n, id)",
		"index":            "CREATE INDEX ON t (n)",
		"index of its own": "CREATE INDEX t3_own ON t3 (n)",
		"check of its own": "ALTER TABLE t3 ADD CHECK (n > 0)",
		"default":          "ALTER TABLE t ALTER n SET DEFAULT 1; ALTER TABLE t3 ALTER n SET DEFAULT 7; COMMENT ON COLUMN t3.n IS 'c'; ALTER TABLE t3 ALTER n SET STATISTICS 7",
		"view":             "CREATE VIEW v AS SELECT n FROM t",
		"foreign key":      "CREATE TABLE o (n int PRIMARY KEY); INSERT INTO o SELECT generate_series(0, 59999); ALTER TABLE t ADD FOREIGN KEY (n) REFERENCES o",
		"trigger":          "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER tr AFTER UPDATE OF n ON t3 FOR EACH ROW EXECUTE FUNCTION f()",
		"below":            "DROP TABLE t3; CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (40000) TO (60000) PARTITION BY RANGE (id); CREATE TABLE t31 PARTITION OF t3 FOR VALUES FROM (40000) TO (60000); ALTER TABLE t ADD PRIMARY KEY (id, n); CREATE INDEX ON t (n)",
		"below, made":      "DROP TABLE t3; CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (40000) TO (60000) PARTITION BY RANGE (id); CREATE TABLE o (n int PRIMARY KEY); INSERT INTO o SELECT generate_series(0, 59999); ALTER TABLE t ADD FOREIGN KEY (n) REFERENCES o; ALTER TABLE t ADD PRIMARY KEY (id, n); CREATE INDEX ON t (n)",
	} {
		again, made := again, book
		if name == "below, made" {
			again = "CREATE TABLE t31 PARTITION OF t3 FOR VALUES FROM (40000) TO (60000); INSERT INTO t SELECT g, g FROM generate_series(40000, 40099) g"
			made = strings.Replace(book, "INSERT INTO t SELECT g, g FROM generate_series(0, 59999) g;", "", 1)
		}
		for _, way := range []string{"complete", "revert"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				pgtest.Share(t, 4)
				t.Parallel()
				s := newSite(t, made+prepare, change, accept("column-order"))
				s.apply()
				pgtest.Exec(t, s.dsn, again)
				want := pgtest.DB(t)
				pgtest.Exec(t, want, made+prepare, again)
				if way == "revert" {
					s.revert()
				} else {
					s.complete()
					if name == "view" {
						pgtest.Exec(t, want, "DROP VIEW v; "+change+"CREATE VIEW v AS SELECT n FROM t")
					} else {
						pgtest.Exec(t, want, change)
					}
				}
				pgtest.SameShape(t, want, s.dsn, pgtest.IgnoreColumnOrder())
				pgtest.SameData(t, want, s.dsn)
			})
		}
	}
}
