package pg_test

import (
	"strings"
	"testing"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
)

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		`SELECT 'secret'`: `SELECT '…'`,
		`SELECT 'it''s' || E'a\'b' || b'1' || N'x'`:   `SELECT '…' || '…' || '…' || '…'`,
		`SELECT U&'d\0061t' FROM "it's"`:              `SELECT '…' FROM "it's"`,
		`ALTER ROLE a PASSWORD 'p''w'`:                `ALTER ROLE a PASSWORD '…'`,
		`DO $x$ secret 'y' $y$ $x$; SELECT $1`:        `DO '…'; SELECT $1`,
		`SELECT $$se'cret$$ -- secret`:                `SELECT '…'  `,
		`SELECT /* se /* cr */ et */ 1`:               `SELECT   0`,
		`WHERE a1 = 12.5e-3 AND b = .5 OR c=0x1F+7`:   `WHERE a1 = 0 AND b = 0 OR c=0+0`,
		`numeric(10, 2)`:                              `numeric(0, 0)`,
		`SELECT 'open`:                                `SELECT '…'`,
		`SELECT E'open\'`:                             `SELECT '…'`,
		`SELECT $a$open`:                              `SELECT '…'`,
		`naïve 'x'`:                                   `naïve '…'`,
		``:                                            ``,
		`select e 'plain\' from t where x = 'secret'`: `select e '…' from t where x = '…'`,
	} {
		if got := pg.Redact(in); got != want {
			t.Errorf("Redact(%s) = %s, want %s", in, got, want)
		}
	}
}

func FuzzRedact(f *testing.F) {
	for _, seed := range []string{"x", "'", "$$", "/*", "E'\\", `"`, "--", "$a$ b", "1e-"} {
		f.Add(seed, "s3cret")
	}
	f.Fuzz(func(t *testing.T, before, secret string) {
		pg.Redact(before + secret) // never fails, whatever it is given
		if strings.Trim(secret, "abcdefghijklmnopqrstuvwxyz") != "" || len(secret) < 3 {
			return
		}
		if got := pg.Redact("SELECT x = 'the " + secret + " word'"); got != "SELECT x = '…'" {
			t.Errorf("a constant shows: %s", got)
		}
	})
}

// TestQuotingRoundTrips asks the server to read what we quoted.
func TestQuotingRoundTrips(t *testing.T) {
	dsn := pgtest.DB(t)
	for _, name := range []string{"plain", "Upper", `dou"ble`, "select", "with space", `back\slash`, "quo'te", "ümläut", "日本", "a.b", "$1", "--"} {
		q := pg.QName{Schema: name, Name: name}.String()
		var got []string
		if got = pgtest.Value[[]string](t, dsn, `SELECT parse_ident($1)`, q); len(got) != 2 || got[0] != name || got[1] != name {
			t.Errorf("%s is read as %q", q, got)
		}
		for _, conforming := range []string{"on", "off"} {
			c := pgtest.Connect(t, dsn)
			if _, err := c.Exec(t.Context(), "SET standard_conforming_strings = "+conforming+"; CREATE TEMP TABLE x AS SELECT "+pg.Literal(name)+"::text AS v"); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Exec(t.Context(), "SET standard_conforming_strings = on"); err != nil {
				t.Fatal(err)
			}
			var v string
			if err := c.QueryRow(t.Context(), `SELECT v FROM x`).Scan(&v); err != nil || v != name {
				t.Errorf("%s with standard_conforming_strings %s is %q, %v", pg.Literal(name), conforming, v, err)
			}
		}
	}
}

// TestCondition: what is said of a failing row tells where to look, and shows no value of it.
func TestCondition(t *testing.T) {
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, `CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN "Pos" AS int CHECK (value > 0);
		CREATE TABLE "T t" (id int PRIMARY KEY, n int NOT NULL, m mood, v varchar(3), p "Pos");
		CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'secret of %', NEW.v; END $$;
		INSERT INTO "T t" VALUES (4242, 1); CREATE TABLE s (v text); CREATE TRIGGER tr BEFORE INSERT ON s FOR EACH ROW EXECUTE FUNCTION f()`)
	for sql, want := range map[string]string{
		`SELECT 'secret'::int`:                          "invalid_text_representation (22P02)",
		`SELECT '4242424242424242'::int`:                "numeric_value_out_of_range (22003)",
		`SELECT 'secret'::mood`:                         "invalid_text_representation (22P02)",
		`SELECT '{secret'::json`:                        "invalid_text_representation (22P02)",
		`SELECT 'secret'::date`:                         "invalid_datetime_format (22007)",
		`INSERT INTO "T t" (id, n) VALUES (4242, 1)`:    `unique_violation (23505): constraint "T t_pkey", table "public"."T t"`,
		`INSERT INTO "T t" (id) VALUES (4243)`:          `not_null_violation (23502): column "n", table "public"."T t"`,
		`INSERT INTO "T t" (id, n, p) VALUES (1, 1, 0)`: `check_violation (23514): constraint "Pos_check", type "Pos"`,
		`INSERT INTO s VALUES ('secret')`:               "raise_exception (P0001)",
		`SELECT 1 / 0`:                                  "division_by_zero (22012)",
	} {
		if got := pg.Condition(pgtest.TryExec(dsn, sql)); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
}
