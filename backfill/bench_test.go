package backfill_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/replank/replank/backfill"
	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/plan"
)

// BenchmarkFill compares one big UPDATE with twin fills and a user's UPDATE by one and two workers: rows of 200 bytes,
// two secondary indexes, fillfactor 100. REPLANK_BENCH_ROWS sets the size (500000).
func BenchmarkFill(b *testing.B) {
	rows := 500_000
	if n, err := strconv.Atoi(os.Getenv("REPLANK_BENCH_ROWS")); err == nil {
		rows = n
	}
	own := pgtest.Own(b, map[string]string{"synchronous_commit": "on", "fsync": "on", "full_page_writes": "on",
		"shared_buffers": "512MB", "max_wal_size": "4GB"})
	for _, c := range []struct {
		name    string
		workers int
		spec    plan.FillSpec
	}{
		{"plain", 0, plan.FillSpec{}},
		{"twin-1", 1, plan.FillSpec{Kind: plan.Twin, Guard: "m IS NULL", Quiet: true}},
		{"twin-2", 2, plan.FillSpec{Kind: plan.Twin, Guard: "m IS NULL", Quiet: true}},
		{"key-1", 1, plan.FillSpec{Kind: plan.Update, Key: []string{"id"}}},
		{"key-2", 2, plan.FillSpec{Kind: plan.Update, Key: []string{"id"}}},
		{"key-undo-2", 2, plan.FillSpec{Kind: plan.Update, Key: []string{"id"}, Undo: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				s := newSiteAt(b, pgtest.DB(b, pgtest.On(own)), `CREATE TABLE t (id bigint PRIMARY KEY, a int, b text, n int, m bigint, pad text);
					INSERT INTO t SELECT g, g % 1000, md5(g::text), g, NULL, repeat('x', 130) FROM generate_series(1, `+strconv.Itoa(rows)+`) g;
					CREATE INDEX ON t (a); CREATE INDEX ON t (b)`, "VACUUM ANALYZE t", "CHECKPOINT")
				before := s.text("SELECT pg_current_wal_lsn()")
				b.StartTimer()
				began := time.Now()
				if c.workers == 0 {
					s.exec("UPDATE t SET m = n + 1")
				} else {
					spec := c.spec
					spec.Table, spec.Set = "public.t", []ddl.Assignment{{Column: "m", Expr: "n + 1"}}
					cfg := s.config(spec)
					cfg.Workers = c.workers
					rc, err := backfill.Run(b.Context(), cfg)
					s.must(err)
					if rc.Rows != int64(rows) {
						b.Fatalf("receipt %+v", rc)
					}
					b.ReportMetric(float64(rc.Ranges), "ranges")
				}
				b.ReportMetric(float64(rows)/time.Since(began).Seconds(), "rows/s")
				b.StopTimer()
				wal, _ := strconv.ParseFloat(s.text("SELECT pg_current_wal_lsn() - '"+before+"'"), 64)
				b.ReportMetric(wal/float64(rows), "WAL-B/row")
				size, _ := strconv.ParseFloat(s.text("SELECT pg_total_relation_size('t')"), 64)
				b.ReportMetric(size/1e6, "MB")
				s.want("SELECT count(*) FROM t WHERE m IS DISTINCT FROM n + 1", "0")
			}
		})
	}
}
