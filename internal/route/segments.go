package route

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// machine matches as werkzeug's StateMachineMatcher does, of which it is a translation: texts before regular
// expressions, depth first; a rule whose methods do not fit is passed over.
type machine struct {
	root         state
	mergeSlashes bool
}

type state struct {
	rules   []*rule
	static  map[string]*state
	dynamic []*transition
	// slash is the state behind a slash at the end.
	slash *state
}

type transition struct {
	pattern
	segment Segment
	to      state
}

// rule is a route with the regular expressions that its limits read numbers with.
type rule struct {
	*Route
	numbers []number
}

// number is a limit and where its value stands: in the segment-th regular expression on the way, in a group.
type number struct {
	Limit
	re       *regexp.Regexp
	dynamic  int
	group    int
	min, max *big.Float
}

func (l *Limit) check(params map[string]bool) error {
	if l.Kind != "int" && l.Kind != "float" || l.Digits < 0 || !params[l.Param] || l.Param == "" {
		return fmt.Errorf("the limit of %q has kind %q and %d digits; it needs kind int or float and a group of that name", l.Param, l.Kind, l.Digits)
	}
	for _, n := range []*json.Number{l.Min, l.Max} {
		if _, err := bound(n); err != nil {
			return fmt.Errorf("the limit of %q: %w", l.Param, err)
		}
	}
	return nil
}

// bound reads a bound of a limit, exactly: integers of Python have no size.
func bound(n *json.Number) (*big.Float, error) {
	if n == nil {
		return nil, nil
	}
	if len(*n) > 64 {
		return nil, fmt.Errorf("the number %s has more than 64 digits", (*n)[:64])
	}
	f, err := strconv.ParseFloat(string(*n), 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%q is no number that can be compared", *n)
	}
	if i, ok := new(big.Int).SetString(string(*n), 10); ok {
		return new(big.Float).SetInt(i), nil
	}
	return big.NewFloat(f), nil
}

func compileSegments(d *Document) (*machine, []error) {
	m := &machine{mergeSlashes: d.MergeSlashes}
	var wrong []error
	known := map[Stage]*pattern{}
	for i, r := range d.Routes {
		if err := m.add(r, known); err != nil {
			wrong = append(wrong, fmt.Errorf("route %d, %s: %w", i+1, r.Label(), err))
		}
	}
	return m, wrong
}

func (m *machine) add(r *Route, known map[Stage]*pattern) error {
	added := &rule{Route: r}
	at, dynamic := &m.root, 0
	for _, s := range r.Segments {
		if s.Text != nil {
			if at.static == nil {
				at.static = map[string]*state{}
			}
			next := at.static[*s.Text]
			if next == nil {
				next = &state{}
				at.static[*s.Text] = next
				if *s.Text == "" {
					at.slash = next
				}
			}
			at = next
			continue
		}
		if err := added.limit(r, s, dynamic); err != nil {
			return err
		}
		dynamic++
		var taken *transition
		for _, t := range at.dynamic {
			if t.segment == s {
				taken = t
			}
		}
		if taken == nil {
			stage := Stage{RE: s.RE, End: true, ASCII: s.ASCII, Newline: s.Newline}
			p := known[stage]
			if p == nil {
				var err error
				if p, err = compilePattern(stage); err != nil {
					return err
				}
				known[stage] = p
			}
			taken = &transition{pattern: *p, segment: s}
			at.dynamic = append(at.dynamic, taken)
		}
		at = &taken.to
	}
	at.rules = append(at.rules, added)
	return nil
}

// limit notes the limits whose numbers stand in a segment.
func (r *rule) limit(route *Route, s Segment, dynamic int) error {
	for _, l := range route.Limits {
		re, err := regexp.Compile(anchored(s.RE))
		if err != nil {
			return err
		}
		group := re.SubexpIndex(l.Param)
		if group < 0 {
			continue
		}
		n := number{Limit: l, re: re, dynamic: dynamic, group: group}
		if n.min, err = bound(l.Min); err != nil {
			return err
		}
		if n.max, err = bound(l.Max); err != nil {
			return err
		}
		r.numbers = append(r.numbers, n)
	}
	return nil
}

// search is one walk through the machine.
type search struct {
	method    string
	websocket bool
	// texts are what the regular expressions on the way have been asked about.
	texts [16]string
	more  []string

	other    *Route // a route that has the path, with other methods
	mismatch *Route // a route that has the path, but is one for WebSockets, or not: 400
	slash    *Route // a route that has the path with a slash behind it: the search is over
	why      string // what was found, or something before it, is not exact
}

func (m *machine) match(method, path string, websocket bool) Outcome {
	path = asWerkzeug(path)
	// As MapAdapter.match: one slash at the start.
	if trimmed := strings.TrimLeft(path, "/"); len(trimmed) < len(path) {
		path = path[len(path)-len(trimmed)-1:]
	} else if path != "" {
		path = "/" + path
	}
	s := search{method: method, websocket: websocket}
	found := s.walk(&m.root, path, false, 0)
	if m.mergeSlashes && found == nil && s.slash == nil && s.why == "" && strings.Contains(path, "//") {
		merged := mergeSlashes(path)
		found = s.walk(&m.root, merged, false, 0)
		switch {
		case s.why != "" || s.slash != nil:
		case found != nil && found.MergeSlashes:
			return Outcome{Kind: Slash, Route: found.Route}
		default:
			// What was found does not merge slashes: as if nothing were.
			found = nil
		}
	}
	switch {
	case s.why != "":
		r := s.slash
		if found != nil {
			r = found.Route
		}
		return Outcome{Kind: Opaque, Route: r, Why: s.why}
	case s.slash != nil:
		return Outcome{Kind: Slash, Route: s.slash}
	case found != nil:
		ok, sure := s.within(found)
		if !sure {
			return Outcome{Kind: Opaque, Route: found.Route, Why: "a number in other digits than 0 to 9 has a limit"}
		}
		if ok {
			return Outcome{Kind: Found, Route: found.Route}
		}
	}
	for _, r := range [...]*Route{s.other, s.mismatch} {
		switch {
		case r == nil:
		case r.Opaque != "":
			// It may not match at all.
			return Outcome{Kind: Opaque, Route: r, Why: r.Opaque}
		default:
			return Outcome{Kind: Method, Route: r}
		}
	}
	return Outcome{}
}

// slash: the machine has said it already.
func (m *machine) slash(string) Outcome { return Outcome{} }

func mergeSlashes(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}

// walk finds a rule behind a state for the segments of rest; done: there are none left, not even an empty one.
// It returns nil and sets slash or why where the search is over.
func (s *search) walk(at *state, rest string, done bool, dynamic int) *rule {
	if done {
		if r := s.fits(at.rules, false); r != nil {
			return r
		}
		if at.slash == nil {
			return nil
		}
		for _, r := range at.slash.rules {
			if s.websocket != r.WebSocket || !r.allows(s.method) {
				continue
			}
			s.why = r.Opaque
			if !r.StrictSlashes {
				return r
			}
			s.slash = r.Route
			return nil
		}
		return nil
	}
	segment, left, more := strings.Cut(rest, "/")
	if next := at.static[segment]; next != nil {
		if r := s.walk(next, left, !more, dynamic); r != nil || s.over() {
			return r
		}
	}
	for _, t := range at.dynamic {
		text, left, done := segment, left, !more
		if t.segment.Final {
			text, left, done = rest, "", true
		}
		s.note(dynamic, text)
		if t.segment.Suffixed {
			// werkzeug's (?<!/)(/?)\Z: one slash at the end, and none before it.
			if cut, ok := strings.CutSuffix(text, "/"); ok {
				if strings.HasSuffix(cut, "/") {
					continue
				}
				text, left, done = cut, "", false
				s.note(dynamic, text)
			}
		}
		taken, sure := t.run(text)
		if !sure {
			s.why = "the regular expression is not exact for this path"
			return nil
		}
		if taken < 0 {
			continue
		}
		if r := s.walk(&t.to, left, done, dynamic+1); r != nil || s.over() {
			return r
		}
	}
	if rest == "" {
		return s.fits(at.rules, true)
	}
	return nil
}

func (s *search) over() bool { return s.slash != nil || s.why != "" }

func (s *search) note(i int, text string) {
	if i < len(s.texts) {
		s.texts[i] = text
		return
	}
	s.more = append(s.more[:i-len(s.texts)], text)
}

// fits returns the first of the rules for the method. loose: only those that do not care for a slash at the end.
func (s *search) fits(rules []*rule, loose bool) *rule {
	for _, r := range rules {
		switch {
		case loose && r.StrictSlashes:
		case !r.allows(s.method):
			if s.other == nil || s.other.Opaque != "" {
				s.other = r.Route
			}
		case r.WebSocket != s.websocket:
			if s.mismatch == nil || s.mismatch.Opaque != "" {
				s.mismatch = r.Route
			}
		default:
			s.why = r.Opaque
			return r
		}
	}
	return nil
}

// within says whether the numbers of the path are within the limits of the rule. werkzeug asks no other rule where
// they are not.
func (s *search) within(r *rule) (ok, sure bool) {
	for i := range r.numbers {
		n := &r.numbers[i]
		text := ""
		if n.dynamic < len(s.texts) {
			text = s.texts[n.dynamic]
		} else {
			text = s.more[n.dynamic-len(s.texts)]
		}
		groups := n.re.FindStringSubmatch(text)
		if groups == nil {
			return false, false
		}
		value := groups[n.group]
		if !isASCII(value) {
			return false, false
		}
		if n.Digits > 0 && len(value) != n.Digits || !n.contains(value) {
			return false, true
		}
	}
	return true, true
}

func (n *number) contains(value string) bool {
	var v *big.Float
	if n.Kind == "int" {
		i, ok := new(big.Int).SetString(value, 10)
		if !ok {
			return false
		}
		v = new(big.Float).SetInt(i)
	} else {
		f, err := strconv.ParseFloat(value, 64)
		if err != nil && !math.IsInf(f, 0) {
			return false
		}
		v = new(big.Float).SetFloat64(f)
	}
	return (n.min == nil || v.Cmp(n.min) >= 0) && (n.max == nil || v.Cmp(n.max) <= 0)
}
