package usage_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/catalog"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/usage"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var ctx = context.Background()

// counting is a server that counts, and a connection of an application to it.
func counting(t *testing.T, settings ...string) (*pgtest.Server, string) {
	t.Helper()
	all := map[string]string{"shared_preload_libraries": "pg_stat_statements"}
	for i := 0; i < len(settings); i += 2 {
		all[settings[i]] = settings[i+1]
	}
	server := pgtest.Own(t, all)
	dsn := pgtest.DB(t, pgtest.On(server))
	pgtest.Exec(t, dsn, "CREATE EXTENSION pg_stat_statements", "CREATE TABLE t (a int, b text)", "SELECT pg_stat_statements_reset()")
	return server, dsn
}

func read(t *testing.T, dsn string) *catalog.Calls {
	t.Helper()
	calls, err := catalog.ReadCalls(ctx, pgtest.Connect(t, dsn))
	if err != nil {
		t.Fatal(err)
	}
	return calls
}

// find is the entry of the statement with a text.
func find(t *testing.T, calls *catalog.Calls, text string) usage.Key {
	t.Helper()
	for _, c := range calls.List {
		if c.Text == text {
			return usage.KeyOf(c)
		}
	}
	t.Fatalf("%s is not among the %d statements", text, len(calls.List))
	return usage.Key{}
}

const query = "SELECT a FROM t WHERE b = $1"

// TestReadings: what was called between two readings is told from what was not, also by a watch that was in the
// journal.
func TestReadings(t *testing.T) {
	t.Parallel()
	pgtest.AtLeast(t, 14)
	_, dsn := counting(t)
	app := pgtest.Connect(t, dsn)
	call := func(sql string, times int) {
		for range times {
			if _, err := app.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Fatal(err)
			}
		}
	}
	db, err := pg.Open(ctx, pg.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	j, err := journal.Open(ctx, db, journal.Config{})
	if err == nil {
		err = j.Upgrade(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	lease, err := j.Acquire(ctx, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Release(ctx)

	call("SELECT a FROM t WHERE b = 'x'", 3)
	call("SELECT "+pg.Mark+" b, a FROM t", 1)
	watch, err := usage.Load(ctx, j)
	if err != nil {
		t.Fatal(err)
	}
	first := read(t, dsn)
	for _, c := range first.List {
		if strings.Contains(c.Text, pg.Mark) {
			t.Errorf("our own statement: %s", c.Text)
		}
	}
	again := func(reading *catalog.Calls) {
		t.Helper()
		watch.Add(reading)
		session, err := lease.Session(ctx, 0)
		if err == nil {
			err = session.Tx(ctx, pg.TxOptions{}, func(tx pgx.Tx) error { return watch.Save(ctx, tx, lease) })
			session.Close()
		}
		if err == nil {
			watch, err = usage.Load(ctx, j)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	again(first)
	k := find(t, first, query)
	if e, ok := watch.Entry(k); !ok || e.Counted != 0 || !e.Last.Equal(first.At) {
		t.Errorf("at the first reading: %+v", e)
	}
	// Where the extension tells since when it counts, every call since then is known from the first reading on.
	began := first.At
	if first.Told {
		began = first.Started
		if first.Reset.After(began) {
			began = first.Reset
		}
	}
	if !watch.Began.Equal(began) || watch.Lost != "" {
		t.Errorf("began %s, want %s; %s", watch.Began, began, watch.Lost)
	}
	call("SELECT a FROM t", 2)
	second := read(t, dsn)
	again(second)
	if e, _ := watch.Entry(k); e.Counted != 0 || !e.Last.Equal(first.At) {
		t.Errorf("not called since: %+v", e)
	}
	if e, _ := watch.Entry(find(t, second, "SELECT a FROM t")); e.Counted != 2 || !e.Last.Equal(second.At) {
		t.Errorf("a new one: %+v, want two calls before %s", e, second.At)
	}
	call("SELECT a FROM t WHERE b = 'y'", 2)
	call("SELECT b FROM t", 1)
	third := read(t, dsn)
	again(third)
	if e, _ := watch.Entry(k); e.Counted != 2 || !e.Last.Equal(third.At) {
		t.Errorf("called twice: %+v", e)
	}
	e, _ := watch.Entry(find(t, third, "SELECT b FROM t"))
	if exact := pgtest.Major(t) >= 17; e.Last.Before(third.At) != exact || e.Last.Before(second.At) {
		t.Errorf("called once, between %s and %s: %+v", second.At, third.At, e)
	}
	if !watch.Began.Equal(began) || watch.Lost != "" || !watch.At.Equal(third.At) || !watch.First.Equal(first.At) {
		t.Errorf("the watch: %+v", watch)
	}
}

// TestLostCounts: a reset, a restart that loses the counts and statements that make room for others are noticed, and a
// restart that keeps the counts is no loss.
func TestLostCounts(t *testing.T) {
	t.Parallel()
	pgtest.AtLeast(t, 14)
	server, dsn := counting(t, "pg_stat_statements.max", "100")
	var watch usage.Watch
	step := func(lost string) {
		t.Helper()
		pgtest.Exec(t, dsn, "SELECT a FROM t WHERE b = 'x'")
		before := watch.At
		reading := read(t, dsn)
		watch.Add(reading)
		e, ok := watch.Entry(find(t, reading, query))
		// A count that is what it was before it was forgotten looks as if nothing had been called: Began tells.
		if !ok || !e.Last.After(before) && !watch.Began.After(before) {
			t.Errorf("%+v", e)
		}
		if lost == "" && watch.Lost != "" || !strings.Contains(watch.Lost, lost) {
			t.Errorf("lost: %q, want %q", watch.Lost, lost)
		}
		if lost != "" && !watch.Began.After(before) {
			t.Errorf("every call is said to be known since %s, the reading before was at %s", watch.Began, before)
		}
		watch.Lost = ""
	}
	step("")
	step("")
	pgtest.Exec(t, dsn, "SELECT pg_stat_statements_reset()")
	step("was reset")
	began := watch.Began
	restart(t, server)
	step("")
	if !watch.Began.Equal(began) {
		t.Errorf("a clean restart: every call is known since %s, before it was %s", watch.Began, began)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	restart(t, server)
	step("what it had counted is lost")
	for i := range 300 {
		pgtest.Exec(t, dsn, "SELECT a"+strings.Repeat(" + a", i)+" FROM t")
	}
	step("has forgotten statements to make room")
	pgtest.Exec(t, dsn, "SELECT pg_stat_statements_reset(userid, dbid, queryid) FROM pg_stat_statements WHERE query LIKE 'SELECT a + a%'")
	step("are not in pg_stat_statements any more")

	// An extension that was not updated with the server does not tell what it has forgotten.
	pgtest.Exec(t, dsn, "DROP EXTENSION pg_stat_statements", "CREATE EXTENSION pg_stat_statements VERSION '1.8'")
	if old := read(t, dsn); old.Told || len(old.List) == 0 || !old.List[0].Since.IsZero() {
		t.Errorf("version 1.8: %+v", old)
	}
}

func restart(t *testing.T, s *pgtest.Server) {
	t.Helper()
	if err := s.Restart(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestNobodyCounts: the error says what to do.
func TestNobodyCounts(t *testing.T) {
	t.Parallel()
	_, err := catalog.ReadCalls(ctx, pgtest.Connect(t, pgtest.DB(t)))
	none, ok := err.(*catalog.NoCallsError)
	if !ok || !strings.Contains(none.Hint(), "CREATE EXTENSION pg_stat_statements") {
		t.Errorf("%v", err)
	}
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, "CREATE EXTENSION pg_stat_statements")
	_, err = catalog.ReadCalls(ctx, pgtest.Connect(t, dsn))
	if none, ok = err.(*catalog.NoCallsError); !ok || !strings.Contains(none.Hint(), "shared_preload_libraries") {
		t.Errorf("%v", err)
	}
	_, counted := counting(t)
	pgtest.Exec(t, counted, "ALTER DATABASE "+pgtest.Connect(t, counted).Config().Database+" SET pg_stat_statements.track = 'none'")
	_, err = catalog.ReadCalls(ctx, pgtest.Connect(t, counted))
	if none, ok = err.(*catalog.NoCallsError); !ok || !strings.Contains(none.Error(), "track is none") {
		t.Errorf("%v", err)
	}
}
