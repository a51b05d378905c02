package walk

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func openJournal(t *testing.T, dsn string) *journal.Journal {
	t.Helper()
	db, err := pg.Open(t.Context(), pg.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	j, err := journal.Open(t.Context(), db, journal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// TestTids: positions and ctids are the same thing, in order.
func TestTids(t *testing.T) {
	w := newTids(8192)
	last := int64(-1)
	for _, s := range []string{"(0,0)", "(0,1)", "(0,291)", "(1,0)", "(1,1)", "(4294967294,12)"} {
		pos, err := w.parse(s)
		if err != nil || pos <= last || w.text(pos) != s {
			t.Errorf("%s is %d (%v), and back %s", s, pos, err, w.text(pos))
		}
		last = pos
	}
	if _, err := w.parse("(1)"); err == nil {
		t.Error("(1) is no ctid")
	}
}

// TestCompare: the spelled-out comparison, for operators of several schemas, means what a row comparison means, and
// both can be served by the index.
func TestCompare(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (a int, b text COLLATE "C", c numeric, PRIMARY KEY (a, b, c));
		INSERT INTO t SELECT g % 5, chr(65 + g % 7), g % 3 FROM generate_series(1, 105) g ON CONFLICT DO NOTHING`,
		`CREATE SCHEMA x; CREATE OPERATOR x.> (FUNCTION = numeric_gt, LEFTARG = numeric, RIGHTARG = numeric);
		 CREATE OPERATOR x.< (FUNCTION = numeric_lt, LEFTARG = numeric, RIGHTARG = numeric);
		 CREATE OPERATOR x.<= (FUNCTION = numeric_le, LEFTARG = numeric, RIGHTARG = numeric);
		 CREATE OPERATOR x.= (FUNCTION = numeric_eq, LEFTARG = numeric, RIGHTARG = numeric)`)
	row := Key{{"a", "int", "pg_catalog"}, {"b", "text", "pg_catalog"}, {"c", "numeric", "pg_catalog"}}
	spelled := Key{row[0], row[1], {"c", "numeric", "x"}}
	for _, op := range []string{">", "<=", "<"} {
		for _, v := range [][]string{{"2", "C", "1"}, {"0", "A", "0"}, {"4", "G", "2"}, {"9", "", "0"}, {"3", "Cx", "-1"}} {
			n := func(k Key) string {
				return pgtest.Value[string](t, dsn, "SELECT coalesce(string_agg(t::text, ' ' ORDER BY t), '') FROM t WHERE "+k.compare("t", op, v))
			}
			if a, b := n(row), n(spelled); a != b {
				t.Errorf("%s %v: row comparison %s, spelled out %s", op, v, a, b)
			}
		}
	}
}

// TestCuts: slices follow each other without a gap up to the greatest key, and are of like size.
func TestCuts(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (id bigint PRIMARY KEY, pad text);
		INSERT INTO t SELECT g * g, repeat('x', 50) FROM generate_series(1::bigint, 60000) g`, "ANALYZE t")
	conn := pgtest.Connect(t, dsn)
	key, err := LookupKey(t.Context(), conn, "public.t", []string{"id"})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := lookupParts(t.Context(), conn, "public.t")
	if err != nil {
		t.Fatal(err)
	}
	cuts, err := cutByKey(t.Context(), conn, "public.t", key, parts)
	if err != nil {
		t.Fatal(err)
	}
	if len(cuts) < 20 || cuts[len(cuts)-1].To[0] != "3600000000" || cuts[0].Pos != nil {
		t.Fatalf("%d slices, from %v to %v", len(cuts), cuts[0].Pos, cuts[len(cuts)-1].To)
	}
	var from []string
	for _, c := range cuts {
		if fmt.Sprint(c.Pos) != fmt.Sprint(from) {
			t.Errorf("a gap: %v after %v", c.Pos, from)
		}
		from = c.To
		n := pgtest.Value[int64](t, dsn, "SELECT count(*) FROM t WHERE "+Range{From: c.Pos, To: c.To, key: key}.Where("t"))
		if n == 0 || n > 5*60000/int64(len(cuts)) {
			t.Errorf("slice up to %v holds %d rows", c.To, n)
		}
	}
}

// TestScan: a walk without a lease visits every row once and writes nothing; on a healthy server the signals agree.
func TestScan(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 30000)`)
	j := openJournal(t, dsn)
	var last Progress
	stats, err := Run(t.Context(), Config{Journal: j, Table: "public.t", Target: 2 * time.Millisecond,
		OnProgress: func(p Progress) { last = p },
		Visit: func(ctx context.Context, tx pgx.Tx, a Attempt) (v Visited, err error) {
			err = tx.QueryRow(ctx, "SELECT count(*) FROM "+a.Range.Relation()+" AS t WHERE "+a.Range.Where("t")).Scan(&v.Rows)
			return v, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	if stats.Rows != 30000 || last.Fraction != 1 || last.Rows != 30000 {
		t.Errorf("%+v, %+v", stats, last)
	}
	if j.Present() {
		t.Error("a scan has made a journal")
	}
}

func check(t *testing.T, s Signal, dsn string) Verdict {
	t.Helper()
	v, err := s.Check(t.Context(), pgtest.Connect(t, pgtest.Param(dsn, "application_name", "replank")))
	if err != nil {
		t.Fatalf("%s: %v", s.Name(), err)
	}
	return v
}

// TestSignals: each signal sees what it is there for.
func TestSignals(t *testing.T) {
	server := pgtest.Own(t, map[string]string{"archive_mode": "on", "archive_command": "false", "max_slot_wal_keep_size": "64MB",
		"wal_keep_size": "0", "max_wal_size": "32MB", "autovacuum": "off"})
	dsn := pgtest.DB(t, pgtest.On(server))
	pgtest.Exec(t, dsn, "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT g, 0 FROM generate_series(1, 200000) g")

	t.Run("sessions", func(t *testing.T) {
		s := &sessionSignal{cores: 100}
		if v := check(t, s, dsn); v.Level != Go {
			t.Errorf("idle: %+v", v)
		}
		other := pgtest.Connect(t, dsn)
		for check(t, s, dsn).Hands != 50 { // half of the cores, once others do something
			if _, err := other.Exec(t.Context(), "SELECT 1"); err != nil {
				t.Fatal(err)
			}
		}
		ours := pgtest.Connect(t, pgtest.Param(dsn, "application_name", "replank"))
		tx, err := ours.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "UPDATE t SET n = 1 WHERE id = 1"); err != nil {
			t.Fatal(err)
		}
		waiter := pgtest.Connect(t, dsn)
		waited := make(chan error, 1)
		go func() {
			_, err := waiter.Exec(context.Background(), "UPDATE t SET n = 2 WHERE id = 1")
			waited <- err
		}()
		v := Verdict{}
		for v.Level == Go {
			if v = check(t, s, dsn); t.Context().Err() != nil {
				t.Fatal("nobody waits")
			}
		}
		if err := errors.Join(tx.Commit(t.Context()), <-waited); err != nil {
			t.Error(err)
		}
		if v.Level != Slow {
			t.Errorf("a session waits for us: %+v", v)
		}
	})
	t.Run("snapshot and dead rows", func(t *testing.T) {
		holder := pgtest.Connect(t, dsn)
		tx, err := holder.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback(context.Background())
		if _, err := tx.Exec(t.Context(), "SELECT FROM t LIMIT 1"); err != nil {
			t.Fatal(err)
		}
		s := &snapshotSignal{table: "public.t"}
		if v := check(t, s, dsn); v.Level != Go {
			t.Errorf("an old snapshot without bloat: %+v", v)
		}
		pgtest.Exec(t, dsn, "UPDATE t SET n = n + 1")
		for check(t, s, dsn).Level == Go { // statistics arrive when they arrive
		}
	})
	t.Run("archive", func(t *testing.T) {
		s := &archiveSignal{slow: 32, stop: 256}
		pgtest.Exec(t, dsn, "SELECT pg_switch_wal()")
		for check(t, s, dsn).Level != Stop { // until the archiver has tried
		}
	})
	t.Run("slots", func(t *testing.T) {
		s := &slotSignal{slow: 0.5, stop: 0.25, grown: 8192 * mb}
		pgtest.Exec(t, dsn, "SELECT pg_create_physical_replication_slot('forgotten', true)")
		if v := check(t, s, dsn); v.Level != Go {
			t.Errorf("a new slot: %+v", v)
		}
		for check(t, s, dsn).Level != Stop {
			pgtest.Exec(t, dsn, "INSERT INTO t SELECT g, 0 FROM generate_series((SELECT max(id) + 1 FROM t), (SELECT max(id) + 20000 FROM t)) g")
		}
	})
	t.Run("unreadable", func(t *testing.T) {
		role := pgtest.Role(t, "blind", "LOGIN", pgtest.On(server))
		pgtest.Connect(t, dsn) // somebody to be hidden
		_, err := (&sessionSignal{cores: 1}).Check(t.Context(), pgtest.Connect(t, pgtest.Param(pgtest.As(dsn, role), "application_name", "replank")))
		if !errors.Is(err, errPrivilege) {
			t.Errorf("a role that sees nothing: %v", err)
		}
	})
}

// TestReplicaLag: a consumer that does not confirm is seen.
func TestReplicaLag(t *testing.T) {
	s := &replicaSignal{slow: time.Second, stop: time.Second, slowBytes: mb, stopBytes: 4 * mb}
	if v := check(t, s, pgtest.DB(t)); v.Level != Go {
		t.Errorf("no replica: %+v", v)
	}
}

// TestPace: what is bad slows and stops, what is good lets go, and idle time has a name.
func TestPace(t *testing.T) {
	p := newPace(false)
	p.publish(Verdict{Level: Slow, Why: "much to do"}, "sessions")
	p.publish(Verdict{Level: Slow, Why: "much to do"}, "sessions")
	if p.share > 0.5 || p.factor() >= 1 {
		t.Errorf("after two bad looks the share is %v", p.share)
	}
	if err := errors.Join(p.turn(t.Context()), p.rest(t.Context(), time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	p.publish(Verdict{Level: Stop, Why: "far behind"}, "replica lag")
	done := make(chan error)
	go func() { done <- p.turn(t.Context()) }()
	for {
		p.publish(Verdict{Level: Stop, Why: "far behind"}, "replica lag")
		if _, idle := p.report(); idle["replica lag"] > 0 {
			break // it waits, and the time is accounted for
		}
	}
	reason, _ := p.report()
	if reason != "replica lag: far behind" {
		t.Errorf("reason %q", reason)
	}
	p.publish(Verdict{}, "")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for range 10 {
		p.publish(Verdict{}, "")
	}
	reason, idle := p.report()
	if p.share != 1 || reason != "" || idle["sessions"] == 0 {
		t.Errorf("share %v, reason %q, idle %v", p.share, reason, idle)
	}
}

// TestTurns: while others are at work, workers take turns, and the time in which one waits for another has a name.
func TestTurns(t *testing.T) {
	p := newPace(false)
	p.publish(Verdict{Why: "others are at work", Hands: 1}, "sessions")
	if err := p.turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := make(chan error)
	go func() { second <- p.turn(t.Context()) }()
	for {
		p.publish(Verdict{Why: "others are at work", Hands: 1}, "sessions")
		if _, idle := p.report(); idle["sessions"] > 0 {
			break
		}
	}
	select {
	case <-second:
		t.Fatal("two workers at the same time")
	default:
	}
	if err := errors.Join(p.rest(t.Context(), 0), <-second); err != nil {
		t.Fatal(err)
	}
	if reason, _ := p.report(); reason != "sessions: others are at work (workers take turns: 1 at a time)" {
		t.Errorf("reason %q", reason)
	}
	if err := p.rest(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	p.publish(Verdict{}, "")
	for range 2 {
		if err := p.turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnreadable: a signal that cannot be read stops.
func TestUnreadable(t *testing.T) {
	p := newPace(false)
	p.look(t.Context(), nil, []Signal{broken{}})
	if reason, _ := p.report(); reason != "broken: cannot be read: no" {
		t.Errorf("reason %q", reason)
	}
}

type broken struct{}

func (broken) Name() string { return "broken" }
func (broken) Check(context.Context, pg.Querier) (Verdict, error) {
	return Verdict{}, errors.New("no")
}

// TestFullPace: whoever wants no politeness gets all workers at once, and still waits where he has to.
func TestFullPace(t *testing.T) {
	busy := verdictOf{Why: "others are at work", Hands: 1}
	polite, full := newPace(false), newPace(true)
	for _, p := range []*pace{polite, full} {
		p.look(t.Context(), nil, []Signal{busy})
	}
	if !polite.crowded() || full.crowded() {
		t.Errorf("polite: taking turns %v, full: %v", polite.crowded(), full.crowded())
	}
	for range 2 {
		if err := full.turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	full.look(t.Context(), nil, []Signal{verdictOf{Level: Stop, Why: "lag", Hands: 1}})
	if reason, _ := full.report(); reason != "fixed: lag" {
		t.Errorf("reason %q", reason)
	}
}

// verdictOf is a signal that never changes.
type verdictOf Verdict

func (verdictOf) Name() string { return "fixed" }
func (v verdictOf) Check(context.Context, pg.Querier) (Verdict, error) {
	return Verdict(v), nil
}
