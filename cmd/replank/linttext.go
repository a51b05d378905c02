package main

import (
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/annotate"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/lint"
)

// hideSecretsInSQL takes passwords out of SQL, and of sentences that cite it.
// Thousands of texts have no word that a secret follows: a look for those words is enough for them.
func hideSecretsInSQL(s string) string {
	lower := strings.ToLower(s)
	if !slices.ContainsFunc(aboutSecrets, func(word string) bool { return strings.Contains(lower, word) }) {
		return s
	}
	return hideSecretsInProse(pg.HideSecrets(s))
}

// aboutSecrets are such that hideSecretsInProse and pg.HideSecrets leave a text without any of them as it is.
var aboutSecrets = []string{"pass", "pwd", "secret", "token", "_key", "connection", "conninfo", "://", ` at or near "`}

func firstLine(path string) ddl.Pos { return ddl.Pos{File: path, Line: 1, Column: 1} }

// longestFrame bounds the lines of a statement that are shown.
const longestFrame = 12

// severityStyle is the colour of a severity.
var severityStyle = map[lint.Severity]style{lint.Error: red, lint.Warning: yellow, lint.Notice: cyan}

// printFindings writes what was found for people: each finding with its lines, each rule with its reasons once, and a
// line that counts.
//
//	error: migrations/003.sql:2:1: SET NOT NULL reads the whole table under ACCESS EXCLUSIVE [set-not-null]
//	    2 | ALTER TABLE orders ALTER COLUMN n SET NOT NULL;
//	      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
func (a *app) printFindings(p *printer, d *annotate.Document) {
	for i, f := range d.Findings {
		p.wrapped(p.paint(severityStyle[f.Severity], f.Severity.String()+": "), "", f.Pos.String()+": "+f.Message+" ["+f.Rule+"]")
		if a.set.Quiet {
			continue
		}
		for _, why := range f.Why {
			p.wrapped("  - ", "", why)
		}
		if i+1 < len(d.Findings) && d.Findings[i+1].Pos == f.Pos {
			continue // one frame for all that is said of a place
		}
		p.frame(f.Frame, severityStyle[f.Severity])
		p.line("")
	}
	if !a.set.Quiet {
		for _, r := range d.Rules {
			p.ruleStory(r)
		}
	}
	for _, e := range d.Stale {
		p.wrapped(p.paint(yellow, "baseline: "), "", e.Path+": "+e.Rule+" is not found any more: --write-baseline writes it anew")
	}
	if d.Since != "" {
		p.wrapped("", "", "judged: "+d.Since)
	}
	summary := d.Summary()
	if d.Unjudged {
		summary += "; not everything could be judged"
	}
	p.wrapped("", bold, summary)
}

// ruleStory is why a rule is there, and what to do.
func (p *printer) ruleStory(r lint.Rule) {
	p.wrapped(p.paint(bold, r.ID)+"  ", "", r.Title)
	p.wrapped("  ", "", r.Doc)
	if r.Safe != "" {
		p.line("  %s", p.paint(cyan, "write instead:"))
		for line := range strings.SplitSeq(r.Safe, "\n") {
			p.line("    %s", line)
		}
	}
	p.wrapped("  "+p.paint(cyan, "replank apply")+" ", "", r.Apply)
	p.line("")
}

// frame draws the lines of a statement with carets below what is meant. The middle of a long one is left out.
func (p *printer) frame(lines []annotate.Line, s style) {
	marked := 0
	for i, l := range lines {
		if l.To > l.From {
			marked = i
		}
	}
	for i, l := range lines {
		if len(lines) > longestFrame {
			begin := i < longestFrame/2
			near := i >= marked-1 && i <= marked+1
			if !begin && !near && i != len(lines)-1 {
				if i == longestFrame/2 || i == marked+2 {
					p.line("%s", p.paint(dim, "      | …"))
				}
				continue
			}
		}
		p.excerptMarked(l.Number, excerpt{line: l.Text, column: l.From}, l.To-l.From, s)
	}
}
