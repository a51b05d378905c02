// Package annotate writes what lint found in the forms that people, editors and pipelines read: a document as JSON,
// SARIF, commands of GitHub's workflows, GitLab's code quality, JUnit and Markdown. What is known already stands in a
// [Baseline].
package annotate

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/lint"
)

// Config is what a document is made of.
type Config struct {
	Report  *lint.Report
	Sources []lint.Source // that were judged
	// Root is the absolute folder that paths are written relative to: the repository's. Default: paths stay as they are.
	Root string
	// Abs makes a path absolute. Default: filepath.Abs.
	Abs func(string) (string, error)
	// Version is replank's.
	Version string
	// Server is the major version of PostgreSQL that was judged for.
	Server int
	// FailOn is the least severity that fails a pipeline.
	FailOn lint.Severity
	// Since says what was judged, for people, where it was not everything.
	Since string
	// Baseline holds the findings that are not told. Default: all are told.
	Baseline *Baseline
	// Hide takes secrets out of SQL and of sentences that cite it. Default: there are none.
	Hide func(string) string
}

// Document is a report as every format writes it.
type Document struct {
	FormatVersion int    `json:"format_version"` // 1; another number is another form
	Version       string `json:"replank"`
	Server        int    `json:"server"` // the version of PostgreSQL that was judged for
	Since         string `json:"since,omitempty"`
	Files         int    `json:"files"`
	Statements    int    `json:"statements"`
	// Unjudged is true where something could not be judged: the exit code is 2.
	Unjudged bool          `json:"unjudged"`
	FailOn   lint.Severity `json:"fail_on"`
	Counts   Counts        `json:"counts"`
	Findings []Finding     `json:"findings"`
	// Rules are those of the findings.
	Rules []lint.Rule `json:"rules"`
	// Stale are entries of the baseline that match nothing any more.
	Stale []Entry `json:"stale,omitempty"`

	clean []string // paths of judged files without a finding
}

// Counts are how many findings there are.
type Counts struct {
	Error   int `json:"error"`
	Warning int `json:"warning"`
	Notice  int `json:"notice"`
	// Baseline are those that are not told.
	Baseline int `json:"baseline"`
}

// Finding is a finding with what a reader of the file needs.
type Finding struct {
	lint.Finding
	// Path is relative to the root, with slashes; absolute where the file is outside of it.
	Path string `json:"path"`
	// End is behind the last character of the statement.
	End ddl.Pos `json:"end"`
	// Frame are the lines of the statement. They have no number where the text stands in no file.
	Frame []Line `json:"-"`

	startUTF16, endUTF16 int // columns, from 1
}

// Line is a line of a source.
type Line struct {
	Number int // from 1; 0 where the text stands in no file
	Text   string
	// From and To are the columns to be marked, in characters from 0; equal: none.
	From, To int
}

// New makes a document of a report.
func New(cfg Config) *Document {
	if cfg.Hide == nil {
		cfg.Hide = func(s string) string { return s }
	}
	if cfg.Abs == nil {
		cfg.Abs = filepath.Abs
	}
	r := cfg.Report
	d := &Document{FormatVersion: 1, Version: cfg.Version, Server: cfg.Server, Since: cfg.Since, Files: r.Files, Statements: r.Statements,
		Unjudged: r.Unjudged, FailOn: cmp.Or(cfg.FailOn, lint.Warning), Findings: []Finding{}, Rules: []lint.Rule{}}
	sources := map[string]*lint.Source{}
	for i := range cfg.Sources {
		if s := &cfg.Sources[i]; !s.Deployed || sources[s.Name] == nil {
			sources[s.Name] = s
		}
	}
	told := map[string]bool{}
	for _, lf := range r.Findings {
		f := cfg.finding(lf, sources[lf.Migration])
		if cfg.Baseline.knows(f) {
			d.Counts.Baseline++
			continue
		}
		told[f.Path] = true
		d.count(f.Severity)
		d.Findings = append(d.Findings, f)
	}
	for _, s := range cfg.Sources {
		if path := cfg.relative(s.Path); !s.Deployed && !told[path] {
			told[path] = true
			d.clean = append(d.clean, path)
		}
	}
	used := map[string]bool{}
	for _, f := range d.Findings {
		used[f.Rule] = true
	}
	for _, rule := range lint.Rules {
		if used[rule.ID] {
			d.Rules = append(d.Rules, rule)
		}
	}
	d.Stale = cfg.Baseline.stale(cfg)
	return d
}

func (d *Document) count(s lint.Severity) {
	switch s {
	case lint.Error:
		d.Counts.Error++
	case lint.Warning:
		d.Counts.Warning++
	default:
		d.Counts.Notice++
	}
}

// Fails reports whether a finding is as bad as what fails a pipeline.
func (d *Document) Fails() bool {
	return slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Severity >= d.FailOn })
}

// worstFirst are the findings, the severest first, otherwise in order.
func (d *Document) worstFirst() []Finding {
	list := slices.Clone(d.Findings)
	slices.SortStableFunc(list, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	return list
}

// Summary is the document in one line.
func (d *Document) Summary() string {
	c := d.Counts
	s := count(c.Error, "error") + ", " + count(c.Warning, "warning") + ", " + count(c.Notice, "notice") +
		" in " + count(d.Statements, "statement") + " of " + count(d.Files, "file")
	if c.Baseline > 0 {
		s += fmt.Sprintf("; %d more are in the baseline", c.Baseline)
	}
	return s
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// relative is a path as the document writes it.
func (cfg Config) relative(path string) string {
	if cfg.Root == "" || path == "" || strings.HasPrefix(path, "<") {
		return filepath.ToSlash(path)
	}
	abs, err := cfg.Abs(path)
	if err != nil {
		return filepath.ToSlash(path)
	}
	rel, err := filepath.Rel(cfg.Root, abs)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return filepath.ToSlash(abs)
	}
	return filepath.ToSlash(rel)
}

// finding adds to a finding of lint where its statement ends, and its lines.
func (cfg Config) finding(lf lint.Finding, s *lint.Source) Finding {
	f := Finding{Finding: lf, Path: cfg.relative(lf.Pos.File), End: lf.Pos, startUTF16: lf.Pos.Column, endUTF16: lf.Pos.Column}
	switch {
	case s == nil || lf.Pos.Offset > len(s.Text):
	case len(s.Origins) > 0 || s.Path != lf.Pos.File:
		for line := range strings.SplitSeq(cfg.Hide(lf.Statement), "\n") {
			f.Frame = append(f.Frame, Line{Text: line})
		}
	default:
		cfg.frame(&f, s.Text)
	}
	f.Statement, f.Message = cfg.Hide(f.Statement), cfg.Hide(f.Message)
	f.Why = slices.Clone(f.Why)
	for i := range f.Why {
		f.Why[i] = cfg.Hide(f.Why[i])
	}
	return f
}

// frame finds the lines of a finding's statement, or the one line of its place, in the text of its file.
func (cfg Config) frame(f *Finding, text string) {
	at := f.Pos.Offset
	from, to := at, at
	if n := len(f.Statement); n > 0 {
		// The place is the statement's begin, or stands within it.
		if i := strings.LastIndex(text[:min(at+n, len(text))], f.Statement); i >= 0 && i+n >= at {
			from, to = i, i+n
		}
	}
	if from == to {
		to = lineEnd(text, at)
	}
	f.End = ddl.Pos{File: f.Pos.File, Offset: to, Line: f.Pos.Line + strings.Count(text[at:to], "\n"), Column: 1 + len([]rune(text[lineBegin(text, to):to]))}
	f.startUTF16 = 1 + len(utf16.Encode([]rune(text[lineBegin(text, at):at])))
	f.endUTF16 = 1 + len(utf16.Encode([]rune(text[lineBegin(text, to):to])))
	number := f.Pos.Line - strings.Count(text[from:at], "\n")
	for begin := lineBegin(text, from); begin < len(text) && begin <= to; number++ {
		end := lineEnd(text, begin)
		l := Line{Number: number, Text: text[begin:end]}
		if begin <= at && at <= end {
			l.From = len([]rune(text[begin:at]))
			l.To = len([]rune(text[begin:min(to, end)]))
		}
		f.Frame = append(f.Frame, l)
		begin = end + len("\n")
	}
	cfg.hideLines(f.Frame)
}

// hideLines takes secrets out of lines. One that begins on another line is found in the lines together.
func (cfg Config) hideLines(lines []Line) {
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = strings.TrimSuffix(l.Text, "\r")
	}
	all := strings.Join(texts, "\n")
	hidden := strings.Split(cfg.Hide(all), "\n")
	for i := range lines {
		switch {
		case len(hidden) == len(lines):
			lines[i].Text = hidden[i]
		case i < len(hidden):
			lines[i].Text = hidden[i]
		default:
			lines[i].Text = "…"
		}
		n := len([]rune(lines[i].Text))
		lines[i].From, lines[i].To = min(lines[i].From, n), min(lines[i].To, n)
	}
}

func lineBegin(text string, at int) int { return strings.LastIndexByte(text[:at], '\n') + 1 }

func lineEnd(text string, at int) int {
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(text)
}

// formats are the ways to write a document.
var formats = []struct {
	name  string
	write func(io.Writer, *Document) error
}{
	{"json", writeJSON}, {"sarif", writeSARIF}, {"github", writeGitHub}, {"gitlab", writeGitLab}, {"junit", writeJUnit}, {"markdown", writeMarkdown},
}

// Formats are the names that Write knows.
func Formats() []string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// Write writes the document in a format.
func (d *Document) Write(w io.Writer, format string) error {
	for _, f := range formats {
		if f.name == format {
			return f.write(w, d)
		}
	}
	return fmt.Errorf("no format %q: there are %s", format, strings.Join(Formats(), ", "))
}
