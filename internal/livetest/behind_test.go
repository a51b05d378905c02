package livetest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

// behind is a file that says one thing and then another about the same object.
type behind struct {
	prepare string
	sql     string
	refused string // code of the refusal; the database is left as it was
	oracle  string // what psql has to run where it refuses sql
	cfg     []func(*migrate.Config)
}

func (tt behind) check(t *testing.T, fixture string) {
	t.Helper()
	pgtest.Share(t, 4)
	t.Parallel()
	s := newSite(t, fixture+";\n"+tt.prepare, tt.sql, append(tt.cfg, accept("column-order", "irreversible", "subscribers"))...)
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
	switch _, err := s.open().Revert(ctx, ""); {
	case err == nil:
		if d := pgtest.Diff(before, pgtest.Dump(t, s.dsn)); d != "" {
			t.Errorf("revert: %s", d)
		}
		s.apply()
	case !strings.Contains(err.Error(), "cannot be taken back any more"):
		t.Errorf("revert: %v (%s)", err, migrate.HintOf(err))
	}
	s.complete()
	oracle := pgtest.DB(t)
	pgtest.Exec(t, oracle, fixture, tt.prepare)
	sql := tt.oracle
	if sql == "" {
		sql = tt.sql
	}
	if out, err := pgtest.Psql(t, oracle, sql); err != nil {
		t.Fatalf("psql: %v\n%s", err, strings.TrimSpace(out))
	}
	pgtest.SameShape(t, oracle, s.dsn, pgtest.IgnoreColumnOrder())
	pgtest.SameData(t, oracle, s.dsn)
	// What complete has not made irreversible goes back even then.
	switch _, err := s.open().Revert(ctx, ""); {
	case err == nil:
		if d := pgtest.Diff(before, pgtest.Dump(t, s.dsn)); d != "" {
			t.Errorf("revert after complete: %s", d)
		}
	case !strings.Contains(err.Error(), "cannot be taken back any more"):
		t.Errorf("revert after complete: %v (%s)", err, migrate.HintOf(err))
	}
}

const behindFixture = `CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL CONSTRAINT chk CHECK (a > 0), b int NOT NULL, s text NOT NULL CONSTRAINT s_check CHECK (s <> ''));
	CREATE UNIQUE INDEX t_b ON t (b); CREATE INDEX t_a ON t (a); CREATE INDEX t_s ON t (s);
	ALTER TABLE t ADD CONSTRAINT t_ab_key UNIQUE (a, b);
	CREATE TABLE u (id int PRIMARY KEY, t_id int CONSTRAINT u_t REFERENCES t, x int, y int);
	INSERT INTO t SELECT g, g, g, 'open' FROM generate_series(1, 200) g;
	INSERT INTO u SELECT g, g, g, g FROM generate_series(1, 200) g`

// TestDependentsOfAColumnInTwoShapes: whatever stands on a column, before the file or by it, stands on the new one after
// complete.
func TestDependentsOfAColumnInTwoShapes(t *testing.T) {
	const typ = "ALTER TABLE t ALTER a TYPE bigint; "
	for name, tt := range map[string]behind{
		"policy of another table": {prepare: "CREATE POLICY p ON u USING (EXISTS (SELECT FROM t WHERE t.a = u.x)); COMMENT ON POLICY p ON u IS 'c'", sql: typ,
			oracle: "DROP POLICY p ON u; " + typ + "CREATE POLICY p ON u USING (EXISTS (SELECT FROM t WHERE t.a = u.x)); COMMENT ON POLICY p ON u IS 'c'"},
		"policy through a view": {prepare: "CREATE VIEW v AS SELECT a FROM t; CREATE POLICY p ON u USING (EXISTS (SELECT FROM v WHERE v.a = u.x))", sql: typ,
			oracle: "DROP POLICY p ON u; DROP VIEW v; " + typ + "CREATE VIEW v AS SELECT a FROM t; CREATE POLICY p ON u USING (EXISTS (SELECT FROM v WHERE v.a = u.x))"},
		"rule of a view": {prepare: "CREATE VIEW v AS SELECT a FROM t; CREATE RULE r AS ON INSERT TO v DO INSTEAD NOTHING; COMMENT ON RULE r ON v IS 'c'", sql: typ,
			oracle: "DROP VIEW v; " + typ + "CREATE VIEW v AS SELECT a FROM t; CREATE RULE r AS ON INSERT TO v DO INSTEAD NOTHING; COMMENT ON RULE r ON v IS 'c'"},
		"rule of a view on the table": {prepare: "CREATE VIEW v AS SELECT a, s FROM t; CREATE RULE r AS ON UPDATE TO v DO INSTEAD UPDATE t SET s = NEW.s WHERE a = OLD.a", sql: typ,
			oracle: "DROP VIEW v; " + typ + "CREATE VIEW v AS SELECT a, s FROM t; CREATE RULE r AS ON UPDATE TO v DO INSTEAD UPDATE t SET s = NEW.s WHERE a = OLD.a"},
		"row type of a view":             {prepare: "CREATE VIEW v AS SELECT a FROM t; CREATE TABLE w (r v)", sql: typ, refused: "dependent-column"},
		"foreign key to it":              {sql: "ALTER TABLE t ALTER id TYPE bigint; CREATE TABLE c (t_id bigint REFERENCES t (id));"},
		"foreign key to the key":         {sql: "ALTER TABLE t ALTER id TYPE bigint; CREATE TABLE c (t_id bigint REFERENCES t); CREATE INDEX c_t ON c (t_id);"},
		"foreign key, renamed":           {sql: "ALTER TABLE t RENAME id TO nr; CREATE TABLE c (t_id int REFERENCES t (nr));"},
		"foreign key, renamed table":     {sql: "ALTER TABLE t RENAME TO tt; CREATE TABLE c (t_id int REFERENCES tt);"},
		"add foreign key to the key":     {sql: "ALTER TABLE t ALTER id TYPE bigint; ALTER TABLE u ADD CONSTRAINT u_x FOREIGN KEY (x) REFERENCES t;"},
		"column with a foreign key":      {sql: "ALTER TABLE t ALTER id TYPE bigint; ALTER TABLE u ADD COLUMN z bigint REFERENCES t;"},
		"foreign key, renamed, to it":    {sql: "ALTER TABLE t RENAME id TO nr; ALTER TABLE u ADD CONSTRAINT u_x FOREIGN KEY (x) REFERENCES t (nr);"},
		"foreign key to a renamed table": {sql: "ALTER TABLE t RENAME TO tt; ALTER TABLE u ADD CONSTRAINT u_x FOREIGN KEY (x) REFERENCES tt;"},
		"moved table":                    {prepare: "CREATE SCHEMA z", sql: "ALTER TABLE t SET SCHEMA z; CREATE VIEW v AS SELECT a FROM z.t; CREATE TABLE c (id int REFERENCES z.t); COMMENT ON TABLE z.t IS 'c'; ALTER TABLE u ADD CONSTRAINT u_x FOREIGN KEY (x) REFERENCES z.t;"},
		"like":                           {sql: typ + "CREATE TABLE c (LIKE t INCLUDING ALL); CREATE INDEX c_i ON c (a); INSERT INTO c (id, a, b, s) VALUES (1, 1, 1, 'x');"},
		"like of a renamed table":        {sql: "ALTER TABLE t RENAME TO tt; CREATE TABLE c (LIKE tt);"},
		"create table as":                {sql: typ + "CREATE TABLE c AS SELECT a, id FROM t; COMMENT ON TABLE c IS 'c';"},
		"create table as, all":           {sql: "ALTER TABLE t RENAME a TO z; CREATE TABLE c AS SELECT * FROM t WHERE id < 10; COMMENT ON TABLE c IS 'c';"},
		"view, said more of":             {sql: typ + "CREATE VIEW v AS SELECT a FROM t; COMMENT ON VIEW v IS 'c'; ALTER VIEW v ALTER a SET DEFAULT 3; CREATE VIEW w AS SELECT * FROM v;"},
		"materialized view":              {sql: typ + "CREATE MATERIALIZED VIEW v AS SELECT a FROM t; CREATE INDEX v_a ON v (a); REFRESH MATERIALIZED VIEW v;"},
		"policy":                         {sql: typ + "CREATE POLICY p ON t USING (a > 0); COMMENT ON POLICY p ON t IS 'c'; CREATE POLICY q ON u USING (EXISTS (SELECT FROM t WHERE a = x));"},
		"rule, statistics":               {sql: typ + "CREATE STATISTICS st ON a, b FROM t; CREATE RULE r AS ON UPDATE TO u WHERE NEW.x = 0 DO ALSO UPDATE t SET a = 1 WHERE a = 2;"},
		"function":                       {sql: typ + "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT max(a) FROM t; END; COMMENT ON FUNCTION f() IS 'c';"},
		"drop check":                     {sql: typ + "ALTER TABLE t DROP CONSTRAINT chk;"},
		"rename check":                   {sql: typ + "ALTER TABLE t RENAME CONSTRAINT chk TO chk2; COMMENT ON CONSTRAINT chk2 ON t IS 'c';"},
		"drop, add check":                {sql: typ + "ALTER TABLE t DROP CONSTRAINT chk; ALTER TABLE t ADD CONSTRAINT chk CHECK (a > -1);", refused: "split-file"},
		"drop unique":                    {sql: typ + "ALTER TABLE t DROP CONSTRAINT t_ab_key;"},
		"rename unique, index, cluster":  {sql: typ + "ALTER TABLE t RENAME CONSTRAINT t_ab_key TO k; ALTER INDEX t_a RENAME TO t_a2; CLUSTER t USING t_a2;", refused: "blocking"},
		"rename unique, index, comments": {sql: typ + "ALTER TABLE t RENAME CONSTRAINT t_ab_key TO k; ALTER INDEX t_a RENAME TO t_a2; ALTER TABLE t CLUSTER ON t_a2; COMMENT ON INDEX t_a2 IS 'c'; ALTER INDEX t_a2 SET (fillfactor = 70);"},
		"drop index":                     {sql: typ + "DROP INDEX t_a;"},
		"drop foreign key":               {sql: "ALTER TABLE t ALTER id TYPE bigint; ALTER TABLE u DROP CONSTRAINT u_t;"},
		"rename foreign key":             {sql: "ALTER TABLE t ALTER id TYPE bigint; ALTER TABLE u RENAME CONSTRAINT u_t TO u_t2; COMMENT ON CONSTRAINT u_t2 ON u IS 'c';"},
		"said before": {prepare: "CREATE STATISTICS st0 ON a, s FROM t",
			sql: "COMMENT ON COLUMN t.a IS 'c'; CREATE STATISTICS st ON a, b FROM t; COMMENT ON STATISTICS st0 IS 'd'; COMMENT ON INDEX t_a IS 'e'; COMMENT ON CONSTRAINT chk ON t IS 'f'; GRANT SELECT (a) ON t TO PUBLIC; " + typ},
		"views made again": {prepare: "CREATE VIEW v AS SELECT a FROM t", sql: typ + "COMMENT ON VIEW v IS 'c'; ALTER VIEW v RENAME TO w;",
			oracle: "DROP VIEW v; " + typ + "CREATE VIEW w AS SELECT a FROM t; COMMENT ON VIEW w IS 'c'"},
		"trigger made again": {prepare: "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER tr BEFORE UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION tf()",
			sql:    typ + "ALTER TABLE t DISABLE TRIGGER tr; COMMENT ON TRIGGER tr ON t IS 'c';",
			oracle: "DROP TRIGGER tr ON t; " + typ + "CREATE TRIGGER tr BEFORE UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION tf(); ALTER TABLE t DISABLE TRIGGER tr; COMMENT ON TRIGGER tr ON t IS 'c'"},
	} {
		t.Run(name, func(t *testing.T) { tt.check(t, behindFixture) })
	}
}

// TestNamesThatComeFree: a name whose object goes only at complete is free for the rest of the file, as psql has it.
func TestNamesThatComeFree(t *testing.T) {
	for name, tt := range map[string]behind{
		"unique constraint":         {sql: "ALTER TABLE t DROP CONSTRAINT t_ab_key; ALTER TABLE t ADD CONSTRAINT t_ab_key UNIQUE (b, a);"},
		"unnamed unique constraint": {sql: "ALTER TABLE t DROP CONSTRAINT t_pkey CASCADE; ALTER TABLE t ADD PRIMARY KEY (b);"},
		"index":                     {sql: "DROP INDEX t_a; CREATE INDEX t_a ON t (a, b);"},
		"primary key from an index": {prepare: "CREATE UNIQUE INDEX t_new ON t (b)", sql: "ALTER TABLE t DROP CONSTRAINT t_pkey CASCADE; ALTER TABLE t ADD CONSTRAINT t_pkey PRIMARY KEY USING INDEX t_new;"},
		"index of partitions": {prepare: "CREATE TABLE p (id int, k int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); CREATE INDEX pi ON p (k); INSERT INTO p VALUES (1, 1)",
			sql: "DROP INDEX pi; CREATE INDEX pi ON p (k, id); CREATE INDEX ON p (k);"},
		"unique of partitions": {prepare: "CREATE TABLE p (id int, k int, UNIQUE (id, k)) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); INSERT INTO p VALUES (1, 1)",
			sql: "ALTER TABLE p DROP CONSTRAINT p_id_k_key; ALTER TABLE p ADD UNIQUE (id, k);"},
		"foreign key of a dropped column": {sql: "ALTER TABLE u DROP COLUMN t_id; ALTER TABLE u ADD CONSTRAINT u_t FOREIGN KEY (x) REFERENCES t;"},
		"serial of a dropped column":      {prepare: "ALTER TABLE u ADD COLUMN n serial", sql: "ALTER TABLE u DROP COLUMN n; CREATE SEQUENCE u_n_seq START 7;"},
		"unnamed index":                   {prepare: "CREATE INDEX ON t (a, s)", sql: "DROP INDEX t_a_s_idx; CREATE INDEX ON t (a, s) WHERE b > 0;"},
		"index of a dropped column":       {sql: "ALTER TABLE t DROP COLUMN a; CREATE INDEX t_a ON t (b, s);"},
		"check of a dropped column":       {sql: "ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD CONSTRAINT chk CHECK (b > 0);"},
		"unique of a dropped column":      {sql: "ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD CONSTRAINT t_ab_key UNIQUE (b, s);"},
		"constraint of a dropped unique":  {sql: "ALTER TABLE t DROP CONSTRAINT t_ab_key; ALTER TABLE t RENAME CONSTRAINT chk TO t_ab_key;"},
		"index renamed":                   {sql: "DROP INDEX t_a; ALTER INDEX t_s RENAME TO t_a;"},
		"column renamed away":             {sql: "ALTER TABLE t RENAME a TO z; ALTER TABLE t ADD COLUMN a text;"},
		"columns change names":            {sql: "ALTER TABLE t RENAME a TO z; ALTER TABLE t RENAME b TO a; ALTER TABLE t RENAME z TO b;", refused: "held-column"},
		"column takes a name":             {sql: "ALTER TABLE t RENAME a TO z; ALTER TABLE t RENAME b TO a;"},
		"column takes a name, update":     {sql: "ALTER TABLE t RENAME a TO z; ALTER TABLE t RENAME b TO a; UPDATE t SET a = 5;", refused: "split-file"},
		"index, then a type":              {sql: "DROP INDEX t_a; CREATE INDEX t_a ON t (b); ALTER TABLE t ALTER b TYPE bigint;", refused: "held-column"},
		"unique, then a type":             {sql: "ALTER TABLE t DROP CONSTRAINT t_ab_key; ALTER TABLE t ADD CONSTRAINT t_ab_key UNIQUE (s, id); ALTER TABLE t ALTER id TYPE bigint;", refused: "held-column"},
		"check, then a type":              {sql: "ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD CONSTRAINT chk CHECK (b > 0); ALTER TABLE t ALTER b TYPE bigint;", refused: "split-file"},
		"table renamed away":              {sql: "ALTER TABLE u RENAME TO w; CREATE TABLE u (n int PRIMARY KEY); CREATE INDEX u_n ON u (n); INSERT INTO u VALUES (1);"},
		"table renamed away, index":       {sql: "ALTER TABLE u RENAME TO w; CREATE TABLE u (n int); CREATE INDEX u_n ON u (n); INSERT INTO u VALUES (1);"},
		"tables change places":            {prepare: "CREATE TABLE u_new (id int)", sql: "ALTER TABLE u RENAME TO u_old; ALTER TABLE u_new RENAME TO u;"},
		"sequence":                        {prepare: "CREATE SEQUENCE q", sql: "DROP SEQUENCE q; CREATE SEQUENCE q START 5; ALTER SEQUENCE q INCREMENT 2; COMMENT ON SEQUENCE q IS 'c';"},
		"enum":                            {prepare: "CREATE TYPE e AS ENUM ('a')", sql: "DROP TYPE e; CREATE TYPE e AS ENUM ('b'); ALTER TYPE e ADD VALUE 'c';"},
		"column of a new enum":            {prepare: "CREATE TYPE e AS ENUM ('a')", sql: "DROP TYPE e; CREATE TYPE e AS ENUM ('b'); ALTER TABLE t ADD COLUMN c e; CREATE TABLE n (c e DEFAULT 'b');"},
		"function and its trigger": {prepare: "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
			sql: "DROP FUNCTION tf(); CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tf();"},
	} {
		t.Run(name, func(t *testing.T) { tt.check(t, behindFixture) })
	}
}

// TestFalseErrors: what psql does, and what is no danger, is done.
func TestFalseErrors(t *testing.T) {
	for name, tt := range map[string]behind{
		"two views":                  {prepare: "CREATE VIEW v AS SELECT a FROM t; CREATE VIEW w AS SELECT a FROM v", sql: "DROP VIEW v, w;"},
		"two tables":                 {prepare: "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE q (id int PRIMARY KEY REFERENCES p); ALTER TABLE p ADD FOREIGN KEY (id) REFERENCES q", sql: "DROP TABLE p, q;"},
		"two tables, one new":        {prepare: "CREATE TABLE p (id int PRIMARY KEY)", sql: "CREATE TABLE n (id int); DROP TABLE p, n;"},
		"rename for a generated one": {prepare: "ALTER TABLE t ADD COLUMN g int GENERATED ALWAYS AS (a * 2) STORED", sql: "ALTER TABLE t RENAME a TO z;"},
		"rename in a column list":    {prepare: "CREATE PUBLICATION pub FOR TABLE t (id, a)", sql: "ALTER TABLE t RENAME a TO z;"},
		"key of a new table":         {sql: "CREATE TABLE n AS SELECT id, a AS x FROM t; ALTER TABLE n ADD PRIMARY KEY (id); ALTER TABLE n ALTER x SET NOT NULL; CREATE INDEX n_x ON n (x);"},
		"key of a selected table":    {sql: "SELECT *, 1 AS one INTO n FROM t; ALTER TABLE n ADD PRIMARY KEY (id); UPDATE n SET one = 2;"},
		"rename in a rule":           {prepare: "CREATE RULE r AS ON UPDATE TO u DO ALSO DELETE FROM t WHERE t.a = -1", sql: "ALTER TABLE t RENAME a TO z;"},
		"rename in a function":       {prepare: "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT max(a) FROM t; END", sql: "ALTER TABLE t RENAME a TO z;"},
	} {
		t.Run(name, func(t *testing.T) { tt.check(t, behindFixture) })
	}
}

// TestViewAroundATypeChange: the script that people write because PostgreSQL cannot change the type under a view.
func TestViewAroundATypeChange(t *testing.T) {
	reader := pgtest.Role(t, "reader", "NOLOGIN")
	for name, tt := range map[string]behind{
		"grant":                    {sql: "DROP VIEW v; ALTER TABLE t ALTER a TYPE bigint; CREATE VIEW v AS SELECT a, b FROM t; GRANT SELECT ON v TO " + reader},
		"comment":                  {sql: "DROP VIEW v; ALTER TABLE t ALTER a TYPE bigint; CREATE VIEW v AS SELECT a, b FROM t; COMMENT ON VIEW v IS 'c'; COMMENT ON COLUMN v.a IS 'd'"},
		"both, and an owner":       {sql: "BEGIN; DROP VIEW IF EXISTS v; ALTER TABLE t ALTER COLUMN a TYPE bigint USING a::bigint; CREATE OR REPLACE VIEW v AS SELECT a, b FROM t; ALTER VIEW v OWNER TO CURRENT_USER; GRANT SELECT, INSERT ON v TO " + reader + "; COMMENT ON VIEW v IS 'c'; CREATE VIEW w AS SELECT * FROM v; COMMIT"},
		"fill on a renamed column": {prepare: "ALTER TABLE t ADD COLUMN n int", sql: "ALTER TABLE t RENAME n TO m;\n-- replank: fill 0\nALTER TABLE t ALTER m SET NOT NULL;", refused: "held-column"},
		"fill on a changed column": {prepare: "ALTER TABLE t ADD COLUMN n int", sql: "ALTER TABLE t ALTER n TYPE bigint;\n-- replank: fill 0\nALTER TABLE t ALTER n SET NOT NULL;", refused: "held-column"},
	} {
		t.Run(name, func(t *testing.T) { tt.check(t, behindFixture+"; CREATE VIEW v AS SELECT a FROM t") })
	}
}

// TestLaterFilesDoNotReadTwoShapes: a file that only reads what an earlier one holds waits for its complete.
func TestLaterFilesDoNotReadTwoShapes(t *testing.T) {
	for name, sql := range map[string]string{
		"view":            "CREATE VIEW v AS SELECT a FROM t;",
		"create table as": "CREATE TABLE c AS SELECT * FROM t;",
		"foreign key":     "CREATE TABLE c (id int REFERENCES t);",
		"policy":          "CREATE POLICY p ON u USING (EXISTS (SELECT FROM t WHERE a = x));",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, behindFixture, "ALTER TABLE t ALTER a TYPE bigint;", accept("column-order"))
			first := s.files[0].Path
			if err := os.WriteFile(filepath.Join(filepath.Dir(first), "0002_reads.sql"), []byte(sql), 0o644); err != nil {
				t.Fatal(err)
			}
			var err error
			if s.files, err = history.Read(filepath.Dir(first)); err != nil {
				t.Fatal(err)
			}
			sum, err := s.open().Apply(ctx, s.files)
			if err != nil || len(sum.Blocked) != 1 || sum.Blocked[0].Name != "0002_reads" {
				t.Fatalf("apply: %+v, %v; want 0002_reads blocked", sum, err)
			}
			s.complete()
			s.apply()
			oracle := pgtest.DB(t)
			pgtest.Exec(t, oracle, behindFixture, "ALTER TABLE t ALTER a TYPE bigint", sql)
			pgtest.SameShape(t, oracle, s.dsn, pgtest.IgnoreColumnOrder())
		})
	}
}

// TestLongWorkAtComplete: what waits for complete is as quick there as it would have to be in apply.
func TestLongWorkAtComplete(t *testing.T) {
	for name, tt := range map[string]behind{
		"volatile default":  {sql: "ALTER TABLE t DROP COLUMN s; ALTER TABLE t ADD COLUMN s uuid DEFAULT gen_random_uuid();", refused: "split-file"},
		"serial":            {sql: "ALTER TABLE t DROP COLUMN s; ALTER TABLE t ADD COLUMN s serial;", refused: "split-file"},
		"check":             {sql: "ALTER TABLE t DROP COLUMN s; ALTER TABLE t ADD COLUMN s text CHECK (s <> '');", refused: "split-file"},
		"not null":          {sql: "ALTER TABLE t DROP COLUMN s; ALTER TABLE t ADD COLUMN s int NOT NULL;", refused: "split-file"},
		"fill":              {sql: "ALTER TABLE t DROP COLUMN s;\n-- replank: fill 0\nALTER TABLE t ADD COLUMN s int NOT NULL;", refused: "split-file"},
		"plain":             {sql: "ALTER TABLE t DROP COLUMN s;\n-- replank: plain\nALTER TABLE t ADD COLUMN s text CHECK (s <> '');"},
		"constant default":  {sql: "ALTER TABLE t DROP COLUMN s; ALTER TABLE t ADD COLUMN s text DEFAULT 'x' NOT NULL;"},
		"materialized view": {prepare: "CREATE MATERIALIZED VIEW m AS SELECT a FROM t", sql: "DROP MATERIALIZED VIEW m; CREATE MATERIALIZED VIEW m AS SELECT a, b FROM t;", refused: "split-file"},
		"table as":          {sql: "DROP TABLE u; CREATE TABLE u AS SELECT * FROM t;", refused: "split-file"},
	} {
		t.Run(name, func(t *testing.T) { tt.check(t, behindFixture) })
	}
}

// TestRandomFindings: what random files of a few statements have found (internal/equivalence, TestRandomFiles).
func TestRandomFindings(t *testing.T) {
	const parts = `CREATE TABLE p (id int, k int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);
		CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (9) TO (99) PARTITION BY RANGE (id); CREATE TABLE p3 PARTITION OF p2 FOR VALUES FROM (9) TO (99);
		INSERT INTO p SELECT g, g FROM generate_series(1, 50) g`
	for name, tt := range map[string]behind{
		"type, table renamed":            {sql: "ALTER TABLE t ALTER a TYPE bigint; ALTER TABLE t RENAME TO tt;"},
		"column renamed, table renamed":  {sql: "ALTER TABLE t RENAME a TO z; ALTER TABLE t RENAME TO tt;"},
		"name taken, table renamed":      {sql: "ALTER TABLE t RENAME a TO z; ALTER TABLE t RENAME b TO a; ALTER TABLE t RENAME TO tt;"},
		"column that waits, table":       {sql: "ALTER TABLE t DROP COLUMN s; ALTER TABLE t ADD COLUMN s int; ALTER TABLE t RENAME TO tt;"},
		"type again, as it is":           {prepare: "ALTER TABLE t ADD COLUMN n numeric(8,2)", sql: "ALTER TABLE t ALTER n TYPE numeric(12,4); ALTER TABLE t ALTER n TYPE numeric(12,4);", refused: "held-column"},
		"comment of a dropped check":     {prepare: "COMMENT ON CONSTRAINT chk ON t IS 'c'", sql: "ALTER TABLE t DROP CONSTRAINT chk;"},
		"key renamed, foreign key to it": {sql: "ALTER TABLE t RENAME id TO nr; ALTER TABLE u DROP CONSTRAINT u_t;"},
		"column renamed, check dropped":  {sql: "ALTER TABLE t RENAME a TO z; ALTER TABLE t DROP CONSTRAINT chk;"},
		"column renamed, foreign key":    {sql: "ALTER TABLE u RENAME t_id TO z; ALTER TABLE u DROP CONSTRAINT u_t;"},
		"split takes a name":             {sql: "ALTER TABLE t RENAME a TO z; ALTER TABLE t ADD COLUMN a text; UPDATE t SET a = upper(s); ALTER TABLE t DROP COLUMN s;", refused: "split-file"},
		"split of a renamed column":      {sql: "ALTER TABLE t RENAME s TO z; ALTER TABLE t ADD COLUMN n text; UPDATE t SET n = upper(z); ALTER TABLE t DROP COLUMN z;", refused: "held-column"},
		"split of a changed column":      {sql: "ALTER TABLE t ALTER s TYPE varchar(60); ALTER TABLE t ADD COLUMN n text; UPDATE t SET n = upper(s); ALTER TABLE t DROP COLUMN s;", refused: "held-column"},
		"type from a renamed column":     {sql: "ALTER TABLE t RENAME s TO z; ALTER TABLE t ALTER a TYPE text USING a || z;", refused: "held-column"},
		"fill from a renamed column":     {sql: "ALTER TABLE t RENAME s TO z;\n-- replank: fill length(z)\nALTER TABLE t ADD COLUMN n int NOT NULL;", refused: "held-column"},
		"split of a renamed table":       {sql: "ALTER TABLE t RENAME TO tt; ALTER TABLE tt ADD COLUMN n text; UPDATE tt SET n = upper(s); ALTER TABLE tt DROP COLUMN s;", refused: "split-file"},
		"split, then a type":             {sql: "ALTER TABLE t ADD COLUMN n text; UPDATE t SET n = upper(s); ALTER TABLE t DROP COLUMN s; ALTER TABLE t ALTER n TYPE varchar(60);"},
		"split by way of another column": {prepare: "CREATE TYPE mood AS ENUM ('sad')", sql: "ALTER TABLE t ADD COLUMN m mood; ALTER TABLE t ALTER m TYPE text; ALTER TABLE t ADD COLUMN n text; UPDATE t SET n = upper(s) || coalesce(m, '-'); ALTER TABLE t DROP COLUMN s, DROP COLUMN m;"},
		"type, then a split":             {sql: "ALTER TABLE t ADD COLUMN n int; ALTER TABLE t ALTER n TYPE text USING n::text; UPDATE t SET n = upper(s); ALTER TABLE t DROP COLUMN s;", refused: "held-column"},
		"collation, storage":             {sql: "ALTER TABLE t ALTER s TYPE text COLLATE \"C\";", prepare: "ALTER TABLE t ALTER s SET STORAGE external; ALTER TABLE t ALTER s SET STATISTICS 7"},
		"split, then renamed":            {sql: "ALTER TABLE t ADD COLUMN n text; UPDATE t SET n = upper(s); ALTER TABLE t DROP COLUMN s; ALTER TABLE t RENAME n TO m;"},
		"trigger, column renamed":        {prepare: "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'", sql: "CREATE TRIGGER tr AFTER UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION tf(); ALTER TABLE t RENAME a TO z;"},
		"trigger, type": {prepare: "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'", sql: "CREATE TRIGGER tr AFTER UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION tf(); ALTER TABLE t ALTER a TYPE bigint;",
			oracle: "ALTER TABLE t ALTER a TYPE bigint; CREATE TRIGGER tr AFTER UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION tf()"},
		"trigger, dropped again":                     {prepare: "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'", sql: "CREATE TRIGGER tr AFTER UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION tf(); DROP TRIGGER tr ON t; ALTER TABLE t RENAME a TO z;"},
		"type, then unique":                          {sql: "ALTER TABLE t ALTER a TYPE bigint; ALTER TABLE t ADD CONSTRAINT t_new UNIQUE (a, id);"},
		"type, then unique of partitions":            {prepare: parts, sql: "ALTER TABLE p ALTER k TYPE bigint; ALTER TABLE p ADD UNIQUE (k, id);"},
		"type, then index of partitions":             {prepare: parts, sql: "ALTER TABLE p ALTER k TYPE bigint; CREATE INDEX ON p (k); CREATE INDEX p_kid ON p (k DESC, id);"},
		"index of nested partitions":                 {prepare: parts + "; CREATE INDEX pi ON p (k)", sql: "DROP INDEX pi; CREATE INDEX pi ON p (k) WHERE id > 0;"},
		"unique of nested partitions":                {prepare: parts + "; ALTER TABLE p ADD CONSTRAINT pk UNIQUE (id, k)", sql: "ALTER TABLE p DROP CONSTRAINT pk; ALTER TABLE p ADD CONSTRAINT pk2 UNIQUE (id, k);"},
		"renamed, then NOT NULL":                     {prepare: "ALTER TABLE t ADD n int DEFAULT 3", sql: "ALTER TABLE t RENAME n TO m; ALTER TABLE t ALTER m SET NOT NULL;"},
		"renamed, then a default":                    {sql: "ALTER TABLE t RENAME a TO z; ALTER TABLE t ALTER z SET DEFAULT 3;"},
		"renamed, then a trigger":                    {prepare: "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'", sql: "ALTER TABLE t RENAME a TO z; CREATE TRIGGER tr AFTER UPDATE OF z ON t FOR EACH ROW EXECUTE FUNCTION tf();"},
		"index in the place of an index":             {sql: "DROP INDEX t_a; CREATE INDEX t_a ON t (b, s);"},
		"constraint for an index":                    {sql: "DROP INDEX t_a; ALTER TABLE t ADD CONSTRAINT t_a UNIQUE (b, s);"},
		"enum rebuilt without columns":               {prepare: "CREATE TYPE e AS ENUM ('a')", sql: "ALTER TYPE e RENAME TO e_old; CREATE TYPE e AS ENUM ('a', 'b');"},
		"renamed, then a said trigger":               {prepare: "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'", sql: "ALTER TABLE t RENAME a TO z; CREATE TRIGGER tr AFTER UPDATE OF z ON t FOR EACH ROW EXECUTE FUNCTION tf(); COMMENT ON TRIGGER tr ON t IS 'c'; ALTER TABLE t DISABLE TRIGGER tr;"},
		"detached, then a type":                      {prepare: parts, sql: "ALTER TABLE p DETACH PARTITION p1; ALTER TABLE p ALTER k TYPE bigint;", refused: "split-file"},
		"detached, then a column":                    {prepare: parts, sql: "ALTER TABLE p DETACH PARTITION p1; ALTER TABLE p ADD c int DEFAULT 3; ALTER TABLE p RENAME k TO z;"},
		"detached below, then an index":              {prepare: parts, sql: "ALTER TABLE p2 DETACH PARTITION p3; CREATE INDEX ON p (k);", refused: "split-file"},
		"detached, then rows":                        {prepare: parts, sql: "ALTER TABLE p DETACH PARTITION p1; UPDATE p SET k = 0;", refused: "split-file"},
		"detached, then rows of another":             {prepare: parts, sql: "ALTER TABLE p DETACH PARTITION p1; INSERT INTO u (id) SELECT 1000 + id FROM p;", refused: "split-file"},
		"partition dropped, then an index":           {prepare: parts, sql: "DROP TABLE p1; CREATE INDEX ON p (k);", refused: "split-file"},
		"partition dropped, then a type":             {prepare: parts, sql: "DROP TABLE p1; ALTER TABLE p ALTER k TYPE bigint;"},
		"partition renamed, then a column":           {prepare: parts, sql: "ALTER TABLE p1 RENAME TO p0; ALTER TABLE p RENAME k TO z;"},
		"partition renamed, then a type":             {prepare: parts, sql: "ALTER TABLE p1 RENAME TO p0; ALTER TABLE p ALTER k TYPE bigint;", refused: "split-file"},
		"partition replaced":                         {prepare: parts, sql: "CREATE TABLE n (LIKE p); INSERT INTO n VALUES (5, 5); ALTER TABLE p DETACH PARTITION p1; ALTER TABLE p ATTACH PARTITION n FOR VALUES FROM (0) TO (9);"},
		"referring table renamed, a type":            {sql: "ALTER TABLE u RENAME TO w; ALTER TABLE t ALTER id TYPE bigint;"},
		"referred table renamed, a type":             {sql: "ALTER TABLE t RENAME TO w; ALTER TABLE u ALTER t_id TYPE bigint;"},
		"comment of a rebuilt enum":                  {prepare: "CREATE TYPE e AS ENUM ('a'); ALTER TABLE t ADD e e", sql: "COMMENT ON TYPE e IS 'c'; ALTER TYPE e RENAME TO e_old; CREATE TYPE e AS ENUM ('a', 'b'); ALTER TABLE t ALTER e TYPE e USING e::text::e;"},
		"serial, then an identity":                   {prepare: "ALTER TABLE t ADD n serial", sql: "ALTER TABLE t ALTER n DROP DEFAULT; DROP SEQUENCE t_n_seq; ALTER TABLE t ALTER n ADD GENERATED BY DEFAULT AS IDENTITY (START 1000);"},
		"identity of another kind":                   {prepare: "ALTER TABLE t ADD n int GENERATED ALWAYS AS IDENTITY", sql: "ALTER TABLE t ALTER n DROP IDENTITY; ALTER TABLE t ALTER n ADD GENERATED BY DEFAULT AS IDENTITY;"},
		"renamed, then an identity":                  {sql: "ALTER TABLE t RENAME b TO z; ALTER TABLE t ALTER z ADD GENERATED BY DEFAULT AS IDENTITY;"},
		"serial in the place of a sequence":          {prepare: "CREATE SEQUENCE t_n_seq", sql: "DROP SEQUENCE t_n_seq; ALTER TABLE t ADD n serial;", refused: "split-file"},
		"type, then a sequence of its own":           {sql: "ALTER TABLE t ALTER a TYPE bigint; CREATE SEQUENCE q; ALTER TABLE t ALTER a SET DEFAULT nextval('q'); ALTER SEQUENCE q OWNED BY t.a;"},
		"type, then a sequence that is made its own": {sql: "ALTER TABLE t ALTER a TYPE bigint; CREATE SEQUENCE q OWNED BY t.a; ALTER TABLE t ALTER a SET DEFAULT nextval('q');"},
		"renamed, then a sequence of its own":        {sql: "ALTER TABLE t RENAME a TO z; CREATE SEQUENCE q; ALTER TABLE t ALTER z SET DEFAULT nextval('q'); ALTER SEQUENCE q OWNED BY t.z;"},
		"column of a new composite type":             {sql: "CREATE TYPE c AS (x int, y text); ALTER TABLE t ADD c c; CREATE TYPE r AS RANGE (SUBTYPE = int); ALTER TABLE t ADD r r; CREATE TABLE n (c c, r r);"},
		"moved, then rows from it":                   {prepare: "CREATE SCHEMA aside", sql: "ALTER TABLE u SET SCHEMA aside; UPDATE t SET b = f.y FROM aside.u f WHERE f.id = t.id;", refused: "split-file"},
		"tables change places, rows":                 {prepare: "CREATE TABLE u_new (id int, x int)", sql: "ALTER TABLE u RENAME TO u_old; ALTER TABLE u_new RENAME TO u; UPDATE t SET b = f.x FROM u f WHERE f.id = t.id;", refused: "split-file"},
		"default dropped behind a type":              {prepare: "ALTER TABLE t ALTER a SET DEFAULT 3", sql: "ALTER TABLE t ALTER a DROP DEFAULT, ALTER a TYPE bigint, ALTER a SET DEFAULT 5; ALTER TABLE t ALTER a DROP DEFAULT;"},
		"index that gets its name, said":             {prepare: "CREATE VIEW v AS SELECT 1 AS one", sql: "DROP VIEW v; CREATE INDEX v ON t (b, s); ALTER TABLE t CLUSTER ON v; DROP INDEX t_a; CREATE INDEX t_a ON t (b, a); COMMENT ON INDEX t_a IS 'c';"},
		"index with a comment, dropped":              {prepare: "COMMENT ON INDEX t_a IS 'c'; ALTER TABLE t CLUSTER ON t_a", sql: "DROP INDEX t_a;"},
		"key renamed, then rows":                     {sql: "ALTER TABLE u RENAME id TO nr; DELETE FROM u WHERE nr > 190; UPDATE u SET x = x + 1000 WHERE nr > 50;"},
		"both ends of a foreign key, apart":          {sql: "ALTER TABLE t ALTER id TYPE bigint; ALTER TABLE t ALTER s SET DEFAULT 'x'; ALTER TABLE u ALTER t_id TYPE bigint;", refused: "held-column"},
		"view that comes late, defaults":             {sql: "ALTER TABLE t ALTER a TYPE bigint; CREATE VIEW v AS SELECT b FROM t; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;", refused: "split-file"},
		"inverse with the column's name":             {sql: "-- replank: inverse a = 7\nALTER TABLE t ALTER a DROP NOT NULL;"},
		"constraint renamed, then it all":            {sql: "ALTER TABLE t RENAME CONSTRAINT chk TO chk2; ALTER TABLE t RENAME a TO z; ALTER TABLE t DROP CONSTRAINT chk2;"},
	} {
		t.Run(name, func(t *testing.T) { tt.check(t, behindFixture) })
	}
}

// TestTypeBesideARenamedColumn: what stands on a column that has its new name only from complete on, and on one that
// changes its type, is made on the columns that there are.
func TestTypeBesideARenamedColumn(t *testing.T) {
	views := []func(*migrate.Config){func(c *migrate.Config) { c.VersionSchema = true }}
	const file = "ALTER TABLE t RENAME a TO z; ALTER TABLE t ALTER b TYPE bigint;"
	const plain = "ALTER TABLE t DROP CONSTRAINT t_ab_key; "
	for name, tt := range map[string]behind{
		"unique":            {cfg: views, sql: file},
		"index":             {cfg: views, prepare: plain + "CREATE INDEX t_ab ON t (b, a) INCLUDE (s) WHERE a > 0; CREATE INDEX t_expr ON t ((a + b))", sql: file},
		"check":             {cfg: views, prepare: plain + "ALTER TABLE t ADD CONSTRAINT ab CHECK (a <= b + 1)", sql: file},
		"check, both names": {prepare: plain + "ALTER TABLE t ADD CONSTRAINT ab CHECK (a <= b + 1)", sql: file},
		"statistics":        {prepare: plain + "CREATE STATISTICS st ON a, b FROM t", sql: file},
		"statistics, views": {cfg: views, prepare: plain + "CREATE STATISTICS st ON a, b FROM t", sql: file},
		"foreign key":       {cfg: views, prepare: "CREATE TABLE r (x int, y int, FOREIGN KEY (x, y) REFERENCES t (a, b)); INSERT INTO r VALUES (1, 1)", sql: file},
		"foreign key, own":  {cfg: views, prepare: "CREATE TABLE r (x int, y int, CONSTRAINT r_fk FOREIGN KEY (x, y) REFERENCES t (a, b)); INSERT INTO r VALUES (1, 1)", sql: "ALTER TABLE r RENAME x TO z; ALTER TABLE r ALTER y TYPE bigint;"},
		"an identity":       {prepare: plain + "ALTER TABLE t ALTER a ADD GENERATED ALWAYS AS IDENTITY; CREATE INDEX t_ab ON t (a, b)", sql: file},
		"partitions": {cfg: views, prepare: "CREATE TABLE p (id int, k int, l int, UNIQUE (id, k, l)) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); CREATE INDEX p_kl ON p (k, l); INSERT INTO p VALUES (1, 1, 1)", sql: "ALTER TABLE p RENAME k TO z; ALTER TABLE p ALTER l TYPE bigint;",
			// What it makes again in partitions PostgreSQL gives other names.
			oracle: "ALTER TABLE p RENAME k TO z; ALTER TABLE p ALTER l TYPE bigint; ALTER TABLE p1 RENAME CONSTRAINT p1_id_z_l_key TO p1_id_k_l_key; ALTER INDEX p1_z_l_idx RENAME TO p1_k_l_idx"},
		"the name of another":      {prepare: "CREATE INDEX t_bs ON t (s, b)", sql: "ALTER TABLE t RENAME a TO z; ALTER TABLE t RENAME s TO a; ALTER TABLE t ALTER b TYPE bigint;", refused: "held-column"},
		"the name of another, too": {prepare: plain + "CREATE INDEX t_bs ON t (s, b)", sql: "ALTER TABLE t RENAME a TO z; ALTER TABLE t RENAME s TO a; ALTER TABLE t ALTER b TYPE bigint;"},
		"materialized view": {cfg: views, prepare: plain + "CREATE MATERIALIZED VIEW m AS SELECT id, a, b FROM t", sql: file,
			oracle: "DROP MATERIALIZED VIEW m; " + file + "CREATE MATERIALIZED VIEW m AS SELECT id, z AS a, b FROM t"},
		"view": {cfg: views, prepare: plain + "CREATE VIEW v AS SELECT id, a, b FROM t", sql: file,
			oracle: "DROP VIEW v; " + file + "CREATE VIEW v AS SELECT id, z AS a, b FROM t"},
	} {
		t.Run(name, func(t *testing.T) { tt.check(t, behindFixture) })
	}
}

// TestDefinitionsUnderAnotherSearchPath: what a file makes, and a type change behind SET search_path would make again, is
// refused where its names may mean something else.
func TestDefinitionsUnderAnotherSearchPath(t *testing.T) {
	const aside = `CREATE SCHEMA aside; CREATE TABLE aside.u (id int PRIMARY KEY, z int); CREATE FUNCTION aside.tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
		CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE FUNCTION aside.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
		CREATE FUNCTION aside.f(bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT $1'; CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 0'; CREATE FUNCTION f(bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT 0::bigint'`
	const typ = "ALTER TABLE public.t ALTER a TYPE bigint; "
	for name, made := range map[string]string{
		"policy":     "CREATE POLICY p ON t USING (EXISTS (SELECT FROM u WHERE u.z = a)); COMMENT ON POLICY p ON t IS 'c';",
		"statistics": "CREATE STATISTICS st ON (f(a)), b FROM t; ALTER STATISTICS st SET STATISTICS 7;",
		"trigger":    "CREATE TRIGGER tr AFTER UPDATE OF a ON t FOR EACH ROW WHEN (f(OLD.b) > 0) EXECUTE FUNCTION tf(); COMMENT ON TRIGGER tr ON t IS 'c';",
		"view":       "CREATE VIEW v AS SELECT a, z, f(b) AS f FROM t JOIN u ON u.id = t.id; COMMENT ON VIEW v IS 'c';",
		"views":      "CREATE VIEW v AS SELECT a, f(b) AS f FROM t; CREATE VIEW w AS SELECT * FROM v; CREATE RULE r AS ON DELETE TO w DO INSTEAD UPDATE u SET z = 0;",
		"matview":    "CREATE MATERIALIZED VIEW m AS SELECT a, z FROM t JOIN u ON u.id = t.id; CREATE INDEX m_a ON m (f(z)); CREATE UNIQUE INDEX ON m (z);",
		"index":      "CREATE INDEX t_f ON t (f(a));",
		"check":      "ALTER TABLE t ADD CONSTRAINT t_f CHECK (f(a) > -1) NOT VALID;",
		"default":    "CREATE SEQUENCE aside.q; ALTER TABLE t ALTER a SET DEFAULT f(3);",
		"foreign":    "ALTER TABLE t ADD CONSTRAINT t_u FOREIGN KEY (a) REFERENCES u NOT VALID;",
	} {
		t.Run(name, func(t *testing.T) {
			fixture := strings.ReplaceAll(behindFixture, "CREATE TABLE u", "CREATE TABLE public.u")
			behind{prepare: aside, sql: "SET search_path = aside, public; " + made + "SET search_path = public; " + typ, refused: "split-file"}.check(t, fixture)
		})
		t.Run(name+", and back", func(t *testing.T) {
			if name == "index" || name == "check" || name == "default" || name == "foreign" {
				t.Skip("psql changes the type under it")
			}
			const path = "SET search_path = aside, public; "
			tt := behind{prepare: aside, sql: path + made + "SET search_path = public; COMMENT ON SCHEMA aside IS 'c'; " + path + typ,
				oracle: typ + path + made + "COMMENT ON SCHEMA aside IS 'c'"}
			tt.check(t, strings.ReplaceAll(behindFixture, "CREATE TABLE u", "CREATE TABLE public.u"))
		})
	}
}

// TestColumnsThatAPolicyReads: by the rules of scope, as far as psql refuses and no further.
func TestColumnsThatAPolicyReads(t *testing.T) {
	for name, tt := range map[string]behind{
		"another of that name":             {sql: "CREATE TABLE n (a int, k int); CREATE POLICY p ON t USING (EXISTS (SELECT FROM n WHERE n.a = t.b)); ALTER TABLE t DROP COLUMN a;"},
		"another of that name, too":        {sql: "CREATE POLICY p ON u USING (EXISTS (SELECT FROM t WHERE t.b = u.x AND t.id = y)); ALTER TABLE t ALTER a TYPE bigint; ALTER TABLE u DROP COLUMN t_id;"},
		"rule":                             {sql: "CREATE RULE r AS ON UPDATE TO u DO ALSO UPDATE t SET s = 'x' WHERE t.id = OLD.y; ALTER TABLE t ALTER a TYPE bigint; ALTER TABLE u ALTER x TYPE bigint;"},
		"rule, and a fill that is checked": {sql: "CREATE RULE r AS ON UPDATE TO u DO ALSO UPDATE t SET s = 'x' WHERE t.id = OLD.y;\n-- replank: fill 1\nALTER TABLE u ALTER t_id SET NOT NULL;", refused: "dependent-rule"},
	} {
		t.Run(name, func(t *testing.T) { tt.check(t, behindFixture) })
	}
	for name, sql := range map[string]string{
		"policy":                  "CREATE POLICY p ON t USING (a > 0); ALTER TABLE t DROP COLUMN a;",
		"policy of another table": "CREATE POLICY p ON u USING (EXISTS (SELECT FROM t WHERE a = u.x)); ALTER TABLE t DROP COLUMN a;",
		"rule":                    "CREATE RULE r AS ON UPDATE TO u DO ALSO UPDATE t SET a = 3 WHERE t.id = OLD.y; ALTER TABLE t DROP COLUMN a;",
	} {
		t.Run("dropped under a "+name, func(t *testing.T) {
			s := newSite(t, behindFixture, sql, accept("irreversible"))
			before := pgtest.Dump(t, s.dsn)
			if _, err := s.open().Apply(ctx, s.files); err == nil || !strings.Contains(err.Error(), "depends on it") {
				t.Errorf("apply: %v", err)
			}
			if d := pgtest.Diff(before, pgtest.Dump(t, s.dsn)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestRevertOfAGrantLeavesOthers: what roles had before is theirs after the way back.
func TestRevertOfAGrantLeavesOthers(t *testing.T) {
	reader := pgtest.Role(t, "reader", "NOLOGIN")
	for name, tt := range map[string]behind{
		"all tables":    {sql: "GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + reader},
		"owner":         {sql: "ALTER TABLE t OWNER TO " + reader + "; ALTER TABLE u OWNER TO " + reader},
		"all sequences": {sql: "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO " + reader},
		"sequence":      {sql: "GRANT USAGE ON SEQUENCE q TO " + reader},
		"all tables, and a view that comes at complete": {prepare: "CREATE VIEW v AS SELECT s FROM t",
			sql: "DROP VIEW v; CREATE VIEW v AS SELECT b FROM t; GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + reader},
	} {
		t.Run(name, func(t *testing.T) {
			tt.check(t, behindFixture+"; CREATE SEQUENCE q; GRANT USAGE ON SEQUENCE q TO "+reader+"; GRANT SELECT (a) ON t TO "+reader+"; GRANT SELECT ON u TO "+reader)
		})
	}
}

// TestNewNameShowsNewType: a table that gets another name has its new types under it, before complete already.
func TestNewNameShowsNewType(t *testing.T) {
	s := newSite(t, behindFixture, "ALTER TABLE t ALTER a TYPE bigint; ALTER TABLE t RENAME s TO z; ALTER TABLE t RENAME TO tt;", accept("column-order"))
	s.apply()
	pgtest.Exec(t, s.dsn, "INSERT INTO tt (id, a, b, z) VALUES (1000, 1000, 1000, 'new')", "UPDATE tt SET a = 2000, z = 'set' WHERE id = 200")
	if got := pgtest.Value[string](t, s.dsn, "SELECT string_agg(format('%s %s %s', pg_typeof(tt.a), t.a, t.s), ', ' ORDER BY id) FROM tt JOIN t USING (id) WHERE id >= 200"); got != "bigint 2000 set, bigint 1000 new" {
		t.Errorf("both names show %s", got)
	}
	s.complete()
	if got := pgtest.Value[string](t, s.dsn, "SELECT string_agg(format('%s %s', a, z), ', ' ORDER BY id) FROM tt WHERE id >= 200"); got != "2000 set, 1000 new" {
		t.Errorf("after complete: %s", got)
	}
}

// TestBehindTheWait: what stands behind "-- replank: wait" finds the columns, names and objects as complete has left
// them by then.
func TestBehindTheWait(t *testing.T) {
	const wait = "\n-- replank: wait for everybody\n"
	for name, tt := range map[string]behind{
		"type, then renamed":          {sql: "ALTER TABLE t ALTER a TYPE bigint;" + wait + "ALTER TABLE t RENAME a TO z;"},
		"renamed, then a type":        {sql: "ALTER TABLE t RENAME a TO z;" + wait + "ALTER TABLE t ALTER z TYPE bigint;"},
		"type, then another":          {sql: "ALTER TABLE t ALTER a TYPE bigint;" + wait + "ALTER TABLE t ALTER a TYPE numeric;"},
		"type, then one of its index": {sql: "ALTER TABLE t ALTER a TYPE bigint;" + wait + "ALTER TABLE t ALTER b TYPE bigint;"},
		"type, then an update":        {sql: "ALTER TABLE t ALTER a TYPE bigint;" + wait + "UPDATE t SET a = a + 5000000000 WHERE id > 100;"},
		"renamed, then an update":     {sql: "ALTER TABLE t RENAME s TO z;" + wait + "UPDATE t SET z = z || '!';"},
		"type, then a check":          {sql: "ALTER TABLE t ALTER a TYPE bigint;" + wait + "ALTER TABLE t ADD CHECK (a < 5000000000); CREATE INDEX t_a2 ON t (a, s);"},
		"renamed, then fill":          {prepare: "ALTER TABLE t ADD COLUMN n int", sql: "ALTER TABLE t RENAME n TO m;" + wait + "-- replank: fill 0\nALTER TABLE t ALTER m SET NOT NULL;", oracle: "ALTER TABLE t RENAME n TO m; UPDATE t SET m = 0; ALTER TABLE t ALTER m SET NOT NULL;"},
		"dropped, then made again":    {sql: "ALTER TABLE t DROP COLUMN s;" + wait + "ALTER TABLE t ADD COLUMN s uuid DEFAULT gen_random_uuid(); ALTER TABLE t DROP COLUMN s;" + wait + "ALTER TABLE t ADD COLUMN s int; CREATE INDEX t_s ON t (s);"},
		"check dropped, then a type":  {sql: "ALTER TABLE t DROP COLUMN a;" + wait + "ALTER TABLE t ADD CONSTRAINT chk CHECK (b > 0); ALTER TABLE t ALTER b TYPE bigint;"},
		"table renamed, then said":    {sql: "ALTER TABLE t RENAME TO tt;" + wait + "ALTER TABLE tt ADD COLUMN n text; UPDATE tt SET n = upper(s); ALTER TABLE tt RENAME b TO bb;" + wait + "ALTER TABLE tt ALTER a TYPE bigint;"},
		"view, type":                  {prepare: "CREATE VIEW v AS SELECT a FROM t", sql: "DROP VIEW v; ALTER TABLE t ALTER a TYPE bigint;" + wait + "CREATE VIEW v AS SELECT a, b FROM t;"},
		"split, then its rest":        {sql: "ALTER TABLE t ADD COLUMN n text; UPDATE t SET n = upper(s); ALTER TABLE t DROP COLUMN s;" + wait + "ALTER TABLE t RENAME n TO s;" + wait + "ALTER TABLE t ALTER s TYPE varchar(60);"},
		"enum":                        {prepare: "CREATE TYPE e AS ENUM ('a', 'b'); ALTER TABLE t ADD COLUMN e e DEFAULT 'a'", sql: "ALTER TYPE e RENAME TO e_old; CREATE TYPE e AS ENUM ('a', 'b', 'c'); ALTER TABLE t ALTER e DROP DEFAULT, ALTER e TYPE e USING e::text::e, ALTER e SET DEFAULT 'b'; DROP TYPE e_old;" + wait + "ALTER TABLE t ALTER e SET DEFAULT 'c'; ALTER TABLE t RENAME e TO f;"},
	} {
		t.Run(name, func(t *testing.T) { tt.check(t, behindFixture) })
	}
}

// TestVersionSchemaBeforeTheWait: it shows the new shape of what stands before the wait, from apply on.
func TestVersionSchemaBeforeTheWait(t *testing.T) {
	const file = "ALTER TABLE t RENAME s TO z; ALTER TABLE t ALTER b TYPE bigint;\n-- replank: wait\nALTER TABLE t RENAME z TO y; ALTER TABLE u DROP COLUMN x;"
	s := newSite(t, behindFixture, file, accept("column-order"), func(c *migrate.Config) { c.VersionSchema = true }).apply()
	pgtest.Exec(t, s.dsn, `UPDATE "0001_change".t SET z = 'new', b = 5000 WHERE id = 1`)
	s.complete()
	oracle := pgtest.DB(t)
	pgtest.Exec(t, oracle, behindFixture, file, "UPDATE t SET y = 'new', b = 5000 WHERE id = 1")
	pgtest.SameShape(t, oracle, s.dsn, pgtest.IgnoreColumnOrder())
	pgtest.SameData(t, oracle, s.dsn)
}
