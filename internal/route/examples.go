package route

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// filling is how an example fills the places of a pattern where something is left open.
type filling struct {
	prefer string // the first of these that a class has
	times  int    // how often what may be repeated is
	branch int    // which alternative
}

var fillings = []filling{{"7a", 1, 0}, {"a7", 1, 1}, {"27a", 2, 2}, {"qa7", 3, 3}, {"3a7", 4, 4}, {"za7", 8, 5}, {"1a7", 1, 6}}

// Examples returns some paths that the route is meant for, always the same ones: numbers and words, short and long. An
// earlier route may take them, and limits or what is opaque may refuse them: only a Table says what is answered.
func (r *Route) Examples() []string {
	var all []string
	for _, f := range fillings {
		var b strings.Builder
		for _, s := range r.Stages {
			f.fill(&b, s.RE)
		}
		for i, s := range r.Segments {
			if i > 0 {
				b.WriteByte('/')
			}
			if s.Text != nil {
				b.WriteString(*s.Text)
			} else {
				f.fill(&b, s.RE)
			}
		}
		path := b.String()
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		if !slices.Contains(all, path) {
			all = append(all, path)
		}
	}
	return all
}

func (f filling) fill(b *strings.Builder, re string) {
	if tree, err := parsePattern(re); err == nil {
		f.write(b, tree)
	}
}

func (f filling) write(b *strings.Builder, re *syntax.Regexp) {
	times := 1
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
		return
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteRune(f.rune(runesOf(re)))
		return
	case syntax.OpAlternate:
		f.write(b, re.Sub[f.branch%len(re.Sub)])
		return
	case syntax.OpStar, syntax.OpPlus:
		times = f.times
	case syntax.OpQuest:
		times = f.times % 2
	case syntax.OpRepeat:
		times = max(re.Min, f.times)
		if re.Max >= 0 {
			times = min(times, re.Max)
		}
	}
	for range times {
		// A repeat inside of a repeat could double the path with each level.
		if b.Len() > maxPath {
			return
		}
		for _, sub := range re.Sub {
			f.write(b, sub)
		}
	}
}

// rune takes a character of a class: a preferred one, or the first that can be seen.
func (f filling) rune(ranges []rune) rune {
	c := newClass(ranges)
	for _, r := range f.prefer {
		if c.has(r) {
			return r
		}
	}
	for r := '!'; r < utf8.RuneSelf; r++ {
		if r != '/' && c.has(r) {
			return r
		}
	}
	if len(ranges) == 0 {
		return 'x'
	}
	return ranges[0]
}
