package annotate

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/lint"
)

// judge asks lint of migrations: path, text, path, text …
func judge(t *testing.T, files ...string) (*lint.Report, []lint.Source) {
	t.Helper()
	var sources []lint.Source
	for i := 0; i < len(files); i += 2 {
		name := strings.TrimSuffix(filepath.Base(files[i]), ".sql")
		sources = append(sources, lint.Source{Name: name, Path: files[i], Text: files[i+1], Deployed: name == "0"})
	}
	return lint.Run(lint.Config{Schema: ddl.Empty(17, "postgres"), Today: "2026-11-23"}, sources), sources
}

// sample is a document with everything in it: three severities, a statement of several lines, characters of two UTF-16
// units, a tab, a carriage return, markup in a message, a file outside of the root, one without findings.
func sample(t *testing.T) *Document {
	t.Helper()
	r, sources := judge(t,
		"/repo/m/0.sql", "CREATE TABLE t (id bigint PRIMARY KEY, n int NOT NULL); CREATE TABLE u (id int, n int);",
		"/repo/m/1 über.sql", "SET lock_timeout = '1s';\r\nUPDATE u SET n = 1;\r\n",
		"/repo/m/2.sql", "/* 😀 */ ALTER TABLE t ADD COLUMN \"a|b*<x>\" int NOT NULL;\n\n\tALTER TABLE t\n\t  ALTER COLUMN n\n\t  TYPE bigint;\nTRUNCATE t;\nSELEC 1;\n",
		"/repo/m/3.sql", "COMMENT ON TABLE t IS 'x';\n",
		"/else/4.sql", "ALTER TABLE t ALTER COLUMN n DROP NOT NULL; DROP TABLE u;\n")
	return New(Config{Report: r, Sources: sources, Root: "/repo", Version: "1.2.3", Server: 17, Since: "what was added since main"})
}

func written(t *testing.T, d *Document, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := d.Write(&b, format); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func validate(t *testing.T, schema, text string) {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(schema)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s: %v", schema, err)
	}
}

const jsonSchema = "../../docs/lint-report.schema.json"

// TestJSONFollowsItsSchema holds what is written against the published schema, which allows no field that it does not name.
func TestJSONFollowsItsSchema(t *testing.T) {
	d := sample(t)
	rows, bytes := int64(5), int64(8192)
	d.Findings[0].Rows, d.Findings[0].Bytes, d.Findings[0].Why = &rows, &bytes, []string{"because"}
	d.Stale = []Entry{{"truncate", "9", "m/9.sql", "gone", "0123456789abcdef"}}
	validate(t, jsonSchema, written(t, d, "json"))
	empty, _ := judge(t)
	validate(t, jsonSchema, written(t, New(Config{Report: empty}), "json"))

	// The schema is one that can fail.
	s, err := jsonschema.NewCompiler().Compile(jsonSchema)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{`{}`, strings.Replace(written(t, d, "json"), `"counts"`, `"count"`, 1), strings.Replace(written(t, d, "json"), `"severity": "error"`, `"severity": "bad"`, 1)} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(wrong))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(v) == nil {
			t.Errorf("the schema accepts %.200s", wrong)
		}
	}
}

// TestSARIFFollowsItsSchema holds what is written against the schema of OASIS.
func TestSARIFFollowsItsSchema(t *testing.T) {
	d := sample(t)
	text := written(t, d, "sarif")
	validate(t, "testdata/sarif-schema-2.1.0.json", text)
	empty, _ := judge(t)
	validate(t, "testdata/sarif-schema-2.1.0.json", written(t, New(Config{Report: empty}), "sarif"))

	var log sarifLog
	if err := json.Unmarshal([]byte(text), &log); err != nil {
		t.Fatal(err)
	}
	run := log.Runs[0]
	found := map[string]sarifResult{}
	for _, r := range run.Results {
		found[r.RuleID] = r
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID {
			t.Errorf("rule %d is %s, not %s", r.RuleIndex, run.Tool.Driver.Rules[r.RuleIndex].ID, r.RuleID)
		}
		if !regexp.MustCompile(`^[0-9a-f]{16}:1$`).MatchString(r.Fingerprints["primaryLocationLineHash"]) {
			t.Errorf("fingerprint %q", r.Fingerprints)
		}
	}
	for rule, want := range map[string]sarifPhysical{
		"bulk-write":      {sarifArtifact{"m/1%20%C3%BCber.sql", "%SRCROOT%"}, sarifRegion{2, 1, 2, 19}},
		"required-column": {sarifArtifact{"m/2.sql", "%SRCROOT%"}, sarifRegion{1, 10, 1, 57}}, // 😀 counts twice
		"column-type":     {sarifArtifact{"m/2.sql", "%SRCROOT%"}, sarifRegion{3, 2, 5, 15}},
		"drop-table":      {sarifArtifact{"file:///else/4.sql", ""}, sarifRegion{1, 45, 1, 57}},
	} {
		if _, ok := found[rule]; !ok {
			t.Errorf("no %s among %v", rule, run.Results)
			continue
		}
		if diff := cmp.Diff(want, found[rule].Locations[0].Physical); diff != "" {
			t.Errorf("%s (-want +got):\n%s", rule, diff)
		}
	}
	if first, last := run.Results[0].Level, run.Results[len(run.Results)-1].Level; first != "error" || last != "note" {
		t.Errorf("first %s, last %s: GitHub keeps the first", first, last)
	}
	if run.Invocations[0].Successful {
		t.Error("SELEC was judged")
	}
}

// TestGitHubCommands reads the commands as GitHub's runner does, and finds the messages whole.
func TestGitHubCommands(t *testing.T) {
	d := sample(t)
	command := regexp.MustCompile(`^::(error|warning|notice) ([^:]*)::(.*)$`)
	n := 0
	last := lint.Error
	for line := range strings.SplitSeq(written(t, d, "github"), "\n") {
		m := command.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		props := map[string]string{}
		for p := range strings.SplitSeq(m[2], ",") {
			key, value, _ := strings.Cut(p, "=")
			props[key] = strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%").Replace(value)
		}
		f := d.worstFirst()[n]
		if props["file"] != f.Path || props["line"] != fmt.Sprint(f.Pos.Line) || !strings.HasPrefix(strings.NewReplacer("%0D", "\r", "%0A", "\n", "%25", "%").Replace(m[3]), f.Message) {
			t.Errorf("%s\nis not %+v", line, f)
		}
		if (props["col"] != "") == (props["endLine"] != "") {
			t.Errorf("%s: a column is for one line", line)
		}
		if f.Severity > last {
			t.Errorf("%s stands behind what is less bad", line)
		}
		last = f.Severity
		n++
	}
	if n != len(d.Findings) || n < 6 {
		t.Errorf("%d commands for %d findings", n, len(d.Findings))
	}
	if got := property("a%b:c,d\r\n"); got != "a%25b%3Ac%2Cd%0D%0A" {
		t.Error(got)
	}
}

// TestGitHubLimits: GitHub drops the eleventh annotation of a level, so the worst come first and the others are said.
func TestGitHubLimits(t *testing.T) {
	var files []string
	for i := range 30 {
		files = append(files, fmt.Sprintf("%02d.sql", i), "CREATE TABLE t (id int);\nTRUNCATE other;\n")
	}
	r, sources := judge(t, files...)
	text := written(t, New(Config{Report: r, Sources: sources}), "github")
	if n := strings.Count(text, "::error "); n != 10 {
		t.Errorf("%d errors", n)
	}
	if !strings.Contains(text, "are not annotated") {
		t.Error(text)
	}
}

func TestGitLab(t *testing.T) {
	d := sample(t)
	var issues []gitlabIssue
	if err := json.Unmarshal([]byte(written(t, d, "gitlab")), &issues); err != nil {
		t.Fatal(err)
	}
	prints := map[string]bool{}
	for i, issue := range issues {
		f := d.Findings[i]
		if prints[issue.Fingerprint] {
			t.Errorf("GitLab drops the second %s", issue.Fingerprint)
		}
		prints[issue.Fingerprint] = true
		if issue.Location.Path != f.Path || issue.Location.Lines.Begin != f.Pos.Line || issue.Check != f.Rule || !strings.Contains("info minor major critical blocker", issue.Severity) || issue.Severity == "" {
			t.Errorf("%+v is not %+v", issue, f)
		}
	}
	if len(issues) != len(d.Findings) {
		t.Errorf("%d issues for %d findings", len(issues), len(d.Findings))
	}
	empty, _ := judge(t)
	if got := strings.TrimSpace(written(t, New(Config{Report: empty}), "gitlab")); got != "[]" {
		t.Errorf("nothing found is %q", got)
	}
}

func TestJUnit(t *testing.T) {
	d := sample(t)
	d.Findings[0].Message += "\x01" // which XML cannot hold
	var suites junitSuites
	if err := xml.Unmarshal([]byte(written(t, d, "junit")), &suites); err != nil {
		t.Fatal(err)
	}
	keys, failures, passed := map[string]bool{}, 0, map[string]bool{}
	for _, c := range suites.Suite.Cases {
		if keys[c.Class+c.Name] {
			t.Errorf("GitLab drops the second %s %s", c.Class, c.Name)
		}
		keys[c.Class+c.Name] = true
		if c.Failure != nil {
			failures++
		} else {
			passed[c.File] = true
		}
	}
	if failures != d.Counts.Error+d.Counts.Warning || failures != suites.Failures || len(suites.Suite.Cases) != suites.Tests {
		t.Errorf("%d failures of %d tests: %+v", failures, len(suites.Suite.Cases), suites)
	}
	if !passed["m/3.sql"] {
		t.Errorf("the file without findings is no test that passed: %v", passed)
	}
}

func TestMarkdown(t *testing.T) {
	d := sample(t)
	text := written(t, d, "markdown")
	if !strings.HasPrefix(text, "<!-- replank lint -->\n") {
		t.Errorf("the comment cannot be found again: %.60s", text)
	}
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "|") && len(regexp.MustCompile(`(?:^|[^\\])\|`).FindAllString(line, -1)) != 5 {
			t.Errorf("not four cells: %s", line)
		}
	}
	if !strings.Contains(text, `a\|b\*\<x\>`) {
		t.Errorf("a name is markup:\n%s", text)
	}
	for _, r := range d.Rules {
		if !strings.Contains(text, "<code>"+r.ID+"</code>") {
			t.Errorf("no word on %s", r.ID)
		}
	}
	var files []string
	for i := range 2000 {
		files = append(files, fmt.Sprintf("%04d.sql", i), "TRUNCATE a_table_with_a_long_name;\n")
	}
	r, sources := judge(t, files...)
	if long := written(t, New(Config{Report: r, Sources: sources}), "markdown"); len(long) > 65_536 || !strings.Contains(long, "more: `replank lint` lists all") {
		t.Errorf("%d bytes do not fit a comment, or nobody says that some are missing", len(long))
	}
}

func TestFrames(t *testing.T) {
	d := sample(t)
	for _, f := range d.Findings {
		if f.Rule != "column-type" {
			continue
		}
		want := []Line{{3, "\tALTER TABLE t", 1, 14}, {4, "\t  ALTER COLUMN n", 0, 0}, {5, "\t  TYPE bigint;", 0, 0}}
		if diff := cmp.Diff(want, f.Frame); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if f.End.Line != 5 || f.End.Column != 15 {
			t.Errorf("ends at %s", f.End)
		}
		return
	}
	t.Error("no column-type")
}

// TestSecretsAreHidden: what lint writes ends in logs of pipelines.
func TestSecretsAreHidden(t *testing.T) {
	r, sources := judge(t, "1.sql", "TRUNCATE a; DROP TABLE t /* tops3cret */\n;\n")
	d := New(Config{Report: r, Sources: sources, Hide: func(s string) string { return strings.ReplaceAll(s, "tops3cret", "…") }})
	if len(d.Findings) == 0 {
		t.Fatal("nothing found")
	}
	for _, format := range Formats() {
		if strings.Contains(written(t, d, format), "tops3cret") {
			t.Errorf("%s tells it", format)
		}
	}
	for _, f := range d.Findings {
		if strings.Contains(fmt.Sprint(f.Frame), "tops3cret") {
			t.Errorf("the frame tells it: %v", f.Frame)
		}
	}
}

func TestBaseline(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "baseline.json")
	texts := []string{"a.sql", "TRUNCATE x;\nDROP TABLE y;\n", "b.sql", "TRUNCATE z;\nSELEC 1;\n"}
	document := func(b *Baseline, files ...string) *Document {
		r, sources := judge(t, files...)
		return New(Config{Report: r, Sources: sources, Root: dir, Abs: func(p string) (string, error) { return filepath.Join(dir, p), nil }, Baseline: b})
	}
	read := func() *Baseline {
		b, err := ReadBaseline(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	before := document(nil, texts...)
	if err := before.Baseline().Write(path); err != nil {
		t.Fatal(err)
	}
	if d := document(read(), texts...); len(d.Findings) != 1 || d.Findings[0].Rule != "syntax" || d.Counts.Baseline != len(before.Findings)-1 || len(d.Stale) != 0 {
		t.Errorf("with the baseline: %+v, stale %v", d.Findings, d.Stale)
	}
	// Lines that move keep their entries; another statement is new; what is mended is stale.
	d := document(read(), "a.sql", "-- moved\n\nTRUNCATE   x;\nTRUNCATE w;\n", "b.sql", texts[3])
	if len(d.Findings) == 0 || !strings.Contains(d.Findings[0].Statement, "w") {
		t.Errorf("%+v", d.Findings)
	}
	for _, e := range d.Stale {
		if e.Migration != "a" || !strings.Contains(e.Message, "y") {
			t.Errorf("stale: %+v", e)
		}
	}
	if len(d.Stale) == 0 {
		t.Error("DROP TABLE is not stale")
	}
	// What was not looked at is not stale; what is gone is.
	if err := os.WriteFile(filepath.Join(dir, "b.sql"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if d := document(read(), "a.sql", texts[1]); len(d.Stale) != 0 {
		t.Errorf("stale: %v", d.Stale)
	}
	if err := os.Remove(filepath.Join(dir, "b.sql")); err != nil {
		t.Fatal(err)
	}
	if d := document(read(), "a.sql", texts[1]); len(d.Stale) == 0 {
		t.Error("entries of a file that is gone are not stale")
	}
	for text, want := range map[string]string{"": "no baseline", "[]": "no baseline", `{"format_version": 2}`: "form 2"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadBaseline(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestCatalogue compares docs/lint-rules.md with the rules. REPLANK_UPDATE=1 writes it anew.
func TestCatalogue(t *testing.T) {
	const page = "../../docs/lint-rules.md"
	if os.Getenv("REPLANK_UPDATE") != "" {
		if err := os.WriteFile(page, []byte(Catalogue()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), Catalogue()); diff != "" {
		t.Errorf("REPLANK_UPDATE=1 go test ./internal/annotate writes it anew (- page, + rules):\n%s", diff)
	}
}
