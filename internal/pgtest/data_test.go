package pgtest

import (
	"strings"
	"testing"
)

const rowsSQL = `CREATE TABLE small (id int PRIMARY KEY, txt text, js json, num numeric, f float8, at timestamptz, "Odd ""Name" bytea);
	INSERT INTO small SELECT g, 'row ' || g, '{"a":  1}', g / 3.0, g / 3.0, timestamptz '2025-01-01 UTC' + g * interval '1 day', '\x00ff' FROM generate_series(1, 20) g;
	CREATE TABLE big AS SELECT g AS id, md5(g::text) AS h FROM generate_series(1, 5000) g;
	CREATE TABLE part (k int, v text) PARTITION BY LIST (k); CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1); CREATE TABLE part_d PARTITION OF part DEFAULT;
	INSERT INTO part VALUES (1, 'a'), (2, 'b');
	CREATE TABLE none (); INSERT INTO none DEFAULT VALUES;
	CREATE MATERIALIZED VIEW mv AS SELECT count(*) AS n FROM big`

// Data sees every single change of a row, in listed and in digested tables.
func TestDataSeesEveryChange(t *testing.T) {
	base := DB(t)
	Exec(t, base, rowsSQL)
	before := Data(t, base)
	for name, sql := range map[string]string{
		"value":             "UPDATE small SET txt = 'other' WHERE id = 7",
		"null":              "UPDATE small SET txt = NULL WHERE id = 7",
		"the word NULL":     "UPDATE small SET txt = NULL WHERE id = 7; UPDATE small SET txt = 'NULL' WHERE id = 7",
		"json spacing":      `UPDATE small SET js = '{"a": 1}' WHERE id = 7`,
		"numeric scale":     "UPDATE small SET num = num * 1.0 WHERE id = 3",
		"last bit of float": "UPDATE small SET f = f + 1e-15 WHERE id = 3",
		"microsecond":       "UPDATE small SET at = at + interval '1 microsecond' WHERE id = 3",
		"insert":            "INSERT INTO small (id) VALUES (1000)",
		"delete":            "DELETE FROM small WHERE id = 1",
		"big value":         "UPDATE big SET h = 'x' WHERE id = 4000",
		"big swap":          "UPDATE big SET id = CASE id WHEN 1 THEN 2 ELSE 1 END WHERE id IN (1, 2)",
		"big duplicate":     "DELETE FROM big WHERE id = 1; INSERT INTO big SELECT * FROM big WHERE id = 2",
		"partition":         "DELETE FROM part WHERE k = 2",
		"zero columns":      "INSERT INTO none DEFAULT VALUES",
		"matview":           "DROP MATERIALIZED VIEW mv; CREATE MATERIALIZED VIEW mv AS SELECT count(*) + 1 AS n FROM big",
		"table":             "DROP TABLE none",
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			dsn := DB(t, From(base))
			Exec(t, dsn, sql)
			if Data(t, dsn) == before {
				t.Errorf("not seen: %s", sql)
			}
		})
	}
}

// The same rows in another physical order, with other settings in force, are the same data.
func TestDataIgnoresPhysicalOrder(t *testing.T) {
	one := DB(t)
	Exec(t, one, rowsSQL)
	two := DB(t, From(one))
	Exec(t, two, "UPDATE small SET txt = txt WHERE id < 10; UPDATE big SET h = h WHERE id % 3 = 0", "VACUUM FULL",
		"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Tokyo''; ALTER DATABASE %1$I SET DateStyle = ''German''; ALTER DATABASE %1$I SET bytea_output = ''escape''', current_database()); END $$")
	SameData(t, one, two, AllRows())
	SameData(t, one, two)
	Exec(t, two, "UPDATE small SET num = 0")
	SameData(t, one, two, IgnoreColumn("public.small.num"))
}
