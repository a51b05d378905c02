package route

import (
	"fmt"
	"slices"
	"strings"
)

// ordered matches as Django does: the first route that matches wins, and a stage that has matched is not gone back
// into.
//
// Routes that stand beside each other and begin with the same step share it, as patterns below one include do, and the
// texts with which the steps of a branch begin are kept in a tree: only those are tried with which the path begins,
// in their order.
type ordered struct {
	root        branch
	appendSlash bool
}

// branch is what is tried at one place of the path, in order.
type branch struct {
	nodes []*node
	index radix
}

// node is one pattern and what comes behind it.
type node struct {
	pattern
	key   string
	route *Route // the last pattern of a route; nil: below
	below branch
}

func compileOrdered(d *Document) (*ordered, []error) {
	o := &ordered{appendSlash: d.AppendSlash}
	var wrong []error
	known := map[Stage]*pattern{}
	for i, r := range d.Routes {
		patterns, err := r.patterns(known)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("route %d, %s: %w", i+1, r.Label(), err))
			continue
		}
		o.root.add(r, patterns)
	}
	o.root.finish()
	return o, wrong
}

// patterns compiles the stages. Steps become patterns of their own: they can be divided in one way only, so not going
// back between them changes nothing, and more of them can be shared.
func (r *Route) patterns(known map[Stage]*pattern) ([]*pattern, error) {
	var all []*pattern
	for _, s := range r.Stages {
		p := known[s]
		if p == nil {
			var err error
			if p, err = compilePattern(s); err != nil {
				return nil, err
			}
			known[s] = p
		}
		if p.re != nil || p.ascii || p.newline || len(p.steps) == 0 {
			all = append(all, p)
			continue
		}
		for i, st := range p.steps {
			one := &pattern{steps: []step{st}, prefix: st.text, end: p.end && i == len(p.steps)-1}
			// A text, and then something that begins with a text.
			if n := len(all); n > 0 && all[n-1].onlyText() {
				one.steps[0].text = all[n-1].steps[0].text + st.text
				one.prefix = one.steps[0].text
				all[n-1] = one
				continue
			}
			all = append(all, one)
		}
	}
	return all, nil
}

func (p *pattern) onlyText() bool {
	return p.re == nil && !p.end && !p.ascii && !p.newline && len(p.steps) == 1 && p.steps[0].class == nil
}

func (p *pattern) key() string {
	var b strings.Builder
	for _, s := range p.steps {
		fmt.Fprintf(&b, "%q", s.text)
		if s.class != nil {
			fmt.Fprintf(&b, "%x{%d,%d}", s.class.ranges, s.min, s.max)
		}
	}
	return fmt.Sprint(b.String(), p.re, p.end, p.ascii, p.newline)
}

func (b *branch) add(r *Route, patterns []*pattern) {
	for i, p := range patterns {
		key := p.key()
		n := len(b.nodes)
		// Only the last node: joining one before it would put the route before others that stand before it.
		if last := i == len(patterns)-1; last || n == 0 || b.nodes[n-1].route != nil || b.nodes[n-1].key != key {
			added := &node{pattern: *p, key: key}
			if last {
				added.route = r
			}
			b.nodes = append(b.nodes, added)
			n++
		}
		b = &b.nodes[n-1].below
	}
}

// finish makes the indexes.
func (b *branch) finish() {
	b.nodes = slices.Clip(b.nodes)
	for i, n := range b.nodes {
		b.index.add(n.prefix, int32(i))
		n.below.finish()
	}
}

// match returns the first route that matches; why is not empty where it may not match, or another before it may.
func (b *branch) match(rest string) (found *Route, why string) {
	var buf [16][]int32
	lists := b.index.lists(rest, buf[:0])
	for len(lists) > 0 {
		first := 0
		for i := range lists {
			if lists[i][0] < lists[first][0] {
				first = i
			}
		}
		n := b.nodes[lists[first][0]]
		if lists[first] = lists[first][1:]; len(lists[first]) == 0 {
			lists[first] = lists[len(lists)-1]
			lists = lists[:len(lists)-1]
		}
		taken, sure := n.run(rest)
		switch {
		case !sure:
			return n.first(), "the regular expression is not exact for this path"
		case taken < 0:
		case n.route != nil:
			return n.route, n.route.Opaque
		default:
			if found, why = n.below.match(rest[taken:]); found != nil {
				return found, why
			}
		}
	}
	return nil, ""
}

// first is the first route behind the node.
func (n *node) first() *Route {
	for n.route == nil {
		n = n.below.nodes[0]
	}
	return n.route
}

func (o *ordered) match(method, path string, _ bool) Outcome {
	path = asDjango(path)
	r, why := o.root.match(path)
	switch {
	case r == nil:
		return Outcome{}
	case why != "":
		return Outcome{Kind: Opaque, Route: r, Why: why}
	case !r.allows(method):
		return Outcome{Kind: Method, Route: r}
	}
	return Outcome{Kind: Found, Route: r}
}

// slash says what the application does for a path without a slash at its end that it does not have.
func (o *ordered) slash(path string) Outcome {
	if !o.appendSlash || strings.HasSuffix(path, "/") {
		return Outcome{}
	}
	r, why := o.root.match(asDjango(path) + "/")
	switch {
	case r == nil:
		return Outcome{}
	case why != "":
		return Outcome{Kind: Opaque, Route: r, Why: why}
	case r.AppendSlash != nil && !*r.AppendSlash:
		return Outcome{}
	}
	return Outcome{Kind: Slash, Route: r}
}

// radix keeps numbers below texts.
type radix struct {
	text  string
	here  []int32 // ascending
	bytes []byte  // the first ones of kids
	kids  []*radix
}

func (n *radix) add(text string, number int32) {
	if text == "" {
		n.here = append(n.here, number)
		return
	}
	i := slices.Index(n.bytes, text[0])
	if i < 0 {
		n.bytes = append(n.bytes, text[0])
		n.kids = append(n.kids, &radix{text: text, here: []int32{number}})
		return
	}
	kid := n.kids[i]
	same := 0
	for same < len(text) && same < len(kid.text) && text[same] == kid.text[same] {
		same++
	}
	if same < len(kid.text) {
		upper := &radix{text: kid.text[:same], bytes: []byte{kid.text[same]}, kids: []*radix{kid}}
		kid.text = kid.text[same:]
		n.kids[i], kid = upper, upper
	}
	kid.add(text[same:], number)
}

// lists appends the numbers of all texts with which s begins.
func (n *radix) lists(s string, to [][]int32) [][]int32 {
	for {
		if len(n.here) > 0 {
			to = append(to, n.here)
		}
		if s == "" {
			return to
		}
		i := slices.Index(n.bytes, s[0])
		if i < 0 || !strings.HasPrefix(s, n.kids[i].text) {
			return to
		}
		n = n.kids[i]
		s = s[len(n.text):]
	}
}
