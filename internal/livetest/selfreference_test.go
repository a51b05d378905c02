package livetest

import (
	"errors"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

// TestRowsThatReferToOneAnother: what a foreign key of a table to itself makes of a statement depends on the rows that go
// together, so the statement runs whole or not at all.
func TestRowsThatReferToOneAnother(t *testing.T) {
	tree := func(action string) string {
		return "CREATE TABLE t (id int PRIMARY KEY, code text UNIQUE, up int REFERENCES t " + action + ", upcode text REFERENCES t (code)); CREATE INDEX ON t (up);" +
			"INSERT INTO t SELECT g, 'c' || g, nullif(g / 2, 0), 'c' || nullif(g / 2, 0) FROM generate_series(1, 5000) g;"
	}
	for name, tt := range map[string]struct {
		prepare, sql string
		whole        bool
	}{
		"no action":                {tree(""), "DELETE FROM t WHERE id > 1;", true},
		"set null":                 {"CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t ON DELETE SET NULL); INSERT INTO t SELECT g, nullif(g - 1, 0) FROM generate_series(1, 1000) g", "DELETE FROM t WHERE up IS NOT NULL;", true},
		"cascade":                  {"CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t ON DELETE CASCADE); INSERT INTO t SELECT g, nullif(g / 2, 0) FROM generate_series(1, 5000) g", "DELETE FROM t WHERE id > 1;", false},
		"update of what refers":    {tree(""), "UPDATE t SET up = NULL WHERE id > 1;", false},
		"update of what is of it":  {tree(""), "UPDATE t SET code = 'd' || id, upcode = 'd' || nullif(id / 2, 0);", true},
		"update of another column": {"CREATE TABLE t (id int PRIMARY KEY, n int, up int REFERENCES t); INSERT INTO t SELECT g, 0, nullif(g / 2, 0) FROM generate_series(1, 5000) g", "UPDATE t SET n = 1;", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, tt.prepare, tt.sql, accept("irreversible"))
			_, err := s.open().Apply(ctx, s.files)
			var refused *plan.Refusal
			if whole := errors.As(err, &refused) && refused.Code == "whole-statement"; whole != tt.whole || err != nil && !whole {
				t.Fatalf("apply: %v, want refused: %v", err, tt.whole)
			}
			if tt.whole {
				if _, err := s.open(func(c *migrate.Config) { c.BigRows, c.BigBytes = 1_000_000, 1<<30 }).Apply(ctx, s.files); err != nil {
					t.Fatalf("apply to a small table: %v (%s)", err, migrate.HintOf(err))
				}
			}
			oracle := pgtest.DB(t)
			pgtest.Exec(t, oracle, tt.prepare, tt.sql)
			pgtest.SameData(t, oracle, s.dsn)
		})
	}
}
