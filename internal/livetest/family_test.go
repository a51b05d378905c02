package livetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

// members have roles of their own to be granted things.
const memberRole = `DO $$ BEGIN CREATE ROLE replank_test_other; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
	CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TABLE ref (n int PRIMARY KEY); INSERT INTO ref SELECT g FROM generate_series(0, 100) g;`

// ownThings gives a member of a family what its parent does not have: all that can stand on a column.
func ownThings(m string) string {
	return strings.ReplaceAll(`
	ALTER TABLE @ ALTER n SET DEFAULT 20, ALTER n SET STATISTICS 77, ALTER n SET (n_distinct = 5), ALTER n SET NOT NULL;
	ALTER TABLE @ ALTER s SET STORAGE EXTERNAL, ALTER s SET COMPRESSION pglz, ALTER s SET DEFAULT 'own';
	COMMENT ON COLUMN @.n IS 'of @';
	GRANT SELECT (n), UPDATE (n) ON @ TO replank_test_other;
	ALTER TABLE @ ADD CONSTRAINT "@ chk" CHECK (n < 1000), ADD CONSTRAINT "@ later" CHECK (n <> 77) NOT VALID;
	COMMENT ON CONSTRAINT "@ chk" ON @ IS 'chk of @';
	ALTER TABLE @ ADD CONSTRAINT "@ unique" UNIQUE (id, n);
	ALTER TABLE @ ADD CONSTRAINT "@ fk" FOREIGN KEY (n) REFERENCES ref ON DELETE CASCADE;
	COMMENT ON CONSTRAINT "@ fk" ON @ IS 'fk of @';
	ALTER TABLE @ ADD CONSTRAINT "@ fk later" FOREIGN KEY (n) REFERENCES ref NOT VALID;
	CREATE TABLE "to @" (id int, n int, CONSTRAINT "to @ fk" FOREIGN KEY (id, n) REFERENCES @ (id, n));
	INSERT INTO "to @" SELECT id, n FROM @ LIMIT 3;
	CREATE INDEX "@ idx" ON @ (n) WHERE n > 3;
	CREATE STATISTICS "@ stats" ON n, id FROM @;
	COMMENT ON STATISTICS "@ stats" IS 'stats of @';
	CREATE TRIGGER "@ trg" AFTER UPDATE OF n ON @ FOR EACH ROW WHEN (NEW.n > 5) EXECUTE FUNCTION nothing();
	CREATE POLICY "@ pol" ON @ USING (n > 0);
	CREATE VIEW "@ view" AS SELECT n FROM @;`, "@", m)
}

const partitionFamily = memberRole + `
	CREATE TABLE t (id int NOT NULL, n int DEFAULT 10, s varchar(10) DEFAULT 's', o int) PARTITION BY RANGE (id);
	CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
	CREATE TABLE t11 PARTITION OF t1 FOR VALUES FROM (0) TO (50);
	CREATE TABLE t12 PARTITION OF t1 FOR VALUES FROM (50) TO (100);
	CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200);
	CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (200) TO (300);
	INSERT INTO t SELECT g, g % 70, 's' || g, g FROM generate_series(0, 299) g;
	ALTER TABLE t ALTER n SET STATISTICS 33, ALTER o SET DEFAULT 3, ALTER s SET COMPRESSION pglz;
	COMMENT ON COLUMN t.n IS 'of t';
	GRANT SELECT (n) ON t TO replank_test_other;
	ALTER TABLE t3 ALTER n DROP DEFAULT, ALTER n SET STATISTICS -1;
	ALTER TABLE t1 ALTER n SET DEFAULT 11, ALTER s SET DEFAULT 'middle', ALTER n SET NOT NULL;
	ALTER TABLE t11 ALTER n DROP DEFAULT;
	ALTER TABLE t1 ADD CONSTRAINT middle_chk CHECK (n < 500);
	CREATE INDEX middle_idx ON t1 (n, id);
	ALTER TABLE t1 ADD CONSTRAINT middle_unique UNIQUE (id, n, o);
	ALTER TABLE t1 ADD CONSTRAINT middle_fk FOREIGN KEY (n) REFERENCES ref;
	COMMENT ON CONSTRAINT middle_fk ON t1 IS 'fk of t1';`

const inheritanceFamily = memberRole + `
	CREATE TABLE t (id int NOT NULL, n int DEFAULT 10, s varchar(10) DEFAULT 's', o int);
	CREATE TABLE t1 () INHERITS (t);
	CREATE TABLE t11 () INHERITS (t1);
	CREATE TABLE t12 (x int, n int) INHERITS (t1);
	CREATE TABLE t2 (n int, s varchar(10)) INHERITS (t);
	CREATE TABLE t3 () INHERITS (t);
	CREATE TABLE t31 (n int DEFAULT 31 NOT NULL) INHERITS (t3);
	INSERT INTO t SELECT g, g % 70, 's' || g, g FROM generate_series(0, 99) g;
	INSERT INTO t1 SELECT g, g % 70, 's' || g, g FROM generate_series(100, 199) g;
	INSERT INTO t11 SELECT g, g % 70, 's' || g, g FROM generate_series(200, 299) g;
	INSERT INTO t12 SELECT g, g % 70, 's' || g, g FROM generate_series(300, 399) g;
	INSERT INTO t2 SELECT g, g % 70, 's' || g, g FROM generate_series(400, 499) g;
	INSERT INTO t3 SELECT g, g % 70, 's' || g, g FROM generate_series(500, 599) g;
	ALTER TABLE ONLY t ALTER n SET STATISTICS 33;
	COMMENT ON COLUMN t.n IS 'of t';
	ALTER TABLE t3 ALTER n DROP DEFAULT;
	ALTER TABLE t1 ALTER n SET DEFAULT 11, ALTER s SET DEFAULT 'middle', ALTER n SET NOT NULL;
	ALTER TABLE t11 ALTER n DROP DEFAULT;
	ALTER TABLE t1 ADD CONSTRAINT middle_chk CHECK (n < 500);
	ALTER TABLE t1 ADD CONSTRAINT middle_own CHECK (n < 501) NO INHERIT;
	ALTER TABLE t11 ADD CONSTRAINT twice CHECK (n < 502);
	ALTER TABLE t1 ADD CONSTRAINT twice CHECK (n < 502);
	COMMENT ON CONSTRAINT twice ON t11 IS 'twice, on t11';
	CREATE INDEX middle_idx ON t1 (n, id);
	ALTER TABLE t1 ADD CONSTRAINT middle_fk FOREIGN KEY (n) REFERENCES ref;`

// asPsql applies a change, reverts it, applies it again and completes it; what is there then is what psql makes of it.
func asPsql(t *testing.T, prepare, change, psql string) {
	t.Helper()
	s := newSite(t, prepare, change, accept("column-order", "triggers"))
	look := pgtest.Look(t, s.dsn, pgtest.IgnoreColumnOrder())
	shape, rows := look.Dump(), look.Data()
	s.apply()
	s.revert()
	if d := pgtest.Diff(shape, look.Dump()); d != "" {
		t.Errorf("shape after revert: %s", d)
	}
	if d := pgtest.Diff(rows, look.Data()); d != "" {
		t.Errorf("rows after revert: %s", d)
	}
	s.apply()
	if s.state() != string(migrate.Done) {
		s.complete()
	}
	want := pgtest.DB(t)
	pgtest.Exec(t, want, prepare)
	if psql == "" {
		psql = change
	}
	if out, err := pgtest.Psql(t, want, psql); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	pgtest.SameShape(t, want, s.dsn, pgtest.IgnoreColumnOrder())
	pgtest.SameData(t, want, s.dsn)
}

// TestTypeChangeKeepsWhatMembersHave: partitions and children keep what is theirs.
func TestTypeChangeKeepsWhatMembersHave(t *testing.T) {
	const dropViews = `DROP VIEW "t12 view", "t2 view"; DROP POLICY "t12 pol" ON t12; DROP POLICY "t2 pol" ON t2; DROP TRIGGER "t12 trg" ON t12; DROP TRIGGER "t2 trg" ON t2;`
	again := ""
	for _, m := range []string{"t12", "t2"} {
		things := ownThings(m)
		again += things[strings.Index(things, "CREATE TRIGGER"):]
	}
	for name, family := range map[string]string{"partitions": partitionFamily, "inheritance": inheritanceFamily} {
		for what, change := range map[string]string{
			"number": "ALTER TABLE t ALTER COLUMN n TYPE bigint;",
			"text":   "ALTER TABLE t ALTER COLUMN s TYPE varchar(5);",
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				asPsql(t, family+ownThings("t12")+ownThings("t2"), change, dropViews+change+again)
			})
		}
	}
}

// TestTypeChangeUnderAForeignKeyToAPartitionedTable: the new key of such a table is there only at complete.
func TestTypeChangeUnderAForeignKeyToAPartitionedTable(t *testing.T) {
	for name, to := range map[string]string{"table": "t", "partition": "t1"} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, `CREATE TABLE t (id int, n int) PARTITION BY RANGE (id);
				CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
				CREATE TABLE t11 PARTITION OF t1 FOR VALUES FROM (0) TO (50);
				ALTER TABLE `+to+` ADD PRIMARY KEY (id, n);
				CREATE TABLE f (id int, n int, FOREIGN KEY (id, n) REFERENCES `+to+`)`, "ALTER TABLE t ALTER COLUMN n TYPE bigint;")
			_, err := s.open().Apply(ctx, s.files)
			var refused *plan.Refusal
			if !errors.As(err, &refused) || refused.Code != "partitioned-reference" {
				t.Fatalf("apply: %v", err)
			}
		})
	}
}

// TestTypeChangeKeepsTheSequence: an identity column's sequence is made anew, with all that the old one had.
func TestTypeChangeKeepsTheSequence(t *testing.T) {
	const prepare = memberRole + `
		CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY (MINVALUE -5 MAXVALUE 100000 START 7 INCREMENT 3 CACHE 20 CYCLE) PRIMARY KEY,
			d int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1), s serial, x int);
		CREATE TABLE u (id int GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME "The u"), n int);
		CREATE TABLE p (id int, i int GENERATED BY DEFAULT AS IDENTITY) PARTITION BY RANGE (id);
		CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
		INSERT INTO t (x) SELECT g FROM generate_series(1, 50) g; INSERT INTO u (n) SELECT g FROM generate_series(1, 20) g;
		INSERT INTO p (id) SELECT g FROM generate_series(1, 20) g;
		COMMENT ON SEQUENCE t_id_seq IS 'of t'; COMMENT ON SEQUENCE t_s_seq IS 'serial';
		GRANT USAGE ON SEQUENCE t_id_seq TO replank_test_other WITH GRANT OPTION; GRANT SELECT ON SEQUENCE t_id_seq TO PUBLIC;
		GRANT UPDATE ON SEQUENCE t_s_seq TO replank_test_other;
		REVOKE USAGE ON SEQUENCE "The u" FROM CURRENT_USER;
		ALTER SEQUENCE t_d_seq MINVALUE -2147483648;
		ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO replank_test_other;
		ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON SEQUENCES TO PUBLIC;`
	asPsql(t, prepare, `ALTER TABLE t ALTER COLUMN id TYPE bigint, ALTER COLUMN d TYPE bigint, ALTER COLUMN s TYPE bigint;
		ALTER TABLE u ALTER COLUMN id TYPE bigint; ALTER TABLE p ALTER COLUMN i TYPE bigint;`, "")
}

// TestTypeChangeKeepsThePosition: of each sequence, whoever takes numbers from it meanwhile.
func TestTypeChangeKeepsThePosition(t *testing.T) {
	s := newSite(t, `CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, x int);
		CREATE TABLE u (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, x int);
		INSERT INTO t (x) SELECT g FROM generate_series(1, 50) g; INSERT INTO u (x) SELECT g FROM generate_series(1, 2000) g`,
		"ALTER TABLE t ALTER COLUMN id TYPE bigint; ALTER TABLE u ALTER COLUMN id TYPE bigint;").apply()
	s.complete()
	pgtest.Exec(t, s.dsn, "INSERT INTO t (x) VALUES (0); INSERT INTO u (x) VALUES (0)")
	if got := pgtest.Value[string](t, s.dsn, "SELECT (SELECT id FROM t WHERE x = 0) || ' ' || (SELECT id FROM u WHERE x = 0)"); got != "51 2001" {
		t.Errorf("the next numbers are %s", got)
	}
}

// TestTypeChangeOfPartlyRequiredColumn: what is NOT NULL in a parent alone is no promise of its children.
func TestTypeChangeOfPartlyRequiredColumn(t *testing.T) {
	required := "ALTER TABLE t ALTER n SET NOT NULL; ALTER TABLE t1 ALTER n DROP NOT NULL;"
	if pgtest.Major(t) >= 18 {
		required = "ALTER TABLE t ADD CONSTRAINT needed NOT NULL n NO INHERIT;"
	}
	asPsql(t, `CREATE TABLE t (id int, n int); CREATE TABLE t1 () INHERITS (t); CREATE TABLE t11 () INHERITS (t1); CREATE TABLE t2 () INHERITS (t);
		CREATE TABLE t3 (n int NOT NULL) INHERITS (t1, t2);`+required+`
		ALTER TABLE t11 ALTER n DROP NOT NULL; ALTER TABLE t11 ALTER n SET NOT NULL;
		INSERT INTO t VALUES (1, 1); INSERT INTO t1 VALUES (2, NULL); INSERT INTO t2 VALUES (3, 3); INSERT INTO t3 VALUES (4, 4);`,
		"ALTER TABLE t ALTER COLUMN n TYPE bigint;", "")
}

// TestWritesToMembersWithTheirOwnDefault: whoever leaves a column of either shape out, in whichever table.
func TestWritesToMembersWithTheirOwnDefault(t *testing.T) {
	for family, below := range map[string]string{
		"partitions":  " PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200);",
		"inheritance": "; CREATE TABLE t1 () INHERITS (t); CREATE TABLE t2 () INHERITS (t);",
	} {
		for change, other := range map[string]string{"ALTER TABLE t ALTER COLUMN n TYPE bigint;": "_replank_n", "ALTER TABLE t RENAME COLUMN n TO m;": "m"} {
			for _, notNull := range []string{"", " NOT NULL"} {
				s := newSite(t, "CREATE TABLE t (id int, n int DEFAULT 10"+notNull+")"+below+"ALTER TABLE t1 ALTER n SET DEFAULT 20; ALTER TABLE t2 ALTER n DROP DEFAULT", change).apply()
				for _, tt := range []struct{ insert, want string }{
					{"t (id) VALUES (1)", "10"}, {"t (id, n) VALUES (1, 5)", "5"}, {"t (id, OTHER) VALUES (1, 5)", "5"}, {"t (id, OTHER) VALUES (1, 20)", "20"},
					{"t (id, n) VALUES (1, 20)", "20"}, {"t (id, n) VALUES (1, NULL)", "-"}, {"t (id, OTHER) VALUES (1, NULL)", "-"},
					{"t1 (id) VALUES (1)", "20"}, {"t1 (id, n) VALUES (1, 5)", "5"}, {"t1 (id, OTHER) VALUES (1, 5)", "5"}, {"t1 (id, n) VALUES (1, 10)", "10"},
					{"t1 (id, n) VALUES (1, NULL)", "-"}, {"t1 (id, OTHER) VALUES (1, NULL)", "-"},
					{"t2 (id) VALUES (101)", "-"}, {"t2 (id, n) VALUES (101, 5)", "5"}, {"t2 (id, OTHER) VALUES (101, 5)", "5"}, {"t2 (id, n) VALUES (101, 10)", "10"},
					{"t1 (id, n, OTHER) VALUES (1, 10, 10)", "10"}, {"t (id, n, OTHER) VALUES (1, 20, 20)", "20"},
					// Nobody can tell that from t (id, n) VALUES (1, 20) where NULL may be meant (notice own-default).
					{"t1 (id, OTHER) VALUES (1, 10)", map[bool]string{true: "20", false: "10"}[notNull == ""]},
					{"t2 (id, OTHER) VALUES (101, 10)", map[bool]string{true: "-", false: "10"}[notNull == ""]},
				} {
					if notNull != "" && tt.want == "-" || notNull != "" && strings.Contains(tt.insert, "NULL") {
						continue
					}
					pgtest.Exec(t, s.dsn, "TRUNCATE t", "INSERT INTO "+strings.Replace(tt.insert, "OTHER", other, 1))
					both := "coalesce(n::text, '-') || ' ' || coalesce(" + other + "::text, '-')"
					if got, want := pgtest.Value[string](t, s.dsn, "SELECT "+both+" FROM t"), tt.want+" "+tt.want; got != want {
						t.Errorf("%s, %s%s: INSERT INTO %s makes %s, want %s", family, change, notNull, tt.insert, got, want)
					}
				}
			}
		}
	}
}

// TestOtherChangesLeaveMembersAlone: what a statement about the parent hands down is taken back from each of them.
func TestOtherChangesLeaveMembersAlone(t *testing.T) {
	for name, family := range map[string]string{"partitions": partitionFamily, "inheritance": inheritanceFamily} {
		for what, change := range map[string]string{
			"rename":           "ALTER TABLE t RENAME COLUMN n TO m;",
			"set default":      "ALTER TABLE t ALTER COLUMN n SET DEFAULT 99;",
			"drop default":     "ALTER TABLE t ALTER COLUMN n DROP DEFAULT;",
			"set default only": "ALTER TABLE ONLY t ALTER COLUMN n SET DEFAULT 99;",
			"set not null":     "ALTER TABLE t ALTER COLUMN n SET NOT NULL;",
			"drop not null":    "ALTER TABLE t ALTER COLUMN n DROP NOT NULL;",
			"drop column":      "ALTER TABLE t DROP COLUMN o;",
			"statistics":       "ALTER TABLE t ALTER COLUMN n SET STATISTICS 12, ALTER COLUMN s SET STORAGE MAIN, ALTER COLUMN o SET STATISTICS 9;",
			"statistics only":  "ALTER TABLE ONLY t ALTER COLUMN n SET STATISTICS 12, ALTER COLUMN s SET STORAGE MAIN;",
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				pgtest.Share(t, 2)
				t.Parallel()
				asPsql(t, family+ownThings("t2"), change, "")
			})
		}
	}
}

// cloned is a partitioned table whose partitions say otherwise of their clones of its trigger.
const cloned = `CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TABLE t (id int, n int) PARTITION BY RANGE (id);
	CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
	CREATE TABLE t11 PARTITION OF t1 FOR VALUES FROM (0) TO (50);
	CREATE TABLE t12 PARTITION OF t1 FOR VALUES FROM (50) TO (100);
	CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200);
	INSERT INTO t SELECT g, g FROM generate_series(0, 199) g;`

const clones = `CREATE TRIGGER trg AFTER UPDATE OF n ON t FOR EACH ROW EXECUTE FUNCTION nothing();
	CREATE TRIGGER mid AFTER UPDATE ON t1 FOR EACH ROW WHEN (NEW.n > 5) EXECUTE FUNCTION nothing();
	ALTER TABLE t ENABLE REPLICA TRIGGER trg;
	ALTER TABLE t1 DISABLE TRIGGER trg;
	ALTER TABLE t11 ENABLE ALWAYS TRIGGER trg;
	ALTER TABLE t2 ENABLE TRIGGER trg;
	ALTER TABLE t12 DISABLE TRIGGER mid;
	COMMENT ON TRIGGER trg ON t2 IS 'of t2';`

// TestPartitionsKeepTheStateOfATrigger: what a partition says of its clone of its parent's trigger is its own.
func TestPartitionsKeepTheStateOfATrigger(t *testing.T) {
	for name, tt := range map[string]struct{ change, psql string }{
		"type":    {"ALTER TABLE t ALTER COLUMN n TYPE bigint;", "DROP TRIGGER trg ON t; DROP TRIGGER mid ON t1; ALTER TABLE t ALTER COLUMN n TYPE bigint;" + clones},
		"rename":  {"ALTER TABLE t RENAME COLUMN n TO m;", ""},
		"drop":    {"DROP TRIGGER trg ON t;", ""},
		"disable": {"ALTER TABLE t DISABLE TRIGGER trg;", ""},
		"enable":  {"ALTER TABLE ONLY t ENABLE ALWAYS TRIGGER trg;", ""},
	} {
		t.Run(name, func(t *testing.T) { asPsql(t, cloned+clones, tt.change, tt.psql) })
	}
	t.Run("in one file", func(t *testing.T) {
		asPsql(t, cloned, clones+"ALTER TABLE t ALTER COLUMN n TYPE bigint;", "ALTER TABLE t ALTER COLUMN n TYPE bigint;"+clones)
	})
}

// TestColumnThatGoesMayBeLeftOut: also where only a table below requires it.
func TestColumnThatGoesMayBeLeftOut(t *testing.T) {
	for name, tt := range map[string]struct {
		below   string
		inserts []string
	}{
		"partitions": {" PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200);" +
			"ALTER TABLE t1 ALTER n SET NOT NULL; ALTER TABLE t2 ALTER n SET NOT NULL; ALTER TABLE t2 ALTER n SET DEFAULT 7;",
			[]string{"t (id) VALUES (5)", "t (id) VALUES (105)", "t1 (id) VALUES (6)", "t2 (id) VALUES (106)"}},
		"a partition of a partition": {" PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id); CREATE TABLE t11 PARTITION OF t1 FOR VALUES FROM (0) TO (200);" +
			"ALTER TABLE t11 ALTER n SET NOT NULL;",
			[]string{"t (id) VALUES (5)", "t1 (id) VALUES (6)", "t11 (id) VALUES (7)"}},
		"inheritance": {"; CREATE TABLE t1 () INHERITS (t); CREATE TABLE t11 () INHERITS (t1); CREATE TABLE t2 () INHERITS (t);" +
			"ALTER TABLE t1 ALTER n SET NOT NULL; ALTER TABLE t11 ALTER n SET NOT NULL; ALTER TABLE t2 ALTER n SET NOT NULL; ALTER TABLE t2 ALTER n SET DEFAULT 7;",
			[]string{"t (id) VALUES (5)", "t1 (id) VALUES (6)", "t11 (id) VALUES (7)", "t2 (id) VALUES (8)"}},
		"required everywhere": {"; CREATE TABLE t1 () INHERITS (t); CREATE TABLE t11 () INHERITS (t1); ALTER TABLE t11 ALTER n SET NOT NULL; ALTER TABLE t ALTER n SET NOT NULL;",
			[]string{"t (id) VALUES (5)", "t1 (id) VALUES (6)", "t11 (id) VALUES (7)"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "CREATE TABLE t (id int, n int)"+tt.below+"INSERT INTO t VALUES (1, 1)", "ALTER TABLE t DROP COLUMN n;")
			before := pgtest.Dump(t, s.dsn)
			s.apply()
			s.revert()
			if d := pgtest.Diff(before, pgtest.Dump(t, s.dsn)); d != "" {
				t.Errorf("revert: %s", d)
			}
			s.apply()
			for _, insert := range tt.inserts {
				if err := pgtest.TryExec(s.dsn, "INSERT INTO "+insert); err != nil {
					t.Errorf("INSERT INTO %s: %v", insert, err)
				}
			}
			s.complete()
		})
	}
}
