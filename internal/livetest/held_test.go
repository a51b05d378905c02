package livetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

// TestStatementsBehindADeferredChange: what a file says about the new shape of an object must not meet the old one. The
// end is what psql leaves.
func TestStatementsBehindADeferredChange(t *testing.T) {
	const fixture = `CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL, s text NOT NULL); CREATE INDEX t_ab ON t (a, b);
		INSERT INTO t SELECT g, g, g, 'open' FROM generate_series(1, 200) g`
	reader := pgtest.Role(t, "reader", "NOLOGIN")
	for name, tt := range map[string]struct {
		sql     string
		refused string
	}{
		"rename, drop not null":         {"ALTER TABLE t RENAME COLUMN a TO z; ALTER TABLE t ALTER z DROP NOT NULL;", ""},
		"type, drop not null":           {"ALTER TABLE t ALTER a TYPE bigint, ALTER a DROP NOT NULL;", ""},
		"rename, comment, grant, alter": {"ALTER TABLE t RENAME COLUMN s TO z; COMMENT ON COLUMN t.z IS 'c'; GRANT UPDATE (z) ON t TO " + reader + "; ALTER TABLE t ALTER z SET STATISTICS 7;", ""},
		"rename table, grant, comment":  {"ALTER TABLE t RENAME TO u; GRANT SELECT ON u TO " + reader + "; COMMENT ON TABLE u IS 'c';", ""},
		"drop, add, index, not null":    {"ALTER TABLE t DROP COLUMN s; ALTER TABLE t ADD COLUMN s varchar(10) DEFAULT 'new'; CREATE INDEX t_s ON t (s); ALTER TABLE t ALTER s SET NOT NULL;", "split-file"},
		"type, index over it":           {"ALTER TABLE t ALTER a TYPE bigint; CREATE INDEX t_a ON t (a, id);", ""},
		"drop, add, update":             {"ALTER TABLE t DROP COLUMN s; ALTER TABLE t ADD COLUMN s text; UPDATE t SET s = 'x';", "split-file"},
		"rename table, update":          {"ALTER TABLE t RENAME TO u; UPDATE u SET a = a + 1;", "split-file"},
		"two types of one index":        {"ALTER TABLE t ALTER a TYPE bigint; ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t ALTER b TYPE bigint;", "held-column"},
		"rename, type":                  {"ALTER TABLE t RENAME COLUMN a TO z; ALTER TABLE t ALTER z TYPE bigint;", "held-column"},
		"rename twice":                  {"ALTER TABLE t RENAME COLUMN a TO y; ALTER TABLE t RENAME COLUMN y TO z;", "held-column"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, fixture, tt.sql, accept("column-order", "irreversible"))
			before := pgtest.Dump(t, s.dsn)
			_, err := s.open().Apply(ctx, s.files)
			var refused *plan.Refusal
			switch {
			case tt.refused != "":
				if !errors.As(err, &refused) || refused.Code != tt.refused {
					t.Fatalf("apply: %v, want %s", err, tt.refused)
				}
				if d := pgtest.Diff(before, pgtest.Dump(t, s.dsn)); d != "" {
					t.Error(d)
				}
				return
			case err != nil:
				t.Fatalf("apply: %v (%s)", err, migrate.HintOf(err))
			}
			s.complete()
			oracle := pgtest.DB(t)
			pgtest.Exec(t, oracle, fixture)
			if out, err := pgtest.Psql(t, oracle, tt.sql); err != nil {
				t.Fatalf("psql: %v\n%s", err, strings.TrimSpace(out))
			}
			pgtest.SameShape(t, oracle, s.dsn, pgtest.IgnoreColumnOrder())
			pgtest.SameData(t, oracle, s.dsn)
		})
	}
}
