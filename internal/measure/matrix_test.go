package measure_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/measure"
	"github.com/replank/replank/internal/pgtest"
)

// columnTypes are types whose changes into each other are all tried: with and without modifiers, as arrays, below
// domains, with collations.
var columnTypes = []string{
	"boolean", "smallint", "integer", "bigint", "real", "double precision", "money", "oid", "xid", "tid",
	"numeric", "numeric(10,2)", "numeric(12,2)", "numeric(12,4)", "numeric(8,2)",
	"text", `text COLLATE "C"`, "varchar", "varchar(10)", "varchar(20)", `varchar(20) COLLATE "C"`, `varchar(20) COLLATE "POSIX"`, "char(5)", "char(10)", "bpchar", `"char"`, "name",
	"bytea", "bit(4)", "bit(8)", "varbit", "varbit(8)", "varbit(16)",
	"date", "time", "time(2)", "time(6)", "timetz", "timetz(3)", "timestamp", "timestamp(3)", "timestamp(6)", "timestamptz", "timestamptz(3)", "timestamptz(0)",
	"interval", "interval(2)", "interval(6)", "interval day to second", "interval day to second(3)", "interval year to month", "interval hour",
	"json", "jsonb", "xml", "uuid", "inet", "cidr", "macaddr", "macaddr8", "regclass", "regtype", "regproc", "regprocedure", "regrole", "regnamespace",
	"point", "box", "lseg", "path", "polygon", "circle", "line", "tsvector", "tsquery", "jsonpath", "pg_lsn", "txid_snapshot",
	"int4range", "int8range", "numrange", "tstzrange", "daterange",
	"integer[]", "bigint[]", "text[]", "varchar(10)[]", "varchar(20)[]", "varchar[]", "numeric[]", "numeric(6,1)[]", "timestamptz[]", "timestamp[]",
	"mood", "feel", "mood[]", "pair", "d_text", "d_varchar", "d_varchar20", "d_int", "d_int_over", "d_int_check", "d_over_check", "d_req", "d_num", "d_ts", "d_array", "d_text[]",
}

const matrixFixture = `CREATE SCHEMA m; SET search_path = m;
CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TYPE feel AS ENUM ('a', 'b'); CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN d_text AS text; CREATE DOMAIN d_varchar AS varchar; CREATE DOMAIN d_varchar20 AS varchar(20);
CREATE DOMAIN d_int AS int; CREATE DOMAIN d_int_over AS d_int; CREATE DOMAIN d_int_check AS int CHECK (VALUE > 0); CREATE DOMAIN d_over_check AS d_int_check;
CREATE DOMAIN d_req AS text CHECK (VALUE <> ''); CREATE DOMAIN d_num AS numeric(10,2); CREATE DOMAIN d_ts AS timestamp; CREATE DOMAIN d_array AS int[];
CREATE DOMAIN d_made AS int DEFAULT 7; CREATE DOMAIN d_random AS float8 DEFAULT random();
CREATE FUNCTION vf() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE FUNCTION pf() RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION sf() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';
CREATE TABLE plain (id int); INSERT INTO plain SELECT g FROM generate_series(1, 1200) g;
`

// matrix is a database in which statements are tried one by one, each rolled back.
type matrix struct {
	t                      *testing.T
	conn                   *pgx.Conn
	schema                 *ddl.Schema
	tried, refused, differ int
}

func newMatrix(t *testing.T, fixture ...string) *matrix {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, matrixFixture+strings.Join(fixture, ";\n"))
	m := &matrix{t: t, conn: connect(t, dsn, "UTC")}
	m.schema = load(t, m.conn)
	return m
}

// share picks a part of the combinations, another one on each major.
func (m *matrix) share(sql string, nth int) bool { return pgtest.InShare(m.t, sql, nth) }

// try compares what Effects says with what the server does. foresee: the server's refusals must be known too.
func (m *matrix) try(sql string, foresee bool) {
	m.t.Helper()
	ctx := context.Background()
	tx, err := m.conn.Begin(ctx)
	if err != nil {
		m.t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	facts, err := measure.Tx(ctx, tx, sql)
	e := effectsOf(m.t, m.schema, sql)
	m.tried++
	if err != nil {
		m.refused++
		if foresee && e.Refused == "" {
			m.differ++
			m.t.Errorf("%s: the server refuses it, Effects does not: %v", sql, err)
		}
		return
	}
	if diff := compare(e, facts, false, false); diff != "" {
		m.differ++
		m.t.Errorf("%s\n%s", sql, diff)
	}
}

func (m *matrix) report() {
	m.t.Logf("PostgreSQL %d: %d statements, %d of them refused by the server, %d differ", pgtest.Major(m.t), m.tried, m.refused, m.differ)
}

// TestTypeMatrix changes columns of every type, indexed where that is possible, to every other.
func TestTypeMatrix(t *testing.T) {
	m := newMatrix(t)
	ctx := context.Background()
	types := []string{}
	for i, typ := range columnTypes {
		create := fmt.Sprintf("CREATE TABLE t%d (id int, c %s); INSERT INTO t%[1]d SELECT g FROM generate_series(1, 1100) g", i, typ)
		if _, err := m.conn.Exec(ctx, create, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Logf("not on this server: %s: %v", typ, err)
			types = append(types, "")
			continue
		}
		m.conn.Exec(ctx, fmt.Sprintf("CREATE INDEX t%d_c ON t%[1]d (c)", i)) // not all can be indexed
		types = append(types, typ)
	}
	m.schema = load(t, m.conn)
	for i, from := range types {
		for _, to := range types {
			sql := fmt.Sprintf("ALTER TABLE t%d ALTER c TYPE %s", i, to)
			if from == "" || to == "" || !m.share(sql, 36) {
				continue
			}
			m.try(sql, true)
		}
	}
	m.report()
}

// TestDefaultMatrix adds columns with defaults: every function of the server that needs no argument, every type with a
// NULL, and what else may stand there.
func TestDefaultMatrix(t *testing.T) {
	m := newMatrix(t)
	rows, err := m.conn.Query(context.Background(), `SELECT format('ALTER TABLE plain ADD COLUMN z %s DEFAULT %I()', format_type(prorettype, NULL), proname)
		FROM pg_proc p JOIN pg_type y ON y.oid = p.prorettype
		WHERE pronamespace = 'pg_catalog'::regnamespace AND pronargs - pronargdefaults = 0 AND NOT proretset AND prokind = 'f' AND y.typtype <> 'p'
		ORDER BY proname`)
	if err != nil {
		t.Fatal(err)
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if len(statements) < 60 {
		t.Errorf("only %d functions", len(statements))
	}
	for _, typ := range columnTypes {
		typ, collation, _ := strings.Cut(typ, " COLLATE")
		if collation != "" {
			continue
		}
		statements = append(statements, fmt.Sprintf("ALTER TABLE plain ADD COLUMN z %s", typ), fmt.Sprintf("ALTER TABLE plain ADD COLUMN z %s DEFAULT NULL", typ),
			fmt.Sprintf("ALTER TABLE plain ADD COLUMN z %s DEFAULT NULL::%[1]s", typ), fmt.Sprintf("ALTER TABLE plain ADD COLUMN z %s[]", strings.TrimSuffix(typ, "[]")))
	}
	for _, def := range []string{
		"int DEFAULT 1", "int DEFAULT 1 NOT NULL", "int DEFAULT 1 + 1", "int DEFAULT vf()", "int DEFAULT pf()", "int DEFAULT sf()", "int DEFAULT abs(-1)", "float8 DEFAULT random()",
		"float8 DEFAULT random() + 1", "timestamptz DEFAULT now()", "timestamptz DEFAULT clock_timestamp()", "timestamptz DEFAULT CURRENT_TIMESTAMP", "timestamp DEFAULT LOCALTIMESTAMP",
		"date DEFAULT CURRENT_DATE", "date DEFAULT now()", "timestamptz DEFAULT 'now'", "timestamptz DEFAULT statement_timestamp()", "text DEFAULT CURRENT_USER", "text DEFAULT SESSION_USER",
		"text DEFAULT current_setting('search_path')", "text DEFAULT lower('X')", "text DEFAULT md5('x')", "text DEFAULT md5(random()::text)", "text DEFAULT 'a' || 'b'", "text DEFAULT format('%s', 1)",
		"text DEFAULT (now())::text", "text DEFAULT to_char(now(), 'YYYY')", "jsonb DEFAULT '{}'", "jsonb DEFAULT jsonb_build_object('a', 1)", "jsonb DEFAULT to_jsonb(now())", "jsonb DEFAULT jsonb_build_array(random())",
		"int[] DEFAULT '{}'", "int[] DEFAULT ARRAY[1,2]", "int[] DEFAULT ARRAY[random()::int]", "int DEFAULT CASE WHEN random() > 2 THEN 1 ELSE 2 END", "int DEFAULT coalesce(NULL, 1)", "bool DEFAULT (1 = 1)",
		"bool DEFAULT false NOT NULL", "numeric(10,2) DEFAULT 1.005", "varchar(3) DEFAULT 'abcd'", "char(3) DEFAULT 'a'", "uuid DEFAULT '00000000-0000-0000-0000-000000000000'", "mood DEFAULT 'a'",
		"int DEFAULT txid_current()::int", "int DEFAULT pg_backend_pid()", "inet DEFAULT inet_client_addr()", "text DEFAULT version()", "oid DEFAULT 'pg_class'::regclass", "interval DEFAULT '1 day'",
		"timestamptz DEFAULT now() + interval '1 day'", "tstzrange DEFAULT tstzrange(now(), NULL)", "daterange DEFAULT daterange(CURRENT_DATE, NULL)", "text DEFAULT set_config('a.b', 'c', true)",
		"d_made", "d_made DEFAULT 3", "d_made NOT NULL", "d_random", "d_random DEFAULT 1", "d_int_check DEFAULT 1", "d_int_check NOT NULL DEFAULT 1", "d_over_check[]", "d_req DEFAULT 'x'",
		"serial", "bigserial", "smallserial", "serial NOT NULL", "serial UNIQUE", "serial PRIMARY KEY", "int GENERATED ALWAYS AS IDENTITY", "bigint GENERATED BY DEFAULT AS IDENTITY", "int GENERATED ALWAYS AS (id * 2) STORED",
		"int PRIMARY KEY DEFAULT 1", "int UNIQUE", "int UNIQUE DEFAULT NULL", "int CHECK (z > 0)", "int DEFAULT 1 CHECK (z > 0)", "int NOT NULL", "int NULL", "text COLLATE \"C\"", "text COLLATE \"C\" DEFAULT 'x'", "text COLLATE \"C\" DEFAULT 'x' NOT NULL",
		"int CONSTRAINT positive CHECK (z > 0) CONSTRAINT there NOT NULL DEFAULT 5", "int REFERENCES plain (id)", "xml DEFAULT '<a/>'", "xml DEFAULT xmlelement(name a)", "float8 DEFAULT pi()", "text DEFAULT concat('a', 'b')",
		"text DEFAULT quote_literal('a')", "int DEFAULT length('abc')", "bigint DEFAULT extract(epoch FROM now())", "int DEFAULT date_part('year', now())", "text DEFAULT timeofday()", "int DEFAULT greatest(1, 2)",
		"int DEFAULT nullif(1, 2)", "text DEFAULT substring('abc' FROM 2)", "timestamp DEFAULT timezone('utc', now())", "timestamp DEFAULT (now() AT TIME ZONE 'utc')", "date DEFAULT date_trunc('day', now())", "text DEFAULT E'\\\\x'",
		"bytea DEFAULT '\\xdead'", "bytea DEFAULT sha256('a')", "int DEFAULT (SELECT 1)", "text[] DEFAULT string_to_array('a,b', ',')", "timestamptz DEFAULT make_timestamptz(2020, 1, 1, 0, 0, 0)", "float4 DEFAULT 1.5", "money DEFAULT 1",
	} {
		statements = append(statements, "ALTER TABLE plain ADD COLUMN z "+def)
	}
	for _, sql := range statements {
		if m.share(sql, 12) {
			m.try(sql, false)
		}
	}
	m.report()
}

// changes are what a column of a type is changed to, with the values of its rows as an expression over g.
var changes = []struct {
	from, values string
	to           []string
}{
	{"varchar(10)", "g::text", []string{"varchar(20)", "varchar(5)", "varchar", "text", "d_text", "d_req", "char(10)", `varchar(20) COLLATE "C"`, "text USING c || ''", "int USING c::int", "text USING c::varchar", "name"}},
	{"text", "g::text", []string{"varchar", "varchar(20)", "d_text", `text COLLATE "C"`, "text", "citext"}},
	{"int", "g", []string{"bigint", "smallint", "numeric", "oid", "d_int", "d_int_check", "int", "text USING c::text", "int USING c + 1"}},
	{"numeric(10,2)", "g", []string{"numeric(12,2)", "numeric", "numeric(10,3)", "int", "float8"}},
	{"timestamp(3)", "'2020-01-01'::timestamp + g * interval '1 min'", []string{"timestamp", "timestamptz", "timestamp(6)", "date", "timestamp(0)"}},
	{"int[]", "ARRAY[g]", []string{"bigint[]", "d_array", "int[]"}},
	{"mood", "'a'", []string{"text", "feel USING c::text::feel", "mood"}},
	{"int4range", "int4range(g, g + 1)", []string{"int8range USING int8range(lower(c), upper(c))", "int4range"}},
	{"inet", "('10.0.0.0'::inet + g)", []string{"cidr", "text", "inet"}},
	{"d_text", "g::text", []string{"text", "varchar", "d_text", "varchar(30)"}},
}

// stands are what may stand on a column c of table %[1]s (id int, c …) with 1,100 rows.
var stands = map[string]string{
	"btree":             "CREATE INDEX ON %[1]s (c)",
	"hash":              "CREATE INDEX ON %[1]s USING hash (c)",
	"brin":              "CREATE INDEX ON %[1]s USING brin (c)",
	"gin":               "CREATE INDEX ON %[1]s USING gin (c)",
	"gist":              "CREATE INDEX ON %[1]s USING gist (c)",
	"spgist":            "CREATE INDEX ON %[1]s USING spgist (c)",
	"unique index":      "CREATE UNIQUE INDEX ON %[1]s (c)",
	"descending":        "CREATE INDEX ON %[1]s (c DESC NULLS LAST)",
	"two columns":       "CREATE INDEX ON %[1]s (id, c)",
	"include":           "CREATE INDEX ON %[1]s (id) INCLUDE (c)",
	"unique include":    "CREATE UNIQUE INDEX ON %[1]s (c) INCLUDE (id)",
	"partial of id":     "CREATE INDEX ON %[1]s (c) WHERE id > 5",
	"partial":           "CREATE INDEX ON %[1]s (id) WHERE c IS NOT NULL",
	"expression":        "CREATE INDEX ON %[1]s ((c IS NULL))",
	"expression beside": "CREATE INDEX ON %[1]s ((id + 1), c)",
	"pattern":           "CREATE INDEX ON %[1]s (c text_pattern_ops)",
	"vpattern":          "CREATE INDEX ON %[1]s (c varchar_pattern_ops)",
	"collation":         `CREATE INDEX ON %[1]s (c COLLATE "C")`,
	"posix":             `CREATE INDEX ON %[1]s (c COLLATE "POSIX")`,
	"elsewhere":         "CREATE INDEX ON %[1]s (id)",
	"unique":            "ALTER TABLE %[1]s ADD UNIQUE (c)",
	"deferrable":        "ALTER TABLE %[1]s ADD UNIQUE (c) DEFERRABLE",
	"primary key":       "ALTER TABLE %[1]s ADD PRIMARY KEY (c)",
	"primary key of 2":  "ALTER TABLE %[1]s ADD PRIMARY KEY (id, c)",
	"exclude":           "ALTER TABLE %[1]s ADD EXCLUDE USING gist (c WITH &&)",
	"exclude equal":     "ALTER TABLE %[1]s ADD EXCLUDE (c WITH =)",
	"check":             "ALTER TABLE %[1]s ADD CHECK (c IS NOT NULL)",
	"check not valid":   "ALTER TABLE %[1]s ADD CHECK (c IS NOT NULL) NOT VALID",
	"check elsewhere":   "ALTER TABLE %[1]s ADD CHECK (id > 0)",
	"not null":          "ALTER TABLE %[1]s ALTER c SET NOT NULL",
	"statistics":        "CREATE STATISTICS %[1]s_s ON id, c FROM %[1]s",
	"target":            "ALTER TABLE %[1]s ALTER c SET STATISTICS 100",
	"default":           "ALTER TABLE %[1]s ALTER c SET DEFAULT NULL",
	"foreign key":       "ALTER TABLE %[1]s ADD UNIQUE (c); CREATE TABLE %[1]s_r AS SELECT c FROM %[1]s; ALTER TABLE %[1]s_r ADD FOREIGN KEY (c) REFERENCES %[1]s (c)",
	"view":              "CREATE VIEW %[1]s_v AS SELECT c FROM %[1]s",
	"view elsewhere":    "CREATE VIEW %[1]s_v AS SELECT id FROM %[1]s",
	"matview":           "CREATE MATERIALIZED VIEW %[1]s_v AS SELECT c FROM %[1]s",
	"rule":              "CREATE RULE r AS ON UPDATE TO %[1]s WHERE old.c IS NULL DO NOTHING",
	"policy":            "CREATE POLICY p ON %[1]s USING (c IS NOT NULL)",
	"policy elsewhere":  "CREATE POLICY p ON %[1]s USING (id > 0)",
	"generated":         "ALTER TABLE %[1]s ADD g bool GENERATED ALWAYS AS (c IS NULL) STORED",
	"generated beside":  "ALTER TABLE %[1]s ADD g int GENERATED ALWAYS AS (id + 1) STORED",
	"clustered":         "CREATE INDEX %[1]s_i ON %[1]s (c); ALTER TABLE %[1]s CLUSTER ON %[1]s_i",
	"replica identity":  "ALTER TABLE %[1]s ALTER c SET NOT NULL; CREATE UNIQUE INDEX %[1]s_i ON %[1]s (c); ALTER TABLE %[1]s REPLICA IDENTITY USING INDEX %[1]s_i",
	"heir":              "CREATE TABLE %[1]s_h () INHERITS (%[1]s); INSERT INTO %[1]s_h SELECT * FROM %[1]s; CREATE INDEX ON %[1]s_h (c)",
	"publication":       "CREATE PUBLICATION %[1]s_p FOR TABLE %[1]s",
	"sql function":      "CREATE FUNCTION %[1]s_f() RETURNS SETOF %[1]s LANGUAGE sql AS 'SELECT * FROM %[1]s'",
	"row type":          "CREATE TABLE %[1]s_u (r %[1]s)",
	"trigger of column": "CREATE FUNCTION %[1]s_t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER t BEFORE UPDATE OF c ON %[1]s FOR EACH ROW EXECUTE FUNCTION %[1]s_t()",
	"trigger":           "CREATE FUNCTION %[1]s_t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER t BEFORE UPDATE ON %[1]s FOR EACH ROW EXECUTE FUNCTION %[1]s_t()",
	"nulls":             "CREATE UNIQUE INDEX ON %[1]s (c) NULLS NOT DISTINCT",
}

// TestStandsMatrix changes, and drops, columns on which something stands, for every kind of that.
func TestStandsMatrix(t *testing.T) {
	m := newMatrix(t)
	ctx := context.Background()
	var statements []string
	n := 0
	for _, what := range slices.Sorted(maps.Keys(stands)) {
		for _, c := range changes {
			n++
			name := fmt.Sprintf("s%d", n)
			if !m.share(name, 24) {
				continue
			}
			sql := fmt.Sprintf("BEGIN; CREATE TABLE %[1]s (id int, c %[2]s); INSERT INTO %[1]s SELECT g, %[3]s FROM generate_series(1, 1100) g; ", name, c.from, c.values)
			if _, err := m.conn.Exec(ctx, sql+fmt.Sprintf(stands[what], name)+"; COMMIT", pgx.QueryExecModeSimpleProtocol); err != nil {
				m.conn.Exec(ctx, "ROLLBACK") // not every kind knows every type
				continue
			}
			for _, to := range c.to {
				statements = append(statements, fmt.Sprintf("ALTER TABLE %s ALTER c TYPE %s /* %s, %s */", name, to, what, c.from))
			}
			statements = append(statements, fmt.Sprintf("ALTER TABLE %s DROP COLUMN c /* %s, %s */", name, what, c.from), fmt.Sprintf("ALTER TABLE %s DROP COLUMN c CASCADE /* %s, %s */", name, what, c.from),
				fmt.Sprintf("ALTER TABLE %s RENAME c TO d /* %s */", name, what), fmt.Sprintf("ALTER TABLE %s ALTER c SET NOT NULL /* %s */", name, what), fmt.Sprintf("DROP TABLE %s CASCADE /* %s */", name, what),
				fmt.Sprintf("ALTER TABLE %s DROP COLUMN id /* %s */", name, what), fmt.Sprintf("ALTER TABLE %s ADD COLUMN more float8 DEFAULT random() /* %s */", name, what),
				fmt.Sprintf("ALTER TABLE %s ALTER id TYPE bigint /* %s */", name, what), fmt.Sprintf("TRUNCATE %s CASCADE /* %s */", name, what), fmt.Sprintf("ALTER TABLE %s RENAME TO other /* %s */", name, what),
				fmt.Sprintf("CLUSTER %s /* %s */", name, what), fmt.Sprintf("REINDEX TABLE %s /* %s */", name, what), fmt.Sprintf("ALTER TABLE %s SET UNLOGGED /* %s */", name, what))
		}
	}
	m.schema = load(t, m.conn)
	for _, sql := range statements {
		m.try(sql, false)
	}
	m.report()
}
