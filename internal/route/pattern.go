package route

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// pattern is a compiled regular expression. Most need no engine: texts and runs of classes, one behind the other, that
// can be divided in one way only. Those are steps; all others are left to regexp, whose leftmost-first match is the
// one that Python's backtracking finds.
type pattern struct {
	steps []step
	re    *regexp.Regexp // nil: steps
	// end: nothing may be left. What is in the document's Stage: ascii, newline.
	end, ascii, newline bool
	// prefix is a text with which every match begins.
	prefix string
}

// step is a text and then min to max characters of a class, as many as there are.
type step struct {
	text     string
	class    *class // nil: none
	min, max int    // max -1: any number
}

// class is a set of characters.
type class struct {
	ascii  [2]uint64
	ranges []rune // pairs
}

func newClass(ranges []rune) *class {
	c := &class{ranges: ranges}
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1] && r < utf8.RuneSelf; r++ {
			c.ascii[r>>6] |= 1 << (r & 63)
		}
	}
	return c
}

func (c *class) has(r rune) bool {
	if r < utf8.RuneSelf {
		return c.ascii[r>>6]>>(r&63)&1 == 1
	}
	lo, hi := 0, len(c.ranges)/2
	for lo < hi {
		switch mid := (lo + hi) / 2; {
		case r < c.ranges[2*mid]:
			hi = mid
		case r > c.ranges[2*mid+1]:
			lo = mid + 1
		default:
			return true
		}
	}
	return false
}

// meets says whether two classes have a character in common.
func (c *class) meets(d *class) bool {
	for i, j := 0, 0; i < len(c.ranges) && j < len(d.ranges); {
		if max(c.ranges[i], d.ranges[j]) <= min(c.ranges[i+1], d.ranges[j+1]) {
			return true
		}
		if c.ranges[i+1] < d.ranges[j+1] {
			i += 2
		} else {
			j += 2
		}
	}
	return false
}

// run returns how much of s the step takes, or -1.
func (p *step) run(s string) int {
	if !strings.HasPrefix(s, p.text) {
		return -1
	}
	at := len(p.text)
	if p.class == nil {
		return at
	}
	n := 0
	for ; at < len(s) && n != p.max; n++ {
		if b := s[at]; b < utf8.RuneSelf {
			if p.class.ascii[b>>6]>>(b&63)&1 == 0 {
				break
			}
			at++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[at:])
		if !p.class.has(r) {
			break
		}
		at += size
	}
	if n < p.min {
		return -1
	}
	return at
}

// run returns how much of s the pattern takes, or -1; sure is false where RE2 and Python may differ about s.
func (p *pattern) run(s string) (taken int, sure bool) {
	if p.ascii && !isASCII(s) || p.newline && strings.HasSuffix(s, "\n") {
		return 0, false
	}
	if p.re != nil {
		if p.end {
			if !p.re.MatchString(s) {
				return -1, true
			}
			return len(s), true
		}
		at := p.re.FindStringIndex(s)
		if at == nil {
			return -1, true
		}
		return at[1], true
	}
	at := 0
	for i := range p.steps {
		n := p.steps[i].run(s[at:])
		if n < 0 {
			return -1, true
		}
		at += n
	}
	if p.end && at != len(s) {
		return -1, true
	}
	return at, true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// compilePattern compiles a stage that Document.check has let pass.
func compilePattern(s Stage) (*pattern, error) {
	tree, err := parsePattern(s.RE)
	if err != nil {
		return nil, err
	}
	p := &pattern{end: s.End, ascii: s.ASCII, newline: s.Newline}
	if !s.Search {
		var f flat
		simple := f.add(tree) && f.divides(s.End)
		for _, e := range f.elements {
			if e.class != nil {
				break
			}
			p.prefix += e.text
		}
		if simple {
			p.steps = f.steps()
			return p, nil
		}
	}
	text := "(?:" + s.RE + ")"
	if !s.Search {
		text = `\A` + text
	}
	if s.End {
		text += `\z`
	}
	p.re, err = regexp.Compile(text)
	return p, err
}

// flat is a regular expression as texts and repeated classes in a row. A text is an element without a class.
type flat struct {
	elements []element
}

type element struct {
	step
	lazy bool
}

// add appends a part; false: it is something else. What stands before it is kept, for the prefix.
func (f *flat) add(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return true
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range re.Sub {
			if !f.add(sub) {
				return false
			}
		}
		return true
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			break
		}
		f.elements = append(f.elements, element{step: step{text: string(re.Rune)}})
		return true
	}
	least, most, lazy := 1, 1, re.Flags&syntax.NonGreedy != 0
	inner := re
	switch re.Op {
	case syntax.OpStar:
		least, most, inner = 0, -1, re.Sub[0]
	case syntax.OpPlus:
		least, most, inner = 1, -1, re.Sub[0]
	case syntax.OpQuest:
		least, most, inner = 0, 1, re.Sub[0]
	case syntax.OpRepeat:
		least, most, inner = re.Min, re.Max, re.Sub[0]
	}
	ranges := runesOf(inner)
	if ranges == nil {
		// Nothing of what comes is in the prefix.
		f.elements = append(f.elements, element{step: step{class: &class{}}})
		return false
	}
	f.elements = append(f.elements, element{step: step{class: newClass(ranges), min: least, max: most}, lazy: lazy && least != most})
	return true
}

// runesOf returns the ranges of a part that is one character, or nil.
func runesOf(re *syntax.Regexp) []rune {
	switch re.Op {
	case syntax.OpCharClass:
		if len(re.Rune) == 0 {
			return nil
		}
		return re.Rune
	case syntax.OpAnyChar:
		return []rune{0, utf8.MaxRune}
	case syntax.OpAnyCharNotNL:
		return []rune{0, '\n' - 1, '\n' + 1, utf8.MaxRune}
	case syntax.OpLiteral:
		if len(re.Rune) == 1 && re.Flags&syntax.FoldCase == 0 {
			return []rune{re.Rune[0], re.Rune[0]}
		}
	}
	return nil
}

// divides says whether every text can be divided among the elements in one way only: an element that may take more or
// less is followed by something that cannot begin with what it takes, so taking all there is is the only way. Without
// that, taking all there is could fail where Python, which goes back, finds a match.
func (f *flat) divides(end bool) bool {
	for i, e := range f.elements {
		if e.class == nil || e.min == e.max {
			continue
		}
		if i == len(f.elements)-1 {
			// Nothing may be left: how much is taken first changes nothing.
			if e.lazy && !end {
				return false
			}
			continue
		}
		next := f.elements[i+1]
		switch {
		case next.class == nil:
			if r, _ := utf8.DecodeRuneInString(next.text); e.class.has(r) {
				return false
			}
		case next.min == 0 || next.class.meets(e.class):
			return false
		}
	}
	return true
}

// steps joins each text with the class behind it.
func (f *flat) steps() []step {
	var steps []step
	for _, e := range f.elements {
		if n := len(steps); n > 0 && steps[n-1].class == nil {
			last := &steps[n-1]
			if e.class == nil {
				last.text += e.text
			} else {
				last.class, last.min, last.max = e.class, e.min, e.max
			}
			continue
		}
		steps = append(steps, e.step)
	}
	return slices.Clip(steps)
}
