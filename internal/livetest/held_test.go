package livetest

import (
	"testing"

	"github.com/replank/replank/internal/pgtest"
)

// TestStatementsBehindADeferredChange: what a file says about the new shape of an object must not meet the old one. The
// end is what psql leaves.
func TestStatementsBehindADeferredChange(t *testing.T) {
	const fixture = `CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL, s text NOT NULL); CREATE INDEX t_ab ON t (a, b);
		INSERT INTO t SELECT g, g, g, 'open' FROM generate_series(1, 200) g`
	reader := pgtest.Role(t, "reader", "NOLOGIN")
	for name, tt := range map[string]behind{
		"rename, drop not null":         {sql: "ALTER TABLE t RENAME COLUMN a TO z; ALTER TABLE t ALTER z DROP NOT NULL;"},
		"type, drop not null":           {sql: "ALTER TABLE t ALTER a TYPE bigint, ALTER a DROP NOT NULL;"},
		"rename, comment, grant, alter": {sql: "ALTER TABLE t RENAME COLUMN s TO z; COMMENT ON COLUMN t.z IS 'c'; GRANT UPDATE (z) ON t TO " + reader + "; ALTER TABLE t ALTER z SET STATISTICS 7;"},
		"rename table, grant, comment":  {sql: "ALTER TABLE t RENAME TO u; GRANT SELECT ON u TO " + reader + "; COMMENT ON TABLE u IS 'c';"},
		"drop, add, index, not null":    {sql: "ALTER TABLE t DROP COLUMN s; ALTER TABLE t ADD COLUMN s varchar(10) DEFAULT 'new'; CREATE INDEX t_s ON t (s); ALTER TABLE t ALTER s SET NOT NULL;", refused: "split-file"},
		"type, index over it":           {sql: "ALTER TABLE t ALTER a TYPE bigint; CREATE INDEX t_a ON t (a, id);"},
		"drop, add, update":             {sql: "ALTER TABLE t DROP COLUMN s; ALTER TABLE t ADD COLUMN s text; UPDATE t SET s = 'x';", refused: "split-file"},
		"rename table, update":          {sql: "ALTER TABLE t RENAME TO u; UPDATE u SET a = a + 1;", refused: "split-file"},
		"two types of one index":        {sql: "ALTER TABLE t ALTER a TYPE bigint; ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t ALTER b TYPE bigint;", refused: "held-column"},
		"rename, type":                  {sql: "ALTER TABLE t RENAME COLUMN a TO z; ALTER TABLE t ALTER z TYPE bigint;", refused: "held-column"},
		"rename twice":                  {sql: "ALTER TABLE t RENAME COLUMN a TO y; ALTER TABLE t RENAME COLUMN y TO z;", refused: "held-column"},
	} {
		t.Run(name, func(t *testing.T) { tt.check(t, fixture) })
	}
}
