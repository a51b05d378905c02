package livetest

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
)

// TestRulesHaveTests compares docs/rules.md, the index in doc.go, and the tests that there are.
func TestRulesHaveTests(t *testing.T) {
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	root := filepath.Join("..", "..")
	index := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^//\t(\d+) +(.+)$`).FindAllStringSubmatch(read("doc.go"), -1) {
		index[m[1]] = m[2]
	}
	dirs := map[string]string{"backfill": "backfill", "migrate": "migrate", "ddl": "ddl"}
	for _, rule := range regexp.MustCompile(`(?m)^(\d+)\. `).FindAllStringSubmatch(read(filepath.Join(root, "docs", "rules.md")), -1) {
		tests, ok := index[rule[1]]
		if !ok {
			t.Errorf("rule %s has no line in doc.go", rule[1])
		}
		if strings.HasPrefix(tests, "NOT YET") {
			continue
		}
		for _, name := range strings.Fields(tests) {
			pkg, test, _ := strings.Cut(name, ".")
			dir, ok := dirs[pkg]
			if !ok {
				dir = filepath.Join("internal", pkg)
			}
			files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no tests in %s (%v)", dir, err)
			}
			found := false
			for _, f := range files {
				found = found || strings.Contains(read(f), "\nfunc "+test+"(")
			}
			if !found {
				t.Errorf("rule %s: there is no %s", rule[1], name)
			}
		}
	}
}

// wantConsent applies without consent, which must be refused, and nothing be begun.
func wantConsent(t *testing.T, s *site, class string) {
	t.Helper()
	_, err := s.open().Apply(ctx, s.files)
	var r *migrate.RefusedError
	if !errors.As(err, &r) || r.Code != migrate.NeedsConsent || !strings.Contains(err.Error(), class) {
		t.Errorf("apply without --accept %s: %v", class, err)
	}
	if pgtest.Value[bool](t, s.dsn, "SELECT to_regnamespace('replank') IS NOT NULL") {
		t.Error("a refused apply wrote a journal")
	}
}

// TestSwappedColumnNeedsConsent (RULES 10): a function that inserts by position would write wrong columns.
func TestSwappedColumnNeedsConsent(t *testing.T) {
	s := newSite(t, thousand+`CREATE FUNCTION add() RETURNS void LANGUAGE sql AS 'INSERT INTO t VALUES (5000, 1, ''x'')';`,
		"ALTER TABLE t ALTER COLUMN a TYPE bigint;")
	wantConsent(t, s, "column-order")
}

// TestEnumValueNeedsConsent (RULES 21): there is no way back from ADD VALUE.
func TestEnumValueNeedsConsent(t *testing.T) {
	wantConsent(t, newSite(t, "CREATE TYPE mood AS ENUM ('a');", "ALTER TYPE mood ADD VALUE 'b';"), "irreversible")
}

// TestSmallTablesAreChangedPlainly (RULES 29): one short lock for a small table, a twin for a big one.
func TestSmallTablesAreChangedPlainly(t *testing.T) {
	defaults := func(c *migrate.Config) { c.BigRows, c.BigBytes = 0, 0 }
	const change = "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0);"
	for rows, want := range map[string]string{"100": "false", "20000": "true"} {
		s := newSite(t, "CREATE TABLE t (a int); INSERT INTO t SELECT g FROM generate_series(1, "+rows+") AS g; ANALYZE t;", change, defaults).apply()
		if got := pgtest.Value[string](t, s.dsn, "SELECT (plan::text LIKE '%NOT VALID%')::text FROM replank.plan"); got != want {
			t.Errorf("%s rows: in steps is %s, want %s", rows, got, want)
		}
	}
}

// TestContinuousIntegrationHasPgBouncer: the one test that may be skipped is not skipped there.
func TestContinuousIntegrationHasPgBouncer(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "pgbouncer") {
		t.Error(".ci/run does not install pgbouncer")
	}
}
