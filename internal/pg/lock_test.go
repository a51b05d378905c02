package pg_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
)

// begin opens a transaction on a connection of its own and runs sql in it.
func begin(t *testing.T, dsn string, opts pgx.TxOptions, sql ...string) pgx.Tx {
	t.Helper()
	tx, err := pgtest.Connect(t, dsn).BeginTx(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sql {
		if _, err := tx.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return tx
}

func end(t *testing.T, tx pgx.Tx) {
	t.Helper()
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// aged waits until the transaction is older than any budget used here.
func aged(t *testing.T, dsn string) {
	t.Helper()
	waitFor(t, dsn, `SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database()
		AND pid <> pg_backend_pid() AND clock_timestamp() - xact_start > '150 ms'`)
}

// politeConfig keeps tests quick; aged knows its budget.
func politeConfig(dsn string) pg.Config {
	return pg.Config{DSN: dsn, LockBudget: 100 * time.Millisecond, LockPoll: 10 * time.Millisecond,
		LockPauseMax: 50 * time.Millisecond, LockWait: 30 * time.Second}
}

func addColumn(ctx context.Context) func(pgx.Tx) error {
	return func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `ALTER TABLE t ADD COLUMN fresh int`)
		return err
	}
}

// TestConflictsAreTheServers compares our matrix with what the server does for
// all 64 pairs of modes.
func TestConflictsAreTheServers(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (a int)`)
	cfg := politeConfig(dsn)
	cfg.LockFirstTry = time.Minute // at most the budget
	s := session(t, open(t, cfg))
	modes := []pg.LockMode{pg.AccessShare, pg.RowShare, pg.RowExclusive, pg.ShareUpdateExclusive, pg.Share,
		pg.ShareRowExclusive, pg.Exclusive, pg.AccessExclusive}
	pairs := 0
	for _, held := range modes {
		holder := begin(t, dsn, pgx.TxOptions{}, "LOCK TABLE t IN "+string(held)+" MODE")
		aged(t, dsn)
		for _, wanted := range modes {
			pairs++
			err := pgtest.TryExec(dsn, "BEGIN; LOCK TABLE t IN "+string(wanted)+" MODE NOWAIT; COMMIT")
			conflict := pg.LockNotAvailable(err)
			if err != nil && !conflict {
				t.Fatal(err)
			}
			// No time decides: where the way is free, there is more than enough of it; where it is not, whoever is in it
			// is older than the budget at the first look, and nobody queues behind them however long it takes.
			req := pg.LockRequest{Locks: []pg.Lock{{Relation: "public.t", Mode: wanted}}, Budget: time.Minute, Wait: time.Minute}
			if conflict {
				req.Budget, req.Wait = cfg.LockBudget, time.Millisecond
			}
			err = s.UnderLocks(t.Context(), req, func(pgx.Tx) error { return nil })
			var waited *pg.LockWaitError
			if !conflict && err != nil || conflict && !errors.As(err, &waited) {
				t.Errorf("%s while %s is held: conflict on the server: %v; we got %v", wanted, held, conflict, err)
			}
			if waited != nil && (waited.Tries != 0 || len(waited.Blockers) != 1) {
				t.Errorf("%s while %s is held: we queued %d times, blockers %v", wanted, held, waited.Tries, waited.Blockers)
			}
		}
		end(t, holder)
	}
	if pairs != 64 {
		t.Errorf("%d pairs", pairs)
	}
}

// TestNobodyWaitsBehindUs holds a long transaction on the table while clients
// work on it. The lock queue is looked at all the time: nobody but us may ever
// be seen waiting for the relation for longer than twice the budget.
func TestNobodyWaitsBehindUs(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT g, 0 FROM generate_series(1, 100) g`)
	cfg := politeConfig(dsn)
	db := open(t, cfg)
	s := session(t, db)
	long := begin(t, dsn, pgx.TxOptions{}, `SELECT count(*) FROM t`)
	aged(t, dsn)

	ctx, stop := context.WithCancel(deadline(t))
	var work sync.WaitGroup
	done := make([]int, 4)
	for i := range done {
		c := pgtest.Connect(t, dsn)
		work.Go(func() {
			for ctx.Err() == nil {
				if _, err := c.Exec(context.Background(), `UPDATE t SET n = n + 1 WHERE id = $1`, 1+i); err != nil {
					t.Errorf("client: %v", err)
					return
				}
				done[i]++
			}
		})
	}
	var worstMS float64
	var samples int
	sampler := pgtest.Connect(t, dsn)
	work.Go(func() {
		for ctx.Err() == nil {
			var ms float64
			err := sampler.QueryRow(context.Background(), `SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)) * 1000, 0)::float8
				FROM pg_locks WHERE NOT granted AND relation = 't'::regclass`).Scan(&ms)
			if err != nil {
				t.Errorf("sample: %v", err)
				return
			}
			worstMS, samples = max(worstMS, ms), samples+1
		}
	})

	waits := make(chan pg.Waiting, 100)
	result := make(chan error, 1)
	go func() {
		result <- s.UnderLocks(ctx, pg.LockRequest{
			Locks:  []pg.Lock{{Relation: "public.t", Mode: pg.AccessExclusive}},
			OnWait: func(w pg.Waiting) { waits <- w },
		}, addColumn(ctx))
	}()
	var w pg.Waiting
	select {
	case w = <-waits:
	case err := <-result:
		t.Fatalf("it did not wait: %v", err)
	}
	// A client whose statement the machine has held up for long may be named beside it.
	isLong := func(b pg.Blocker) bool { return b.PID == int32(long.Conn().PgConn().PID()) }
	if w.Tries != 0 || !slices.ContainsFunc(w.Blockers, isLong) {
		t.Errorf("first report: %d tries, blockers %v", w.Tries, w.Blockers)
	}
	// Ten looks at the blocked table, by the server's count of our questions.
	waitFor(t, dsn, `SELECT clock_timestamp() - xact_start > '1 s' FROM pg_stat_activity WHERE pid = $1`, long.Conn().PgConn().PID())
	end(t, long)
	if err := <-result; err != nil {
		t.Error(err)
	}
	stop()
	work.Wait()
	if limit := 2 * float64(cfg.LockBudget.Milliseconds()); worstMS > limit || samples < 10 {
		t.Errorf("somebody waited for %.0f ms (%d samples), more than %.0f", worstMS, samples, limit)
	}
	if slices.Min(done) == 0 {
		t.Errorf("a client did nothing: %v", done)
	}
	if n := pgtest.Value[int](t, dsn, `SELECT count(*)::int FROM information_schema.columns WHERE table_name = 't' AND column_name = 'fresh'`); n != 1 {
		t.Errorf("the column is there %d times", n)
	}
}

func TestBlockersOfPartitionsAndPreparedTransactions(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE "Odd.parent" (a int) PARTITION BY LIST (a);
		CREATE TABLE part PARTITION OF "Odd.parent" FOR VALUES IN (1)`)
	cfg := politeConfig(dsn)
	cfg.LockWait = 300 * time.Millisecond
	s := session(t, open(t, cfg))
	pgtest.Exec(t, dsn, `BEGIN; INSERT INTO part VALUES (1); PREPARE TRANSACTION 'forgotten'`)
	waitFor(t, dsn, `SELECT clock_timestamp() - prepared > '150 ms' FROM pg_prepared_xacts WHERE gid = 'forgotten'`)
	parent := pg.QName{Schema: "public", Name: "Odd.parent"}.String()
	err := s.UnderLocks(t.Context(), pg.LockRequest{Locks: []pg.Lock{{Relation: parent, Mode: pg.AccessExclusive}}},
		func(pgx.Tx) error { return nil })
	var waited *pg.LockWaitError
	if !errors.As(err, &waited) || len(waited.Blockers) != 1 || waited.Blockers[0].GID != "forgotten" ||
		waited.Tries != 0 || !strings.Contains(err.Error(), `"forgotten"`) {
		t.Fatalf("got %v", err)
	}
	pgtest.Exec(t, dsn, `COMMIT PREPARED 'forgotten'`)

	// A reader of the partition holds nothing on the parent: ONLY the parent is free.
	reader := begin(t, dsn, pgx.TxOptions{}, `SELECT count(*) FROM part`)
	aged(t, dsn)
	for _, only := range []bool{true, false} {
		locks := []pg.Lock{{Relation: parent, Mode: pg.AccessExclusive, Only: only}}
		err := s.UnderLocks(t.Context(), pg.LockRequest{Locks: locks}, func(pgx.Tx) error { return nil })
		if only && err != nil || !only && !errors.As(err, &waited) {
			t.Errorf("only %v: %v", only, err)
		}
	}
	end(t, reader)
}

func TestWorkOverTheBudget(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (a int)`)
	s := session(t, open(t, politeConfig(dsn)))
	locks := []pg.Lock{{Relation: "public.t", Mode: pg.AccessExclusive}}

	t.Run("a long statement", func(t *testing.T) {
		tries := 0
		err := s.UnderLocks(t.Context(), pg.LockRequest{Locks: locks}, func(tx pgx.Tx) error {
			tries++
			_, err := tx.Exec(t.Context(), `SELECT pg_sleep(60)`)
			return err
		})
		var over *pg.OverBudgetError
		if !errors.As(err, &over) || tries != over.Tries || tries < 2 {
			t.Errorf("%d tries, %v", tries, err)
		}
	})
	t.Run("many short statements", func(t *testing.T) {
		// Each is far below any timeout of the server; only their sum is too long.
		err := s.UnderLocks(t.Context(), pg.LockRequest{Locks: locks}, func(tx pgx.Tx) error {
			for range 1000 {
				if _, err := tx.Exec(t.Context(), `SELECT pg_sleep(0.01)`); err != nil {
					return err
				}
			}
			return nil
		})
		var over *pg.OverBudgetError
		if !errors.As(err, &over) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an idle client", func(t *testing.T) {
		s := session(t, s.DB())
		err := s.UnderLocks(t.Context(), pg.LockRequest{Locks: locks}, func(tx pgx.Tx) error {
			// As a stopped process would: the server itself ends the transaction.
			waitFor(t, dsn, `SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $1`, s.Backend().PID)
			_, err := tx.Exec(t.Context(), `SELECT 1`)
			return err
		})
		if !pg.ConnectionLost(err) || pg.OutcomeOf(err) != pg.RolledBack {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the session lives on", func(t *testing.T) {
		if err := s.UnderLocks(t.Context(), pg.LockRequest{Locks: locks}, addColumn(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

func TestErrorsOfTheWorkComeBackAtOnce(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (a int); CREATE VIEW v AS SELECT * FROM t; CREATE SEQUENCE s`)
	s := session(t, open(t, politeConfig(dsn)))
	tries := 0
	err := s.UnderLocks(t.Context(), pg.LockRequest{Locks: []pg.Lock{{Relation: "public.t", Mode: pg.Share}}}, func(tx pgx.Tx) error {
		tries++
		_, err := tx.Exec(t.Context(), `ALTER TABLE t DROP COLUMN nothing`)
		return err
	})
	if tries != 1 || !pg.UndefinedObject(err) || pg.OutcomeOf(err) != pg.RolledBack {
		t.Errorf("%d tries, %v", tries, err)
	}
	none := func(pgx.Tx) error { return nil }
	err = s.UnderLocks(t.Context(), pg.LockRequest{Locks: []pg.Lock{{Relation: "public.missing", Mode: pg.Share}}}, none)
	if !pg.UndefinedTable(err) {
		t.Errorf("a missing table: %v", err)
	}
	err = s.UnderLocks(t.Context(), pg.LockRequest{Locks: []pg.Lock{{Relation: "public.missing", Mode: pg.Share, IfExists: true}}}, none)
	if err != nil {
		t.Errorf("a table that may be missing: %v", err)
	}
	err = s.UnderLocks(t.Context(), pg.LockRequest{Locks: []pg.Lock{{Relation: "public.t", Mode: "STRONG"}}}, none)
	if err == nil {
		t.Error("an unknown mode was accepted")
	}
	err = s.UnderLocks(t.Context(), pg.LockRequest{Locks: []pg.Lock{{Relation: "public.v", Mode: pg.AccessExclusive},
		{Relation: "public.s", Mode: pg.AccessExclusive}}}, func(tx pgx.Tx) error {
		var held int
		err := tx.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()
			AND relation = 't'::regclass`).Scan(&held)
		if held != 0 {
			t.Error("locking a view locked the table below it")
		}
		return err
	})
	if err != nil {
		t.Errorf("a view and a sequence: %v", err)
	}
	err = s.UnderLocks(t.Context(), pg.LockRequest{}, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `CREATE TABLE made (a int)`)
		return err
	})
	if err != nil {
		t.Errorf("without locks: %v", err)
	}
}

func TestCancelBlockersIsOptIn(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (a int)`)
	for _, optIn := range []bool{false, true} {
		t.Run(fmt.Sprint(optIn), func(t *testing.T) {
			cfg := politeConfig(dsn)
			cfg.CancelBlockers, cfg.LockWait = optIn, 5*time.Second
			if !optIn {
				cfg.LockWait = 300 * time.Millisecond
			}
			s := session(t, open(t, cfg))
			c := pgtest.Connect(t, dsn)
			query := make(chan error, 1)
			go func() {
				_, err := c.Exec(t.Context(), `SELECT a, pg_sleep(20) FROM (SELECT count(*) a FROM t) x WHERE 'secret' = 'secret'`)
				query <- err
			}()
			aged(t, dsn)
			var notes []string
			err := s.UnderLocks(t.Context(), pg.LockRequest{
				Locks: []pg.Lock{{Relation: "public.t", Mode: pg.AccessExclusive}},
				OnWait: func(w pg.Waiting) {
					notes = append(notes, w.Note)
					for _, b := range w.Blockers {
						if strings.Contains(b.Query, "secret") || !strings.Contains(b.Query, "pg_sleep") {
							t.Errorf("the query is not redacted: %s", b.Query)
						}
					}
				}}, func(pgx.Tx) error { return nil })
			if optIn {
				if err := <-query; !pg.Canceled(err) {
					t.Errorf("the blocking query ended with %v", err)
				}
				if err != nil || !strings.Contains(strings.Join(notes, "\n"), "cancelled the query") {
					t.Errorf("%v, notes %q", err, notes)
				}
				return
			}
			var waited *pg.LockWaitError
			if !errors.As(err, &waited) {
				t.Errorf("got %v", err)
			}
			select {
			case err := <-query:
				t.Errorf("the blocking query was ended: %v", err)
			default:
			}
			if err := c.PgConn().CancelRequest(t.Context()); err != nil {
				t.Fatal(err)
			}
			<-query
		})
	}
}

func TestCancelBlockersLeavesIdleTransactionsAlone(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (a int)`)
	cfg := politeConfig(dsn)
	cfg.CancelBlockers, cfg.LockWait = true, 300*time.Millisecond
	s := session(t, open(t, cfg))
	idle := begin(t, dsn, pgx.TxOptions{}, `INSERT INTO t VALUES (1)`)
	aged(t, dsn)
	var note string
	err := s.UnderLocks(t.Context(), pg.LockRequest{Locks: []pg.Lock{{Relation: "public.t", Mode: pg.AccessExclusive}},
		OnWait: func(w pg.Waiting) { note = w.Note }}, func(pgx.Tx) error { return nil })
	var waited *pg.LockWaitError
	if !errors.As(err, &waited) || !strings.Contains(note, "idle in transaction") {
		t.Errorf("%v, note %q", err, note)
	}
	if err := idle.Commit(t.Context()); err != nil {
		t.Errorf("the idle transaction was disturbed: %v", err)
	}
}

// TestHiddenBlockers: a role that may not see other people's transactions
// judges their age by how long it has known them.
func TestHiddenBlockers(t *testing.T) {
	role := pgtest.Role(t, "owner", "LOGIN")
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (a int); ALTER TABLE t OWNER TO `+pg.Ident(role))
	cfg := politeConfig(pgtest.As(dsn, role))
	cfg.LockWait = time.Second
	s := session(t, open(t, cfg))
	holder := begin(t, dsn, pgx.TxOptions{}, `SELECT count(*) FROM t`)
	aged(t, dsn)
	err := s.UnderLocks(t.Context(), pg.LockRequest{Locks: []pg.Lock{{Relation: "public.t", Mode: pg.AccessExclusive}}},
		func(pgx.Tx) error { return nil })
	var waited *pg.LockWaitError
	if !errors.As(err, &waited) || len(waited.Blockers) != 1 || waited.Blockers[0].State != "" || waited.Tries > 8 {
		t.Errorf("got %v", err)
	}
	end(t, holder)
}

// TestAutovacuumGivesWay: RULES 15, on a server where autovacuum is slow.
func TestAutovacuumGivesWay(t *testing.T) {
	server := pgtest.Own(t, map[string]string{"autovacuum_naptime": "1s", "autovacuum": "on", "deadlock_timeout": "300ms"})
	role := pgtest.Role(t, "owner", "LOGIN", pgtest.On(server))
	for _, as := range []string{"superuser", "owner"} {
		t.Run(as, func(t *testing.T) {
			dsn := pgtest.DB(t, pgtest.On(server))
			pgtest.Exec(t, dsn, `CREATE TABLE t (a int, b text) WITH (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1,
				autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0, autovacuum_analyze_threshold = 1000000);
				ALTER TABLE t OWNER TO `+pg.Ident(role),
				`INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g`, `DELETE FROM t WHERE a % 2 = 0`)
			waitFor(t, dsn, `SELECT count(*) > 0 FROM pg_locks l JOIN pg_stat_activity a USING (pid)
				WHERE a.backend_type = 'autovacuum worker' AND l.relation = 't'::regclass AND l.granted
				AND clock_timestamp() - a.xact_start > '150 ms'`)
			cfg := politeConfig(dsn)
			if as == "owner" {
				cfg.DSN = pgtest.As(dsn, role)
			}
			var notes []string
			err := session(t, open(t, cfg)).UnderLocks(t.Context(), pg.LockRequest{
				Locks:  []pg.Lock{{Relation: "public.t", Mode: pg.AccessExclusive}},
				OnWait: func(w pg.Waiting) { notes = append(notes, w.Note) },
			}, addColumn(t.Context()))
			want := map[string]string{"superuser": "cancelled the autovacuum", "owner": "one try of 400ms"}[as]
			if err != nil || !strings.Contains(strings.Join(notes, "\n"), want) {
				t.Errorf("%v, notes %q", err, notes)
			}
		})
	}
}
