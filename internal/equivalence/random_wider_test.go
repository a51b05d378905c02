package equivalence

import (
	"fmt"
	"slices"
	"strings"
)

// wider are the statements that people write less often, and the scripts of several that mean one change.
func (m *randomModel) wider(t *randomTable, alter string) string {
	free := func(k *randomColumn) bool { return !k.viewed && !k.opaque }
	a := func(ok func(*randomColumn) bool) *randomColumn { return m.column(t, ok) }
	switch m.IntN(40) {
	case 0: // what a column has beside its type
		k := a(anyColumn)
		s := []string{"SET STATISTICS 50", "SET (n_distinct = 5)"}
		if k.isText() {
			s = append(s, "SET STORAGE EXTERNAL", "SET STORAGE MAIN", "SET COMPRESSION pglz")
		}
		return alter + "ALTER COLUMN " + k.name + " " + one(m, s) + ";"
	case 1, 2, 3: // types that need USING
		k := a(func(k *randomColumn) bool { return free(k) && !k.def })
		if k == nil {
			return ""
		}
		typ, using := "", ""
		switch {
		case k.isInt():
			typ = one(m, []string{"text", "text USING 'n' || " + k.name, "boolean USING " + k.name + " > 10", "numeric USING " + k.name + " / 2.0"})
		case k.isText():
			typ = one(m, []string{"int USING length(" + k.name + ")", "varchar(80)", "text COLLATE \"C\"", "mood USING 'ok'::mood"})
		case k.typ == "timestamp":
			typ = one(m, []string{"timestamptz", "timestamptz USING " + k.name + " AT TIME ZONE 'UTC'", "date", "timestamptz USING " + k.name + " AT TIME ZONE 'Europe/Berlin'"})
		case k.typ == "json":
			typ = one(m, []string{"jsonb", "text", "jsonb USING " + k.name + "::jsonb"})
		case k.typ == "posint":
			typ = one(m, []string{"int", "bigint"})
		case m.enums[k.typ] != nil:
			typ = one(m, []string{"text", "text USING upper(" + k.name + "::text)"})
		case strings.HasPrefix(k.typ, "numeric"):
			typ = one(m, []string{"bigint", "text", "int USING floor(" + k.name + ")"})
		default:
			return ""
		}
		k.typ, using, _ = strings.Cut(typ, " ")
		return alter + "ALTER COLUMN " + k.name + " TYPE " + k.typ + " " + using + ";"
	case 4, 5: // a type with what has to change along
		k := a(func(k *randomColumn) bool { return free(k) && k.isInt() && k.name != t.key })
		if k == nil {
			return ""
		}
		k.def = true
		k.typ = "bigint"
		c := "ALTER COLUMN " + k.name
		return alter + one(m, []string{
			fmt.Sprintf("%[1]s DROP DEFAULT, %[1]s TYPE bigint, %[1]s SET DEFAULT 5", c),
			fmt.Sprintf("%[1]s TYPE bigint, %[1]s SET DEFAULT 5", c),
			fmt.Sprintf("%[1]s TYPE bigint, ADD CONSTRAINT %[2]s CHECK (%[3]s > -1)", c, m.name("con"), k.name),
			fmt.Sprintf("%[1]s TYPE bigint, ADD CONSTRAINT %[2]s UNIQUE (%[3]s, %[4]s)", c, m.name("con"), k.name, t.key),
			fmt.Sprintf("%[1]s TYPE bigint, %[1]s DROP NOT NULL", c),
			fmt.Sprintf("%[1]s TYPE bigint USING coalesce(%[2]s, 0), %[1]s SET NOT NULL", c, k.name),
		}) + ";"
	case 6, 7: // NOT NULL with rows made fit for it
		k := a(func(k *randomColumn) bool { return k.null && k.typ != "posint" })
		if k == nil {
			return ""
		}
		k.null = false
		s := fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s IS NULL;\n%sALTER COLUMN %s SET NOT NULL;", t.name, k.name, m.constant(k), k.name, alter, k.name)
		if m.IntN(2) == 0 {
			s += fmt.Sprintf("\n%sALTER COLUMN %s SET DEFAULT %s;", alter, k.name, m.constant(k))
			k.def = true
		}
		return s
	case 8, 9: // a column made in steps
		k := &randomColumn{name: m.name("col"), typ: one(m, []string{"int", "text", "bigint"})}
		from := m.value(t, k)
		if strings.Contains(from, k.name) {
			return ""
		}
		t.cols = append(t.cols, k)
		s := fmt.Sprintf("%sADD COLUMN %s %s;\nUPDATE %s SET %s = %s;", alter, k.name, k.typ, t.name, k.name, from)
		k.null = true
		switch m.IntN(4) {
		case 0:
			s += fmt.Sprintf("\n%sALTER COLUMN %s SET DEFAULT %s;", alter, k.name, m.constant(k))
			k.def = true
		case 1:
			s += fmt.Sprintf("\nCREATE INDEX %s ON %s (%s);", m.name("idx"), t.name, k.name)
		case 2:
			s += fmt.Sprintf("\n%sADD CONSTRAINT %s CHECK (%s IS DISTINCT FROM %s) NOT VALID;", alter, m.name("con"), k.name, m.constant(k))
		}
		return s
	case 10: // two columns made one
		x, y := a(func(k *randomColumn) bool { return free(k) && k.isText() }), a(func(k *randomColumn) bool { return free(k) && k.isText() })
		if x == nil || x == y {
			return ""
		}
		k := &randomColumn{name: m.name("col"), typ: "text", null: true}
		t.cols = append(slices.DeleteFunc(t.cols, func(o *randomColumn) bool { return o == x || o == y }), k)
		return fmt.Sprintf("%[1]sADD COLUMN %[2]s text;\nUPDATE %[3]s SET %[2]s = %[4]s || ' ' || coalesce(%[5]s, '');\n%[1]sDROP COLUMN %[4]s, DROP COLUMN %[5]s;", alter, k.name, t.name, x.name, y.name)
	case 11, 12: // a view taken away, a type changed, the view made again
		k := a(func(k *randomColumn) bool { return free(k) && k.isInt() && !k.def })
		if k == nil {
			return ""
		}
		v := m.name("view")
		make := fmt.Sprintf("CREATE VIEW %s AS SELECT %s, %s AS key FROM %s;", v, k.name, t.key, t.name)
		k.typ, k.viewed = "bigint", true
		m.views = append(m.views, v)
		return fmt.Sprintf("%s\nDROP VIEW %s;\n%sALTER COLUMN %s TYPE bigint;\n%s", make, v, alter, k.name, make)
	case 13: // the fixture's view
		if !slices.Contains(m.views, "cust_v") {
			return ""
		}
		return one(m, []string{
			"DROP VIEW cust_v;\nALTER TABLE cust ALTER COLUMN id TYPE bigint;\nCREATE VIEW cust_v AS SELECT id, status FROM cust;",
			"CREATE OR REPLACE VIEW cust_v AS SELECT id, status, code FROM cust;",
			"ALTER VIEW cust_v RENAME COLUMN status TO st;",
			"ALTER VIEW cust_v ALTER COLUMN status SET DEFAULT 'v';",
			"ALTER VIEW cust_v SET (security_barrier = true);",
			"CREATE VIEW cust_vv AS SELECT id FROM cust_v;",
			"DROP VIEW cust_v;\nCREATE VIEW cust_v AS SELECT id, status, name FROM cust;",
		})
	case 14: // domains and composite types
		n, k := m.name("type"), &randomColumn{name: m.name("col"), null: true, opaque: true}
		k.typ = n
		return one(m, []string{
			fmt.Sprintf("CREATE DOMAIN %s AS int;\n%sADD COLUMN %s %s;", n, alter, k.name, n),
			fmt.Sprintf("CREATE DOMAIN %s AS text DEFAULT 'd';\n%sADD COLUMN %s %s;", n, alter, k.name, n),
			fmt.Sprintf("CREATE TYPE %s AS (a int, b text);\n%sADD COLUMN %s %s;", n, alter, k.name, n),
			"ALTER DOMAIN posint SET DEFAULT 4;",
			"ALTER DOMAIN posint ADD CONSTRAINT small CHECK (VALUE < 1000) NOT VALID;",
			"ALTER DOMAIN posint RENAME TO positive;",
			"COMMENT ON DOMAIN posint IS 'said';",
		})
	case 15, 16: // sequences
		k := a(func(k *randomColumn) bool { return k.isInt() && k.name != t.key })
		if k == nil {
			return ""
		}
		k.def = true
		n := m.name("seq")
		return one(m, []string{
			fmt.Sprintf("CREATE SEQUENCE %[1]s;\n%[2]sALTER COLUMN %[3]s SET DEFAULT nextval('%[1]s');", n, alter, k.name),
			fmt.Sprintf("CREATE SEQUENCE %[1]s;\n%[2]sALTER COLUMN %[3]s SET DEFAULT nextval('%[1]s');\nALTER SEQUENCE %[1]s OWNED BY %[4]s.%[3]s;", n, alter, k.name, t.name),
			fmt.Sprintf("CREATE SEQUENCE %s START 5;\nALTER SEQUENCE %[1]s RENAME TO %[1]s_b;", n),
			"ALTER SEQUENCE cust_num_seq INCREMENT BY 2;",
			"ALTER SEQUENCE cust_num_seq RENAME TO nums;",
			"ALTER SEQUENCE cust_num_seq OWNED BY NONE;",
			"ALTER SEQUENCE cust_id_seq CACHE 5;",
		})
	case 17, 18: // identity
		return one(m, []string{
			alter + "ALTER COLUMN " + t.key + " ADD GENERATED BY DEFAULT AS IDENTITY;",
			"ALTER TABLE " + m.tables[0].name + " ALTER COLUMN id DROP IDENTITY;",
			"ALTER TABLE " + m.tables[0].name + " ALTER COLUMN id SET GENERATED ALWAYS;",
			"ALTER TABLE " + m.tables[0].name + " ALTER COLUMN id SET INCREMENT BY 3;",
			"ALTER TABLE " + m.tables[0].name + " ALTER COLUMN num DROP DEFAULT;\nDROP SEQUENCE cust_num_seq;\nALTER TABLE " + m.tables[0].name + " ALTER COLUMN num ADD GENERATED BY DEFAULT AS IDENTITY;",
			"ALTER TABLE " + m.tables[0].name + " ALTER COLUMN num TYPE bigint;",
			"ALTER TABLE " + m.tables[0].name + " ALTER COLUMN num TYPE bigint;\nALTER SEQUENCE cust_num_seq AS bigint;",
			"ALTER TABLE " + m.tables[0].name + " DROP COLUMN num;",
		})
	case 19, 20: // policies
		k := a(free)
		if k == nil {
			return ""
		}
		n := m.name("pol")
		k.opaque = true
		return one(m, []string{
			fmt.Sprintf("CREATE POLICY %s ON %s FOR SELECT TO replank_test_reader USING (%s IS NOT NULL);\n%sENABLE ROW LEVEL SECURITY;", n, t.name, k.name, alter),
			fmt.Sprintf("CREATE POLICY %s ON %s FOR INSERT WITH CHECK (%s IS NOT NULL);\nCOMMENT ON POLICY %[1]s ON %[2]s IS 'said';", n, t.name, k.name),
			fmt.Sprintf("DROP POLICY ord_p ON %s;", m.tables[1].name),
			fmt.Sprintf("DROP POLICY ord_p ON %s;\nCREATE POLICY ord_p ON %[1]s USING (id > 5);", m.tables[1].name),
			fmt.Sprintf("ALTER POLICY ord_p ON %s RENAME TO %s;", m.tables[1].name, n),
			fmt.Sprintf("ALTER POLICY ord_p ON %s USING (id > 3);", m.tables[1].name),
			alter + "ENABLE ROW LEVEL SECURITY;",
			alter + "FORCE ROW LEVEL SECURITY;",
		})
	case 21, 22: // triggers
		k := a(free)
		if k == nil {
			return ""
		}
		n := m.name("trg")
		k.opaque = true
		s := one(m, []string{
			"CREATE TRIGGER %s BEFORE UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION touch();",
			"CREATE TRIGGER %s AFTER UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION touch();\nALTER TABLE %[3]s DISABLE TRIGGER %[1]s;",
			"CREATE TRIGGER %s AFTER UPDATE ON %[3]s FOR EACH ROW WHEN (OLD.%[2]s IS DISTINCT FROM NEW.%[2]s) EXECUTE FUNCTION touch();",
			"CREATE TRIGGER %s AFTER INSERT OR UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION touch();\nCOMMENT ON TRIGGER %[1]s ON %[3]s IS 'said';",
			"CREATE TRIGGER %s AFTER UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION touch();\nALTER TRIGGER %[1]s ON %[3]s RENAME TO %[1]s_b;",
			"CREATE OR REPLACE TRIGGER ord_touch AFTER UPDATE OF %[2]s ON %[3]s FOR EACH ROW EXECUTE FUNCTION touch();%.0[1]s",
		})
		return fmt.Sprintf(s, n, k.name, t.name)
	case 23: // generated columns
		c := m.tables[0].name
		return one(m, []string{
			"ALTER TABLE " + c + " ALTER COLUMN twice DROP EXPRESSION;",
			"ALTER TABLE " + c + " DROP COLUMN twice;",
			"ALTER TABLE " + c + " DROP COLUMN twice;\nALTER TABLE " + c + " ALTER COLUMN base TYPE bigint;",
			"ALTER TABLE " + c + " RENAME COLUMN twice TO double;",
			"CREATE INDEX ON " + c + " (twice);",
			"ALTER TABLE " + c + " ADD CONSTRAINT twice_pos CHECK (twice > 0);",
			"ALTER TABLE " + c + " DROP COLUMN base CASCADE;",
		})
	case 24, 25, 26: // indexes of other kinds
		k, l := a(anyColumn), a((*randomColumn).isInt)
		if l == nil || k.typ == "json" {
			return ""
		}
		n := m.name("idx")
		t.indexes = append(t.indexes, randomPart{name: n, cols: []string{k.name, l.name}})
		return fmt.Sprintf(one(m, []string{
			"CREATE INDEX CONCURRENTLY %s ON %s (%s);",
			"CREATE INDEX %s ON %s (%s) INCLUDE (%[4]s);",
			"CREATE INDEX %s ON %s (%s DESC, (%[4]s + 1));",
			"CREATE INDEX %s ON %s USING hash (%s);",
			"CREATE INDEX %s ON %s USING brin (%s) WITH (pages_per_range = 8);",
			"CREATE UNIQUE INDEX %s ON %s (%[5]s) INCLUDE (%[3]s) WHERE %[4]s > 3;",
			"CREATE UNIQUE INDEX %s ON %s (%[5]s, %[4]s);\nALTER TABLE %[2]s ADD CONSTRAINT %[1]s UNIQUE USING INDEX %[1]s;",
			"CREATE UNIQUE INDEX %s ON %s (%[5]s, %[4]s);\nALTER TABLE %[2]s REPLICA IDENTITY USING INDEX %[1]s;",
			"CREATE INDEX %s ON %s (%s);\nALTER TABLE %[2]s CLUSTER ON %[1]s;",
			"CREATE INDEX %s ON %s (%s);\nCOMMENT ON INDEX %[1]s IS 'said';",
			"CREATE INDEX IF NOT EXISTS %s ON %s (%s);",
		})+"%.0[1]s", n, t.name, k.name, l.name, t.key)
	case 27: // the same index in another way
		if len(t.indexes) == 0 {
			return ""
		}
		k := a(anyColumn)
		p := &t.indexes[m.IntN(len(t.indexes))]
		p.cols = []string{k.name}
		return fmt.Sprintf(one(m, []string{"DROP INDEX %s;\nCREATE INDEX %[1]s ON %s (%s);", "DROP INDEX CONCURRENTLY %s;\nCREATE INDEX CONCURRENTLY %[1]s ON %s (%s);",
			"CREATE INDEX %[1]s_n ON %[2]s (%[3]s);\nDROP INDEX %[1]s;\nALTER INDEX %[1]s_n RENAME TO %[1]s;"}), p.name, t.name, k.name)
	case 28, 29: // partitions
		o := m.tables[1]
		if !m.parted {
			return ""
		}
		k := m.column(o, (*randomColumn).isInt)
		if k == nil {
			return ""
		}
		n := m.name("part")
		return fmt.Sprintf(one(m, []string{
			"CREATE TABLE %s PARTITION OF %s FOR VALUES FROM (1000) TO (2000);",
			"CREATE TABLE %s PARTITION OF %s DEFAULT;",
			"ALTER TABLE %[2]s DETACH PARTITION ord_1;",
			"ALTER TABLE ord_2 DETACH PARTITION ord_4;",
			"DROP TABLE ord_1;",
			"CREATE TABLE %s (LIKE %s INCLUDING ALL);\nALTER TABLE %[2]s ATTACH PARTITION %[1]s FOR VALUES FROM (1000) TO (2000);",
			"CREATE TABLE %s (LIKE %s);\nINSERT INTO %[1]s SELECT * FROM ord_1;\nALTER TABLE %[2]s DETACH PARTITION ord_1;\nALTER TABLE %[2]s ATTACH PARTITION %[1]s FOR VALUES FROM (0) TO (40);",
			"CREATE INDEX %s_i ON ord_1 (%[3]s);",
			"ALTER TABLE ord_1 ADD CONSTRAINT %s_c CHECK (%[3]s > -5);",
			"ALTER TABLE ord_3 ALTER COLUMN %[3]s SET DEFAULT 8;",
			"ALTER TABLE ord_1 RENAME TO %s;",
			"COMMENT ON TABLE ord_4 IS 'said';",
			"UPDATE ord_1 SET %[3]s = %[3]s;",
			"CREATE TRIGGER %s BEFORE INSERT ON ord_3 FOR EACH ROW EXECUTE FUNCTION touch();",
		})+"%.0[1]s%.0[2]s%.0[3]s", n, o.name, k.name)
	case 30: // another schema
		if t.name != "cust" && t.name != "ord" {
			return ""
		}
		from := t.name
		s := alter + "SET SCHEMA aside;"
		t.name = "aside." + from
		return s
	case 31: // a constraint in two steps
		k := a(func(k *randomColumn) bool { return k.isInt() && k.name != t.key })
		if k == nil {
			return ""
		}
		p := randomPart{name: m.name("con"), cols: []string{k.name}}
		t.checks = append(t.checks, p)
		return fmt.Sprintf(one(m, []string{
			"%[1]sADD CONSTRAINT %[2]s CHECK (%[3]s > -3) NOT VALID;\n%[1]sVALIDATE CONSTRAINT %[2]s;",
			"%[1]sADD CONSTRAINT %[2]s CHECK (%[3]s > -3) NOT VALID;",
			"%[1]sADD CONSTRAINT %[2]s UNIQUE (%[3]s, %[4]s) DEFERRABLE INITIALLY DEFERRED;",
			"%[1]sADD CONSTRAINT %[2]s CHECK (%[3]s + %[4]s > -3);\nCOMMENT ON CONSTRAINT %[2]s ON %[5]s IS 'said';",
		})+"%.0[5]s", alter, p.name, k.name, t.key, t.name)
	case 32: // a constraint in another way
		if len(t.checks) == 0 {
			return ""
		}
		p := t.checks[m.IntN(len(t.checks))]
		k := a((*randomColumn).isInt)
		if k == nil {
			return ""
		}
		return fmt.Sprintf("%[1]sDROP CONSTRAINT %[2]s"+one(m, []string{";\n%[1]s", ", "})+"ADD CONSTRAINT %[2]s "+one(m, []string{"CHECK (%[3]s > -4);", "UNIQUE (%[3]s, %[4]s);"})+"%.0[4]v", alter, p.name, k.name, t.key)
	case 33: // rows of other kinds
		k := a(func(k *randomColumn) bool { return k.name != t.key && k.null })
		if k == nil {
			return ""
		}
		return fmt.Sprintf(one(m, []string{
			"DELETE FROM %[1]s USING %[4]s c WHERE c.%[5]s = %[1]s.%[3]s AND c.%[5]s > 55 AND false;",
			"UPDATE %[1]s SET %[2]s = NULL;",
			"UPDATE %[1]s SET %[2]s = DEFAULT WHERE %[3]s < 9;",
			"TRUNCATE %[6]s;",
			"MERGE INTO %[1]s USING %[4]s c ON c.%[5]s = %[1]s.%[3]s WHEN MATCHED THEN UPDATE SET %[2]s = NULL;",
			"UPDATE %[1]s SET %[2]s = (SELECT c.%[2]s FROM %[1]s c WHERE c.%[3]s = 1);",
			"UPDATE %[1]s AS x SET %[2]s = x.%[2]s WHERE x.%[3]s IN (SELECT c.%[5]s FROM %[4]s c);",
		}), t.name, k.name, t.key, m.tables[0].name, m.tables[0].key, m.tables[1].name)
	case 34: // privileges
		k := a(anyColumn)
		return fmt.Sprintf(one(m, []string{
			"REVOKE SELECT ON %s FROM replank_test_reader;",
			"GRANT SELECT ON %s TO replank_test_other WITH GRANT OPTION;",
			"GRANT SELECT (%[2]s) ON %[1]s TO PUBLIC;",
			"REVOKE ALL ON %s FROM PUBLIC;",
			"ALTER TABLE %s OWNER TO replank_test_other;",
			"GRANT SELECT ON ALL TABLES IN SCHEMA public TO replank_test_other;",
			"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO replank_test_other;",
		})+"%.0[1]s%.0[2]s", t.name, k.name)
	case 35: // enums
		return one(m, []string{
			"ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';",
			"ALTER TYPE mood RENAME TO humour;",
			"COMMENT ON TYPE mood IS 'said';",
			"ALTER TYPE mood ADD VALUE 'glad' BEFORE 'sad';",
		})
	case 36: // the primary key
		return one(m, []string{
			fmt.Sprintf("%sDROP CONSTRAINT %s_pkey CASCADE;\n%[1]sADD PRIMARY KEY (%[3]s, %[4]s);", alter, t.name, t.key, a(func(k *randomColumn) bool { return k.isInt() }).name),
			fmt.Sprintf("%sADD CONSTRAINT %s UNIQUE (%s);", alter, m.name("con"), t.key),
			fmt.Sprintf("%sDROP CONSTRAINT %s_pkey CASCADE;", alter, t.name),
			fmt.Sprintf("%sALTER COLUMN %s TYPE bigint;", alter, t.key),
			"ALTER TABLE " + m.tables[0].name + " ALTER COLUMN boss TYPE bigint;",
		})
	case 37: // two columns change names
		k, l := a(anyColumn), a(anyColumn)
		if k == l {
			return ""
		}
		k.name, l.name = l.name, k.name
		return fmt.Sprintf("%[1]sRENAME COLUMN %[2]s TO swapping;\n%[1]sRENAME COLUMN %[3]s TO %[2]s;\n%[1]sRENAME COLUMN swapping TO %[3]s;", alter, k.name, l.name)
	case 38: // functions
		k := a((*randomColumn).isInt)
		if k == nil {
			return ""
		}
		n := m.name("fun")
		return fmt.Sprintf(one(m, []string{
			"CREATE FUNCTION %s(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > -9';\n%sADD CONSTRAINT %s_c CHECK (%[1]s(%[3]s::int));",
			"CREATE FUNCTION %s(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';\nCREATE INDEX %[1]s_i ON %[4]s (%[1]s(%[3]s::int));",
			"CREATE FUNCTION %s() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT max(%[3]s) FROM %[4]s; END;",
			"CREATE FUNCTION %s() RETURNS int LANGUAGE sql AS 'SELECT 7';\n%sALTER COLUMN %[3]s SET DEFAULT %[1]s();",
			"CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; /* %s */ END';",
		})+"%.0[1]s%.0[2]s%.0[3]s%.0[4]s", n, alter, k.name, t.name)
	default: // what a table has
		return alter + one(m, []string{"REPLICA IDENTITY FULL", "SET (fillfactor = 70)", "DISABLE TRIGGER ALL", "DISABLE TRIGGER USER", "SET (autovacuum_enabled = false)"}) + ";"
	}
}
