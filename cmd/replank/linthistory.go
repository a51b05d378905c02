package main

import (
	"slices"

	"github.com/replank/replank/history"
	"github.com/replank/replank/lint"
)

// historyProblems reports what the reader of the history found.
func (a *app) historyProblems(j *judged) {
	for _, p := range a.history.Problems {
		j.addProblem(p, 0, 0)
	}
	for _, n := range a.history.Notices {
		j.addProblem(history.Problem{Path: n.Path, Text: n.Text}, n.Line, lint.Notice)
	}
}

// outOfOrder reports the migrations that a branch puts before deployed ones.
func (a *app) outOfOrder(j *judged) {
	deployed := map[string]bool{}
	for _, s := range j.sources {
		deployed[s.Name] = deployed[s.Name] || s.Deployed
	}
	for _, p := range a.history.OutOfOrder(func(m history.Migration) bool { return deployed[m.Name] }) {
		j.addProblem(p, 0, 0)
	}
}

// addProblem says it of the migration that it is about, or of a file that is none.
func (j *judged) addProblem(p history.Problem, line int, severity lint.Severity) {
	text := p.Text
	if hint := p.Hint(); hint != "" {
		text += " (" + hint + ")"
	}
	said := lint.Problem{Rule: "history", Severity: severity, Message: text, Pos: firstLine(p.Path)}
	said.Pos.Line = max(said.Pos.Line, line)
	at := slices.IndexFunc(j.sources, func(s lint.Source) bool { return s.Path == p.Path && len(s.Text) > 0 })
	if at < 0 {
		j.sources = append(j.sources, lint.Source{Name: p.Migration, Path: p.Path, Problems: []lint.Problem{said}})
		return
	}
	j.sources[at].Problems = append(j.sources[at].Problems, said)
}
