package livetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
)

// shape is how code of one age writes and reads the value of a row: a number v, whatever the columns make of it. $1 is
// the row's key and $2 the value.
type shape struct {
	table string
	key   string
	cols  string // of the value in an INSERT
	vals  string // for cols, over $2
	set   string // SET list, over $2
	next  string // SET list that adds 1 to the value
	excl  string // SET list of an upsert
	read  string // the value as bigint
}

// scene is a transition with the code of both ages.
type scene struct {
	name     string
	prepare  string // table t with columns owner int and key; further ones as the shapes need
	change   string
	old, new shape
	// gone are the SQLSTATEs of a shape that is not there (yet, or any more).
	gone []string
	// after is the code that works from complete on. Default: new.
	after shape
}

var undefined = []string{"42703", "42P01"} // undefined_column, undefined_table

func column(name, to, from string) shape {
	return shape{table: "t", key: "id", cols: name, vals: fmt.Sprintf(to, "$2::bigint"), set: name + " = " + fmt.Sprintf(to, "$2::bigint"),
		next: name + " = " + fmt.Sprintf(to, fmt.Sprintf(from, "t."+name)+" + 1"), excl: name + " = excluded." + name, read: fmt.Sprintf(from, "t."+name)}
}

var scenes = []scene{
	{name: "rename column", prepare: "CREATE TABLE t (id bigint PRIMARY KEY, owner int, a text NOT NULL DEFAULT 'v0'); CREATE INDEX ON t (a)",
		change: "ALTER TABLE t RENAME COLUMN a TO b;",
		old:    column("a", "('v' || (%s))", "substr(%s, 2)::bigint"), new: column("b", "('v' || (%s))", "substr(%s, 2)::bigint"), gone: undefined},
	{name: "int to bigint", prepare: "CREATE TABLE t (id bigint PRIMARY KEY, owner int, a int DEFAULT 3 CHECK (a > -5)); CREATE INDEX ON t (a)",
		change: "ALTER TABLE t ALTER COLUMN a TYPE bigint;",
		old:    column("a", "(%s)::int", "(%s)::bigint"), new: column("_replank_a", "(%s)", "(%s)::bigint"), gone: undefined, after: column("a", "(%s)::int", "(%s)::bigint")},
	{name: "primary key int to bigint with foreign keys",
		prepare: `CREATE TABLE t (id int PRIMARY KEY, owner int, v bigint);
			CREATE TABLE ch (cid serial PRIMARY KEY, tid int REFERENCES t (id) ON DELETE CASCADE ON UPDATE CASCADE);
			CREATE FUNCTION child() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.ch (tid) VALUES (NEW.id); RETURN NULL; END $$;
			CREATE TRIGGER child AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION child();`,
		change: "ALTER TABLE t ALTER COLUMN id TYPE bigint; ALTER TABLE ch ALTER COLUMN tid TYPE bigint;",
		old:    column("v", "(%s)", "%s"), new: withKey(column("v", "(%s)", "%s"), "_replank_id"), gone: undefined, after: column("v", "(%s)", "%s")},
	{name: "text to int with USING", prepare: "CREATE TABLE t (id bigint PRIMARY KEY, owner int, a text);",
		change: "ALTER TABLE t ALTER COLUMN a TYPE int USING a::int;",
		old:    column("a", "(%s)::text", "(%s)::bigint"), new: column("_replank_a", "(%s)::int", "(%s)::bigint"),
		gone: append([]string{"42804"}, undefined...), after: column("a", "(%s)::int", "(%s)::bigint")},
	{name: "split with inverse", prepare: "CREATE TABLE t (id bigint PRIMARY KEY, owner int, name text NOT NULL DEFAULT '0 n0');",
		change: `ALTER TABLE t ADD COLUMN num text, ADD COLUMN word text;
			-- replank: inverse name = num || ' ' || word
			UPDATE t SET num = split_part(name, ' ', 1), word = split_part(name, ' ', 2);
			ALTER TABLE t DROP COLUMN name;`,
		old: column("name", "(%[1]s) || ' n' || (%[1]s)", "split_part(%s, ' ', 1)::bigint"),
		new: shape{table: "t", key: "id", cols: "num, word", vals: "$2::bigint::text, 'n' || $2::bigint", set: "num = $2::bigint::text, word = 'n' || $2::bigint",
			next: "num = (t.num::bigint + 1)::text, word = 'n' || (t.num::bigint + 1)", excl: "num = excluded.num, word = excluded.word",
			read: "CASE WHEN word = 'n' || num THEN num::bigint ELSE -1 END"}, gone: undefined},
	{name: "set not null with fill", prepare: "CREATE TABLE t (id bigint PRIMARY KEY, owner int, a bigint);",
		change: "-- replank: fill 0\nALTER TABLE t ALTER COLUMN a SET NOT NULL;",
		old:    column("a", "nullif(%s, 0)", "coalesce(%s, 0)"), new: column("a", "%s", "%s"), gone: []string{"23502"}},
	{name: "enum rebuild", prepare: "CREATE TYPE mood AS ENUM ('m0', 'm1', 'm2', 'm3', 'gone'); CREATE TABLE t (id bigint PRIMARY KEY, owner int, a mood DEFAULT 'm0');",
		change: `ALTER TYPE mood RENAME TO mood_old; CREATE TYPE mood AS ENUM ('m0', 'm1', 'm2', 'm3');
			ALTER TABLE t ALTER COLUMN a DROP DEFAULT, ALTER COLUMN a TYPE mood USING a::text::mood, ALTER COLUMN a SET DEFAULT 'm0'; DROP TYPE mood_old;`,
		old:  column("a", "('m' || ((%s) %% 4))::mood", "substr((%s)::text, 2)::bigint"),
		new:  column("_replank_a", "('m' || ((%s) %% 4))::_replank_mood", "substr((%s)::text, 2)::bigint"),
		gone: append([]string{"42704"}, undefined...), after: column("a", "('m' || ((%s) %% 4))::mood", "substr((%s)::text, 2)::bigint")},
	{name: "add column with a volatile default", prepare: "CREATE TABLE t (id bigint PRIMARY KEY, owner int, v bigint);",
		change: "ALTER TABLE t ADD COLUMN r uuid NOT NULL DEFAULT gen_random_uuid();",
		old:    column("v", "(%s)", "%s"), new: shape{table: "t", key: "id", cols: "v, r", vals: "$2::bigint, gen_random_uuid()", set: "v = $2::bigint, r = gen_random_uuid()",
			next: "v = t.v + 1, r = gen_random_uuid()", excl: "v = excluded.v, r = excluded.r", read: "CASE WHEN r IS NULL THEN -1 ELSE t.v END"}, gone: undefined, after: column("v", "(%s)", "%s")},
	{name: "rename table", prepare: "CREATE TABLE t (id bigint PRIMARY KEY, owner int, v bigint DEFAULT 0);",
		change: "ALTER TABLE t RENAME TO u;",
		old:    column("v", "(%s)", "%s"), new: renamed(column("v", "(%s)", "%s"), "u"), gone: undefined},
}

func withKey(s shape, key string) shape { s.key = key; return s }

func renamed(s shape, table string) shape {
	s.table = table
	s.read, s.next = strings.ReplaceAll(s.read, "t.", table+"."), strings.ReplaceAll(s.next, "t.", table+".")
	return s
}

// The phases in the life of a scene. The test sets the phase before it calls the engine, so that a statement which began
// in one phase and failed is judged by that and the phase it ended in.
const (
	before int32 = iota
	applying
	ready
	reverting
	completing
	done
)

// allows reports whether a shape may be missing in a phase.
func (s scene) allows(newShape bool, phase int32) bool {
	if newShape {
		return phase < ready || phase == reverting || phase >= completing && s.after.table != ""
	}
	return phase >= completing
}

// final is the shape after complete.
func (s scene) final() shape {
	if s.after.table != "" {
		return s.after
	}
	return s.new
}

// stuckAfter is when a fleet that commits nothing has failed.
const stuckAfter = time.Minute

const hot = 3 // rows that everybody counts up

// fleet is the application: workers that each own rows and keep a ledger of what they committed.
type fleet struct {
	t       *testing.T
	scene   scene
	dsn     string
	pooled  bool // dsn leads through transaction pooling, where a client keeps nothing from one transaction to the next
	phase   atomic.Int32
	counted [hot]atomic.Int64 // committed increments of the hot rows
	retries atomic.Int64
	cached  atomic.Int64

	mu     sync.Mutex
	moved  *sync.Cond
	ops    [4]int    // transactions committed by each worker in all
	last   [4]string // the last error of each
	failed bool
}

// TestLiveWrites: clients of both ages write and read during every transition and at every isolation level, and no
// committed write is lost, both shapes agree in every snapshot, and no statement fails but with an error that is
// documented and worth a retry.
func TestLiveWrites(t *testing.T) {
	for _, sc := range scenes {
		t.Run(strings.ReplaceAll(sc.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			live(t, sc, nil)
		})
	}
}

// live lets clients work through a scene; pool leads them to the server, nil = directly.
func live(t *testing.T, sc scene, pool func(dsn string) string) {
	s := newSite(t, sc.prepare, sc.change, accept("column-order", "irreversible"))
	f := &fleet{t: t, scene: sc, dsn: s.dsn, pooled: pool != nil}
	if f.pooled {
		f.dsn = pool(s.dsn)
	}
	f.moved = sync.NewCond(&f.mu)
	for i := range hot {
		pgtest.Exec(t, s.dsn, strings.NewReplacer("$1", strconv.Itoa(-1-i), "$2", "0").Replace(
			fmt.Sprintf("INSERT INTO t (%s, owner, %s) VALUES ($1, -1, %s)", sc.old.key, sc.old.cols, sc.old.vals)))
	}
	pgtest.Exec(t, s.dsn, strings.ReplaceAll(fmt.Sprintf("INSERT INTO t (%s, owner, %s) SELECT 1000000 + g, -2, %s FROM generate_series(1, 500) AS g",
		sc.old.key, sc.old.cols, sc.old.vals), "$2", "g"))
	work, stop := context.WithCancel(ctx)
	defer stop()
	var workers sync.WaitGroup
	for i, iso := range []pgx.TxIsoLevel{pgx.ReadCommitted, pgx.RepeatableRead, pgx.Serializable, pgx.ReadCommitted} {
		w := &worker{fleet: f, n: i, iso: iso, simple: i == 3, rows: map[int64]int64{}, rnd: rand.New(rand.NewPCG(7, uint64(i)))}
		w.connect()
		workers.Go(func() { w.run(work) })
	}
	dwell := 8
	if n, err := strconv.Atoi(os.Getenv("REPLANK_LIVE_DWELL")); err == nil {
		dwell = n
	}
	step := func(during int32, what func() error, after int32) {
		t.Helper()
		f.await(dwell)
		f.phase.Store(during)
		if err := what(); err != nil {
			t.Errorf("%v (%s)", err, migrate.HintOf(err))
		}
		f.phase.Store(after)
		f.await(dwell)
	}
	apply := func() error { _, err := s.open().Apply(ctx, s.files); return err }
	finished := ready
	step(applying, apply, ready)
	if s.state() == "done" {
		finished = done // nothing to contract; the new shape may go again by revert
	}
	step(reverting, func() error { _, err := s.open().Revert(ctx, ""); return err }, before)
	step(applying, apply, ready)
	if finished == ready {
		step(completing, func() error {
			_, err := s.open().Complete(ctx, "", migrate.CompleteOptions{NoOldReaders: true})
			return err
		}, done)
	}
	stop()
	workers.Wait()
	if s.state() == "reverted" {
		t.Error("the migration was taken back")
	}
	f.settle(finished)
	t.Logf("transactions %v, retries %d, cached plans %d", f.ops, f.retries.Load(), f.cached.Load())
}

// await returns when every worker has committed n more transactions.
func (f *fleet) await(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	stuck := time.AfterFunc(stuckAfter, func() {
		f.fail("no progress in phase %d: %v transactions, last errors %q", f.phase.Load(), f.ops, f.last)
	})
	defer stuck.Stop()
	goal := f.ops
	for i := range goal {
		goal[i] += n
	}
	for !f.failed && slices.ContainsFunc([]int{0, 1, 2, 3}, func(i int) bool { return f.ops[i] < goal[i] }) {
		f.moved.Wait()
	}
}

func (f *fleet) fail(format string, args ...any) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.failed {
		f.t.Errorf(format, args...)
	}
	f.failed = true
	f.moved.Broadcast()
}

// settle compares the rows that everybody counted up, when all is over.
func (f *fleet) settle(finished int32) {
	sh := f.scene.new
	if finished == ready { // and completed
		sh = f.scene.final()
	}
	for i := range hot {
		want := f.counted[i].Load()
		got := pgtest.Value[int64](f.t, f.dsn, fmt.Sprintf("SELECT %s FROM %s WHERE %s = %d", sh.read, sh.table, sh.key, -1-i))
		if strings.HasPrefix(f.scene.name, "enum") {
			want %= 4
		}
		if got != want {
			f.t.Errorf("row %d was counted up %d times and is %d", -1-i, want, got)
		}
	}
	if n := pgtest.Value[int](f.t, f.dsn, fmt.Sprintf("SELECT count(*) FROM %s WHERE owner = -2", sh.table)); n != 500 {
		f.t.Errorf("%d of 500 rows that nobody touched are there", n)
	}
}

// worker is one client with a connection of its own.
type worker struct {
	*fleet
	n      int
	iso    pgx.TxIsoLevel
	simple bool
	conn   *pgx.Conn
	rows   map[int64]int64 // the ledger: its rows as committed
	serial int64
	rnd    *rand.Rand
	star   int // generation of the prepared SELECT *
}

func (w *worker) connect() {
	cfg, err := pgx.ParseConfig(w.dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	if w.simple {
		cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	}
	if w.conn, err = pgx.ConnectConfig(ctx, cfg); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = w.conn.Close(ctx) })
}

func (w *worker) run(work context.Context) {
	for work.Err() == nil {
		began := w.phase.Load()
		newShape := began == done || began >= ready && began != reverting && w.rnd.IntN(2) == 0
		sh := w.scene.old
		switch {
		case began >= completing && newShape:
			sh = w.scene.final()
		case newShape:
			sh = w.scene.new
		}
		err := w.transaction(sh, began)
		if err == nil {
			w.mu.Lock()
			w.ops[w.n]++
			w.moved.Broadcast()
			w.mu.Unlock()
			continue
		}
		w.mu.Lock()
		w.last[w.n] = err.Error()
		w.mu.Unlock()
		code := sqlstate(err)
		ended := w.phase.Load()
		switch {
		case code == "40001" || code == "40P01":
			w.retries.Add(1)
		case slices.Contains(w.scene.gone, code) && (w.scene.allows(newShape, began) || w.scene.allows(newShape, ended)):
		case code == "0A000" && strings.Contains(err.Error(), "SELECT *"):
			w.cached.Add(1)
		default:
			w.fail("worker %d (%s, new shape %t, phase %d to %d): %v", w.n, w.iso, newShape, began, ended, err)
			return
		}
	}
}

// transaction checks the worker's rows, changes some, and on success writes down what it did.
func (w *worker) transaction(sh shape, phase int32) error {
	tx, err := w.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: w.iso})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a commit it does nothing
	if err := w.look(tx, sh, phase); err != nil {
		return err
	}
	next := maps.Clone(w.rows)
	var counted []int
	for range 1 + w.rnd.IntN(3) {
		n, err := w.write(tx, sh, next)
		if err != nil {
			return err
		}
		counted = append(counted, n...)
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	w.rows = next
	for _, i := range counted {
		w.counted[i].Add(1)
	}
	return nil
}

// look compares the worker's rows with its ledger: nobody else writes them.
func (w *worker) look(tx pgx.Tx, sh shape, phase int32) error {
	sql := fmt.Sprintf("SELECT %s::bigint, %s, NULL::bigint FROM %s WHERE owner = %d", sh.key, sh.read, sh.table, w.n)
	both := phase == ready && w.phase.Load() == ready && w.scene.old.table == w.scene.new.table
	if both {
		sql = fmt.Sprintf("SELECT %s::bigint, %s, %s FROM t WHERE owner = %d", sh.key, w.scene.old.read, w.scene.new.read, w.n)
	}
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return fmt.Errorf("%w\nin: %s", err, sql)
	}
	got := map[int64]int64{}
	var key, value int64
	var other *int64
	_, err = pgx.ForEachRow(rows, []any{&key, &value, &other}, func() error {
		got[key] = value
		if other != nil && *other != value {
			w.fail("row %d: the old shape says %d, the new one %d", key, value, *other)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w\nin: %s", err, sql)
	}
	if !maps.Equal(got, w.rows) {
		w.fail("worker %d (%s, phase %d) wrote %v and reads %v", w.n, w.iso, phase, w.rows, got)
	}
	return w.lookAtStar(tx, sh)
}

// lookAtStar runs a server-prepared SELECT *, which fails once for each change of the shape (RULES 17).
func (w *worker) lookAtStar(tx pgx.Tx, sh shape) error {
	if w.simple || w.pooled || w.rnd.IntN(4) > 0 {
		return nil
	}
	name := fmt.Sprintf("star%d_%s", w.star, sh.table)
	sql := "SELECT * FROM " + sh.table + " WHERE owner = -1"
	if _, err := tx.Prepare(ctx, name, sql); err != nil {
		return fmt.Errorf("%w\nin: prepare %s", err, sql)
	}
	if _, err := tx.Exec(ctx, name); err != nil {
		w.star++ // as a driver would: prepare it again
		return fmt.Errorf("%w\nin: %s", err, sql)
	}
	return nil
}

// write runs one statement, notes what it does in next, and returns which hot rows it counted up.
func (w *worker) write(tx pgx.Tx, sh shape, next map[int64]int64) (counted []int, err error) {
	exec := func(sql string, args ...any) {
		var tag pgconn.CommandTag
		if err != nil {
			return
		}
		if tag, err = tx.Exec(ctx, sql, args...); err != nil {
			err = fmt.Errorf("%w\nin: %s", err, sql)
		} else if tag.RowsAffected() == 0 {
			err = errors.New("no row was written by: " + sql)
		}
	}
	value := w.rnd.Int64N(1000)
	if strings.HasPrefix(w.scene.name, "enum") {
		value %= 4
	}
	keys := slices.SortedFunc(maps.Keys(next), cmp.Compare)
	var key int64
	if len(keys) > 0 {
		key = keys[w.rnd.IntN(len(keys))]
	}
	kind := w.rnd.IntN(8)
	if len(keys) < 3 || len(keys) > 30 && kind < 3 {
		kind = map[bool]int{true: 0, false: 4}[len(keys) < 3]
	}
	insert := fmt.Sprintf("INSERT INTO %s (%s, owner, %s)", sh.table, sh.key, sh.cols)
	switch kind {
	case 0, 1: // insert
		key = w.fresh()
		exec(insert+fmt.Sprintf(" VALUES ($1, %d, %s)", w.n, sh.vals), key, value)
		next[key] = value
	case 2: // several rows
		key = w.fresh()
		exec(insert+fmt.Sprintf(" SELECT $1::bigint + g, %d, %s FROM generate_series(0, 2) AS g", w.n, sh.vals), key, value)
		for i := range int64(3) {
			next[key+i] = value
		}
	case 3: // upsert, of a row that is there or not
		if w.rnd.IntN(2) == 0 {
			key = w.fresh()
		}
		exec(insert+fmt.Sprintf(" VALUES ($1, %d, %s) ON CONFLICT (%s) DO UPDATE SET %s", w.n, sh.vals, sh.key, sh.excl), key, value)
		next[key] = value
	case 4: // delete
		exec(fmt.Sprintf("DELETE FROM %s WHERE %s = $1", sh.table, sh.key), key)
		delete(next, key)
	case 5: // update
		exec(fmt.Sprintf("UPDATE %s SET %s WHERE %s = $1", sh.table, sh.set, sh.key), key, value)
		next[key] = value
	case 6: // update several rows
		exec(fmt.Sprintf("UPDATE %s SET %s WHERE owner = %d AND %s >= $1", sh.table, sh.set, w.n, sh.key), key, value)
		for _, k := range keys {
			if k >= key {
				next[k] = value
			}
		}
	case 7: // count up a row that everybody counts up
		i := w.rnd.IntN(hot)
		exec(fmt.Sprintf("UPDATE %s SET %s WHERE %s = $1", sh.table, sh.next, sh.key), int64(-1-i))
		counted = append(counted, i)
	}
	return counted, err
}

// fresh is a key that nobody else uses.
func (w *worker) fresh() int64 {
	w.serial += 3
	return int64(w.n+1)*10_000_000 + w.serial
}
