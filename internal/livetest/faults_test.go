package livetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
)

// The faults of this file are those that other tools fail on.

// thousand is a table with rows to change.
const thousand = "CREATE TABLE t (id int PRIMARY KEY, a int, b text); INSERT INTO t SELECT g, g, 'x' FROM generate_series(1, 1000) AS g;"

// blocker is a transaction that holds a table.
func blocker(t *testing.T, dsn, sql string) *pgx.Conn {
	t.Helper()
	conn := pgtest.Connect(t, dsn)
	if _, err := conn.Exec(ctx, "BEGIN; "+sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	return conn
}

// waits calls then once, when the executor says that it waits.
func waits(then func(migrate.Event)) func(*migrate.Config) {
	var once sync.Once
	return func(c *migrate.Config) {
		c.Events = func(e migrate.Event) {
			if e.Kind == migrate.EventWaiting && e.Waiting != nil {
				once.Do(func() { then(e) })
			}
		}
	}
}

// TestLongTransactionHoldsTheTable: apply keeps trying while a transaction holds the table, names who it is, and no client
// ever stands behind it for longer than the budget: every session that could wait for a lock has a lock_timeout.
func TestLongTransactionHoldsTheTable(t *testing.T) {
	s := newSite(t, thousand, "ALTER TABLE t ADD COLUMN c int; ALTER TABLE t RENAME COLUMN a TO d;")
	holder := blocker(t, s.dsn, "SELECT * FROM t LIMIT 1")
	var seen string
	s.cfg = append(s.cfg, waits(func(e migrate.Event) {
		for _, b := range e.Waiting.Blockers {
			seen += b.String()
		}
		// The application goes on while apply waits: nobody who asks for the table waits for longer than the budget.
		client := pgtest.Connect(t, s.dsn)
		for range 20 {
			if _, err := client.Exec(ctx, "SET lock_timeout = '1s'; UPDATE t SET b = 'y' WHERE id = 1", pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Errorf("a client waited behind the executor: %v", err)
			}
		}
		if _, err := holder.Exec(ctx, "COMMIT"); err != nil {
			t.Error(err)
		}
	}))
	s.apply()
	if !strings.Contains(seen, "pid ") || s.state() != "ready" {
		t.Errorf("blockers %q, state %s", seen, s.state())
	}
}

// TestLockTimeoutIsInForceOnEachTry: in the very transaction of each lock step, not on some connection of a pool.
func TestLockTimeoutIsInForceOnEachTry(t *testing.T) {
	s := newSite(t, thousand+`
		CREATE TABLE seen (tag text, lock_timeout text, statement_timeout text);
		CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO public.seen VALUES (tg_tag, current_setting('lock_timeout'), current_setting('statement_timeout')); END $$;
		CREATE EVENT TRIGGER note ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'CREATE TRIGGER', 'DROP TRIGGER') EXECUTE FUNCTION note();`,
		"ALTER TABLE t RENAME COLUMN a TO c; ALTER TABLE t ALTER COLUMN b TYPE varchar(50); ALTER TABLE t ADD CONSTRAINT k CHECK (id > 0);",
		accept("column-order"), func(c *migrate.Config) { c.LockBudget = 500 * time.Millisecond }).apply()
	s.complete()
	if n := pgtest.Value[int](t, s.dsn, "SELECT count(*) FROM seen"); n < 10 {
		t.Fatalf("only %d statements were seen", n)
	}
	got := pgtest.Value[string](t, s.dsn, `SELECT coalesce(string_agg(DISTINCT tag || ' ' || lock_timeout, ', '), '') FROM seen
		WHERE lock_timeout::interval NOT BETWEEN interval '1 ms' AND interval '500 ms'`)
	if got != "" {
		t.Errorf("statements without the budget: %s", got)
	}
}

// TestCompleteRefusesAnUnfinishedFill: an executor that dies in the middle of a fill leaves a run that complete refuses.
func TestCompleteRefusesAnUnfinishedFill(t *testing.T) {
	s := newSite(t, thousand, "ALTER TABLE t ALTER COLUMN a TYPE bigint;", accept("column-order"))
	dying, kill := context.WithCancel(ctx)
	e := s.open(func(c *migrate.Config) {
		c.Failpoint = func(name string) {
			if name == "filling/rows/started" {
				kill()
			}
		}
	})
	if _, err := e.Apply(dying, s.files); err == nil {
		t.Fatal("apply was to be killed")
	}
	e.Close()
	if n := pgtest.Value[int](t, s.dsn, "SELECT count(*) FROM t WHERE _replank_a IS NULL"); n == 0 {
		t.Fatal("the fill was not interrupted")
	}
	if _, err := s.open().Complete(ctx, "0001_change", migrate.CompleteOptions{NoOldReaders: true}); err == nil {
		t.Fatal("complete accepts a table that is not filled")
	}
	if typ := pgtest.Value[string](t, s.dsn, "SELECT format_type(atttypid, -1) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a'"); typ != "integer" {
		t.Fatalf("a is %s", typ)
	}
	s.apply()
	s.complete()
	if n := pgtest.Value[int](t, s.dsn, "SELECT count(*) FROM t WHERE a IS DISTINCT FROM id"); n != 0 {
		t.Errorf("%d values were lost", n)
	}
}

// TestCreateIndexBesideAWriter: the build waits for a writer that is older, without a lock_timeout that would break it
// off; nobody waits for the build, and no invalid index is left.
func TestCreateIndexBesideAWriter(t *testing.T) {
	s := newSite(t, thousand, "CREATE INDEX t_a_idx ON t (a);")
	writer := blocker(t, s.dsn, "UPDATE t SET a = a + 1 WHERE id = 1")
	ended := make(chan error, 1)
	go func() { _, err := s.open().Apply(ctx, s.files); ended <- err }()
	probe := pgtest.Connect(t, s.dsn)
	for building := false; !building; {
		select {
		case err := <-ended:
			t.Fatalf("apply ended before the writer: %v", err)
		default:
		}
		if err := probe.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting for%')").Scan(&building); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := probe.Exec(ctx, "SET lock_timeout = '1s'; UPDATE t SET a = 0 WHERE id = 2", pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Errorf("a client waits for the build: %v", err)
	}
	if _, err := writer.Exec(ctx, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := pgtest.Value[string](t, s.dsn, "SELECT string_agg(indexrelid::regclass || ' ' || indisvalid, ', ') FROM pg_index WHERE indrelid = 't'::regclass AND NOT indisprimary"); got != "t_a_idx true" {
		t.Errorf("indexes: %s", got)
	}
}

// TestUserViewOnTheAlteredColumn: views of views, a materialized view with an index, and their grants live on.
func TestUserViewOnTheAlteredColumn(t *testing.T) {
	reader := pgtest.Role(t, "reader", "")
	s := newSite(t, thousand+`CREATE VIEW v AS SELECT id, a FROM t WHERE a > 0; CREATE VIEW vv AS SELECT a + 1 AS a1 FROM v;
		CREATE MATERIALIZED VIEW m AS SELECT a FROM t; CREATE UNIQUE INDEX ON m (a); GRANT SELECT ON vv TO `+reader,
		"ALTER TABLE t ALTER COLUMN a TYPE bigint;", accept("column-order")).apply()
	pgtest.Exec(t, s.dsn, "UPDATE v SET a = 5000 WHERE id = 7; REFRESH MATERIALIZED VIEW CONCURRENTLY m")
	s.complete()
	pgtest.Exec(t, s.dsn, "REFRESH MATERIALIZED VIEW CONCURRENTLY m; SET ROLE "+reader+"; SELECT a1 FROM vv")
	got := pgtest.Value[string](t, s.dsn, "SELECT concat_ws(' ', pg_typeof(a1), (SELECT count(*) FROM m WHERE a = 5000), (SELECT a FROM v WHERE id = 7)) FROM vv LIMIT 1")
	if got != "bigint 1 5000" {
		t.Error(got)
	}
}

// TestPartitionedTable: both shapes live in every partition, also in rows that move between partitions and in a
// partition that is attached while they live.
func TestPartitionedTable(t *testing.T) {
	s := newSite(t, `CREATE TABLE t (id int, k int, a int NOT NULL DEFAULT 5, name text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
		CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 (name text, k int NOT NULL, junk int, a int NOT NULL DEFAULT 5, id int NOT NULL);
		ALTER TABLE t2 DROP COLUMN junk; ALTER TABLE t ATTACH PARTITION t2 FOR VALUES IN (2);
		INSERT INTO t SELECT g, 1 + g % 2, g, g || ' n' FROM generate_series(1, 100) AS g;`,
		`ALTER TABLE t RENAME COLUMN a TO b;
		ALTER TABLE t ADD COLUMN num text, ADD COLUMN word text;
		-- replank: inverse name = num || ' ' || word
		UPDATE t SET num = split_part(name, ' ', 1), word = split_part(name, ' ', 2);
		ALTER TABLE t DROP COLUMN name;`).apply()
	pgtest.Exec(t, s.dsn, "UPDATE t SET b = 1000 WHERE id = 1", "UPDATE t SET k = 3 - k", "UPDATE t SET k = 3 - k, a = 2000 WHERE id = 2",
		"UPDATE t SET k = 3 - k, b = 3000, word = 'm' WHERE id = 3", "INSERT INTO t2 (id, k, b, num, word) VALUES (500, 2, 7, '500', 'n')",
		"SET session_replication_role = replica; UPDATE t1 SET b = 4000 WHERE id = 4; UPDATE t2 SET b = 4000 WHERE id = 4",
		// The way back of this row is not exact, and it moves all the same.
		"UPDATE t SET word = 'two words' WHERE id = 5", "UPDATE t SET k = 3 - k WHERE id = 5")
	got := pgtest.Value[string](t, s.dsn, `SELECT string_agg(concat_ws(' ', id, a, b, name, num, word), ', ' ORDER BY id) FROM t WHERE id <= 5 OR id = 500`)
	if got != "1 1000 1000 1 n 1 n, 2 2000 2000 2 n 2 n, 3 3000 3000 3 m 3 m, 4 4000 4000 4 n 4 n, 5 5 5 5 two words 5 two words, 500 7 7 500 n 500 n" {
		t.Error(got)
	}
	s.complete()
	got = pgtest.Value[string](t, s.dsn, `SELECT string_agg(concat_ws(' ', id, b, num, word), ', ' ORDER BY id) FROM t WHERE id <= 5`)
	if got != "1 1000 1 n, 2 2000 2 n, 3 3000 3 m, 4 4000 4 n, 5 5 5 two words" {
		t.Error(got)
	}
}

// TestUniqueDoesNotCopyTheColumn: no column is added and no row written for a UNIQUE constraint.
func TestUniqueDoesNotCopyTheColumn(t *testing.T) {
	s := newSite(t, thousand, "ALTER TABLE t ADD CONSTRAINT t_a_key UNIQUE (a);")
	const picture = "SELECT max(attnum) || ' ' || pg_relation_filenode('t') || ' ' || (SELECT string_agg(DISTINCT t.xmin::text, ',') FROM t) FROM pg_attribute WHERE attrelid = 't'::regclass"
	before := pgtest.Value[string](t, s.dsn, picture)
	s.apply()
	if after := pgtest.Value[string](t, s.dsn, picture); after != before {
		t.Errorf("columns, file, writers: %s, before %s", after, before)
	}
	if got := sqlstate(pgtest.TryExec(s.dsn, "INSERT INTO t (id, a) VALUES (2000, 1)")); got != "23505" {
		t.Errorf("a duplicate: %s", got)
	}
}

// TestCopyThroughEitherShape: COPY FROM fires row triggers, so either list of columns will do.
func TestCopyThroughEitherShape(t *testing.T) {
	s := newSite(t, thousand, "ALTER TABLE t RENAME COLUMN a TO c;").apply()
	conn := pgtest.Connect(t, s.dsn)
	for _, sql := range []string{"COPY t (id, a) FROM STDIN", "COPY t (id, c) FROM STDIN", "COPY t (id, a, c) FROM STDIN"} {
		rows := "3000\t9\n"
		if strings.Contains(sql, "a, c") {
			rows = "3000\t9\t9\n"
		}
		if _, err := conn.PgConn().CopyFrom(ctx, strings.NewReader(rows), sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		if got := pgtest.Value[string](t, s.dsn, "SELECT a || ' ' || c FROM t WHERE id = 3000"); got != "9 9" {
			t.Errorf("%s: %s", sql, got)
		}
		pgtest.Exec(t, s.dsn, "DELETE FROM t WHERE id = 3000")
	}
}

// TestRowSecurity (RULES 5): policies hold for both shapes, and the fill sees every row although FORCE is set.
func TestRowSecurity(t *testing.T) {
	tenant := pgtest.Role(t, "tenant", "LOGIN")
	s := newSite(t, thousand+`ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
		CREATE POLICY few ON t USING (id <= 10) WITH CHECK (a < 100); GRANT ALL ON t TO `+tenant,
		"ALTER TABLE t RENAME COLUMN a TO c;").apply()
	if n := pgtest.Value[int](t, s.dsn, "SELECT count(*) FROM t WHERE c IS DISTINCT FROM a"); n != 0 {
		t.Errorf("%d rows are not filled", n)
	}
	client := pgtest.As(s.dsn, tenant)
	pgtest.Exec(t, client, "UPDATE t SET c = 50 WHERE id = 3")
	if got := sqlstate(pgtest.TryExec(client, "UPDATE t SET c = 500 WHERE id = 3")); got != "42501" {
		t.Errorf("a write that the policy forbids: %q", got)
	}
	if got := pgtest.Value[string](t, client, "SELECT count(*) || ' ' || max(a) FILTER (WHERE id = 3) || ' ' || max(c) FILTER (WHERE id = 3) FROM t"); got != "10 50 50" {
		t.Error(got)
	}
	s.complete()
	if n := pgtest.Value[int](t, client, "SELECT count(*) FROM t WHERE c < 100"); n != 10 {
		t.Errorf("%d rows after complete", n)
	}
}

// TestUserTriggersOfEitherKind: a BEFORE trigger of the user runs before ours, an AFTER UPDATE OF trigger fires for
// both names (RULES 8), and neither fires for the fill (RULES 4).
func TestUserTriggersOfEitherKind(t *testing.T) {
	s := newSite(t, thousand+`CREATE TABLE log (what text);
		CREATE FUNCTION low() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a := least(NEW.a, 100); RETURN NEW; END $$;
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (NEW.id || ' ' || NEW.a); RETURN NULL; END $$;
		CREATE TRIGGER low BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION low();
		CREATE TRIGGER note AFTER UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION note();`,
		"ALTER TABLE t RENAME COLUMN a TO c;").apply()
	if n := pgtest.Value[int](t, s.dsn, "SELECT count(*) FROM log"); n != 0 {
		t.Errorf("the fill fired a user trigger %d times", n)
	}
	pgtest.Exec(t, s.dsn, "INSERT INTO t (id, a) VALUES (2000, 500)", "UPDATE t SET a = 7 WHERE id = 1; UPDATE t SET c = 8 WHERE id = 2; UPDATE t SET b = 'z' WHERE id = 3")
	got := pgtest.Value[string](t, s.dsn, "SELECT string_agg(what, ', ' ORDER BY what) || '; ' || (SELECT a || ' ' || c FROM t WHERE id = 2000) FROM log")
	if got != "1 7, 2 8; 100 100" {
		t.Error(got)
	}
	s.revert()
	pgtest.Exec(t, s.dsn, "UPDATE t SET b = 'q' WHERE id = 3; UPDATE t SET a = 9 WHERE id = 4")
	if got := pgtest.Value[string](t, s.dsn, "SELECT string_agg(what, ', ' ORDER BY what) FROM log"); got != "1 7, 2 8, 4 9" {
		t.Errorf("after revert: %s", got)
	}
}

// TestServerRestarts in the middle of a fill, and the run goes on where it was.
func TestServerRestarts(t *testing.T) {
	server := pgtest.Own(t, nil)
	s := siteOn(t, pgtest.DB(t, pgtest.On(server)), thousand, "ALTER TABLE t ALTER COLUMN a TYPE bigint;", accept("column-order"))
	var once sync.Once
	s.cfg = append(s.cfg, func(c *migrate.Config) {
		c.Failpoint = func(name string) {
			if name == "filling/rows/started" || name == "verifying/validate/begin" {
				once.Do(func() {
					if err := errors.Join(server.Kill(), server.Restart(ctx)); err != nil {
						t.Error(err)
					}
				})
			}
		}
	})
	s.apply()
	s.complete()
	if n := pgtest.Value[int](t, s.dsn, "SELECT count(*) FROM t WHERE a IS DISTINCT FROM id OR pg_typeof(a) <> 'bigint'::regtype"); n != 0 {
		t.Errorf("%d values are wrong", n)
	}
}

// TestConnectionsCut at every place of a run where the executor can be cut: the end is the same.
func TestConnectionsCut(t *testing.T) {
	for _, at := range []string{"expanding/transaction/before-commit", "filling/rows/started", "verifying/concurrently/started", "completing/transaction/before-commit"} {
		t.Run(strings.ReplaceAll(at, "/", "_"), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, thousand+"CREATE INDEX ON t (a);", "ALTER TABLE t ALTER COLUMN a TYPE bigint;", accept("column-order"))
			proxy := pgtest.Proxy(t, s.dsn)
			cut := false
			through := func(c *migrate.Config) {
				c.DSN = proxy.DSN()
				c.Failpoint = func(name string) {
					if name == at && !cut {
						cut = true
						proxy.Cut()
					}
				}
			}
			if _, err := s.open(through).Apply(ctx, s.files); err != nil {
				t.Fatalf("apply: %v", err)
			}
			if _, err := s.open(through).Complete(ctx, "", migrate.CompleteOptions{NoOldReaders: true}); err != nil {
				t.Fatalf("complete: %v", err)
			}
			if !cut {
				t.Error("never came to " + at)
			}
			if got := pgtest.Value[string](t, s.dsn, "SELECT count(*) || ' ' || min(pg_typeof(a)::text) FROM t WHERE a = id"); got != "1000 bigint" {
				t.Error(got)
			}
		})
	}
}

// isPooler reports whether err is the refusal to work through a pooler.
func isPooler(err error) bool {
	var p *pg.PoolerError
	return errors.As(err, &p)
}
