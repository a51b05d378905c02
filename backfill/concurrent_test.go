package backfill_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/backfill"
	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/walk"
	"github.com/replank/replank/plan"
)

// traffic runs statements on n connections until stop is called, which says how many there were.
func (s *site) traffic(n int, do func(ctx context.Context, c *pgx.Conn, r *rand.Rand) error) (stop func() int64) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var wg sync.WaitGroup
	var count atomic.Int64
	for i := range n {
		c := pgtest.Connect(s.t, s.dsn)
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for ctx.Err() == nil {
				if err := do(context.WithoutCancel(ctx), c, r); err != nil {
					s.t.Errorf("application: %v", err)
					return
				}
				count.Add(1)
			}
		})
	}
	return func() int64 {
		cancel()
		wg.Wait()
		return count.Load()
	}
}

// once makes a callback for OnProgress that acts when a number of rows is reached, once.
func once(rows int64, act func()) func(backfill.Progress) {
	var o sync.Once
	return func(p backfill.Progress) {
		if p.Rows >= rows {
			o.Do(act)
		}
	}
}

// TestExactlyOnce (RULES 1): SET n = n + 1 under updates that move rows, deletes and vacuum. Each row is told by its
// log of what the application did.
func TestExactlyOnce(t *testing.T) {
	s := newSite(t, `CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, app int NOT NULL DEFAULT 0, pad text DEFAULT repeat('x', 100)) WITH (fillfactor = 70);
		INSERT INTO t (id) SELECT g FROM generate_series(1, 20000) g`)
	stop := s.traffic(2, func(ctx context.Context, c *pgx.Conn, r *rand.Rand) error {
		id := r.IntN(20000) + 1
		var err error
		switch r.IntN(20) {
		case 0:
			_, err = c.Exec(ctx, "DELETE FROM t WHERE id = $1 AND id % 10 = 0", id)
		case 1:
			_, err = c.Exec(ctx, "VACUUM t")
		default:
			_, err = c.Exec(ctx, "UPDATE t SET n = n + 1000, app = app + 1, pad = repeat('y', $2) WHERE id = $1", id, r.IntN(300))
		}
		return err
	})
	c := s.config(plan.FillSpec{Kind: plan.Update, Table: "public.t", Key: []string{"id"}, Undo: true,
		Set: []ddl.Assignment{{Column: "n", Expr: "n + 1"}}})
	c.Target = 5 * time.Millisecond // many ranges
	rc, err := backfill.Run(t.Context(), c)
	did := stop()
	s.must(err)
	if rc.Ranges < 20 || did < 100 {
		t.Fatalf("%d ranges and %d statements prove nothing", rc.Ranges, did)
	}
	s.want("SELECT count(*) FROM t WHERE n <> 1000 * app + 1", "0")
	u, err := backfill.Undo(t.Context(), c)
	s.must(err)
	if u.Restored+u.NotRestored != rc.Rows {
		t.Errorf("%d rows were changed, %d restored and %d not", rc.Rows, u.Restored, u.NotRestored)
	}
	s.want("SELECT count(*) FROM t WHERE n <> 1000 * app AND n <> 1000 * app + 1", "0")
	s.want(fmt.Sprintf(`SELECT count(*) FROM replank.undo_%d_%d u JOIN t ON t.id = u.replank_k1 WHERE n = 1000 * app`, s.run, c.Seq), "0")
}

// twin is a table with a twin column and a sync trigger as plan makes it.
const twin = `CREATE TABLE t (id int PRIMARY KEY, old text, new text, touched int NOT NULL DEFAULT 0);
	INSERT INTO t (id, old) SELECT g, 'v' || g FROM generate_series(1, 20000) g;
	CREATE FUNCTION sync() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF current_setting('replank.fill', true) = 'on' THEN RETURN new; END IF;
		new.new := upper(new.old); RETURN new; END $$;
	CREATE TRIGGER zz_sync BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION sync();
	ALTER TABLE t ENABLE ALWAYS TRIGGER zz_sync;
	CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.touched := new.touched + 1; RETURN new; END $$;
	CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch()`

var twinSpec = plan.FillSpec{Kind: plan.Twin, Table: "public.t", Set: []ddl.Assignment{{Column: "new", Expr: "upper(old)"}},
	Guard: "record_image_ne(ROW(new), ROW(upper(old)))", Quiet: true, Flag: "replank.fill"}

// TestTwin (RULES 1, 4): by ctid, under writers that keep the twin right themselves; user triggers stay silent.
func TestTwin(t *testing.T) {
	s := newSite(t, twin)
	stop := s.traffic(2, func(ctx context.Context, c *pgx.Conn, r *rand.Rand) error {
		id := r.IntN(20000) + 1
		var err error
		switch r.IntN(10) {
		case 0:
			_, err = c.Exec(ctx, "VACUUM t")
		case 1:
			_, err = c.Exec(ctx, "INSERT INTO t (id, old) VALUES (20000 + $1, 'new') ON CONFLICT (id) DO UPDATE SET old = 'again'", id)
		case 2:
			_, err = c.Exec(ctx, "DELETE FROM t WHERE id = $1", id)
		default:
			_, err = c.Exec(ctx, "UPDATE t SET old = 'w' || $2::int WHERE id = $1", id, r.IntN(1000))
		}
		return err
	})
	c := s.config(twinSpec)
	c.Target = 5 * time.Millisecond
	rc, err := backfill.Run(t.Context(), c)
	did := stop()
	s.must(err)
	if rc.Ranges < 10 || did < 100 {
		t.Fatalf("%d ranges and %d statements prove nothing", rc.Ranges, did)
	}
	if rc.Left != 0 || rc.ProvenAt == nil || rc.Open() != "" {
		t.Errorf("receipt %+v", rc)
	}
	s.want("SELECT count(*) FROM t WHERE new IS DISTINCT FROM upper(old)", "0")
	s.want("SELECT count(*) FROM t WHERE touched > 0 AND old ~ '^v'", "0")
}

// TestUserTriggers (RULES 4): the user's own UPDATE fires them, as psql would.
func TestUserTriggers(t *testing.T) {
	s := newSite(t, twin)
	s.fill(plan.FillSpec{Kind: plan.Update, Table: "public.t", Key: []string{"id"}, Set: []ddl.Assignment{{Column: "old", Expr: "old || '!'"}}})
	s.want("SELECT count(*) FROM t WHERE touched = 1 AND new = upper(old) AND old ~ '!$'", "20000")
}

// TestLockedRows (RULES 3): rows that somebody holds are left for later, the others are not kept waiting, and the
// proof comes after the last of them.
func TestLockedRows(t *testing.T) {
	for name, spec := range map[string]plan.FillSpec{
		"twin": twinSpec,
		"user": {Kind: plan.Update, Table: "public.t", Key: []string{"id"}, Set: []ddl.Assignment{{Column: "touched", Expr: "touched + 10"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, twin, "ALTER TABLE t DISABLE TRIGGER touch")
			holder := pgtest.Connect(t, s.dsn)
			tx, err := holder.Begin(t.Context())
			s.must(err)
			_, err = tx.Exec(t.Context(), "SELECT FROM t WHERE id IN (77, 10000, 10001, 19999) FOR UPDATE")
			s.must(err)
			var late atomic.Int64
			c := s.config(spec)
			c.OnProgress = func(p backfill.Progress) {
				if p.Phase == "fill" && p.Fraction == 1 && late.CompareAndSwap(0, int64(p.Late)) && p.Late > 0 {
					if err := tx.Commit(context.Background()); err != nil { // only now: everything else is done
						t.Error(err)
					}
				}
			}
			rc, err := backfill.Run(t.Context(), c)
			s.must(err)
			if late.Load() == 0 || rc.Dirty == 0 || rc.Retries == 0 {
				t.Errorf("no range was left for later: %+v", rc)
			}
			if rc.Open() != "" || rc.Rows != 20000 {
				t.Errorf("receipt %+v", rc)
			}
			if name == "user" {
				s.want("SELECT count(*) FROM t WHERE touched <> 10", "0")
			}
		})
	}
}

// TestDeadlock: an application that locks rows in the other order never loses, at most we do.
func TestDeadlock(t *testing.T) {
	s := newSite(t, twin, "ALTER TABLE t DISABLE TRIGGER touch", "DELETE FROM t WHERE id > 3000")
	var deadlocks atomic.Int64
	stop := s.traffic(3, func(ctx context.Context, c *pgx.Conn, r *rand.Rand) error {
		a := r.IntN(2900) + 1
		_, err := c.Exec(ctx, `DO $$ BEGIN
			UPDATE t SET touched = touched + 100 WHERE id = `+fmt.Sprint(a+50)+`;
			UPDATE t SET touched = touched + 100 WHERE id = `+fmt.Sprint(a)+`; END $$`)
		if pg.Deadlock(err) {
			deadlocks.Add(1)
			return nil
		}
		return err
	})
	rc := s.fill(plan.FillSpec{Kind: plan.Update, Table: "public.t", Key: []string{"id"}, Set: []ddl.Assignment{{Column: "touched", Expr: "touched + 1"}}})
	stop()
	if rc.Rows != 3000 {
		t.Errorf("receipt %+v", rc)
	}
	s.want("SELECT count(*) FROM t WHERE touched % 100 <> 1", "0")
}

// TestResume: an executor that dies at any time, in any way, is followed by one that ends at the same state.
func TestResume(t *testing.T) {
	spec := plan.FillSpec{Kind: plan.Update, Table: "public.t", Key: []string{"id"}, Undo: true,
		Set: []ddl.Assignment{{Column: "touched", Expr: "touched + 1"}}}
	ways := map[string]func(s *site, kill context.CancelFunc){
		"cancelled": func(_ *site, kill context.CancelFunc) { kill() },
		"lost lease": func(s *site, _ context.CancelFunc) {
			s.exec("UPDATE replank.lease SET epoch = epoch + 1, token = NULL, lease_until = '-infinity'")
		},
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, twin, "ALTER TABLE t DISABLE TRIGGER touch")
			cfg := s.config(spec)
			for stage := range int64(4) {
				ctx, kill := context.WithCancel(t.Context())
				cfg.Lease, cfg.Target = s.lease, 5*time.Millisecond
				cfg.OnProgress = once(3000*(stage+1), func() { end(s, kill) })
				_, err := backfill.Run(ctx, cfg)
				kill()
				if err == nil {
					t.Fatal("it ended before it was killed")
				}
				if name == "lost lease" && !errors.Is(err, journal.ErrLost) {
					t.Errorf("lost lease: %v", err)
				}
				_ = s.lease.Release(context.Background())
				s.acquire()
			}
			cfg.Lease, cfg.OnProgress = s.lease, nil
			rc, err := backfill.Run(t.Context(), cfg)
			s.must(err)
			if rc.Rows != 20000 {
				t.Errorf("receipt %+v", rc)
			}
			s.want("SELECT count(*) FROM t WHERE touched <> 1", "0")
			u, err := backfill.Undo(t.Context(), cfg)
			s.must(err)
			if u.Restored != 20000 {
				t.Errorf("undo %+v", u)
			}
			s.want("SELECT count(*) FROM t WHERE touched <> 0", "0")
		})
	}
}

// TestTerminated: backends that are ended in the middle cost nothing but a new connection.
func TestTerminated(t *testing.T) {
	s := newSite(t, twin, "ALTER TABLE t DISABLE TRIGGER touch")
	killer := pgtest.Connect(t, s.dsn)
	c := s.config(plan.FillSpec{Kind: plan.Update, Table: "public.t", Key: []string{"id"}, Set: []ddl.Assignment{{Column: "touched", Expr: "touched + 1"}}})
	c.Target = 5 * time.Millisecond
	kills := 0
	c.OnProgress = func(p backfill.Progress) {
		if p.Rows < int64(kills+1)*2000 || kills == 8 {
			return
		}
		kills++
		if _, err := killer.Exec(context.Background(), "SELECT pg_terminate_backend(pid) FROM replank.backend"); err != nil {
			t.Error(err)
		}
	}
	rc, err := backfill.Run(t.Context(), c)
	s.must(err)
	if rc.Rows != 20000 || rc.Retries < 4 {
		t.Errorf("receipt %+v", rc)
	}
	s.want("SELECT count(*) FROM t WHERE touched <> 1", "0")
}

// TestUnknownOutcome: the connection is cut at COMMIT, before the server has it and after it has done it. Which of
// both it was, the cursor knows.
func TestUnknownOutcome(t *testing.T) {
	for name, when := range map[string]pgtest.When{"before": pgtest.BeforeServer, "after": pgtest.AfterServer} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, twin, "ALTER TABLE t DISABLE TRIGGER touch")
			proxy := pgtest.Proxy(t, s.dsn)
			s.must(s.lease.Release(t.Context()))
			s.open(proxy.DSN())
			s.acquire()
			c := s.config(plan.FillSpec{Kind: plan.Update, Table: "public.t", Key: []string{"id"}, Set: []ddl.Assignment{{Column: "touched", Expr: "touched + 1"}}})
			c.Target, c.Workers = 5*time.Millisecond, 1
			var sprung <-chan struct{}
			c.OnProgress = once(2000, func() { sprung = proxy.CutOn("commit", when) })
			rc, err := backfill.Run(t.Context(), c)
			s.must(err)
			select {
			case <-sprung:
			default:
				t.Fatal("nothing was cut")
			}
			if rc.Rows != 20000 {
				t.Errorf("receipt %+v", rc)
			}
			s.want("SELECT count(*) FROM t WHERE touched <> 1", "0")
		})
	}
}

// TestSignalStops: a signal that is bad or cannot be read stops everybody, by name, until it is good again.
func TestSignalStops(t *testing.T) {
	s := newSite(t, twin)
	c := s.config(twinSpec)
	signal := &switched{}
	c.Signals = []walk.Signal{signal}
	c.OnProgress = once(1, func() { signal.bad.Store(3) })
	c.Target = 5 * time.Millisecond
	rc, err := backfill.Run(t.Context(), c)
	s.must(err)
	if rc.Idle["switched"] == 0 {
		t.Errorf("no idle time has the name of the signal: %v", rc.Idle)
	}
	if rc.Open() != "" || signal.bad.Load() > 0 {
		t.Errorf("receipt %+v", rc)
	}
}

// switched is unreadable for a number of looks.
type switched struct{ bad atomic.Int64 }

func (*switched) Name() string { return "switched" }

func (w *switched) Check(context.Context, pg.Querier) (walk.Verdict, error) {
	if w.bad.Load() > 0 {
		w.bad.Add(-1)
		return walk.Verdict{}, errors.New("not to be read")
	}
	return walk.Verdict{}, nil
}
