package equivalence

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/replank/replank/ddl"
)

// variant is one way to hold the fixture's tables.
type variant struct {
	name   string
	schema string
	odd    bool // names that need quotes
	part   bool // t is partitioned
	nested bool // and its first partition is, too
	deps   bool // views, triggers, policies and the like stand on t
}

var variants = []variant{
	{name: "plain", schema: "public"},
	{name: "odd", schema: `My "Schema" ä`, odd: true},
	{name: "partitioned", schema: "public", part: true},
	{name: "nested", schema: "public", part: true, nested: true},
	{name: "dependents", schema: "public", deps: true},
}

// ident is what a plain name is called in the variant.
func (v variant) ident(name string) string {
	if v.odd && name != "id" && name != "code" && name != "tid" {
		return ddl.QuoteIdent(`Odd "` + name + `" é`)
	}
	return ddl.QuoteIdent(name)
}

func (v variant) table(name string) string { return ddl.QuoteIdent(v.schema) + "." + v.ident(name) }

var placeholder = regexp.MustCompile(`\{([a-z:0-9_]+)(\.bare)?\}`)

// fill puts the variant's names into a form's SQL.
func (v variant) fill(sql string) string {
	return placeholder.ReplaceAllStringFunc(sql, func(m string) string {
		key := strings.Trim(m, "{}")
		bare := strings.HasSuffix(key, ".bare")
		key = strings.TrimSuffix(key, ".bare")
		if name, ok := strings.CutPrefix(key, "name:"); ok {
			return v.ident(name)
		}
		switch key {
		case "s":
			return ddl.QuoteIdent(v.schema)
		case "t", "p", "ch", "nopk", "nopk2", "spare":
			if bare {
				return v.ident(key)
			}
			return v.table(key)
		case "leaf":
			if v.part {
				return v.table("t_2")
			}
			return v.table("t")
		case "mood":
			return ddl.QuoteIdent(v.schema) + "." + v.ident("mood")
		}
		return v.ident(key)
	})
}

// sql is the fixture: 120 rows in t, with a parent table p, a child table ch, and two tables without keys.
func (v variant) sql() string {
	by, parts := "", ""
	if v.part {
		by = " PARTITION BY RANGE (id)"
		parts = `CREATE TABLE {name:t_1} PARTITION OF {t} FOR VALUES FROM (0) TO (60);`
		if v.nested {
			parts = `CREATE TABLE {name:t_1} PARTITION OF {t} FOR VALUES FROM (0) TO (60) PARTITION BY LIST (id);
CREATE TABLE {name:t_1a} PARTITION OF {name:t_1} FOR VALUES IN (1, 2, 3);
CREATE TABLE {name:t_1b} PARTITION OF {name:t_1} DEFAULT;`
		}
		parts += `
CREATE TABLE {name:t_2} PARTITION OF {t} FOR VALUES FROM (60) TO (1000);
CREATE TABLE {spare} PARTITION OF {t} FOR VALUES FROM (5000) TO (6000);`
	}
	s := fmt.Sprintf(`
CREATE SCHEMA IF NOT EXISTS {s};
SET search_path = {s};
CREATE TYPE {mood} AS ENUM ('a', 'b');
CREATE TABLE {p} (id int PRIMARY KEY, code int NOT NULL UNIQUE);
INSERT INTO {p} SELECT g, g FROM generate_series(0, 200) g;
CREATE TABLE {t} (
  id int PRIMARY KEY,
  {pid} int REFERENCES {p} (id),
  {a} int NOT NULL,
  {b} text,
  {c} varchar(20),
  {n} numeric(10,2),
  {ts} timestamp,
  {tz} timestamptz,
  {e} {mood},
  {j} json,
  {full} text,
  {d} int NOT NULL DEFAULT 7,
  {u} uuid,
  {free} int NOT NULL,
  {digits} text
)%s;
%s
INSERT INTO {t} SELECT g, g, g %% 100, 'b' || g, 'c' || g, g / 3.0, '2026-01-01'::timestamp + g * interval '1 hour',
  '2026-01-01Z'::timestamptz + g * interval '1 hour', CASE WHEN g %% 2 = 0 THEN 'a' ELSE 'b' END::{mood},
  json_build_object('k', g), 'first' || g || ' last' || g, g, md5(g::text)::uuid, g, (g * 7)::text
  FROM generate_series(1, 120) g;
CREATE TABLE {ch} (id int PRIMARY KEY, tid int REFERENCES {t} (id));
INSERT INTO {ch} SELECT g, g FROM generate_series(1, 100) g;
CREATE TABLE {nopk} (k int, v text);
INSERT INTO {nopk} SELECT g, 'v' || g FROM generate_series(1, 50) g;
CREATE TABLE {nopk2} (id int, {n} numeric(10,2));
INSERT INTO {nopk2} SELECT g, g / 7.0 FROM generate_series(1, 50) g;
COMMENT ON TABLE {t} IS 'the table';
GRANT SELECT ON {t} TO replank_test_reader;
`, by, parts)
	if v.deps {
		s += `
CREATE VIEW {name:v1} AS SELECT id, {pid} FROM {t};
CREATE VIEW {name:v2} AS SELECT id FROM {name:v1} WHERE {pid} > 3;
CREATE MATERIALIZED VIEW {name:m1} AS SELECT id, {pid} FROM {t};
CREATE UNIQUE INDEX {name:m1_id} ON {name:m1} (id);
CREATE FUNCTION {name:touch}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER {name:touch_b} AFTER UPDATE OF {b} ON {t} FOR EACH ROW EXECUTE FUNCTION {name:touch}();
CREATE STATISTICS {name:stats} ON {a}, {d} FROM {t};
CREATE INDEX {name:dep_i} ON {t} (lower({b}), {a});
CREATE POLICY {name:pol} ON {t} USING ({d} > 0);
ALTER TABLE {t} ADD CONSTRAINT {name:dep_chk} CHECK ({a} + {d} > 0);
COMMENT ON COLUMN {t}.{a} IS 'the a';
GRANT SELECT ({a}) ON {t} TO replank_test_other;
`
	}
	return v.fill(s)
}
