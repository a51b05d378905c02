package livetest

import (
	"errors"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

// TestMarkedBackfill: `-- replank: backfill` says what SQL cannot. Whatever it marks is carried out in ranges, however
// small its table is and whoever made it, or not at all.
func TestMarkedBackfill(t *testing.T) {
	const mark = "-- replank: backfill\n"
	const prepare = `CREATE TABLE src (id int PRIMARY KEY, v int); INSERT INTO src SELECT g, g FROM generate_series(1, 100) g;
		CREATE TABLE nokey (v int); INSERT INTO nokey SELECT g FROM generate_series(1, 100) g; ANALYZE`
	small := func(c *migrate.Config) { c.BigRows, c.BigBytes = 0, 0 }
	for _, tt := range []struct {
		name, before, sql string
		refused           bool // with the mark
		proof             string
	}{
		{name: "update", sql: "UPDATE src SET v = v + 1", proof: "SELECT sum(v) = 5150 FROM src"},
		{name: "delete", sql: "DELETE FROM src WHERE v > 50", proof: "SELECT count(*) = 50 FROM src"},
		{name: "into a table of the file", before: "CREATE TABLE copy (id int PRIMARY KEY, v int);\n",
			sql: "INSERT INTO copy SELECT id, v FROM src", proof: "SELECT count(*) = 100 FROM copy"},
		{name: "without a key", sql: "UPDATE nokey SET v = v + 1", refused: true, proof: "SELECT sum(v) = 5150 FROM nokey"},
		{name: "other rows of the target", sql: "DELETE FROM src a WHERE EXISTS (SELECT FROM src b WHERE b.id = a.id - 1 AND b.v > 98)",
			refused: true, proof: "SELECT count(*) = 99 FROM src"},
		{name: "values", sql: "INSERT INTO src VALUES (0, 0)", refused: true, proof: "SELECT count(*) = 101 FROM src"},
		{name: "no rows at all", sql: "ALTER TABLE src ADD COLUMN w int", refused: true, proof: "SELECT count(w) = 0 FROM src"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, prepare, tt.before+mark+tt.sql+";", small)
			p, err := s.open().Plan(ctx, s.files)
			if err != nil {
				t.Fatal(err)
			}
			if !tt.refused {
				if last := p.Files[0].Plan.Steps[len(p.Files[0].Plan.Steps)-1]; last.Kind != plan.Rows {
					t.Errorf("the step is %s", last.Kind)
				}
				s.apply()
				if !pgtest.Value[bool](t, s.dsn, tt.proof) {
					t.Error("it was not done")
				}
				s.revert()
				if !pgtest.Value[bool](t, s.dsn, "SELECT count(*) = 100 AND sum(v) = 5050 AND to_regclass('copy') IS NULL FROM src") {
					t.Error("it was not taken back")
				}
				return
			}
			var r *plan.Refusal
			if !errors.As(p.Err(), &r) || r.Code != "whole-statement" {
				t.Errorf("with the mark: %v", p.Err())
			}
			s = newSite(t, prepare, tt.sql+";", small).apply()
			if !pgtest.Value[bool](t, s.dsn, tt.proof) {
				t.Error("without the mark it was not done")
			}
		})
	}
}
