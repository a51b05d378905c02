package livetest

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pgtest"
)

// evilSQL shadows, for whoever puts schema evil before pg_catalog, what trigger functions are likely to use.
const evilSQL = `CREATE SCHEMA evil;
CREATE FUNCTION evil.no(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil ran'; END $$;
CREATE FUNCTION evil.no(int, int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil ran'; END $$;
CREATE FUNCTION evil.no(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil ran'; END $$;
CREATE FUNCTION evil.no(anyelement, anyelement) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil ran'; END $$;
CREATE FUNCTION evil.txt(text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'evil'::text $$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.no);
CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.no);
CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.no);
CREATE OPERATOR evil.*<> (LEFTARG = anyelement, RIGHTARG = anyelement, FUNCTION = evil.no);
CREATE OPERATOR evil.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.txt);
CREATE FUNCTION evil.split_part(text, text, int) RETURNS text LANGUAGE sql AS $$ SELECT 'evil'::text $$;
CREATE FUNCTION evil.current_setting(text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT 'on'::text $$;
CREATE DOMAIN evil.text AS pg_catalog.text CHECK (false);
CREATE DOMAIN evil.int8 AS pg_catalog.int8 CHECK (false);
GRANT USAGE ON SCHEMA evil TO PUBLIC;
`

// everyPair has a change of each kind that keeps two shapes by a trigger, on a table of its own in schema app.
const everyPairSQL = `CREATE SCHEMA app;
CREATE TABLE app.ren (id int PRIMARY KEY, a text DEFAULT 'd');
CREATE TABLE app.wide (id int PRIMARY KEY, a int DEFAULT 5);
CREATE TABLE app.num (id int PRIMARY KEY, a text);
CREATE TABLE app.split (id int PRIMARY KEY, name text);
CREATE TABLE app.full (id int PRIMARY KEY, a text);
CREATE TYPE app.mood AS ENUM ('a', 'b', 'c');
CREATE TABLE app.en (id int PRIMARY KEY, a app.mood);
CREATE TABLE app.lax (id int PRIMARY KEY, a text COLLATE "C");
`

const everyChangeSQL = `SET search_path = app;
ALTER TABLE ren RENAME COLUMN a TO b;
ALTER TABLE wide ALTER COLUMN a TYPE bigint;
ALTER TABLE num ALTER COLUMN a TYPE int USING a::int;
ALTER TABLE split ADD COLUMN f text, ADD COLUMN l text;
-- replank: inverse name = f || ' ' || l
UPDATE split SET f = split_part(name, ' ', 1), l = split_part(name, ' ', 2);
ALTER TABLE split DROP COLUMN name;
-- replank: fill 'none' || id
ALTER TABLE "full" ALTER COLUMN a SET NOT NULL;
ALTER TYPE mood RENAME TO mood_old;
CREATE TYPE mood AS ENUM ('a', 'b');
ALTER TABLE en ALTER COLUMN a TYPE mood USING a::text::mood;
DROP TYPE mood_old;
ALTER TABLE lax RENAME COLUMN a TO b;
`

// everyWrite writes through either shape, and says what the new shape and the old one hold then.
var everyWrite = []struct{ table, sql, read, want string }{
	{"ren", "INSERT INTO app.ren (id) VALUES (1)", "a || '/' || b", "d/d"},
	{"ren", "UPDATE app.ren SET a = 'x'", "a || '/' || b", "x/x"},
	{"ren", "UPDATE app.ren SET b = 'y'", "a || '/' || b", "y/y"},
	{"ren", "UPDATE app.ren SET a = 'z', b = 'z'", "a || '/' || b", "z/z"},
	{"wide", "INSERT INTO app.wide (id, a) VALUES (1, 1)", "a || '/' || _replank_a", "1/1"},
	{"wide", "UPDATE app.wide SET _replank_a = 2", "a || '/' || _replank_a", "2/2"},
	{"wide", "UPDATE app.wide SET a = 3, _replank_a = 3", "a || '/' || _replank_a", "3/3"},
	{"num", "INSERT INTO app.num (id, a) VALUES (1, '1')", "a || '/' || _replank_a", "1/1"},
	{"num", "UPDATE app.num SET _replank_a = 2", "a || '/' || _replank_a", "2/2"},
	{"split", "INSERT INTO app.split (id, name) VALUES (1, 'A B')", "concat_ws('/', name, f, l)", "A B/A/B"},
	{"split", "UPDATE app.split SET l = 'C'", "concat_ws('/', name, f, l)", "A C/A/C"},
	{"full", "INSERT INTO app.full (id) VALUES (1)", "a", "none1"},
	{"en", "INSERT INTO app.en (id, a) VALUES (1, 'a')", "a || '/' || _replank_a", "a/a"},
	{"en", "UPDATE app.en SET _replank_a = 'b'", "a || '/' || _replank_a", "b/b"},
	{"lax", "INSERT INTO app.lax (id, a) VALUES (1, 'p')", "a || '/' || b", "p/p"},
	{"lax", "UPDATE app.lax SET b = 'q'", "a || '/' || b", "q/q"},
}

// TestAnyClientMayWrite (RULES 7): the triggers work for every client, whatever its search_path, role or settings.
func TestAnyClientMayWrite(t *testing.T) {
	poor := pgtest.Role(t, "poor", "LOGIN")
	s := newSite(t, everyPairSQL+evilSQL, everyChangeSQL, accept("column-order", "irreversible")).apply()
	if got := s.state(); got != "ready" {
		t.Fatalf("the run is %s", got)
	}
	pgtest.Exec(t, s.dsn, "GRANT USAGE ON SCHEMA app TO "+poor+"; GRANT ALL ON ALL TABLES IN SCHEMA app TO "+poor)
	for _, c := range []struct{ name, setup string }{
		{"ordinary", ""},
		{"empty search_path", "SET search_path = ''"},
		{"evil search_path", "SET search_path = evil, pg_catalog"},
		{"new before public", "SET search_path = new, public"},
		{"replica role", "SET session_replication_role = replica"},
		{"role without any privilege on schema replank", "SET ROLE " + poor},
		{"odd settings", "SET quote_all_identifiers = on; SET standard_conforming_strings = off; SET array_nulls = off; SET transform_null_equals = on; SET check_function_bodies = off"},
		{"plpgsql settings", "SET plpgsql.variable_conflict = use_column; SET plpgsql.extra_errors = 'all'"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			client := pgtest.Connect(t, s.dsn)
			for _, w := range everyWrite {
				if strings.HasPrefix(w.sql, "INSERT") {
					pgtest.Exec(t, s.dsn, "TRUNCATE app."+w.table)
				}
			}
			if _, err := client.Exec(ctx, c.setup, pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Fatal(err)
			}
			for _, w := range everyWrite {
				got := ""
				if _, err := client.Exec(ctx, w.sql); err != nil {
					t.Errorf("%s: %v", w.sql, err)
				} else if got = pgtest.Value[string](t, s.dsn, "SELECT "+w.read+" FROM app."+w.table); got != w.want {
					t.Errorf("%s: %q, want %q", w.sql, got, w.want)
				}
			}
		})
	}
}

// TestClientWithoutTheSchema: who may write through a view of another schema has no privilege on the schema of
// the table, of its types or of the functions that a USING names; the triggers need none (RULES 7).
func TestClientWithoutTheSchema(t *testing.T) {
	poor := pgtest.Role(t, "poor", "LOGIN")
	s := newSite(t, everyPairSQL+`
		CREATE FUNCTION app.halve(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 / 2';
		CREATE FUNCTION app.twice(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
		REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
		CREATE TABLE app.half (id int PRIMARY KEY, a int);`,
		everyChangeSQL+`-- replank: inverse app.twice(a)
		ALTER TABLE half ALTER COLUMN a TYPE bigint USING app.halve(a);`, accept("column-order", "irreversible")).apply()
	pgtest.Exec(t, s.dsn, `CREATE SCHEMA api; GRANT USAGE ON SCHEMA api TO `+poor)
	for _, table := range []string{"ren", "wide", "num", "split", "full", "en", "lax", "half"} {
		pgtest.Exec(t, s.dsn, `CREATE VIEW api."`+table+`" AS SELECT * FROM app."`+table+`"; GRANT ALL ON api."`+table+`" TO `+poor)
	}
	client := pgtest.Connect(t, pgtest.As(s.dsn, poor))
	for _, w := range everyWrite {
		if _, err := client.Exec(ctx, strings.ReplaceAll(w.sql, " app.", " api.")); err != nil {
			t.Errorf("%s: %v", w.sql, err)
		} else if got := pgtest.Value[string](t, s.dsn, "SELECT "+w.read+" FROM app."+w.table); got != w.want {
			t.Errorf("%s: %q, want %q", w.sql, got, w.want)
		}
	}
	for _, w := range []struct{ sql, want string }{
		{"INSERT INTO api.half (id, a) VALUES (1, 8)", "8/4"}, {"UPDATE api.half SET _replank_a = 3", "6/3"},
		{"UPDATE api.half SET a = 4, _replank_a = 2", "4/2"},
	} {
		if _, err := client.Exec(ctx, w.sql); err != nil {
			t.Errorf("%s: %v", w.sql, err)
		} else if got := pgtest.Value[string](t, s.dsn, "SELECT a || '/' || _replank_a FROM app.half"); got != w.want {
			t.Errorf("%s: %q, want %q", w.sql, got, w.want)
		}
	}
}

// TestSessionSettingsOfClients: what a cast makes of a value depends on settings; those of the migration count, as
// they would under psql, and not those of whichever client writes.
func TestSessionSettingsOfClients(t *testing.T) {
	for _, c := range []struct{ name, prepare, change, client, write, read, want string }{
		{"timestamp to timestamptz", "CREATE TABLE t (id int, a timestamp)",
			"SET TimeZone = 'Asia/Tokyo'; ALTER TABLE t ALTER COLUMN a TYPE timestamptz", "SET TimeZone = 'America/New_York'",
			"INSERT INTO t (id, a) VALUES (1, '2026-01-01 09:00')", "a AT TIME ZONE 'UTC'", "2026-01-01 00:00:00"},
		{"timestamptz to timestamp", "CREATE TABLE t (id int, a timestamptz)",
			"SET TimeZone = 'Asia/Tokyo'; ALTER TABLE t ALTER COLUMN a TYPE timestamp", "SET TimeZone = 'America/New_York'",
			"INSERT INTO t (id, a) VALUES (1, '2026-01-01 00:00Z')", "a", "2026-01-01 09:00:00"},
		{"timestamptz to text", "CREATE TABLE t (id int, a timestamptz)",
			"ALTER TABLE t ALTER COLUMN a TYPE text", "SET TimeZone = 'America/New_York'; SET DateStyle = German",
			"INSERT INTO t (id, a) VALUES (1, '2026-01-01 00:00Z')", "a", "2026-01-01 00:00:00+00"},
		{"text to date", "CREATE TABLE t (id int, a text)",
			"ALTER TABLE t ALTER COLUMN a TYPE date USING a::date", "SET DateStyle = 'ISO, DMY'",
			"INSERT INTO t (id, a) VALUES (1, '03/02/2026')", "a", "2026-03-02"},
		{"date to text", "CREATE TABLE t (id int, a date)",
			"ALTER TABLE t ALTER COLUMN a TYPE text USING a::text", "SET DateStyle = German",
			"INSERT INTO t (id, a) VALUES (1, '2026-03-02')", "a", "2026-03-02"},
		{"interval to text", "CREATE TABLE t (id int, a interval)",
			"ALTER TABLE t ALTER COLUMN a TYPE text", "SET IntervalStyle = iso_8601",
			"INSERT INTO t (id, a) VALUES (1, '1 day')", "a", "1 day"},
		{"bytea to text", "CREATE TABLE t (id int, a bytea)",
			"ALTER TABLE t ALTER COLUMN a TYPE text", "SET bytea_output = escape",
			"INSERT INTO t (id, a) VALUES (1, 'abc')", "a", "\\x616263"},
		{"float to text", "CREATE TABLE t (id int, a float8)",
			"ALTER TABLE t ALTER COLUMN a TYPE text", "SET extra_float_digits = -8",
			"INSERT INTO t (id, a) VALUES (1, 0.1234567890123)", "a", "0.1234567890123"},
		{"the file's own settings", "CREATE TABLE t (id int, a text)",
			"SET DateStyle = 'ISO, DMY'; ALTER TABLE t ALTER COLUMN a TYPE date USING a::date", "",
			"INSERT INTO t (id, a) VALUES (1, '03/02/2026')", "a", "2026-02-03"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.prepare, c.change, accept("column-order", "irreversible")).apply()
			client := pgtest.Connect(t, s.dsn)
			if _, err := client.Exec(ctx, c.client, pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Exec(ctx, c.write); err != nil {
				t.Fatal(err)
			}
			s.complete()
			if got := pgtest.Value[string](t, s.dsn, "SELECT ("+c.read+")::text FROM t"); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
