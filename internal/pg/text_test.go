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
