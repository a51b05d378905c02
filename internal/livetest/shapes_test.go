package livetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
)

// pair is a change with the two shapes that live side by side while it is ready.
type pair struct {
	name    string
	prepare string
	change  string
}

// write is one statement of a client, and the row 1 that it leaves: the old and the new shape as text.
type write struct {
	name string
	sql  string
	want string // of the row with id 1, or an SQLSTATE
}

const seed = "INSERT INTO t (id) VALUES (1), (2);"

// defaults (RULES 6): what an INSERT through either shape leaves out, writes as DEFAULT or writes as NULL.
var defaults = []struct {
	pair
	read   string
	writes []write
}{
	{pair{"rename, nullable with a default", "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 5);",
		"ALTER TABLE t RENAME COLUMN a TO b;"}, "concat_ws('/', coalesce(a::text, '-'), coalesce(b::text, '-'))", []write{
		{"neither", "INSERT INTO t (id) VALUES (1)", "5/5"},
		{"old", "INSERT INTO t (id, a) VALUES (1, 7)", "7/7"},
		{"new", "INSERT INTO t (id, b) VALUES (1, 7)", "7/7"},
		{"old DEFAULT", "INSERT INTO t (id, a) VALUES (1, DEFAULT)", "5/5"},
		{"new DEFAULT", "INSERT INTO t (id, b) VALUES (1, DEFAULT)", "5/5"},
		{"old NULL", "INSERT INTO t (id, a) VALUES (1, NULL)", "-/-"},
		{"new NULL", "INSERT INTO t (id, b) VALUES (1, NULL)", "-/-"},
		{"old like the default", "INSERT INTO t (id, a) VALUES (1, 5)", "5/5"},
		{"new like the default", "INSERT INTO t (id, b) VALUES (1, 5)", "5/5"},
		{"both agree", "INSERT INTO t (id, a, b) VALUES (1, 7, 7)", "7/7"},
		{"both disagree", "INSERT INTO t (id, a, b) VALUES (1, 7, 8)", "RP001"},
		{"upsert old", "INSERT INTO t (id, a) VALUES (1, 7), (2, 7); INSERT INTO t (id, a) VALUES (1, 9) ON CONFLICT (id) DO UPDATE SET a = excluded.a", "9/9"},
		{"upsert new", "INSERT INTO t (id, b) VALUES (1, 7); INSERT INTO t (id, b) VALUES (1, 9) ON CONFLICT (id) DO UPDATE SET b = excluded.b", "9/9"},
		{"upsert crossed", "INSERT INTO t (id, a) VALUES (1, 7); INSERT INTO t (id, a) VALUES (1, 9) ON CONFLICT (id) DO UPDATE SET b = excluded.b", "9/9"},
		{"upsert nothing", "INSERT INTO t (id, a) VALUES (1, 7); INSERT INTO t (id, b) VALUES (1, 9) ON CONFLICT DO NOTHING", "7/7"},
		{"upsert to DEFAULT", "INSERT INTO t (id, a) VALUES (1, 7); INSERT INTO t (id, b) VALUES (1, 9) ON CONFLICT (id) DO UPDATE SET b = DEFAULT", "5/5"},
		{"update old", seed + "UPDATE t SET a = 8", "8/8"},
		{"update new", seed + "UPDATE t SET b = 8", "8/8"},
		{"update old to NULL", seed + "UPDATE t SET a = NULL", "-/-"},
		{"update new to NULL", seed + "UPDATE t SET b = NULL", "-/-"},
		{"update both alike", seed + "UPDATE t SET a = 8, b = 8", "8/8"},
		{"update both apart", seed + "UPDATE t SET a = 8, b = 9", "RP001"},
		{"update one to what it was", seed + "UPDATE t SET a = a, b = 9", "9/9"},
		{"delete through the new name", seed + "UPDATE t SET b = 6 WHERE id = 1; DELETE FROM t WHERE b = 5; INSERT INTO t (id) VALUES (2)", "6/6"},
	}},
	{pair{"rename, NOT NULL with a default", "CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL DEFAULT 'x');",
		"ALTER TABLE t RENAME COLUMN a TO b;"}, "a || '/' || b", []write{
		{"neither", "INSERT INTO t (id) VALUES (1)", "x/x"},
		{"new", "INSERT INTO t (id, b) VALUES (1, 'n')", "n/n"},
		{"old NULL", "INSERT INTO t (id, a) VALUES (1, NULL)", "23502"},
		{"new NULL", "INSERT INTO t (id, b) VALUES (1, NULL)", "23502"},
		{"update new to NULL", seed + "UPDATE t SET b = NULL", "23502"},
	}},
	{pair{"rename, NOT NULL without a default", "CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL);",
		"ALTER TABLE t RENAME COLUMN a TO b;"}, "a || '/' || b", []write{
		{"neither", "INSERT INTO t (id) VALUES (1)", "23502"},
		{"new", "INSERT INTO t (id, b) VALUES (1, 'n')", "n/n"},
		{"new NULL", "INSERT INTO t (id, b) VALUES (1, NULL)", "23502"},
	}},
	{pair{"rename, a sequence's column", "CREATE TABLE t (id int PRIMARY KEY, a serial);",
		"ALTER TABLE t RENAME COLUMN a TO b;"}, "a || '/' || b", []write{
		{"neither", "INSERT INTO t (id) VALUES (1)", "1/1"},
		{"old", "INSERT INTO t (id, a) VALUES (1, 70)", "70/70"},
		{"new", "INSERT INTO t (id, b) VALUES (1, 70)", "70/70"},
		{"new DEFAULT", "INSERT INTO t (id, b) VALUES (1, DEFAULT)", "1/1"},
	}},
	{pair{"int to bigint with a default", "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 5);",
		"ALTER TABLE t ALTER COLUMN a TYPE bigint;"}, "concat_ws('/', coalesce(a::text, '-'), coalesce(_replank_a::text, '-'))", []write{
		{"neither", "INSERT INTO t (id) VALUES (1)", "5/5"},
		{"old", "INSERT INTO t (id, a) VALUES (1, 7)", "7/7"},
		{"old NULL", "INSERT INTO t (id, a) VALUES (1, NULL)", "-/-"},
		{"new", "INSERT INTO t (id, _replank_a) VALUES (1, 7)", "7/7"},
		{"new NULL", "INSERT INTO t (id, _replank_a) VALUES (1, NULL)", "-/-"},
		{"new too wide for the old", "INSERT INTO t (id, _replank_a) VALUES (1, 3000000000)", "22003"},
	}},
	{pair{"text to int, USING a cast", "CREATE TABLE t (id int PRIMARY KEY, a text DEFAULT '5');",
		"ALTER TABLE t ALTER COLUMN a DROP DEFAULT, ALTER COLUMN a TYPE int USING a::int, ALTER COLUMN a SET DEFAULT 6;"},
		"concat_ws('/', coalesce(a, '-'), coalesce(_replank_a::text, '-'))", []write{
			{"neither", "INSERT INTO t (id) VALUES (1)", "5/5"},
			{"old", "INSERT INTO t (id, a) VALUES (1, '7')", "7/7"},
			{"old NULL", "INSERT INTO t (id, a) VALUES (1, NULL)", "-/-"},
			{"old not a number", "INSERT INTO t (id, a) VALUES (1, 'x')", "22P02"},
			{"old not canonical", "INSERT INTO t (id, a) VALUES (1, ' 07')", " 07/7"},
			{"new", "INSERT INTO t (id, _replank_a) VALUES (1, 7)", "7/7"},
			{"update new", seed + "UPDATE t SET _replank_a = 8", "8/8"},
		}},
	{pair{"lossy USING without inverse is read-only (RULES 9)", "CREATE TABLE t (id int PRIMARY KEY, a text);",
		"ALTER TABLE t ALTER COLUMN a TYPE int USING length(a);"}, "concat_ws('/', coalesce(a, '-'), coalesce(_replank_a::text, '-'))", []write{
		{"old", "INSERT INTO t (id, a) VALUES (1, 'abc')", "abc/3"},
		{"old NULL", "INSERT INTO t (id) VALUES (1)", "-/-"},
		{"new", "INSERT INTO t (id, _replank_a) VALUES (1, 7)", "RP002"},
		{"both agree", "INSERT INTO t (id, a, _replank_a) VALUES (1, 'abc', 3)", "abc/3"},
		{"update old", seed + "UPDATE t SET a = 'ab'", "ab/2"},
		{"update new", seed + "UPDATE t SET _replank_a = 2", "RP002"},
	}},
	{pair{"split with inverse", "CREATE TABLE t (id int PRIMARY KEY, name text);", splitSQL}, "concat_ws('/', coalesce(name, '-'), coalesce(f, '-'), coalesce(l, '-'))", []write{
		{"neither", "INSERT INTO t (id) VALUES (1)", "-/-/-"},
		{"old", "INSERT INTO t (id, name) VALUES (1, 'A B')", "A B/A/B"},
		{"new", "INSERT INTO t (id, f, l) VALUES (1, 'A', 'B')", "A B/A/B"},
		{"half of new", seed + "UPDATE t SET name = 'A B'; UPDATE t SET l = 'C'", "A C/A/C"},
		{"update old", seed + "UPDATE t SET name = 'A B'", "A B/A/B"},
		{"update both alike", seed + "UPDATE t SET name = 'A B', f = 'A', l = 'B'", "A B/A/B"},
		{"update both apart", seed + "UPDATE t SET name = 'A B', f = 'A', l = 'C'", "RP001"},
	}},
	{pair{"SET NOT NULL with fill", "CREATE TABLE t (id int PRIMARY KEY, a int);",
		"-- replank: fill 0\nALTER TABLE t ALTER COLUMN a SET NOT NULL;"}, "a::text", []write{
		{"left out", "INSERT INTO t (id) VALUES (1)", "0"},
		{"NULL", "INSERT INTO t (id, a) VALUES (1, NULL)", "0"},
		{"value", "INSERT INTO t (id, a) VALUES (1, 4)", "4"},
		{"update to NULL", "INSERT INTO t (id, a) VALUES (1, 4); UPDATE t SET a = NULL", "0"},
	}},
	{pair{"drop a required column", "CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL);",
		"-- replank: inverse 0\nALTER TABLE t DROP COLUMN a;"}, "coalesce(a::text, '-')", []write{
		{"old", "INSERT INTO t (id, a) VALUES (1, 4)", "4"},
		{"new code leaves it out", "INSERT INTO t (id) VALUES (1)", "-"},
	}},
	{pair{"rename a table", "CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL DEFAULT 5);",
		"ALTER TABLE t RENAME TO u;"}, "a::text", []write{
		{"left out", "INSERT INTO u (id) VALUES (1)", "5"},
		{"DEFAULT", "INSERT INTO u (id, a) VALUES (1, DEFAULT)", "5"},
		{"NULL", "INSERT INTO u (id, a) VALUES (1, NULL)", "23502"},
		{"upsert", "INSERT INTO u VALUES (1, 2); INSERT INTO u VALUES (1, 3) ON CONFLICT (id) DO UPDATE SET a = u.a + excluded.a", "5"},
		{"update and delete", "INSERT INTO u VALUES (1, 2), (2, 2); UPDATE u SET a = 9 WHERE id = 1; DELETE FROM u WHERE a = 2", "9"},
	}},
}

const splitSQL = `ALTER TABLE t ADD COLUMN f text, ADD COLUMN l text;
-- replank: inverse name = f || ' ' || l
UPDATE t SET f = split_part(name, ' ', 1), l = split_part(name, ' ', 2);
ALTER TABLE t DROP COLUMN name;`

// TestWritesThroughEitherShape (RULES 6, 7, 9): while both shapes live, each write leaves a row in which both agree.
func TestWritesThroughEitherShape(t *testing.T) {
	for _, c := range defaults {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.prepare, c.change, accept("column-order", "irreversible")).apply()
			if got := s.state(); got != "ready" {
				t.Fatalf("the run is %s", got)
			}
			for _, w := range c.writes {
				pgtest.Exec(t, s.dsn, "TRUNCATE t RESTART IDENTITY")
				got := sqlstate(pgtest.TryExec(s.dsn, w.sql))
				if got == "" {
					got = pgtest.Value[string](t, s.dsn, "SELECT "+c.read+" FROM t WHERE id = 1")
				}
				if got != w.want {
					t.Errorf("%s: %q, want %q\n%s", w.name, got, w.want, w.sql)
				}
			}
		})
	}
}

// inexact is a change whose inverse loses something: '007' becomes 7, and 7 would become '7'.
const inexact = "-- replank: inverse a::int\nALTER TABLE t ALTER COLUMN a TYPE text USING a::text;"

// TestTheFillSparesWhatTheNewShapeWrote: a row that is written through the new shape before the fill comes to it is
// right as it is, although computing it from the old shape would give something else.
func TestTheFillSparesWhatTheNewShapeWrote(t *testing.T) {
	s := newSite(t, thousand, inexact, accept("column-order"))
	s.cfg = append(s.cfg, func(c *migrate.Config) {
		c.Failpoint = func(point string) {
			if point == "filling/rows/begin" {
				pgtest.Exec(t, s.dsn, "UPDATE t SET _replank_a = '007' WHERE id = 1")
			}
		}
	})
	s.apply()
	const both = "SELECT a || ' ' || _replank_a FROM t WHERE id = 1"
	if got := pgtest.Value[string](t, s.dsn, both); got != "7 007" {
		t.Errorf("after the fill the row is %s", got)
	}
	s.complete()
	if got := pgtest.Value[string](t, s.dsn, "SELECT a FROM t WHERE id = 1"); got != "007" {
		t.Errorf("after complete the row is %s", got)
	}
}

// TestCompleteProvesTheRowsAgain: what was written while somebody had our triggers switched off, nobody has converted.
func TestCompleteProvesTheRowsAgain(t *testing.T) {
	s := newSite(t, thousand, inexact, accept("column-order")).apply()
	pgtest.Exec(t, s.dsn, `DO $$ DECLARE name text; BEGIN
		ALTER TABLE t DISABLE TRIGGER ALL;
		UPDATE t SET a = 4711 WHERE id = 1;
		FOR name IN SELECT tgname FROM pg_trigger WHERE tgrelid = 't'::regclass LOOP
			EXECUTE format('ALTER TABLE t ENABLE ALWAYS TRIGGER %I', name);
		END LOOP; END $$`)
	_, err := s.open().Complete(ctx, "", migrate.CompleteOptions{NoOldReaders: true})
	var refused *migrate.RefusedError
	if !errors.As(err, &refused) || refused.Code != migrate.NoProof || !strings.Contains(err.Error(), "1 rows") {
		t.Fatalf("complete with a row that is not converted: %v", err)
	}
	pgtest.Exec(t, s.dsn, "UPDATE t SET a = a + 1 WHERE id = 1")
	s.complete()
	if got := pgtest.Value[string](t, s.dsn, "SELECT a FROM t WHERE id = 1"); got != "4712" {
		t.Errorf("after complete the row is %s", got)
	}
}

// TestNullThatTheOldShapeDoesNotKnow: what is written as NULL through the new shape, and means a value in the old one, is
// that value in both: such a row must not look as if it waited for its fill for ever.
func TestNullThatTheOldShapeDoesNotKnow(t *testing.T) {
	s := newSite(t, "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT g, nullif(g % 10, 0) FROM generate_series(1, 1000) g",
		"-- replank: inverse nullif(n, 0)\nALTER TABLE t ALTER COLUMN n TYPE bigint USING coalesce(n, 0)::bigint;", accept("column-order"))
	s.apply()
	pgtest.Exec(t, s.dsn, "UPDATE t SET _replank_n = NULL WHERE id <= 5", "INSERT INTO t (id, n, _replank_n) VALUES (2000, NULL, NULL)",
		"UPDATE t SET n = NULL, _replank_n = NULL WHERE id = 6")
	if got := pgtest.Value[string](t, s.dsn, "SELECT string_agg(coalesce(n::text, '-') || '/' || _replank_n, ' ' ORDER BY id) FROM t WHERE id <= 7 OR id = 2000"); got != "-/0 -/0 -/0 -/0 -/0 -/0 7/7 -/0" {
		t.Errorf("the rows are %s", got)
	}
	s.complete()
	if n := pgtest.Value[int](t, s.dsn, "SELECT count(*)::int FROM t WHERE n = 0"); n != 107 {
		t.Errorf("%d rows are 0", n)
	}
}
