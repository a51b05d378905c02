package ddl_test

import (
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/ddl"
)

func name(s string) ddl.Name {
	schema, n, ok := strings.Cut(s, ".")
	if !ok {
		return ddl.Name{Name: s}
	}
	return ddl.Name{Schema: schema, Name: n}
}

var (
	tInt  = ddl.TypeName{Schema: "pg_catalog", Name: "int4", SQL: "integer"}
	tText = ddl.TypeName{Name: "text", SQL: "text"}
	st    = ddl.Name{Schema: "s", Name: "t"}
	tt    = ddl.Name{Name: "t"}
)

type form struct {
	sql string
	ops []ddl.Op
}

// forms has at least one statement for every Op (TestEveryOpHasAForm).
var forms = []form{
	{"CREATE TABLE IF NOT EXISTS s.t (a int DEFAULT 1 + /* two */ 2 NOT NULL, b text COLLATE \"C\" CONSTRAINT u UNIQUE NULLS NOT DISTINCT DEFERRABLE INITIALLY DEFERRED, CHECK (a < 9) NO INHERIT) INHERITS (p) WITH (fillfactor=70) TABLESPACE x",
		[]ddl.Op{ddl.CreateTable{Table: st, IfNotExists: true, Persistence: 'p', With: "fillfactor=70", Tablespace: "x", Inherits: []ddl.Name{name("p")},
			Columns: []ddl.Column{{Name: "a", Type: tInt, Default: "1 + 2", NotNull: true},
				{Name: "b", Type: tText, Collation: `"C"`, Constraints: []ddl.Constraint{{Name: "u", Kind: ddl.Unique, Columns: []string{"b"},
					Body: "UNIQUE NULLS NOT DISTINCT (b) DEFERRABLE INITIALLY DEFERRED", NullsNotDistinct: true, Deferrable: true, InitiallyDeferred: true}}}},
			Constraints: []ddl.Constraint{{Kind: ddl.Check, Expr: "a < 9", Body: "CHECK (a < 9) NO INHERIT", NoInherit: true}}}}},
	{"CREATE UNLOGGED TABLE t (LIKE s.o INCLUDING ALL, a int GENERATED ALWAYS AS IDENTITY (START 5), b int GENERATED ALWAYS AS (a * 2) STORED, c int CONSTRAINT nn NOT NULL REFERENCES s.p (x) ON DELETE CASCADE)",
		[]ddl.Op{ddl.CreateTable{Table: tt, Persistence: 'u', Like: []ddl.Name{name("s.o")}, LikeOptions: []string{"INCLUDING ALL"},
			Columns: []ddl.Column{{Name: "a", Type: tInt, Identity: 'a', IdentityOptions: "START 5"}, {Name: "b", Type: tInt, Generated: "a * 2"},
				{Name: "c", Type: tInt, NotNull: true, NotNullName: "nn", Constraints: []ddl.Constraint{{Kind: ddl.ForeignKey, Columns: []string{"c"},
					Body: "FOREIGN KEY (c) REFERENCES s.p (x) ON DELETE CASCADE", RefTable: name("s.p"), RefColumns: []string{"x"}}}}}}}},
	{"CREATE TEMP TABLE t (a int PRIMARY KEY USING INDEX TABLESPACE x CHECK (a > 0)) PARTITION BY RANGE (a, lower(b))",
		[]ddl.Op{ddl.CreateTable{Table: tt, Persistence: 't', PartitionBy: "RANGE (a, lower(b))",
			Columns: []ddl.Column{{Name: "a", Type: tInt, Constraints: []ddl.Constraint{
				{Kind: ddl.PrimaryKey, Columns: []string{"a"}, Body: "PRIMARY KEY (a) USING INDEX TABLESPACE x"},
				{Kind: ddl.Check, Expr: "a > 0", Body: "CHECK (a > 0)"}}}}}}},
	{"CREATE TABLE s.t PARTITION OF p FOR VALUES FROM (1, MINVALUE) TO (3, 'x')",
		[]ddl.Op{ddl.CreateTable{Table: st, Persistence: 'p', PartitionOf: name("p"), Bound: "FOR VALUES FROM (1, MINVALUE) TO (3, 'x')"}}},
	{"CREATE TABLE t PARTITION OF p DEFAULT", []ddl.Op{ddl.CreateTable{Table: tt, Persistence: 'p', PartitionOf: name("p"), Bound: "DEFAULT"}}},
	{"CREATE TABLE t PARTITION OF p FOR VALUES IN (1, 2)", []ddl.Op{ddl.CreateTable{Table: tt, Persistence: 'p', PartitionOf: name("p"), Bound: "FOR VALUES IN (1, 2)"}}},
	{"CREATE TABLE t OF s.ty (a WITH OPTIONS NOT NULL)", []ddl.Op{ddl.CreateTable{Table: tt, Persistence: 'p', OfType: name("s.ty"), Columns: []ddl.Column{{Name: "a", NotNull: true}}}}},
	{"CREATE TABLE t AS SELECT 1 WITH NO DATA", []ddl.Op{ddl.CreateTable{Table: tt, Persistence: 'p', Query: "SELECT 1"}}},
	{"SELECT * INTO t FROM x", []ddl.Op{ddl.CreateTable{Table: tt, Persistence: 'p', Query: "SELECT * INTO t FROM x"}}},
	{"DROP TABLE IF EXISTS t, s.t CASCADE", []ddl.Op{
		ddl.DropTable{Table: tt, DropOptions: ddl.DropOptions{IfExists: true, Cascade: true}}, ddl.DropTable{Table: st, DropOptions: ddl.DropOptions{IfExists: true, Cascade: true}}}},
	{`ALTER TABLE s.t RENAME TO "New T"`, []ddl.Op{ddl.RenameTable{Table: st, To: "New T"}}},
	{"ALTER TABLE t SET SCHEMA s", []ddl.Op{ddl.SetSchema{Kind: "TABLE", Object: tt, Schema: "s"}}},
	{"ALTER MATERIALIZED VIEW s.t SET SCHEMA o", []ddl.Op{ddl.SetSchema{Kind: "MATERIALIZED VIEW", Object: st, Schema: "o"}}},
	{"ALTER FUNCTION s.t(int) SET SCHEMA o", []ddl.Op{ddl.SetSchema{Kind: "FUNCTION", Object: st, Schema: "o"}}},
	{"TRUNCATE t, s.t CASCADE", []ddl.Op{ddl.Truncate{Table: tt, Cascade: true}, ddl.Truncate{Table: st, Cascade: true}}},
	{"ALTER TABLE ONLY (s.t) ADD IF NOT EXISTS a varchar(10)[], DROP b, DROP COLUMN IF EXISTS c CASCADE", []ddl.Op{
		ddl.AddColumn{Table: st, Only: true, IfNotExists: true, Column: ddl.Column{Name: "a", Type: ddl.TypeName{Schema: "pg_catalog", Name: "varchar", Mods: []string{"10"}, Array: 1, SQL: "character varying(10)[]"}}},
		ddl.DropColumn{Table: st, Only: true, Column: "b"},
		ddl.DropColumn{Table: st, Only: true, Column: "c", DropOptions: ddl.DropOptions{IfExists: true, Cascade: true}}}},
	{"ALTER TABLE t ADD a bigserial", []ddl.Op{ddl.AddColumn{Table: tt, Column: ddl.Column{Name: "a", Type: ddl.TypeName{Name: "serial8", SQL: "bigserial"}}}}},
	{"ALTER TABLE t ADD a text STORAGE external COMPRESSION pglz DEFAULT CASE WHEN true THEN 'a' ELSE 'b' END NOT NULL", []ddl.Op{ddl.AddColumn{Table: tt,
		Column: ddl.Column{Name: "a", Type: tText, Storage: "EXTERNAL", Compression: "pglz", Default: "CASE WHEN true THEN 'a' ELSE 'b' END", NotNull: true}}}},
	{"ALTER TABLE s.t RENAME a TO b", []ddl.Op{ddl.RenameColumn{Table: st, From: "a", To: "b"}}},
	{"ALTER VIEW t RENAME COLUMN a TO b", []ddl.Op{ddl.RenameColumn{Table: tt, From: "a", To: "b"}}},
	{"ALTER TABLE t ALTER COLUMN a TYPE numeric(10, 2) USING (a || '.0')::numeric, ALTER b SET DATA TYPE text COLLATE \"C\"", []ddl.Op{
		ddl.AlterColumnType{Table: tt, Column: "a", Type: ddl.TypeName{Schema: "pg_catalog", Name: "numeric", Mods: []string{"10", "2"}, SQL: "numeric(10,2)"}, Using: "(a || '.0')::numeric"},
		ddl.AlterColumnType{Table: tt, Column: "b", Type: tText, Collation: `"C"`}}},
	{"ALTER TABLE t ALTER a SET DEFAULT f(1, ARRAY[2, 3]), ALTER COLUMN set DROP DEFAULT", []ddl.Op{
		ddl.SetDefault{Table: tt, Column: "a", Expr: "f(1, ARRAY[2, 3])"}, ddl.SetDefault{Table: tt, Column: "set"}}},
	{"ALTER TABLE t ALTER a SET NOT NULL, ALTER b DROP NOT NULL", []ddl.Op{ddl.SetNotNull{Table: tt, Column: "a"}, ddl.DropNotNull{Table: tt, Column: "b"}}},
	{"ALTER TABLE t ALTER a ADD GENERATED ALWAYS AS IDENTITY (START 4), ALTER b DROP IDENTITY IF EXISTS, ALTER c DROP EXPRESSION", []ddl.Op{
		ddl.AddIdentity{Table: tt, Column: "a", Always: true, Options: "START 4"}, ddl.DropIdentity{Table: tt, Column: "b", IfExists: true}, ddl.DropExpression{Table: tt, Column: "c"}}},
	{"ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID, ADD FOREIGN KEY (a, b) REFERENCES s.p MATCH FULL ON DELETE SET NULL (a) NOT VALID DEFERRABLE, ADD UNIQUE (a) INCLUDE (b), ADD CONSTRAINT p PRIMARY KEY USING INDEX i", []ddl.Op{
		ddl.AddConstraint{Table: tt, Constraint: ddl.Constraint{Name: "c", Kind: ddl.Check, Expr: "a > 0", Body: "CHECK (a > 0)", NotValid: true}},
		ddl.AddConstraint{Table: tt, Constraint: ddl.Constraint{Kind: ddl.ForeignKey, Columns: []string{"a", "b"}, RefTable: name("s.p"),
			Body: "FOREIGN KEY (a, b) REFERENCES s.p MATCH FULL ON DELETE SET NULL (a) DEFERRABLE", NotValid: true, Deferrable: true}},
		ddl.AddConstraint{Table: tt, Constraint: ddl.Constraint{Kind: ddl.Unique, Columns: []string{"a"}, Include: []string{"b"}, Body: "UNIQUE (a) INCLUDE (b)"}},
		ddl.AddConstraint{Table: tt, Constraint: ddl.Constraint{Name: "p", Kind: ddl.PrimaryKey, UsingIndex: "i", Body: "PRIMARY KEY USING INDEX i"}}}},
	{"ALTER TABLE t ADD EXCLUDE USING gist (a WITH =, (b || 'x') WITH <>) WHERE (a > 0)", []ddl.Op{ddl.AddConstraint{Table: tt, Constraint: ddl.Constraint{
		Kind: ddl.Exclude, Columns: []string{"a", ""}, Method: "gist", Body: "EXCLUDE USING gist (a WITH =, (b || 'x') WITH <>) WHERE (a > 0)"}}}},
	{"ALTER TABLE t VALIDATE CONSTRAINT c, DROP CONSTRAINT IF EXISTS d CASCADE", []ddl.Op{ddl.ValidateConstraint{Table: tt, Name: "c"},
		ddl.DropConstraint{Table: tt, Name: "d", DropOptions: ddl.DropOptions{IfExists: true, Cascade: true}}}},
	{"ALTER TABLE s.t RENAME CONSTRAINT a TO b", []ddl.Op{ddl.RenameConstraint{Table: st, From: "a", To: "b"}}},
	{"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s.t USING btree (a COLLATE \"C\" text_ops DESC NULLS LAST, (b + 1), pg_catalog.lower(c) varchar_pattern_ops, d gist_x_ops (siglen=3) asc) INCLUDE (e, f) NULLS NOT DISTINCT WITH (fillfactor=50) TABLESPACE x WHERE a > 0 AND b IS NOT NULL",
		[]ddl.Op{ddl.CreateIndex{Name: "i", Table: st, Only: true, IfNotExists: true, Concurrently: true, Unique: true, Method: "btree",
			Elems: []ddl.IndexElem{{Column: "a", Collation: `"C"`, Opclass: "text_ops", Options: "DESC NULLS LAST"}, {Expr: "b + 1"},
				{Expr: "pg_catalog.lower(c)", Opclass: "varchar_pattern_ops"}, {Column: "d", Opclass: "gist_x_ops (siglen=3)", Options: "ASC"}},
			Include: []string{"e", "f"}, NullsNotDistinct: true, With: "fillfactor=50", Tablespace: "x", Where: "a > 0 AND b IS NOT NULL"}}},
	{"CREATE INDEX ON t (a)", []ddl.Op{ddl.CreateIndex{Table: tt, Method: "btree", Elems: []ddl.IndexElem{{Column: "a"}}}}},
	{"DROP INDEX CONCURRENTLY IF EXISTS s.i", []ddl.Op{ddl.DropIndex{Index: name("s.i"), Concurrently: true, DropOptions: ddl.DropOptions{IfExists: true}}}},
	{"ALTER INDEX IF EXISTS s.i RENAME TO j", []ddl.Op{ddl.RenameIndex{Index: name("s.i"), To: "j", IfExists: true}}},
	{"REINDEX (VERBOSE, CONCURRENTLY) TABLE s.t", []ddl.Op{ddl.Reindex{Kind: "TABLE", Name: st, Concurrently: true}}},
	{"REINDEX (TABLESPACE fast) INDEX s.t", []ddl.Op{ddl.Reindex{Kind: "INDEX", Name: st, Tablespace: "fast"}}},
	{"REINDEX SCHEMA s", []ddl.Op{ddl.Reindex{Kind: "SCHEMA", Name: name("s")}}},
	{"ALTER TABLE t ATTACH PARTITION s.t FOR VALUES WITH (MODULUS 2, REMAINDER 1)", []ddl.Op{ddl.AttachPartition{Table: tt, Partition: st, Bound: "FOR VALUES WITH (MODULUS 2, REMAINDER 1)"}}},
	{"ALTER TABLE t DETACH PARTITION s.t CONCURRENTLY", []ddl.Op{ddl.DetachPartition{Table: tt, Partition: st, Concurrently: true}}},
	{"ALTER TABLE t DETACH PARTITION s.t FINALIZE", []ddl.Op{ddl.DetachPartition{Table: tt, Partition: st, Finalize: true}}},
	{"ALTER INDEX i ATTACH PARTITION s.j", []ddl.Op{ddl.AttachIndex{Index: name("i"), Partition: name("s.j")}}},
	{"CREATE TYPE s.t AS ENUM ('a', 'it''s')", []ddl.Op{ddl.CreateEnum{Type: st, Labels: []string{"a", "it's"}}}},
	{"ALTER TYPE t ADD VALUE IF NOT EXISTS 'x' BEFORE 'y'", []ddl.Op{ddl.AddEnumValue{Type: tt, Label: "x", IfNotExists: true, Before: "y"}}},
	{"ALTER TYPE t ADD VALUE 'x' AFTER 'y'", []ddl.Op{ddl.AddEnumValue{Type: tt, Label: "x", After: "y"}}},
	{"ALTER TYPE t RENAME VALUE 'x' TO 'y'", []ddl.Op{ddl.RenameEnumValue{Type: tt, From: "x", To: "y"}}},
	{"CREATE DOMAIN s.t AS text COLLATE \"C\" DEFAULT 'x' CONSTRAINT n NOT NULL CONSTRAINT c CHECK (VALUE > 'a')", []ddl.Op{ddl.CreateDomain{Type: st, Base: tText,
		Collation: `"C"`, Default: "'x'", NotNull: true, Constraints: []ddl.Constraint{{Name: "c", Kind: ddl.Check, Expr: "VALUE > 'a'", Body: "CHECK (VALUE > 'a')"}}}}},
	{"ALTER DOMAIN t ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID", []ddl.Op{ddl.AlterDomain{Type: tt, Action: "add constraint",
		Constraint: ddl.Constraint{Name: "c", Kind: ddl.Check, Expr: "VALUE > 0", Body: "CHECK (VALUE > 0)", NotValid: true}}}},
	{"ALTER DOMAIN s.t SET DEFAULT 1 + 1", []ddl.Op{ddl.AlterDomain{Type: st, Action: "set default", Default: "1 + 1"}}},
	{"ALTER DOMAIN t DROP DEFAULT", []ddl.Op{ddl.AlterDomain{Type: tt, Action: "drop default"}}},
	{"ALTER DOMAIN t SET NOT NULL", []ddl.Op{ddl.AlterDomain{Type: tt, Action: "set not null"}}},
	{"ALTER DOMAIN t DROP NOT NULL", []ddl.Op{ddl.AlterDomain{Type: tt, Action: "drop not null"}}},
	{"ALTER DOMAIN t VALIDATE CONSTRAINT c", []ddl.Op{ddl.AlterDomain{Type: tt, Action: "validate constraint", Constraint: ddl.Constraint{Name: "c"}}}},
	{"ALTER DOMAIN t DROP CONSTRAINT IF EXISTS c CASCADE", []ddl.Op{ddl.AlterDomain{Type: tt, Action: "drop constraint", Constraint: ddl.Constraint{Name: "c"}, DropOptions: ddl.DropOptions{IfExists: true, Cascade: true}}}},
	{"ALTER TYPE s.t RENAME TO x", []ddl.Op{ddl.RenameType{Type: st, To: "x"}}},
	{"DROP DOMAIN t", []ddl.Op{ddl.DropType{Type: tt}}},
	{"CREATE OR REPLACE VIEW s.t (a, b) WITH (security_barrier) AS SELECT 1, 2 WITH LOCAL CHECK OPTION", []ddl.Op{ddl.CreateView{View: st, Replace: true, WithData: true,
		Columns: []string{"a", "b"}, With: "security_barrier", Query: "SELECT 1, 2"}}},
	{"CREATE RECURSIVE VIEW t (n) AS SELECT 1", []ddl.Op{ddl.CreateView{View: tt, WithData: true, Query: "WITH RECURSIVE t(n) AS (SELECT 1) SELECT n FROM t"}}},
	{"CREATE MATERIALIZED VIEW IF NOT EXISTS t AS SELECT 1 AS x WITH NO DATA", []ddl.Op{ddl.CreateView{View: tt, Materialized: true, IfNotExists: true, Query: "SELECT 1 AS x"}}},
	{"DROP MATERIALIZED VIEW t", []ddl.Op{ddl.DropView{View: tt, Materialized: true}}},
	{"ALTER VIEW t RENAME TO u", []ddl.Op{ddl.RenameView{View: tt, To: "u"}}},
	{"REFRESH MATERIALIZED VIEW CONCURRENTLY s.t", []ddl.Op{ddl.RefreshMaterializedView{View: st, Concurrently: true}}},
	{"CREATE SEQUENCE IF NOT EXISTS s.t OWNED BY a.b.c", []ddl.Op{ddl.CreateSequence{Sequence: st, IfNotExists: true, OwnedBy: "a.b.c"}}},
	{"CREATE SEQUENCE t OWNED BY NONE", []ddl.Op{ddl.CreateSequence{Sequence: tt}}},
	{"ALTER SEQUENCE s.t AS bigint RESTART 5", []ddl.Op{ddl.AlterSequence{Sequence: st, Options: "AS bigint RESTART 5"}}},
	{"DROP SEQUENCE t", []ddl.Op{ddl.DropSequence{Sequence: tt}}},
	{"ALTER SEQUENCE t RENAME TO u", []ddl.Op{ddl.RenameSequence{Sequence: tt, To: "u"}}},
	{"CREATE CONSTRAINT TRIGGER x AFTER UPDATE OF a, b ON s.t FOR EACH ROW EXECUTE FUNCTION f()", []ddl.Op{ddl.CreateTrigger{Name: "x", Table: st, Constraint: true, Columns: []string{"a", "b"}}}},
	{"DROP TRIGGER IF EXISTS x ON s.t", []ddl.Op{ddl.DropTrigger{Name: "x", Table: st, DropOptions: ddl.DropOptions{IfExists: true}}}},
	{"ALTER TABLE t ALTER a SET STATISTICS 100, SET (fillfactor=3, toast.autovacuum_enabled=off), OWNER TO CURRENT_USER, REPLICA IDENTITY USING INDEX \"X\", CLUSTER ON i, ALTER CONSTRAINT f NOT DEFERRABLE, INHERIT s.p, ENABLE ALWAYS TRIGGER tr, SET UNLOGGED, SET TABLESPACE x, ALTER e SET GENERATED ALWAYS SET INCREMENT 5, ALTER g SET EXPRESSION AS (a + 1), ALTER b SET (n_distinct=5), RESET (fillfactor)",
		[]ddl.Op{
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "SetStatistics", Column: "a", Arg: "100"},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "SetRelOptions", Arg: "fillfactor=3, toast.autovacuum_enabled=off", With: []string{"fillfactor", "toast.autovacuum_enabled"}},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "ChangeOwner", Arg: "CURRENT_USER"},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "ReplicaIdentity", Arg: `USING INDEX "X"`},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "ClusterOn", Arg: "i"},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "AlterConstraint", Arg: "f", With: []string{"NOT DEFERRABLE"}},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "AddInherit", Arg: "s.p"},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "EnableAlwaysTrig", Arg: "tr"},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "SetUnLogged"},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "SetTableSpace", Arg: "x"},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "SetIdentity", Column: "e", Arg: "SET GENERATED ALWAYS SET INCREMENT 5"},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "SetExpression", Column: "g", Arg: "a + 1"},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "SetOptions", Column: "b", Arg: "n_distinct=5", With: []string{"n_distinct"}},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "ResetRelOptions", Arg: "fillfactor", With: []string{"fillfactor"}},
		}},
	{"ALTER INDEX t ALTER COLUMN 1 SET STATISTICS 5", []ddl.Op{ddl.AlterTable{Table: tt, Kind: "INDEX", Action: "SetStatistics", Column: "1", Arg: "5"}}},
	{"UPDATE ONLY s.t AS x SET a = 1, (b, c) = (2, f(3, 4)), (d, e) = (SELECT 1, 2), g[1] = 3, h.i = x IS DISTINCT FROM y FROM o JOIN z ON true WHERE x.a > 0 RETURNING *",
		[]ddl.Op{ddl.Update{Table: st, Only: true, Alias: "x", From: "o JOIN z ON true", Where: "x.a > 0", Returning: true, Set: []ddl.Assignment{
			{Column: "a", Expr: "1"}, {Column: "b", Expr: "2"}, {Column: "c", Expr: "f(3, 4)"}, {Column: "d", Expr: "(SELECT 1, 2)", Position: 1},
			{Column: "e", Expr: "(SELECT 1, 2)", Position: 2}, {Column: "g", Indirection: "[1]", Expr: "3"}, {Column: "h", Indirection: ".i", Expr: "x IS DISTINCT FROM y"}}}}},
	{"UPDATE t SET a = 1", []ddl.Op{ddl.Update{Table: tt, Set: []ddl.Assignment{{Column: "a", Expr: "1"}}}}},
	{"WITH w AS (SELECT 1) DELETE FROM t y USING a JOIN b USING (id) WHERE a.x = y.x RETURNING 1", []ddl.Op{ddl.Delete{Table: tt, Alias: "y", Using: "a JOIN b USING (id)", Where: "a.x = y.x", Returning: true, With: true}}},
	{"DELETE FROM ONLY t", []ddl.Op{ddl.Delete{Table: tt, Only: true}}},
	{"INSERT INTO s.t AS q (a, b) SELECT a AS z, b + 1 k FROM src x WHERE a IS DISTINCT FROM b ON CONFLICT (a) DO NOTHING RETURNING a",
		[]ddl.Op{ddl.Insert{Table: st, Columns: []string{"a", "b"}, Query: "SELECT a AS z, b + 1 k FROM src x WHERE a IS DISTINCT FROM b", Source: name("src"), SourceAlias: "x",
			SourceWhere: "a IS DISTINCT FROM b", Targets: []string{"a", "b + 1"}, OnConflict: "ON CONFLICT (a) DO NOTHING", Returning: true}}},
	{"INSERT INTO t OVERRIDING SYSTEM VALUE SELECT count(*) FROM x", []ddl.Op{ddl.Insert{Table: tt, Overriding: "SYSTEM", Query: "SELECT count(*) FROM x"}}},
	{"INSERT INTO t SELECT a FROM x WHERE EXISTS (SELECT 1)", []ddl.Op{ddl.Insert{Table: tt, Query: "SELECT a FROM x WHERE EXISTS (SELECT 1)"}}},
	{"INSERT INTO t SELECT a FROM x ORDER BY a", []ddl.Op{ddl.Insert{Table: tt, Query: "SELECT a FROM x ORDER BY a"}}},
	{"INSERT INTO t SELECT a FROM x, y", []ddl.Op{ddl.Insert{Table: tt, Query: "SELECT a FROM x, y"}}},
	{"INSERT INTO t (a) VALUES (1), (2)", []ddl.Op{ddl.Insert{Table: tt, Columns: []string{"a"}, Rows: 2}}},
	{"INSERT INTO t DEFAULT VALUES", []ddl.Op{ddl.Insert{Table: tt, Rows: 1}}},
	{"START TRANSACTION", []ddl.Op{ddl.Transaction{Verb: "START TRANSACTION"}}},
	{"ROLLBACK TO SAVEPOINT x", []ddl.Op{ddl.Transaction{Verb: "ROLLBACK TO SAVEPOINT"}}},
	{"SET LOCAL lock_timeout = '3s'", []ddl.Op{ddl.Set{Name: "lock_timeout", Value: "'3s'", Local: true}}},
	{"SET search_path TO a, \"B\"", []ddl.Op{ddl.Set{Name: "search_path", Value: `a, "B"`}}},
	{"SET TIME ZONE 'UTC'", []ddl.Op{ddl.Set{Name: "timezone", Value: "'UTC'"}}},
	{"SET ROLE x", []ddl.Op{ddl.Set{Name: "role", Value: "x"}}},
	{"RESET work_mem", []ddl.Op{ddl.Set{Name: "work_mem", Reset: true}}},
	{"RESET ALL", []ddl.Op{ddl.Set{Name: "all", Reset: true}}},
	{"DO LANGUAGE plpgsql $$BEGIN NULL; END$$", []ddl.Op{ddl.Do{Language: "plpgsql", Body: "BEGIN NULL; END"}}},
	{"CREATE FUNCTION s.f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END", []ddl.Op{ddl.Other{Tag: "CREATE FUNCTION", Names: []ddl.Name{name("s.f")}}}},
	{"DROP FUNCTION f(int), s.g()", []ddl.Op{ddl.Other{Tag: "DROP FUNCTION", Names: []ddl.Name{name("f"), name("s.g")}}}},
	{"GRANT SELECT ON s.t TO PUBLIC", []ddl.Op{ddl.Other{Tag: "GRANT", Objects: []ddl.Name{st}}}},
	{"REVOKE ALL ON s.t FROM PUBLIC", []ddl.Op{ddl.Other{Tag: "REVOKE", Objects: []ddl.Name{st}}}},
	{"COMMENT ON COLUMN s.t.c IS 'x'", []ddl.Op{ddl.Other{Tag: "COMMENT", Objects: []ddl.Name{st}}}},
	{"CREATE POLICY p ON s.t USING (a IN (SELECT 1 FROM z))", []ddl.Op{ddl.Other{Tag: "CREATE POLICY", Objects: []ddl.Name{st, name("z")}, Names: []ddl.Name{name("p")}}}},
	{"LOCK TABLE s.t IN SHARE MODE", []ddl.Op{ddl.Other{Tag: "LOCK TABLE", Objects: []ddl.Name{st}, LockMode: 5}}},
	{"WITH t AS (SELECT 1) SELECT * FROM t, s.t", []ddl.Op{ddl.Other{Tag: "SELECT", Objects: []ddl.Name{st}}}},
	{"CREATE SCHEMA s", []ddl.Op{ddl.Other{Tag: "CREATE SCHEMA", Names: []ddl.Name{name("s")}}}},
	{"CREATE EXTENSION x", []ddl.Op{ddl.Other{Tag: "CREATE EXTENSION", Names: []ddl.Name{name("x")}}}},
	{"CREATE TYPE s.t AS (a int)", []ddl.Op{ddl.Other{Tag: "CREATE TYPE", Objects: []ddl.Name{st}}}},
	{"ALTER TYPE s.t ADD ATTRIBUTE a int", []ddl.Op{ddl.Other{Tag: "ALTER TYPE", Objects: []ddl.Name{st}}}},
	{"CREATE RULE r AS ON INSERT TO s.t DO ALSO (SELECT 1; SELECT 2)", []ddl.Op{ddl.Other{Tag: "CREATE RULE", Objects: []ddl.Name{st}, Names: []ddl.Name{name("r")}}}},
	{"VACUUM (ANALYZE) t", []ddl.Op{ddl.Other{Tag: "VACUUM", Objects: []ddl.Name{tt}}}},
	{"MERGE INTO t USING s.t ON true WHEN MATCHED THEN DELETE", []ddl.Op{ddl.Other{Tag: "MERGE", Objects: []ddl.Name{tt, st}}}},
}

// newerForms are what PostgreSQL 18 added to the grammar.
var newerForms = []form{
	{"CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL NOT NULL, c int CONSTRAINT g GENERATED ALWAYS AS (a + 1) CHECK (c > 0), d int NOT NULL NO INHERIT, CONSTRAINT nn NOT NULL a NO INHERIT, NOT NULL \"b\")",
		[]ddl.Op{ddl.CreateTable{Table: tt, Persistence: 'p', Columns: []ddl.Column{{Name: "a", Type: tInt},
			{Name: "b", Type: tInt, Generated: "a * 2", Virtual: true, NotNull: true},
			{Name: "c", Type: tInt, Generated: "a + 1", Virtual: true, Constraints: []ddl.Constraint{{Kind: ddl.Check, Expr: "c > 0", Body: "CHECK (c > 0)"}}},
			{Name: "d", Type: tInt, NotNull: true, NotNullNoInherit: true}},
			Constraints: []ddl.Constraint{{Name: "nn", Kind: ddl.NotNull, Columns: []string{"a"}, Body: "NOT NULL a NO INHERIT", NoInherit: true},
				{Kind: ddl.NotNull, Columns: []string{"b"}, Body: `NOT NULL "b"`}}}}},
	{"ALTER TABLE t ADD CONSTRAINT x NOT NULL /* c */ \"C\" NOT VALID, ADD NOT NULL d, ADD e int GENERATED ALWAYS AS (a), ALTER CONSTRAINT x NOT ENFORCED, ALTER CONSTRAINT y NO INHERIT, ALTER CONSTRAINT z INHERIT",
		[]ddl.Op{
			ddl.AddConstraint{Table: tt, Constraint: ddl.Constraint{Name: "x", Kind: ddl.NotNull, Columns: []string{"C"}, Body: `NOT NULL "C"`, NotValid: true}},
			ddl.AddConstraint{Table: tt, Constraint: ddl.Constraint{Kind: ddl.NotNull, Columns: []string{"d"}, Body: "NOT NULL d"}},
			ddl.AddColumn{Table: tt, Column: ddl.Column{Name: "e", Type: tInt, Generated: "a", Virtual: true}},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "AlterConstraint", Arg: "x", With: []string{"NOT ENFORCED"}},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "AlterConstraint", Arg: "y", With: []string{"NO INHERIT"}},
			ddl.AlterTable{Table: tt, Kind: "TABLE", Action: "AlterConstraint", Arg: "z", With: []string{"INHERIT"}}}},
	{"ALTER TABLE t ADD CHECK (a > 0) NOT ENFORCED, ADD b int REFERENCES p NOT ENFORCED, ADD c int CHECK (c > 0) ENFORCED, ADD FOREIGN KEY (id, PERIOD v) REFERENCES q (id, PERIOD v), ADD PRIMARY KEY (id, v WITHOUT OVERLAPS)",
		[]ddl.Op{
			ddl.AddConstraint{Table: tt, Constraint: ddl.Constraint{Kind: ddl.Check, Expr: "a > 0", Body: "CHECK (a > 0) NOT ENFORCED", NotEnforced: true}},
			ddl.AddColumn{Table: tt, Column: ddl.Column{Name: "b", Type: tInt, Constraints: []ddl.Constraint{{Kind: ddl.ForeignKey, Columns: []string{"b"}, RefTable: name("p"),
				Body: "FOREIGN KEY (b) REFERENCES p NOT ENFORCED", NotEnforced: true}}}},
			ddl.AddColumn{Table: tt, Column: ddl.Column{Name: "c", Type: tInt, Constraints: []ddl.Constraint{{Kind: ddl.Check, Expr: "c > 0", Body: "CHECK (c > 0) ENFORCED"}}}},
			ddl.AddConstraint{Table: tt, Constraint: ddl.Constraint{Kind: ddl.ForeignKey, Columns: []string{"id", "v"}, RefTable: name("q"), RefColumns: []string{"id", "v"},
				Body: "FOREIGN KEY (id, PERIOD v) REFERENCES q (id, PERIOD v)", Temporal: true}},
			ddl.AddConstraint{Table: tt, Constraint: ddl.Constraint{Kind: ddl.PrimaryKey, Columns: []string{"id", "v"}, Body: "PRIMARY KEY (id, v WITHOUT OVERLAPS)", Temporal: true}}}},
	{"UPDATE t SET a = 1 RETURNING WITH (OLD AS o, NEW AS n) o.a", []ddl.Op{ddl.Update{Table: tt, Set: []ddl.Assignment{{Column: "a", Expr: "1"}}, Returning: true}}},
	{"ANALYZE ONLY t", []ddl.Op{ddl.Other{Tag: "ANALYZE", Objects: []ddl.Name{tt}}}},
	{"ALTER DEFAULT PRIVILEGES GRANT SELECT ON LARGE OBJECTS TO PUBLIC", []ddl.Op{ddl.Other{Tag: "ALTER DEFAULT PRIVILEGES"}}},
	// What looks like newer syntax and is none.
	{"ALTER TABLE t ADD enforced enforced, ADD period period, ALTER enforced SET DEFAULT NULL", []ddl.Op{
		ddl.AddColumn{Table: tt, Column: ddl.Column{Name: "enforced", Type: ddl.TypeName{Name: "enforced", SQL: "enforced"}}},
		ddl.AddColumn{Table: tt, Column: ddl.Column{Name: "period", Type: ddl.TypeName{Name: "period", SQL: "period"}}},
		ddl.SetDefault{Table: tt, Column: "enforced", Expr: "NULL"}}},
}

func TestParseForms(t *testing.T) {
	for _, c := range append(append([]form{}, forms...), newerForms...) {
		f, err := ddl.Parse("", "/* before */ "+c.sql+" ; -- behind")
		if err != nil {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		if len(f.Statements) != 1 || f.Statements[0].SQL != c.sql {
			t.Errorf("%s: got %d statements, %+v", c.sql, len(f.Statements), f.Statements)
			continue
		}
		if d := cmp.Diff(c.ops, f.Statements[0].Ops); d != "" {
			t.Errorf("%s: ops (-want +got)\n%s", c.sql, d)
		}
		checkParse(t, c.sql)
	}
}

// TestEveryOpHasAForm reads the closed set of Ops from its source.
func TestEveryOpHasAForm(t *testing.T) {
	source, err := os.ReadFile("op.go")
	if err != nil {
		t.Fatal(err)
	}
	covered := map[string]bool{}
	for _, c := range forms {
		for _, op := range c.ops {
			covered[reflect.TypeOf(op).Name()] = true
		}
	}
	all := regexp.MustCompile(`(?m)^func \((\w+)\) op\(\)`).FindAllSubmatch(source, -1)
	if len(all) < 50 {
		t.Fatalf("only %d Ops found", len(all))
	}
	for _, m := range all {
		if !covered[string(m[1])] {
			t.Errorf("no form for %s", m[1])
		}
	}
}

// TestNewerFormsBesideOldOnes has all newer statements in one file, positions and all.
func TestNewerFormsBesideOldOnes(t *testing.T) {
	var all []string
	for _, c := range newerForms {
		all = append(all, c.sql, "SELECT 'ä'")
	}
	f, err := ddl.Parse("", strings.Join(all, ";\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Statements) != len(all) {
		t.Fatalf("%d statements of %d", len(f.Statements), len(all))
	}
	for i, s := range f.Statements {
		if s.SQL != all[i] || s.Pos.Line != i+1 || s.Pos.Column != 1 {
			t.Errorf("statement %d is %q at %s", i, s.SQL, s.Pos)
		}
	}
}

// TestEffectsParse: every statement whose effects were measured has ops, and none of them says nothing.
func TestEffectsParse(t *testing.T) {
	for _, sql := range effects(t) {
		f, err := ddl.Parse("", sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		for _, op := range ops(f) {
			if o, ok := op.(ddl.Other); ok && (o.Tag == "" || len(o.Objects) == 0 && len(o.Names) == 0 && o.Tag != "SELECT") {
				t.Errorf("%s: %+v", sql, o)
			}
		}
	}
}

func TestNoTx(t *testing.T) {
	for sql, want := range map[string]bool{
		"CREATE INDEX CONCURRENTLY i ON t (a)": true, "CREATE INDEX i ON t (a)": false,
		"DROP INDEX CONCURRENTLY i": true, "DROP INDEX i": false,
		"REINDEX TABLE CONCURRENTLY t": true, "REINDEX (CONCURRENTLY off) TABLE t": false, "REINDEX TABLE t": false,
		"REINDEX DATABASE d": true, "REINDEX SYSTEM d": true, "REINDEX SCHEMA s": true,
		"ALTER TABLE t DETACH PARTITION p CONCURRENTLY": true, "ALTER TABLE t DETACH PARTITION p": false,
		"ALTER TABLE t DETACH PARTITION p FINALIZE": false,
		"VACUUM t": true, "ANALYZE t": false, "CLUSTER": true, "CLUSTER t": false,
		"ALTER SYSTEM SET work_mem = '1MB'": true, "CREATE DATABASE d": true, "DROP DATABASE d": true,
		"CREATE TABLESPACE x LOCATION '/x'": true, "DROP TABLESPACE x": true, "ALTER DATABASE d SET TABLESPACE x": true,
		"ALTER TYPE t ADD VALUE 'x'": false, "DISCARD ALL": true, "DISCARD PLANS": false, "COMMIT PREPARED 'x'": true,
		"CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p":                          true,
		"CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (create_slot=false)": false,
		"REFRESH MATERIALIZED VIEW CONCURRENTLY m":                                   false,
	} {
		f, err := ddl.Parse("", sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
		} else if f.Statements[0].NoTx != want {
			t.Errorf("%s: NoTx is %v", sql, !want)
		}
	}
}

func TestPositions(t *testing.T) {
	text := "\ufeff/* ä */ SELECT '日本';;\r\n-- c\r\n\r\n  SELECT\r\n 2 ; SELECT 3 -- end\r\n"
	f, err := ddl.Parse("f.sql", text)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range f.Statements {
		got = append(got, s.Pos.String()+" "+s.SQL)
	}
	want := []string{"f.sql:1:9 SELECT '日本'", "f.sql:4:3 SELECT\r\n 2", "f.sql:5:6 SELECT 3"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if f.Text != text {
		t.Error("the text was changed")
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, c := range []struct{ text, pos, message, line string }{
		{"SELECT 1;\r\n  SELEC 'ä';\r\n", "2:3", `syntax error at or near "SELEC"`, "  SELEC 'ä';"},
		{"\ufeffSELECT 'ä', FROM FROM", "1:13", `syntax error at or near "FROM"`, "SELECT 'ä', FROM FROM"},
		{"SELECT (1", "1:10", "syntax error at end of input", "SELECT (1"},
		{"SELECT 1;\nSELECT 'x", "2:8", `unterminated quoted string at or near "'x"`, "SELECT 'x"},
		{"SELECT \x00", "1:8", "invalid byte 0x00 in the text", "SELECT \x00"},
		{"SELECT 'a\xff'", "1:10", `invalid byte sequence for encoding "UTF8"`, "SELECT 'a\xff'"},
		{"ALTER TABLE t ADD CONSTRAINT c NOT NULL f(x)", "1:42", `syntax error at or near "("`, "ALTER TABLE t ADD CONSTRAINT c NOT NULL f(x)"},
		{"ALTER TABLE t ADD CHECK (a) NOT ENFORCED, ADD 5", "1:47", `syntax error at or near "5"`, "ALTER TABLE t ADD CHECK (a) NOT ENFORCED, ADD 5"},
	} {
		_, err := ddl.Parse("", c.text)
		var se *ddl.SyntaxError
		if !errors.As(err, &se) {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if se.Pos.String() != c.pos || se.Message != c.message || se.Line != c.line {
			t.Errorf("%q: %s %q in %q", c.text, se.Pos, se.Message, se.Line)
		}
	}
}

func TestClientErrors(t *testing.T) {
	for _, c := range []struct{ text, pos, word string }{
		{"SELECT 1;\n  \\i other.sql\n", "2:3", `\i`},
		{"\\echo it's here\nSELECT 1", "1:1", `\echo`},
		{"SELECT 1 \\gexec", "1:10", `\gexec`},
		{"SELECT * FROM t WHERE a = :value", "1:27", ":value"},
		{"SELECT :'name'", "1:8", ":'name'"},
		{"SELECT :\"name\"", "1:8", `:"name"`},
		{"SELECT 1;\nCOPY t (a, b) FROM STDIN;\n1\tit's\n\\.\n", "2:1", "STDIN"},
		{"COPY t FROM stdin WITH (FORMAT csv)", "1:1", "STDIN"},
	} {
		_, err := ddl.Parse("", c.text)
		var ce *ddl.ClientError
		if !errors.As(err, &ce) {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if ce.Pos.String() != c.pos || !strings.Contains(ce.Message, c.word) || ce.Hint == "" {
			t.Errorf("%q: %v", c.text, err)
		}
	}
	for _, sql := range []string{"SELECT a[1:n]", "SELECT JSON_OBJECT('a':b)", "SELECT '\\i', $$\\i$$, a::int", "COPY t TO STDOUT", "COPY t FROM '/x'", "/* \\i */ SELECT 1 -- :x"} {
		if _, err := ddl.Parse("", sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
