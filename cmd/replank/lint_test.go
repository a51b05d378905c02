package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/replank/replank/internal/annotate"
	"github.com/replank/replank/lint"
)

// linted is what lint --json prints.
func linted(t *testing.T, r result) annotate.Document {
	t.Helper()
	var d annotate.Document
	if err := json.Unmarshal([]byte(r.out), &d); err != nil {
		t.Fatalf("%v\n%s%s", err, r.out, r.err)
	}
	return d
}

// rules are the rules of the findings, with the file.
func rules(d annotate.Document) string {
	var list []string
	for _, f := range d.Findings {
		list = append(list, filepath.Base(f.Path)+" "+f.Rule)
	}
	return strings.Join(list, ", ")
}

// runWith is run with text for standard input.
func (c *cli) runWith(stdin string, args ...string) result {
	c.t.Helper()
	cmd := c.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		c.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

func TestLintText(t *testing.T) {
	c := newCLI(t, "")
	c.write("m/1.sql", "CREATE TABLE t (id int PRIMARY KEY);\n", "m/2.sql", "SELECT 1;\n\n  UPDATE old\n    SET id = 2;\nALTER ROLE app PASSWORD 'tops3cret';\nTRUNCATE old;\n")
	r := c.want(1, "lint", "m")
	contains(t, r.out, "error: m/2.sql:6:1: ", "[truncate]", "    6 | TRUNCATE old;\n      | ^^^^^^^^^^^^\n", "truncate  ", "write instead:", "replank apply ")
	if strings.Contains(r.out, "\x1b") || strings.Count(r.out, "\ntruncate  ") != 1 {
		t.Errorf("colours in a pipe, or a story told twice:\n%s", r.out)
	}
	if strings.Contains(r.out, "tops3cret") || strings.Contains(c.run("lint", "m", "--json").out, "tops3cret") {
		t.Error("a password is told")
	}
	if quiet := c.want(1, "lint", "m", "--quiet"); strings.Contains(quiet.out, "write instead") || !strings.Contains(quiet.out, "[truncate]") {
		t.Errorf("--quiet:\n%s", quiet.out)
	}
}

func TestLintExitCodes(t *testing.T) {
	c := newCLI(t, "")
	c.write("clean/1.sql", "CREATE TABLE t (id bigint PRIMARY KEY);\n", "bad/1.sql", "TRUNCATE t;\n", "broken/1.sql", "SELEC 1;\n", "none/readme", "",
		"latin/1.sql", "SELECT '\xe4';\n")
	c.want(0, "lint", "clean")
	c.want(1, "lint", "bad")
	c.want(0, "lint", "bad", "--off", "truncate,fails")
	c.want(0, "lint", "bad", "--off", "fails", "--severity", "truncate=notice")
	c.want(1, "lint", "bad", "--off", "fails", "--severity", "truncate=notice", "--fail-on", "notice")
	contains(t, c.want(2, "lint", "broken").out, "error: broken/1.sql:1:1: ", "[syntax]", "1 | SELEC 1;", "not everything could be judged")
	contains(t, c.want(2, "lint", "none").err, "no .sql file")
	contains(t, c.want(2, "lint", "latin").err, "latin/1.sql", "not UTF-8")
	contains(t, c.want(2, "lint", "missing").err, "missing")
	contains(t, c.want(2, "lint").err, "which migrations?")
	for _, wrong := range [][]string{{"--fail-on", "bad"}, {"--server", "11"}, {"--off", "nothing"}, {"--severity", "truncate"}, {"--format", "yaml"}, {"--format", "sarif="}, {"--format", "sarif", "--format", "github"}} {
		contains(t, c.want(2, append([]string{"lint", "clean"}, wrong...)...).err, wrong[0])
	}
}

// TestLintBigFile: a file of rows written as statements is judged to its end, in little memory; one statement of
// megabytes is not read, but what stands around it is. REPLANK_TEST_FULL=1 reads fifty megabytes.
func TestLintBigFile(t *testing.T) {
	size := 6 << 20
	if os.Getenv("REPLANK_TEST_FULL") != "" {
		size = 50 << 20
	}
	c := newCLI(t, "")
	const row = "INSERT INTO t VALUES (1, 'some text of a row; it''s long');\n"
	rows := strings.Repeat(row, size/len(row))
	last := strings.Count(rows, "\n") + 2
	c.write("m/1.sql", "CREATE TABLE t (id bigint, x text);\n"+rows+"TRUNCATE x;\nSELEC 1;\n", "m/2.sql", "ALTER TABLE t ALTER COLUMN id TYPE int;\n",
		"one/1.sql", "TRUNCATE a;\nINSERT INTO t VALUES (0)"+strings.Repeat(", (1)", size/5)+";\nTRUNCATE b;\n",
		"dump/1.sql", "COPY t (id) FROM stdin;\n"+strings.Repeat("it's a row\n", size/11)+"\\.\nTRUNCATE c;\n")
	lint := func(dir string) string {
		t.Helper()
		cmd := c.command("lint", dir, "--quiet", "--off", "fails")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 2 {
			t.Errorf("%s: exit code %d:\n%.2000s", dir, code, out.String())
		}
		// Text and file are in memory, syntax is not.
		if used, most := peak(cmd.ProcessState), int64(240<<20+5*size); used > most {
			t.Errorf("%s: %d MB of memory, at most %d are wanted", dir, used>>20, most>>20)
		}
		return out.String()
	}
	contains(t, lint("m"), fmt.Sprintf("m/1.sql:%d:1: all rows of public.x are gone", last), fmt.Sprintf("m/1.sql:%d:1: syntax error", last+1), "m/2.sql:1:1: writes all of public.t anew", fmt.Sprintf("%d statements of 2 files", last+1))
	contains(t, lint("one"), "one/1.sql:1:1: ", "one/1.sql:2:1: a statement of ", "one/1.sql:3:1: ", "2 statements of 1 file")
	contains(t, lint("dump"), "dump/1.sql:1:1: COPY FROM STDIN", fmt.Sprintf("dump/1.sql:%d:1: ", size/11+3))
}

// peak is the most memory that a process had.
func peak(p *os.ProcessState) int64 {
	most := p.SysUsage().(*syscall.Rusage).Maxrss
	if runtime.GOOS == "darwin" {
		return most
	}
	return most << 10
}

// TestLintSettings: the table [lint] of replank.toml, under the environment, under flags.
func TestLintSettings(t *testing.T) {
	c := newCLI(t, "")
	c.write("1.sql", "TRUNCATE t;\n", "replank.toml", "migrations = [\"1.sql\"]\n[lint]\noff = [\"fails\"]\nfail_on = \"error\"\nseverity = [\"truncate=warning\"]\nserver = 14\n")
	d := linted(t, c.want(0, "lint", "--json"))
	if d.Server != 14 || d.FailOn != lint.Error || rules(d) != "1.sql truncate" {
		t.Errorf("%+v", d)
	}
	if d := linted(t, c.with("REPLANK_LINT_SERVER=16", "REPLANK_LINT_FAIL_ON=warning").want(1, "lint", "--json")); d.Server != 16 {
		t.Errorf("%+v", d)
	}
	if d := linted(t, c.with("REPLANK_LINT_SERVER=16").want(0, "lint", "--json", "--server", "18")); d.Server != 18 {
		t.Errorf("%+v", d)
	}
	c.write("replank.toml", "migrations = [\"1.sql\"]\n[lint]\nserver = 14\nfail-on = \"error\"\n")
	contains(t, c.want(2, "lint").err, "replank.toml:4:1: unknown key lint.fail-on")
	c.write("replank.toml", "[lint]\nserver = 9\n")
	contains(t, c.want(2, "lint").err, "replank.toml:2:1: lint.server: want a major version")
	c.write("replank.toml", "lint.server = 9\n")
	contains(t, c.want(2, "lint").err, "replank.toml:1:6: lint.server")
	c.write("replank.toml", "lint = 9\n")
	contains(t, c.want(2, "lint").err, "replank.toml:1:1: unknown key lint")
}

// TestLintFormats writes all of them in one call, and GitHub's page.
func TestLintFormats(t *testing.T) {
	c := newCLI(t, "")
	c.write("1.sql", "TRUNCATE t;\n", "page.md", "before\n")
	args := []string{"lint", "1.sql", "--format", "github"}
	for _, f := range append(annotate.Formats(), "text") {
		args = append(args, "--format", f+"=out."+f)
	}
	r := c.with("GITHUB_STEP_SUMMARY="+filepath.Join(c.dir, "page.md")).want(1, args...)
	contains(t, r.out, "::error file=1.sql,line=1,col=1,endColumn=11,title=replank truncate::")
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(c.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	contains(t, read("page.md"), "before\n<!-- replank lint -->")
	contains(t, read("out.github"), "::error")
	contains(t, read("out.text"), "    1 | TRUNCATE t;")
	contains(t, read("out.markdown"), "`truncate`")
	for _, f := range []string{"json", "sarif", "gitlab"} {
		if !json.Valid([]byte(read("out." + f))) {
			t.Errorf("%s: %s", f, read("out."+f))
		}
	}
	if err := xml.Unmarshal([]byte(read("out.junit")), new(struct{})); err != nil {
		t.Error(err)
	}
	// Files leave standard output to people.
	contains(t, c.want(1, "lint", "1.sql", "--format", "sarif=x").out, "1 | TRUNCATE t;")
	contains(t, c.want(2, "lint", "1.sql", "--format", "sarif=missing/x").err, "missing/x")
}

func TestLintStdin(t *testing.T) {
	c := newCLI(t, "")
	c.write("m/1.sql", "CREATE TABLE t (id bigint);\nTRUNCATE x;\n", "m/2.sql", "SELECT 1;\n", "m/3.sql", "DROP TABLE t;\n")
	r := c.runWith("TRUNCATE x;\n", "lint", "-", "--json", "--off", "fails")
	if d := linted(t, r); r.code != 1 || len(d.Findings) != 1 || d.Findings[0].Path != "<stdin>" {
		t.Errorf("%d %+v %s", r.code, d, r.err)
	}
	// The text stands for the file, behind what comes before it: t is there, and only this file is told.
	r = c.runWith("ALTER TABLE t ADD COLUMN n int NOT NULL;\nTRUNCATE y;\n", "lint", "-", "--stdin-filename", "m/2.sql", "--json")
	if d := linted(t, r); r.code != 1 || !strings.Contains(rules(d), "2.sql truncate") || strings.Contains(rules(d), "1.sql") || d.Files != 1 || d.Statements != 2 {
		t.Errorf("%d %+v", r.code, d)
	}
	// A file that is not there yet.
	r = c.runWith("ALTER TABLE t ADD COLUMN n int;\n", "lint", "--stdin-filename", "m/4.sql", "--json")
	if d := linted(t, r); !strings.Contains(rules(d), "fails") { // 3.sql dropped t
		t.Errorf("%d %+v", r.code, d)
	}
	if r := c.runWith("SELEC 1", "lint", "-"); r.code != 2 || !strings.Contains(r.out, "<stdin>:1:1") {
		t.Errorf("%+v", r)
	}
	if r := c.runWith("SELECT '\xff'", "lint", "-"); r.code != 2 || !strings.Contains(r.err, "<stdin>: line 1 is not UTF-8") {
		t.Errorf("%+v", r)
	}
}

// TestLintStdinOfTools: a text is read by the rules of the folder that its file lies in, with the tool's configuration,
// and one that belongs to none as plain SQL.
func TestLintStdinOfTools(t *testing.T) {
	t.Parallel()
	c := newCLI(t, "")
	c.write("f/flyway.toml", "[flyway]\nlocations = [\"filesystem:.\"]\n[flyway.placeholders]\nname = \"orders\"\n", "f/V1__a.sql", "SELECT 1;\n",
		"s/sqitch.conf", "[core]\n\tengine = pg\n", "s/sqitch.plan", "%syntax-version=1.0.0\n%project=shop\n\na 2026-01-01T00:00:00Z A <a@example.com> # a\n", "s/deploy/a.sql", "SELECT 1;\n",
		"g/00001_a.sql", "-- +goose Up\nSELECT 1;\n")
	r := c.runWith("TRUNCATE ${name};\n", "lint", "--stdin-filename", "f/V2__b.sql", "--json", "--off", "lock-timeout")
	if d := linted(t, r); len(d.Findings) != 1 || d.Findings[0].Rule != "truncate" || !strings.Contains(d.Findings[0].Message, "orders") {
		t.Errorf("Flyway: %d %+v %s", r.code, d.Findings, r.err)
	}
	for _, name := range []string{"s/deploy/a.sql", "s/deploy/new.sql", "s/draft.sql"} {
		r = c.runWith("TRUNCATE y;\n", "lint", "--stdin-filename", name, "--json", "--off", "lock-timeout")
		if d := linted(t, r); len(d.Findings) != 1 || d.Findings[0].Rule != "truncate" || d.Findings[0].Path != name {
			t.Errorf("%s: %d %+v %s", name, r.code, d.Findings, r.err)
		}
	}
	r = c.runWith("-- +goose Up\nTRUNCATE y;\n-- +goose Down\nTRUNCATE z;\n", "lint", "--stdin-filename", "g/00002_b.sql", "--json", "--off", "lock-timeout")
	if d := linted(t, r); len(d.Findings) != 1 {
		t.Errorf("goose: %d %+v %s", r.code, d.Findings, r.err)
	}
	in := *c
	in.dir = c.dir + "/s"
	if r = in.runWith("TRUNCATE y;\n", "lint", "-", "--json", "--off", "lock-timeout"); len(linted(t, r).Findings) != 1 {
		t.Errorf("a draft: %d %s", r.code, r.err)
	}
}

func TestLintBaseline(t *testing.T) {
	c := newCLI(t, "")
	c.write("m/1.sql", "TRUNCATE t;\n", "m/2.sql", "SELECT 1;\n")
	contains(t, c.want(2, "lint", "m", "--write-baseline").err, "which baseline?")
	contains(t, c.want(2, "lint", "m", "--baseline", "b.json").err, "b.json", "--write-baseline")
	c.want(0, "lint", "m", "--baseline", "b.json", "--write-baseline")
	contains(t, c.want(0, "lint", "m", "--baseline", "b.json").out, "more are in the baseline")
	c.write("m/2.sql", "TRUNCATE u;\n")
	if d := linted(t, c.want(1, "lint", "m", "--baseline", "b.json", "--json")); strings.Contains(rules(d), "1.sql") || !strings.Contains(rules(d), "2.sql truncate") {
		t.Error(rules(d))
	}
	c.write("m/1.sql", "SELECT 1;\n", "m/2.sql", "SELECT 1;\n")
	contains(t, c.want(0, "lint", "m", "--baseline", "b.json").out, "baseline: m/1.sql: truncate is not found any more")
}

// git runs git in the folder.
func (c *cli) git(args ...string) {
	c.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false", "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Dir, cmd.Env = c.dir, append(c.env, "GIT_CONFIG_NOSYSTEM=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestLintSince(t *testing.T) {
	c := newCLI(t, "")
	c.git("init", "-q", "-b", "main")
	c.write("db/m/1.sql", "CREATE TABLE t (id bigint PRIMARY KEY, n int);\nTRUNCATE old;\n", "db/m/2.sql", "TRUNCATE older;\n", "db/m/3 ü.sql", "SELECT 1;\n", "db/other.sql", "SELECT 1;\n")
	c.git("add", ".")
	c.git("commit", "-qm", "1")
	c.git("switch", "-qc", "feature")
	c.write("db/m/4.sql", "ALTER TABLE t ALTER COLUMN n TYPE bigint;\n")
	c.git("add", ".")
	c.git("commit", "-qm", "2")
	c.write("db/m/5.sql", "TRUNCATE untracked;\n")
	// main goes on: that is not what the branch adds.
	c.git("switch", "-q", "main")
	c.write("db/m/9.sql", "TRUNCATE theirs;\n")
	c.git("add", "db/m/9.sql")
	c.git("commit", "-qm", "3")
	c.git("switch", "-q", "feature")

	r := c.want(1, "lint", "db/m", "--since", "main", "--json", "--off", "fails,lock-timeout")
	d := linted(t, r)
	// t is there since 1.sql was deployed: it has rows, and its type change counts.
	if got := rules(d); !strings.Contains(got, "4.sql column-type") || !strings.Contains(got, "5.sql truncate") || strings.Contains(got, "1.sql") || strings.Contains(got, "history") || d.Files != 2 {
		t.Errorf("%s of %d files", got, d.Files)
	}
	if d.Findings[0].Path != "db/m/4.sql" {
		t.Errorf("path %s", d.Findings[0].Path)
	}
	if whole := linted(t, c.want(1, "lint", "db/m", "--json")); strings.Contains(rules(whole), "column-type") || whole.Files != 5 {
		t.Errorf("without --since: %s of %d files", rules(whole), whole.Files)
	}
	// Below the top of the repository paths are the same.
	sub := &cli{t: t, dir: filepath.Join(c.dir, "db"), env: c.env}
	if d := linted(t, sub.want(1, "lint", "m", "--since", "main", "--json")); d.Findings[0].Path != "db/m/4.sql" {
		t.Errorf("path %s", d.Findings[0].Path)
	}

	// What was deployed is edited, deleted, renamed.
	c.write("db/m/1.sql", "CREATE TABLE t (id bigint PRIMARY KEY);\n")
	for _, name := range []string{"2.sql", "3 ü.sql"} {
		if err := os.Remove(filepath.Join(c.dir, "db/m", name)); err != nil {
			t.Fatal(err)
		}
	}
	d = linted(t, c.want(1, "lint", "db/m", "--since", "main", "--json", "--off", "fails,lock-timeout"))
	if got := rules(d); !strings.HasPrefix(got, "1.sql history, 2.sql history, 3 ü.sql history, 4.sql column-type") {
		t.Errorf("%s", got)
	}
	contains(t, d.Findings[0].Message+d.Findings[1].Message, "differs from what main has", "main has it, and here it is gone")

	// Pipelines name the target themselves, and say so.
	hub := c.with("GITHUB_BASE_REF=main")
	contains(t, hub.want(2, "lint", "db/m").err, "git knows no revision origin/main", "GITHUB_BASE_REF", "--since none")
	c.git("update-ref", "refs/remotes/origin/main", "main")
	contains(t, hub.want(1, "lint", "db/m").out, "judged: what was added since origin/main (GITHUB_BASE_REF)")
	if d := linted(t, hub.want(1, "lint", "db/m", "--since", "none", "--json")); d.Since != "" {
		t.Error(d.Since)
	}
	contains(t, c.with("CI_MERGE_REQUEST_DIFF_BASE_SHA=main").want(1, "lint", "db/m").out, "(CI_MERGE_REQUEST_DIFF_BASE_SHA)")
	contains(t, c.want(2, "lint", "db/m", "--since", "--output=x").err, "no revision")
	contains(t, c.want(2, "lint", "db/m", "--since", "gone").err, "git knows no revision gone")
}

// TestLintHistory: what stands where not every database runs it, twice, or with a gap before it.
func TestLintHistory(t *testing.T) {
	goose := func(sql string) string { return "-- +goose Up\n" + sql + "\n-- +goose Down\n" }
	dbmate := "-- migrate:up\nSELECT 1;\n-- migrate:down\n"
	for _, tt := range []struct {
		name        string
		main, added []string
		want, said  string
	}{
		{"golang-migrate", []string{"1_a.up.sql", "SELECT 1;", "3_c.up.sql", "SELECT 3;"}, []string{"2_b.up.sql", "SELECT 2;"}, "2_b.up.sql history", "golang-migrate never runs it where that one was run"},
		{"goose", []string{"00001_a.sql", goose("SELECT 1;"), "00003_c.sql", goose("SELECT 3;")}, []string{"00002_b.sql", goose("SELECT 2;")}, "00002_b.sql history", "goose refuses to go back"},
		{"flyway", []string{"V1__a.sql", "SELECT 1;", "V3__c.sql", "SELECT 3;"}, []string{"V2__b.sql", "SELECT 2;"}, "V2__b.sql history", "flyway refuses to go back"},
		{"dbmate", []string{"20260101_a.sql", dbmate, "20260103_c.sql", dbmate}, []string{"20260102_b.sql", dbmate}, "20260102_b.sql history", "databases that have run that one run this one behind it"},
		{"plain", []string{"001_a.sql", "SELECT 1;", "003_c.sql", "SELECT 3;"}, []string{"002_b.sql", "SELECT 2;"}, "002_b.sql history", "stands before 003_c, which is deployed"},
		{"the same number", []string{"001_a.sql", "SELECT 1;", "002_b.sql", "SELECT 2;"}, []string{"002_c.sql", "SELECT 3;"}, "002_c.sql history", "002_b.sql has the same number"},
		{"a gap", []string{"1_a.up.sql", "SELECT 1;", "2_b.up.sql", "SELECT 2;", "3_c.up.sql", "SELECT 2;", "4_d.up.sql", "SELECT 2;"}, []string{"6_f.up.sql", "SELECT 3;"}, "6_f.up.sql history", "no number stands between it and 4_d.up.sql"},
		{"at the end", []string{"1_a.up.sql", "SELECT 1;", "2_b.up.sql", "SELECT 3;"}, []string{"3_c.up.sql", "SELECT 2;"}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCLI(t, "")
			in := func(files []string) {
				for i := 0; i < len(files); i += 2 {
					c.write("m/"+files[i], files[i+1])
				}
			}
			c.git("init", "-q", "-b", "main")
			in(tt.main)
			c.git("add", ".")
			c.git("commit", "-qm", "1")
			in(tt.added)
			r := c.run("lint", "m", "--since", "main", "--json", "--fail-on", "notice")
			d := linted(t, r)
			if got := rules(d); got != tt.want || r.code != min(len(tt.want), 1) || tt.said != "" && !strings.Contains(d.Findings[0].Message, tt.said) {
				t.Errorf("exit code %d: %s\n%+v", r.code, got, d.Findings)
			}
		})
	}
	// What a tool itself refuses to read is no finding: nothing could be judged.
	for _, twice := range [][]string{{"1_a.up.sql", "", "01_b.up.sql", ""}, {"V1__a.sql", "", "V1.0__b.sql", ""}, {"1_a.sql", goose(""), "01_b.sql", goose("")}, {"1_a.sql", dbmate, "1_b.sql", dbmate}} {
		c := newCLI(t, "")
		c.write(twice...)
		contains(t, c.want(2, "lint", ".").err, "ersion 1", "is taken by", "hint: give one of them another")
	}
}

func TestLintSinceWithoutHistory(t *testing.T) {
	c := newCLI(t, "")
	c.write("m/1.sql", "SELECT 1;\n")
	contains(t, c.want(2, "lint", "m", "--since", "main").err, "not a git repository", "hint: ")

	c.git("init", "-q", "-b", "main", "origin")
	origin := &cli{t: t, dir: filepath.Join(c.dir, "origin"), env: c.env}
	for i := range 3 {
		origin.write(fmt.Sprintf("m/%d.sql", i), "SELECT 1;\n")
		origin.git("add", ".")
		origin.git("commit", "-qm", "x")
		if i == 1 {
			origin.git("switch", "-qc", "feature")
		}
	}
	origin.git("switch", "-q", "main")
	origin.write("m/9.sql", "SELECT 1;\n")
	origin.git("add", ".")
	origin.git("commit", "-qm", "y")
	c.git("clone", "-q", "--depth", "1", "--branch", "feature", "file://"+origin.dir, "shallow")
	shallow := &cli{t: t, dir: filepath.Join(c.dir, "shallow"), env: c.env}
	contains(t, shallow.want(2, "lint", "m", "--since", "origin/main").err, "git knows no revision origin/main", "fetch-depth: 0")
	shallow.git("fetch", "-q", "--depth", "1", "origin", "main:refs/remotes/origin/main")
	contains(t, shallow.want(2, "lint", "m", "--since", "origin/main").err, "no commit in common", "fetch-depth: 0")
	shallow.git("fetch", "-q", "--unshallow")
	if d := linted(t, shallow.want(0, "lint", "m", "--since", "origin/main", "--json")); d.Files != 1 {
		t.Errorf("%d files", d.Files)
	}
	contains(t, shallow.want(2, "lint", "m", filepath.Join(c.dir, "m", "1.sql"), "--since", "HEAD", "--off", "history").err, "1.sql")
}

func TestRules(t *testing.T) {
	c := newCLI(t, "")
	r := c.want(0, "rules")
	for _, rule := range lint.Rules {
		contains(t, r.out, rule.ID)
		contains(t, page(t, "lint-rules.md"), "### "+rule.ID)
	}
	contains(t, c.want(0, "rules", "truncate").out, lint.RuleByID("truncate").Doc, lint.RuleByID("truncate").Apply)
	contains(t, c.want(2, "rules", "nothing").err, "no rule nothing")
	var list []lint.Rule
	if err := json.Unmarshal([]byte(c.want(0, "rules", "--json").out), &list); err != nil || len(list) != len(lint.Rules) || list[0].Doc == "" {
		t.Errorf("%v: %d rules", err, len(list))
	}
}
