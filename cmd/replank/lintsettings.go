package main

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/replank/replank/internal/annotate"
	"github.com/replank/replank/lint"
)

// lintSettings are the settings of lint: the table [lint] of replank.toml.
type lintSettings struct {
	Server   int
	TimeZone string
	Off      []string
	Severity []string
	FailOn   string
	Since    string
	Snapshot string
	Baseline string
	Format   []string
}

// textFormat is the format for people, which this package writes itself.
const textFormat = "text"

var lintOptionList = []option{
	{name: "server", table: "lint", scope: linting, add: func(fs *pflag.FlagSet, s *settings) {
		fs.IntVar(&s.Lint.Server, "server", 15, "major version of PostgreSQL, 12 to 18")
	}, want: "a major version of PostgreSQL, 12 to 18", ok: func(s *settings) bool { return s.Lint.Server >= 12 && s.Lint.Server <= 18 }},
	{name: "time-zone", table: "lint", scope: linting, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Lint.TimeZone, "time-zone", "UTC", "TimeZone of the sessions that migrate: timestamp ↔ timestamptz depends on it")
	}, want: "the name of a time zone", ok: func(s *settings) bool { return s.Lint.TimeZone != "" }},
	{name: "off", table: "lint", scope: linting, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringSliceVar(&s.Lint.Off, "off", nil, "rules that are not asked")
	}, want: "names of rules, which replank rules lists", ok: func(s *settings) bool {
		return !slices.ContainsFunc(s.Lint.Off, func(id string) bool { return lint.RuleByID(strings.TrimSpace(id)) == nil })
	}},
	{name: "severity", table: "lint", scope: linting, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringSliceVar(&s.Lint.Severity, "severity", nil, "severities other than the rules' own: drop-column=error")
	}, want: "RULE=notice, RULE=warning or RULE=error", ok: func(s *settings) bool {
		return !slices.ContainsFunc(s.Lint.Severity, func(text string) bool { _, _, ok := ruleSeverity(text); return !ok })
	}},
	{name: "fail-on", table: "lint", scope: linting, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Lint.FailOn, "fail-on", "warning", "the least severity that makes the exit code 1: notice, warning or error")
	}, want: "notice, warning or error", ok: func(s *settings) bool { return new(lint.Severity).UnmarshalText([]byte(s.Lint.FailOn)) == nil }},
	{name: "since", table: "lint", scope: linting, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Lint.Since, "since", "", "judge only what was added since this branch was left: a revision of git; none: everything (default: the target of the pull request in GitHub's and GitLab's pipelines)")
	}},
	{name: "snapshot", table: "lint", scope: linting, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Lint.Snapshot, "snapshot", "", "file of replank snapshot: its shapes, sizes and workload count, and its version of PostgreSQL")
	}},
	{name: "baseline", table: "lint", scope: linting, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Lint.Baseline, "baseline", "", "file of findings that are known and not told")
	}},
	{name: "format", table: "lint", scope: linting, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringSliceVar(&s.Lint.Format, "format", nil, "how to write what is found, FORMAT or FORMAT=FILE: "+lintFormats()+" (default: text)")
	}, want: lintFormats() + ", each with =FILE or without", ok: func(s *settings) bool {
		return !slices.ContainsFunc(s.Lint.Format, func(text string) bool {
			format, file, named := strings.Cut(strings.TrimSpace(text), "=")
			return !slices.Contains(append(annotate.Formats(), textFormat), format) || named && file == ""
		})
	}},
}

func lintFormats() string { return textFormat + ", " + strings.Join(annotate.Formats(), ", ") }

// ruleSeverity reads RULE=SEVERITY.
func ruleSeverity(text string) (rule string, s lint.Severity, ok bool) {
	rule, word, _ := strings.Cut(strings.TrimSpace(text), "=")
	return rule, s, lint.RuleByID(rule) != nil && s.UnmarshalText([]byte(word)) == nil
}

// changeSeverities gives findings the severities that were asked for.
func (set lintSettings) changeSeverities(r *lint.Report) {
	for _, text := range set.Severity {
		rule, severity, _ := ruleSeverity(text)
		for i := range r.Findings {
			if r.Findings[i].Rule == rule {
				r.Findings[i].Severity = severity
			}
		}
	}
}
