package lint

import (
	"regexp"
	"slices"
	"strings"
)

// allowLine is a `-- replank:allow` comment that takes a line, or the end of one.
var allowLine = regexp.MustCompile(`(?m)[ \t]*--[- \t]*replank:[ \t]*allow[ \t][^\r\n]*(\r?\n)?`)

// distribute puts the replank:allow comments of a statement that became several above those which need them.
func (l *linter) distribute(t *text, p *parsed) {
	comments := map[*piece][]string{}
	for _, pc := range t.pieces {
		if !pc.changed || len(pc.steps) < 2 {
			continue
		}
		for _, part := range []*string{&pc.lead, &pc.tail} {
			for _, line := range allowLine.FindAllString(*part, -1) {
				comments[pc] = append(comments[pc], strings.TrimSpace(line))
			}
			*part = allowLine.ReplaceAllString(*part, "")
		}
	}
	if len(comments) == 0 {
		return
	}
	rules := l.rulesOf(t, p)
	n := 0
	for _, pc := range t.pieces {
		if !pc.changed {
			n++
			continue
		}
		pc.comments = make([]string, len(pc.steps))
		for k := range pc.steps {
			for _, comment := range comments[pc] {
				words := strings.FieldsFunc(comment, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' })
				if n < len(rules) && slices.ContainsFunc(rules[n], func(id string) bool { return slices.Contains(words, id) }) {
					pc.comments[k] += comment + "\n"
				}
			}
			n++
		}
	}
}

// rulesOf are the rules that each statement of the rewritten text breaks.
func (l *linter) rulesOf(t *text, p *parsed) [][]string {
	src := *p.Source
	src.Text, src.Tx, src.Timeouts = t.head+join(t.expanded()), Each, true
	again := parseOne(&src)
	c := l.clone()
	c.source(again)
	out := make([][]string, len(again.file.Statements))
	for i, st := range again.file.Statements {
		for _, f := range c.report.Findings {
			if f.Pos.Offset == st.Pos.Offset {
				out[i] = append(out[i], f.Rule)
			}
		}
	}
	return out
}
