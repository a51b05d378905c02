package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/replank/replank/history"
	"github.com/replank/replank/lint"
)

// apart divides an input into histories: each project of Django or Alembic that the paths lead to is one, and so are
// folders of SQL together. A tree with projects in it is a folder of SQL as well where it shows the mark of a tool: other
// files in it are not migrations.
func (a *app) apart(in input) ([]input, error) {
	if in.only != "" || a.set.History != "" {
		return []input{in}, nil
	}
	var list []input
	var sql []string
	divided := false // more was found than was named
	for _, path := range cmpPaths(in.paths, a.set.Migrations) {
		if filepath.Ext(path) == ".json" {
			list = append(list, input{paths: []string{path}})
			continue
		}
		found := history.Projects(path)
		for _, p := range found {
			list = append(list, input{paths: []string{p.Path()}})
		}
		_, itself := history.ProjectAt(path)
		divided = divided || len(found) > 1 || len(found) == 1 && !itself
		if len(found) == 0 {
			sql = append(sql, path)
		} else if !itself {
			format, err := a.historyConfig("").Detect(path)
			if err != nil {
				return nil, err
			}
			if format != history.Bare {
				sql = append(sql, path)
			}
		}
	}
	if len(sql) > 0 || len(list) == 0 {
		list = append(list, input{paths: sql})
	}
	if divided {
		a.messages.wrapped(a.messages.paint(yellow, "notice: "), "", "what is judged, each history by itself: "+inputNames(list)+
			" (plain SQL beside projects has to be named)")
	}
	return list, nil
}

func inputNames(inputs []input) string {
	var names []string
	for _, in := range inputs {
		names = append(names, in.paths...)
	}
	return strings.Join(names, ", ")
}

// judgeAll judges histories one by one, and takes together what is found in them. Where some could not be read, it
// returns what was found in the others, nil if there are none, and why.
func (a *app) judgeAll(ctx context.Context, inputs []input) (*judged, error) {
	var all *judged
	var unread []error
	for _, in := range inputs {
		j, err := a.judge(ctx, in)
		if ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			unread = append(unread, err)
			continue
		}
		if all == nil {
			all = j
			continue
		}
		all.sources = append(all.sources, j.sources...)
		r := all.report
		r.Findings = append(r.Findings, j.report.Findings...)
		r.Files, r.Statements = r.Files+j.report.Files, r.Statements+j.report.Statements
		r.Unjudged = r.Unjudged || j.report.Unjudged
	}
	if all != nil && unread != nil {
		all.report.Unjudged = true
	}
	return all, errors.Join(unread...)
}

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
