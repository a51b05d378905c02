package backfill_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/backfill"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/walk"
	"github.com/replank/replank/plan"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var machine = journal.Machine{Kind: "test",
	States: []journal.State{{Name: "open"}, {Name: "done", Finished: true}},
	Edges:  map[string][]string{"open": {"done"}}}

// site is a database with a journal, a lease and a run.
type site struct {
	t     testing.TB
	dsn   string
	db    *pg.DB
	j     *journal.Journal
	lease *journal.Lease
	run   int64
	seq   int
}

func newSite(t testing.TB, sql ...string) *site {
	t.Helper()
	return newSiteAt(t, pgtest.DB(t), sql...)
}

func newSiteAt(t testing.TB, dsn string, sql ...string) *site {
	t.Helper()
	s := &site{t: t, dsn: dsn}
	pgtest.Exec(t, s.dsn, sql...)
	s.open(s.dsn)
	err := s.j.Upgrade(t.Context())
	s.must(err)
	s.acquire()
	session, err := s.db.Session(t.Context())
	s.must(err)
	defer session.Close()
	s.must(session.Tx(t.Context(), pg.TxOptions{}, func(tx pgx.Tx) error {
		r, err := s.lease.CreateRun(t.Context(), tx, machine, journal.NewRun{Name: "0001"})
		s.run = r.ID
		return err
	}))
	return s
}

func (s *site) open(dsn string) {
	s.t.Helper()
	db, err := pg.Open(s.t.Context(), pg.Config{DSN: dsn})
	s.must(err)
	s.t.Cleanup(db.Close)
	s.db = db
	s.j, err = journal.Open(s.t.Context(), db, journal.Config{})
	s.must(err)
}

func (s *site) acquire() {
	s.t.Helper()
	lease, err := s.j.Acquire(s.t.Context(), "apply")
	s.must(err)
	s.t.Cleanup(func() { _ = lease.Release(context.Background()) }) // a test may have lost it on purpose
	s.lease = lease
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// config of a new step of the run.
func (s *site) config(spec plan.FillSpec) backfill.Config {
	s.seq++
	return backfill.Config{Journal: s.j, Lease: s.lease, Run: s.run, Step: fmt.Sprintf("%02d-fill", s.seq), Seq: s.seq,
		Spec: spec, Signals: []walk.Signal{}}
}

func (s *site) fill(spec plan.FillSpec) backfill.Receipt {
	s.t.Helper()
	rc, err := backfill.Run(s.t.Context(), s.config(spec))
	s.must(err)
	return rc
}

func (s *site) exec(sql ...string) {
	s.t.Helper()
	pgtest.Exec(s.t, s.dsn, sql...)
}

func (s *site) text(sql string) string {
	s.t.Helper()
	return pgtest.Value[string](s.t, s.dsn, "SELECT coalesce(("+sql+")::text, 'NULL')")
}

func (s *site) want(sql, want string) {
	s.t.Helper()
	if got := s.text(sql); got != want {
		s.t.Errorf("%s\n got %s\nwant %s", sql, got, want)
	}
}

// same compares two tables row by row, as images.
func (s *site) same(a, b string) {
	s.t.Helper()
	digest := func(table string) string {
		return s.text("SELECT count(*) || ' ' || md5(string_agg(x, E'\\n' ORDER BY x)) FROM (SELECT t::text AS x FROM " + table + " t) t")
	}
	if da, db := digest(a), digest(b); da != db {
		s.t.Errorf("%s and %s differ: %s, %s", a, b, da, db)
	}
}
