package lint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/lint"
)

// The golden files of a rule stand in testdata/rules/RULE: bad*.sql must report the rule, good*.sql nothing at all;
// what a bad one reports stands in its .golden, and what Fix makes of it in the files fixed*. REPLANK_UPDATE=1 renews
// those. deployed.sql of the rule, or of all rules, is what stands before.
const rulesDir = "testdata/rules"

// notHere are the rules that others report: the reader of a history, or who knows the workload.
var notHere = []string{"history", "breaks-query", "changes-query", "unjudged-query"}

// example is one file of a rule.
type example struct {
	file     string // its name in the rule's folder
	text     string
	source   lint.Source
	cfg      lint.Config
	before   lint.Source // the deployed source
	deployed string      // its text
	server   int         // that the example asks for; 0 = any
}

// readExample reads a file and what its first line says: "-- lint: server=18 tx=whole rows=t:100 …".
func readExample(t testing.TB, path string) example {
	t.Helper()
	e := example{file: filepath.Base(path), text: read(t, path)}
	deployed := filepath.Join(filepath.Dir(path), "deployed.sql")
	if _, err := os.Stat(deployed); err != nil {
		deployed = filepath.Join(rulesDir, "deployed.sql")
	}
	e.before = lint.Source{Name: "deployed", Path: "0001_deployed.sql", Text: read(t, deployed), Deployed: true}
	e.deployed = e.before.Text
	e.source = lint.Source{Name: "bad", Path: "0042_bad.sql", Text: e.text}
	e.cfg = lint.Config{Today: "2026-11-23", Complete: true}
	server := 15 // where the example does not say
	options := map[string]string{}
	first, _, _ := strings.Cut(e.text, "\n")
	if header, ok := strings.CutPrefix(first, "-- lint: "); ok {
		for _, word := range strings.Fields(header) {
			key, value, _ := strings.Cut(word, "=")
			options[key] = value
		}
	}
	for key, value := range options {
		switch key {
		case "server":
			server, _ = strconv.Atoi(value)
			e.server = server
		case "tx":
			e.source.Tx = map[string]lint.Tx{"each": lint.Each, "whole": lint.Whole, "message": lint.Message}[value]
		case "path":
			e.source.Path = value
		case "owner": // table:history
			table, history, _ := strings.Cut(value, ":")
			e.cfg.History = "alembic"
			e.cfg.Owners = map[ddl.Name]lint.Owner{{Schema: "public", Name: table}: {History: history, Until: "deployed"}}
		case "style":
			e.source.Style = lint.Style(value)
		}
	}
	e.source.File, e.source.Text = e.text, blankMarks(e.text)
	e.cfg.Schema = ddl.Empty(server, "postgres")
	e.know(t, options)
	return e
}

// blankMarks is what a reader of goose's files leaves of one.
func blankMarks(text string) string {
	up, down, found := strings.Cut(text, "-- +goose Down")
	if !found {
		return text
	}
	return up + strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return ' '
	}, "-- +goose Down"+down)
}

// know puts what no SQL says into the schema: sizes, publications, columns that were dropped, indexes that are not
// valid. What stands before is then part of the schema, as a snapshot has it.
func (e *example) know(t testing.TB, options map[string]string) {
	table := func(name string) *ddl.Relation { return e.cfg.Schema.Relation(ddl.Name{Name: name}) }
	facts := []string{"rows", "publication", "attributes", "invalid"}
	if !slices.ContainsFunc(facts, func(f string) bool { return options[f] != "" }) {
		return
	}
	e.before.Deployed = true
	file, err := ddl.Parse("", e.before.Text)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range file.Statements {
		if err := e.cfg.Schema.Apply(st); err != nil {
			t.Fatal(err)
		}
	}
	e.before.Text = ""
	for key, value := range options {
		name, number, _ := strings.Cut(value, ":")
		n, _ := strconv.Atoi(number)
		switch key {
		case "rows":
			r := table(name)
			r.OID, r.Rows, r.Bytes = 16384, int64(n), int64(n)*100
		case "publication":
			table(name).Publications = []ddl.Publication{{Name: "feed"}}
		case "attributes":
			table(name).UsedAttributes = n
		case "invalid":
			e.cfg.Schema.Index(ddl.Name{Name: name}).Valid = false
		}
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func render(findings []lint.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%d:%d %s[%s] %s\n", f.Pos.Line, f.Pos.Column, f.Severity, f.Rule, f.Message)
		for _, w := range f.Why {
			fmt.Fprintf(&b, "    %s\n", w)
		}
	}
	return b.String()
}

// golden compares a text with a file, or renews the file.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("REPLANK_UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (REPLANK_UPDATE=1 writes it)", err)
	}
	if got != string(want) {
		t.Errorf("%s (REPLANK_UPDATE=1 renews it)\n--- want\n%s--- got\n%s", path, want, got)
	}
}

func TestRules(t *testing.T) {
	for _, rule := range lint.Rules {
		if slices.Contains(notHere, rule.ID) {
			continue
		}
		t.Run(rule.ID, func(t *testing.T) {
			dir := filepath.Join(rulesDir, rule.ID)
			bad, _ := filepath.Glob(filepath.Join(dir, "bad*.sql"))
			good, _ := filepath.Glob(filepath.Join(dir, "good*.sql"))
			if len(bad) == 0 || len(good) == 0 {
				t.Fatalf("%s has %d bad and %d good examples", dir, len(bad), len(good))
			}
			for _, path := range bad {
				t.Run(filepath.Base(path), func(t *testing.T) {
					e := readExample(t, path)
					report := lint.Run(e.cfg, []lint.Source{e.before, e.source})
					if !slices.ContainsFunc(report.Findings, func(f lint.Finding) bool { return f.Rule == rule.ID }) {
						t.Errorf("does not report %s", rule.ID)
					}
					golden(t, strings.TrimSuffix(path, ".sql")+".golden", render(report.Findings))
					checkFix(t, e, strings.TrimSuffix(path, ".sql")+".fixed")
				})
			}
			for _, path := range good {
				t.Run(filepath.Base(path), func(t *testing.T) {
					e := readExample(t, path)
					if report := lint.Run(e.cfg, []lint.Source{e.before, e.source}); len(report.Findings) > 0 {
						t.Errorf("reports\n%s", render(report.Findings))
					}
				})
			}
		})
	}
}

// checkFix compares what Fix makes of an example with its golden file. What it writes must be without findings.
func checkFix(t *testing.T, e example, path string) {
	t.Helper()
	fixed := lint.Fix(e.cfg, []lint.Source{e.before, e.source})
	if len(fixed) != 1 {
		t.Fatalf("%d sources have findings, want 1", len(fixed))
	}
	var b strings.Builder
	for _, f := range fixed[0].Files {
		fmt.Fprintf(&b, "== %s (%s)\n%s", f.Path, [...]string{"each statement", "one transaction", "one message"}[f.Tx], f.Text)
	}
	for _, l := range fixed[0].Left {
		fmt.Fprintf(&b, "== left: %s, line %d: %s\n", l.Rule, l.Pos.Line, l.Reason)
	}
	golden(t, path, b.String())
	if len(fixed[0].Files) == 0 {
		return
	}
	sources := []lint.Source{e.before}
	for _, f := range fixed[0].Files {
		if f.Migration() {
			sources = append(sources, f.Source(e.source))
		}
	}
	if report := lint.Run(e.cfg, sources); len(report.Findings) > 0 {
		t.Errorf("what Fix writes reports\n%s\n%s", render(report.Findings), b.String())
	}
}
