package backfill_test

import (
	"context"
	"testing"

	"github.com/replank/replank/backfill"
	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/plan"
)

// fullPages are rows of 200 bytes on pages without room, enough of them that a walk goes over them in passes.
const fullPages = `CREATE TABLE t (id int PRIMARY KEY, old int, other text, new int) WITH (fillfactor = 100, autovacuum_enabled = off);
	INSERT INTO t SELECT g, g, repeat('x', 150) FROM generate_series(1, 60000) g;
	CREATE INDEX ON t (old)`

var fullSpec = plan.FillSpec{Kind: plan.Twin, Table: "public.t", Set: []ddl.Assignment{{Column: "new", Expr: "old + 1"}},
	Guard: "new IS DISTINCT FROM old + 1", Quiet: true, Flag: "replank.fill"}

const (
	unfilled = "SELECT count(*) FROM t WHERE new IS DISTINCT FROM old + 1"
	size     = "SELECT pg_relation_size('t')"
)

// TestInPlace: where the filled column is in no index, most rows stay on their pages and the table hardly grows; where
// it is in one (also of an expression), or where somebody's snapshot keeps pages from being pruned, rows move as they
// must. Every row is filled once in any case.
func TestInPlace(t *testing.T) {
	for name, c := range map[string]struct {
		sql     string
		old     bool // a snapshot
		inPlace bool
	}{
		"free":           {sql: "SELECT", inPlace: true},
		"indexed":        {sql: "CREATE INDEX ON t (new)"},
		"in expression":  {sql: "CREATE INDEX ON t ((new + 1))"},
		"in a predicate": {sql: "CREATE INDEX ON t (other) WHERE new > 0"},
		"old snapshot":   {sql: "SELECT", old: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, fullPages, c.sql, "VACUUM ANALYZE t")
			if c.old {
				conn := pgtest.Connect(t, s.dsn)
				for _, q := range []string{"BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM t"} {
					if _, err := conn.Exec(t.Context(), q); err != nil {
						t.Fatal(err)
					}
				}
			}
			s.exec("CREATE TABLE was AS SELECT pg_relation_size('t') AS n")
			cfg := s.config(fullSpec)
			cfg.Workers = 1 // another one's transaction may keep a page of so small a table from being pruned in time
			rc, err := backfill.Run(t.Context(), cfg)
			s.must(err)
			if rc.Rows != 60000 || rc.Left != 0 {
				t.Errorf("receipt %+v", rc)
			}
			s.want(unfilled, "0")
			grown := s.text("SELECT pg_relation_size('t') < n * 1.5 FROM was")
			if want := map[bool]string{true: "true", false: "false"}[c.inPlace]; grown != want {
				t.Errorf("the table grew by less than half: %s, want %s (%s bytes, %s before)", grown, want, s.text(size), s.text("SELECT n FROM was"))
			}
		})
	}
}

// TestInPlaceResume: an executor that dies in the middle of a window's passes is followed by one that fills every row,
// also when that one finds an index that makes passes pointless.
func TestInPlaceResume(t *testing.T) {
	for name, between := range map[string]string{"the same": "SELECT", "an index since": "CREATE INDEX ON t (new)"} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, fullPages, "VACUUM ANALYZE t")
			cfg := s.config(fullSpec)
			for stage := range int64(4) {
				ctx, kill := context.WithCancel(t.Context())
				cfg.Lease, cfg.OnProgress = s.lease, once(9000*(stage+1), kill)
				_, err := backfill.Run(ctx, cfg)
				kill()
				if err == nil {
					t.Fatal("it ended before it was killed")
				}
				s.want("SELECT count(*) > 0 FROM replank.range WHERE (position->>'pass')::int > 0", "true")
				_ = s.lease.Release(context.Background())
				s.acquire()
			}
			s.exec(between)
			cfg.Lease, cfg.OnProgress = s.lease, nil
			rc, err := backfill.Run(t.Context(), cfg)
			s.must(err)
			if rc.Rows != 60000 || rc.Left != 0 {
				t.Errorf("receipt %+v", rc)
			}
			s.want(unfilled, "0")
		})
	}
}

// TestInPlaceRejected: a row that fails is met in its own pass and in the last one, and is recorded once.
func TestInPlaceRejected(t *testing.T) {
	s := newSite(t, fullPages, "UPDATE t SET old = 2147483647 WHERE id IN (7, 30000)", "VACUUM FULL t", "ANALYZE t")
	rc := s.fill(fullSpec)
	if rc.Rows != 59998 || rc.Rejected != 2 {
		t.Errorf("receipt %+v", rc)
	}
	s.want("SELECT string_agg(key->>'id', ' ' ORDER BY (key->>'id')::int) FROM replank.rejected", "7 30000")
}
