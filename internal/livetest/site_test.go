package livetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
)

var ctx = context.Background()

func TestMain(m *testing.M) { pgtest.Main(m) }

// site is a database with the migration that is to be carried out on it.
type site struct {
	t     testing.TB
	dsn   string
	files []history.Migration
	cfg   []func(*migrate.Config)
}

// newSite makes a database, prepares it, and holds one migration for it. A run has every second of these tests, the
// next major has the others.
func newSite(t testing.TB, prepare, migration string, cfg ...func(*migrate.Config)) *site {
	t.Helper()
	pgtest.Share(t, 2)
	return siteOn(t, pgtest.DB(t), prepare, migration, cfg...)
}

func siteOn(t testing.TB, dsn, prepare, migration string, cfg ...func(*migrate.Config)) *site {
	t.Helper()
	pgtest.Exec(t, dsn, prepare)
	path := filepath.Join(t.TempDir(), "0001_change.sql")
	if err := os.WriteFile(path, []byte(migration), 0o644); err != nil {
		t.Fatal(err)
	}
	ms, err := history.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return &site{t: t, dsn: dsn, files: ms, cfg: cfg}
}

func accept(classes ...string) func(*migrate.Config) {
	return func(c *migrate.Config) { c.Accept = classes }
}

// open opens an engine for which every table is big.
func (s *site) open(cfg ...func(*migrate.Config)) *migrate.Engine {
	s.t.Helper()
	c := migrate.Config{DSN: s.dsn, BigRows: -1, BigBytes: -1}
	for _, f := range append(s.cfg, cfg...) {
		f(&c)
	}
	e, err := migrate.Open(ctx, c)
	if err != nil {
		s.t.Fatalf("open: %v", err)
	}
	s.t.Cleanup(e.Close)
	return e
}

// apply carries the migration to where its plan ends: ready, or done when nothing is left for complete.
func (s *site) apply() *site {
	s.t.Helper()
	if _, err := s.open().Apply(ctx, s.files); err != nil {
		s.t.Fatalf("apply: %v (%s)", err, migrate.HintOf(err))
	}
	return s
}

func (s *site) complete() {
	s.t.Helper()
	if _, err := s.open().Complete(ctx, "", migrate.CompleteOptions{NoOldReaders: true}); err != nil {
		s.t.Fatalf("complete: %v (%s)", err, migrate.HintOf(err))
	}
}

func (s *site) revert() {
	s.t.Helper()
	if _, err := s.open().Revert(ctx, ""); err != nil {
		s.t.Fatalf("revert: %v (%s)", err, migrate.HintOf(err))
	}
}

// state is where the newest run is.
func (s *site) state() string {
	s.t.Helper()
	return pgtest.Value[string](s.t, s.dsn, "SELECT coalesce((SELECT state FROM replank.run ORDER BY id DESC LIMIT 1), '')")
}

// sqlstate is the SQLSTATE of an error, "" for none.
func sqlstate(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
