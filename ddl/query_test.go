package ddl_test

import (
	"strings"
	"testing"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pg"
)

func TestNormalizeQuery(t *testing.T) {
	for text, want := range map[string]string{
		`DECLARE "_django_curs_1" NO SCROLL CURSOR WITH HOLD FOR SELECT a FROM t WHERE b = 'secret'`: "SELECT a FROM t WHERE b = $1",
		"PREPARE p (int, text) AS SELECT a FROM t WHERE b = $1 AND c = 'secret'":                     "SELECT a FROM t WHERE b = $1 AND c = $2",
		"CREATE TEMPORARY TABLE x (a) AS SELECT a FROM t WHERE b = 'secret' WITH NO DATA":            "SELECT a FROM t WHERE b = $1",
		"create table x as (select a from t) with data;":                                             "(select a from t)",
		"COPY (SELECT a FROM t WHERE b = 'secret') TO '/tmp/secret' WITH (DELIMITER 'x')":            "SELECT a FROM t WHERE b = $1",
		`COPY app."T" (a, "B c") FROM STDIN WITH (FORMAT csv, NULL 'secret')`:                        `SELECT a, "B c" FROM app."T"`,
		"copy t (a) to stdout":                                                                                                "SELECT a FROM t",
		"select a from t where b = $1 /* tenant=4711 */":                                                                      "select a from t where b = $1",
		"select a -- 4711\nfrom t;":                                                                                           "select a  \nfrom t",
		"select date_trunc($1, ts), count(*) from t group by date_trunc('day', ts)":                                           "select date_trunc($1, ts), count(*) from t group by date_trunc($1, ts)",
		"select date_trunc($1, ts) from t group by date_trunc('day', ts) order by date_trunc($2, ts)":                         "select date_trunc($1, ts) from t group by date_trunc($1, ts) order by date_trunc($1, ts)",
		"select date_trunc($1, ts), date_trunc($2, ts) from t group by date_trunc('day', ts), date_trunc('month', ts)":        "select date_trunc($1, ts), date_trunc($2, ts) from t group by date_trunc($1, ts), date_trunc($2, ts)",
		"select count(*) from t where x = $1 group by to_char(ts, 'secret'), 2":                                               "select count(*) from t where x = $1 group by to_char(ts, $2), 2",
		"select extract($1 from ts) from t group by extract(year from ts)":                                                    "select extract($1 from ts) from t group by extract($1 from ts)",
		"select ts + interval $1 from t group by ts + interval '1 day'":                                                       "select ts + interval $1 from t group by ts + interval $1",
		"select a from t where b = 'secret' and c = -5 and d in (1, 2.5) and e = x'ff' and f is null and g = true order by 1": "select a from t where b = $1 and c = $2 and d in ($3, $4) and e = $5 and f is null and g = true order by 1",
		"select f('x', ts) from t group by f('x', ts) order by f('x', ts)":                                                    "select f($1, ts) from t group by f($1, ts) order by f($1, ts)",
		"select b::numeric(10,2), interval '2' day from t limit $1":                                                           "select b::numeric(10,2), interval $2 day from t limit $1",
		"select interval($1) $2":                   "select interval  $2",
		"insert into t values ($1, $2), ($3, 'x')": "insert into t values ($1, $2), ($3, $4)",
	} {
		got, err := ddl.NormalizeQuery(text)
		if err != nil || got != want {
			t.Errorf("%s\n got %s, %v\nwant %s", text, got, err, want)
		}
	}
	for _, text := range []string{"select 'secret' frm t 5"} {
		if got, err := ddl.NormalizeQuery(text); err == nil {
			t.Errorf("%s: %s", text, got)
		}
	}
	for _, text := range []string{"SET application_name = 'secret'", "BEGIN", "CALL p(1)", "COPY t TO STDOUT", "EXPLAIN SELECT 1", "COPY t FROM STDIN (DELIMITER 'x')", "CREATE TABLE t (a int DEFAULT 5)", "PREPARE p AS EXECUTE q", "COPY", "PREPARE", "DECLARE c", "COPY ("} {
		if _, err := ddl.NormalizeQuery(text); !ddl.IsUtility(err) {
			t.Errorf("%s: %v, want a utility statement", text, err)
		}
	}
}

// FuzzNormalizeQuery: what is accepted has no string constant left, and stays as it is when it is normalised again.
func FuzzNormalizeQuery(f *testing.F) {
	for _, text := range []string{
		"select a from t where b = 'x' group by f('y', a), 2 order by f('y', a)", "copy t (a) from 'x'", "prepare p (a) as select 'x'", "select interval '1' day(2), -5, +3.5 /* c */",
		"insert into t values (E'\\x79', U&'x', $$x$$, B'1') on conflict (a) do nothing", "select interval($1) $2", "update t set a = $1 -- x",
		"select extract(year from ts), $2 from t group by extract(year from ts)", "with a as (values (1)) table a", "select 'a' 'b'", "select 'a'\n'b'",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ddl.NormalizeQuery(text)
		if err != nil {
			return
		}
		if strings.Contains(pg.Redact(got), "'…'") {
			t.Errorf("%q: a constant is left in %q", text, got)
		}
		if again, err := ddl.NormalizeQuery(got); err != nil || again != got {
			t.Errorf("%q: %q, and once more %q, %v", text, got, again, err)
		}
	})
}
