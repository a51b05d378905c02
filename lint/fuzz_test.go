package lint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/lint"
)

// seeds are the texts of all examples.
func seeds(f *testing.F, add func(text string)) {
	paths, err := filepath.Glob(rulesDir + "/*/*.sql")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no examples: %v", err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		add(string(b))
	}
}

// FuzzLint: whatever stands in a file and however it is sent, nothing panics, positions are inside the file, and what
// Fix writes can be judged again.
func FuzzLint(f *testing.F) {
	seeds(f, func(text string) {
		for tx := range byte(3) {
			f.Add(text, tx, byte(15), byte(0))
		}
	})
	deployed, err := os.ReadFile(filepath.Join(rulesDir, "deployed.sql"))
	if err != nil {
		f.Fatal(err)
	}
	styles := []lint.Style{lint.Bare, lint.Goose, lint.GolangMigrate, lint.Dbmate, lint.Flyway, lint.Sqitch}
	schemas := map[int]*ddl.Schema{} // made once: what a server knows is read from a long text
	f.Fuzz(func(t *testing.T, text string, tx, server, style byte) {
		major := ddl.OldestMajor + int(server)%(ddl.NewestMajor-ddl.OldestMajor+1)
		if schemas[major] == nil {
			schemas[major] = ddl.Empty(major, "postgres")
		}
		cfg := lint.Config{Schema: schemas[major], Today: "2026-11-23"}
		sources := []lint.Source{
			{Name: "1", Path: "0001_deployed.sql", Text: string(deployed), Deployed: true},
			{Name: "42", Path: "V0042__x.sql", Text: text, Tx: lint.Tx(tx % 3), Style: styles[int(style)%len(styles)]},
		}
		report := lint.Run(cfg, sources)
		for _, found := range report.Findings {
			if lint.RuleByID(found.Rule) == nil {
				t.Errorf("no rule %s", found.Rule)
			}
			if p := found.Pos; p.Offset < 0 || p.Offset > len(text) || p.Line < 1 || p.Line > strings.Count(text, "\n")+1 || p.Column < 1 {
				t.Errorf("%s at %+v, which is not inside of the file", found.Rule, p)
			}
		}
		for _, fixed := range lint.Fix(cfg, sources) {
			if len(fixed.Mended)+len(fixed.Left) != len(report.Findings) {
				t.Errorf("%d findings are %d mended and %d left", len(report.Findings), len(fixed.Mended), len(fixed.Left))
			}
			for _, file := range fixed.Files {
				if _, err := ddl.Parse(file.Path, file.Text); err != nil && file.Migration() {
					if _, err := ddl.Parse("", text); err == nil {
						t.Errorf("%s cannot be read: %v\n%s", file.Path, err, file.Text)
					}
				}
			}
		}
	})
}

// FuzzAllow: comments that allow, however they are written, never panic, and allow only what they name.
func FuzzAllow(f *testing.F) {
	for _, s := range []string{"drop-column because nobody reads it", "drop-column until=2026-01-31: old", "drop-column,drop-table owner=x because y",
		"no-such because", "until=x", "", "because", "drop-column until=2027-01-31 owner= because \u00a0", "drop-table because of drop-column"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, comment string) {
		if strings.ContainsAny(comment, "\r\n\x00") {
			return
		}
		text := "SET lock_timeout = '2s';\n-- replank:allow " + comment + "\nALTER TABLE t DROP COLUMN c;\n"
		report := lint.Run(lint.Config{Schema: ddl.Empty(15, "postgres"), Today: "2026-11-23"}, []lint.Source{
			{Name: "1", Text: "CREATE TABLE t (c integer, d integer);", Deployed: true}, {Name: "2", Path: "2.sql", Text: text}})
		dropped := false
		for _, found := range report.Findings {
			dropped = dropped || found.Rule == "drop-column" || found.Rule == "syntax"
			if found.Pos.Offset > len(text) {
				t.Errorf("%s is reported at %d of %d", found.Rule, found.Pos.Offset, len(text))
			}
		}
		if !dropped && !strings.Contains(comment, "drop-column") {
			t.Errorf("%q allows drop-column", comment)
		}
	})
}
