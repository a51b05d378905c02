package oracle_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
)

// TestScale: 5,000 statements over 500 tables, and twenty migrations, each of which breaks ten. Most of it must not be
// prepared more than once.
func TestScale(t *testing.T) {
	dsn := pgtest.DB(t)
	var sql strings.Builder
	for i := range 500 {
		fmt.Fprintf(&sql, "CREATE TABLE t%d (id int PRIMARY KEY, a text, b numeric, c timestamptz, t%[1]d_next int);\n", i)
	}
	pgtest.Exec(t, dsn, sql.String())
	snap := take(t, dsn)
	for i := range 5000 {
		n := i % 500
		text := fmt.Sprintf("SELECT t.a, t.b + $1 AS v%d, count(*) FROM t%d t JOIN t%d u ON u.id = t.t%[2]d_next WHERE t.c > now() - interval $2 AND u.b > $3 GROUP BY 1, 2",
			i/500, n, (n+7)%500)
		if i/500 == 3 {
			text += " HAVING concat($4, max(t.a)) > $5" // whose parameter has no type
		}
		snap.Workload.Statements = append(snap.Workload.Statements, ddl.LiveStatement{QueryID: int64(i), Text: text, Calls: int64(i)})
	}
	c := clone(t, snap)
	var ms []history.Migration
	for i := range 20 {
		ms = append(ms, history.Migration{Name: fmt.Sprintf("m%02d", i), Path: "m.sql", Text: fmt.Sprintf("ALTER TABLE t%d DROP COLUMN t%[1]d_next;", i*20)})
	}
	began := time.Now()
	j, err := c.Workload(context.Background(), ms)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d judged in %s", j.Judged, time.Since(began))
	if j.Judged != 5000 || len(j.Broken) != 200 || len(j.Unjudged) > 0 || len(j.Changed) > 0 {
		t.Errorf("%d judged, %d broken, %d changed, could not judge %v", j.Judged, len(j.Broken), len(j.Changed), j.Unjudged[:min(3, len(j.Unjudged))])
	}
}
