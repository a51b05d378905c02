package annotate

import (
	"encoding/xml"
	"fmt"
	"io"

	"github.com/replank/replank/lint"
)

type gitlabIssue struct {
	Description string         `json:"description"`
	Check       string         `json:"check_name"`
	Fingerprint string         `json:"fingerprint"`
	Severity    string         `json:"severity"`
	Location    gitlabLocation `json:"location"`
}

type gitlabLocation struct {
	Path  string      `json:"path"`
	Lines gitlabLines `json:"lines"`
}

type gitlabLines struct {
	Begin int `json:"begin"`
	End   int `json:"end"`
}

// writeGitLab writes GitLab's report of code quality.
func writeGitLab(w io.Writer, d *Document) error {
	issues := []gitlabIssue{}
	for _, f := range d.Findings {
		begin := max(1, f.Pos.Line)
		issues = append(issues, gitlabIssue{
			Description: f.Message, Check: f.Rule, Fingerprint: f.Fingerprint,
			Severity: map[lint.Severity]string{lint.Error: "critical", lint.Warning: "major", lint.Notice: "info"}[f.Severity],
			Location: gitlabLocation{f.Path, gitlabLines{begin, max(begin, f.End.Line)}},
		})
	}
	return encode(w, issues)
}

type (
	junitSuites struct {
		XMLName  xml.Name   `xml:"testsuites"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Suite    junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr,omitempty"`
		Failure *junitFailure `xml:"failure"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes a test that failed for every finding that fails the pipeline, and one that passed for every other
// finding and for every file without any.
func writeJUnit(w io.Writer, d *Document) error {
	var suite junitSuite
	suite.Name = "migrations"
	for _, f := range d.Findings {
		text := f.Path + fmt.Sprintf(":%d: %s[%s] ", f.Pos.Line, f.Severity, f.Rule) + annotation(f)
		c := junitCase{Class: f.Path, Name: fmt.Sprintf("%s line %d (%s)", f.Rule, f.Pos.Line, f.Fingerprint), File: f.Path, Line: f.Pos.Line}
		if f.Severity >= d.FailOn {
			suite.Failures++
			c.Failure = &junitFailure{Message: f.Message, Type: f.Rule, Text: text}
		} else {
			c.Out = text
		}
		suite.Cases = append(suite.Cases, c)
	}
	for _, path := range d.clean {
		suite.Cases = append(suite.Cases, junitCase{Class: path, Name: "nothing found", File: path})
	}
	suite.Tests = len(suite.Cases)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(junitSuites{Name: "replank lint", Tests: suite.Tests, Failures: suite.Failures, Suite: suite}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
