package arch

import (
	"go/parser"
	"go/token"
	"testing"
)

// The rules themselves are tested on sources that break them: a checker that finds nothing proves nothing.

func parse(t *testing.T, pkg, text string) source {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	return source{pkg: pkg, path: "x.go", file: file}
}

func TestArrowsAreRead(t *testing.T) {
	const page = "## 3. The house\n```\ncmd/replank/   the program\nddl/  PURE\nplan/ PURE\ninternal/\n  pg/   door\n  shard/  x\n```\n\n" +
		"Arrows (a test fails on any other):\n`cmd` → all · `plan`, `shard` → ddl (only this) · `other` → only pgx and more. PURE packages import nothing.\n\nMore."
	arrows, err := parseArrows(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		pkg, imported string
		wrong         int
	}{
		{"plan", "ddl", 0}, {"shard", "ddl", 0}, {"plan", "internal/pg", 1}, {"ddl", "plan", 1}, {"internal/pg", "ddl", 1},
		{"cmd/replank", "internal/pg", 0}, {"stranger", "ddl", 2}, {"other", "ddl", 1}, {"internal/pgtest", "internal/localpg", 0},
	} {
		s := parse(t, c.pkg, "package x\nimport _ \""+module+"/"+c.imported+"\"\nimport _ \"fmt\"\n")
		if got := violations(arrows, s); len(got) != c.wrong {
			t.Errorf("%s importing %s: %v, want %d complaints", c.pkg, c.imported, got, c.wrong)
		}
	}
	if _, err := parseArrows("nothing"); err == nil {
		t.Error("a page without a house is accepted")
	}
}

func TestImpuritiesAreFound(t *testing.T) {
	for text, want := range map[string]int{
		"import \"strings\"\nvar _ = strings.Cut":                 0,
		"import \"os\"\nvar _ = os.Exit":                          1,
		"import \"net/http\"\nvar _ = http.Get":                   1,
		"import \"log/slog\"\nvar _ = slog.Info":                  1,
		"import \"github.com/jackc/pgx/v5\"\nvar _ = pgx.Connect": 1,
		"import \"time\"\nvar _ = time.Now()":                     1,
		"import \"time\"\nvar _ = time.Now":                       1,
		"import \"time\"\nvar _ = time.Second":                    0,
	} {
		if got := impurities(parse(t, "ddl", "package x\n"+text)); len(got) != want {
			t.Errorf("%q: %v, want %d complaints", text, got, want)
		}
	}
}

func TestWritersOfStateAreFound(t *testing.T) {
	for sql, want := range map[string]int{
		"UPDATE replank.run SET state = $1 WHERE id = $2":                         1,
		"update replank.run AS r\nset version = version + 1,\n state = $1\nwhere": 1,
		`UPDATE "replank".run SET (state, version) = ($1, $2)`:                    1,
		"UPDATE run SET cursor = $1 WHERE state = 'x'":                            0,
		"UPDATE run SET cursor = s.state, b = 1 FROM s":                           0,
		"SELECT state FROM run FOR UPDATE":                                        0,
		"-- UPDATE run SET state = 1\nSELECT 1":                                   0,
		"UPDATE address SET statement = 1, estate = 2":                            0,
	} {
		if got := writesState(sql); got != want {
			t.Errorf("%q: %d, want %d", sql, got, want)
		}
	}
}
