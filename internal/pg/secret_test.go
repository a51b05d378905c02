package pg_test

import (
	"strings"
	"testing"

	"github.com/replank/replank/internal/pg"
)

func TestHideSecrets(t *testing.T) {
	for in, want := range map[string]string{
		`CREATE ROLE a PASSWORD 'S3cret'`:                                                    `CREATE ROLE a PASSWORD '…'`,
		`CREATE ROLE a PASSWORD /* x */ 'S3cret' VALID UNTIL 'infinity'`:                     `CREATE ROLE a PASSWORD /* x */ '…' VALID UNTIL 'infinity'`,
		"ALTER USER a ENCRYPTED PASSWORD -- x\n\tE'S3\\'cret'":                               "ALTER USER a ENCRYPTED PASSWORD -- x\n\t'…'",
		"ALTER ROLE a PASSWORD 'S3'\n'cret'":                                                 "ALTER ROLE a PASSWORD '…'\n'…'",
		`ALTER ROLE a PASSWORD N'S3cret', b`:                                                 `ALTER ROLE a PASSWORD '…', b`,
		`ALTER ROLE a PASSWORD'S3cret'`:                                                      `ALTER ROLE a PASSWORD'…'`,
		`ALTER ROLE a PASSWORD U&'S3cret' UESCAPE '!'`:                                       `ALTER ROLE a PASSWORD '…' UESCAPE '…'`,
		`ALTER ROLE a PASSWORD $x$S3cret$x$`:                                                 `ALTER ROLE a PASSWORD '…'`,
		`ALTER ROLE a PASSWORD 'S3cret`:                                                      `ALTER ROLE a PASSWORD '…'`,
		`ALTER ROLE a PASSWORD S3cret`:                                                       `ALTER ROLE a PASSWORD '…'`,
		`ALTER ROLE a PASSWORD 12S3cret@x; SELECT 'x'`:                                       `ALTER ROLE a PASSWORD '…'; SELECT 'x'`,
		`ALTER ROLE a PASSWORD NULL VALID UNTIL 'infinity'`:                                  `ALTER ROLE a PASSWORD NULL VALID UNTIL 'infinity'`,
		`CREATE TABLE u (password text DEFAULT 'x', b text)`:                                 `CREATE TABLE u (password text DEFAULT 'x', b text)`,
		`CREATE SUBSCRIPTION s CONNECTION 'host=h password=S3cret' PUBLICATION p`:            `CREATE SUBSCRIPTION s CONNECTION '…' PUBLICATION p`,
		`ALTER SUBSCRIPTION s CONNECTION 'password = ''S3 cret'' host=h'`:                    `ALTER SUBSCRIPTION s CONNECTION '…'`,
		`SELECT dblink_connect('c', $$host=h password=S3cret$$)`:                             `SELECT dblink_connect('c', '…')`,
		`SELECT * FROM dblink('postgres://u:S3cret@h/d', 'SELECT 1') t(a int)`:               `SELECT * FROM dblink('…', 'SELECT 1') t(a int)`,
		`ALTER SUBSCRIPTION s CONNECTION 'service=S3cret'`:                                   `ALTER SUBSCRIPTION s CONNECTION '…'`,
		`OPTIONS (user 'u', password 'S3cret', sslmode 'require')`:                           `OPTIONS (user 'u', password '…', sslmode 'require')`,
		`OPTIONS (SET "password" 'S3cret', ADD sslpassword 'S3cret')`:                        `OPTIONS (SET "password" '…', ADD sslpassword '…')`,
		`UPDATE u SET password = crypt('S3cret', gen_salt('bf')) WHERE n = 'x'`:              `UPDATE u SET password = crypt('…', gen_salt('bf')) WHERE n = 'x'`,
		`UPDATE u SET api_token = text 'S3cret', n = 'x'`:                                    `UPDATE u SET api_token = text '…', n = 'x'`,
		`SELECT f(password => 'S3cret', n => 'x')`:                                           `SELECT f(password => '…', n => 'x')`,
		`SELECT '{"password": "S3cret"}'::jsonb, 'x'`:                                        `SELECT '…'::jsonb, 'x'`,
		"DO $$ BEGIN EXECUTE 'ALTER ROLE a PASSWORD ''S3cret'''; PERFORM 'x'; END $$":        "DO $$ BEGIN EXECUTE '…'; PERFORM 'x'; END $$",
		"DO $a$ BEGIN ALTER ROLE a PASSWORD $$S3cret$$; END $a$":                             "DO $a$ BEGIN ALTER ROLE a PASSWORD '…'; END $a$",
		"CREATE FUNCTION f() AS $$ BEGIN\n NEW.password = OLD.password; NEW.n = 'x'; END $$": "CREATE FUNCTION f() AS $$ BEGIN\n NEW.password = OLD.password; NEW.n = 'x'; END $$",
		"SELECT 'x' -- don't use password = 'S3cret'\n, 'y'":                                 "SELECT 'x' '…'\n, 'y'",
		`COMMENT ON COLUMN u.password IS 'the password of the user'`:                         `COMMENT ON COLUMN u.password IS 'the password of the user'`,
		`SELECT 'password', 'ALTER ROLE a PASSWORD ' || x`:                                   `SELECT 'password', 'ALTER ROLE a PASSWORD ' || x`,
		`SET password_encryption = 'md5'`:                                                    `SET password_encryption = 'md5'`,
		`SELECT 'it''s', "pass'word", 1`:                                                     `SELECT 'it''s', "pass'word", 1`,
		``:                                                                                   ``,
	} {
		if got := pg.HideSecrets(in); got != want {
			t.Errorf("%s\n\tis  %s\n\twant %s", in, got, want)
		}
		for end := range len(in) { // a title may be cut anywhere
			if got := pg.HideSecrets(in[:end]); strings.Contains(got, "S3cre") {
				t.Errorf("%s shows a secret: %s", in[:end], got)
			}
		}
	}
}

func FuzzHideSecrets(f *testing.F) {
	for _, seed := range []string{"x", "'", "$$", "/*", "E'\\", `"`, "--", "$a$ b", "PASSWORD", "ALTER ROLE a PASSWORD x", "$$ '"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, before string) {
		pg.HideSecrets(before) // never fails, whatever it is given
		at := 0
		for _, s := range pg.Secrets(before) {
			if s.Start < at || s.End <= s.Start || s.End > len(before) {
				t.Fatalf("%q: %v", before, pg.Secrets(before))
			}
			at = s.End
		}
	})
}
