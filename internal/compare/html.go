package compare

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// A page is compared as the stream of its tokens, not as the tree that browsers make of it: a tag that is missing is told
// as such. Spaces between blocks, the order of attributes and comments do not count.

// element is one token, and the elements it stands in.
type element struct {
	kind html.TokenType // StartTagToken, EndTagToken, TextToken, DoctypeToken
	data string         // name of the element, or text
	attr []html.Attribute
	at   *node // of a tag the element itself, of text the one around it; nil: none
}

// node is an element's place.
type node struct {
	parent *node
	name   string
	nth    int // which child element of its parent it is, from 0 on
	depth  int // of how many nodes the path is made, up to deepest
}

// path is the way down to a node.
func (n *node) path() []*node {
	if n == nil {
		return nil
	}
	list := make([]*node, n.depth)
	for ; n != nil; n = n.parent {
		list[n.depth-1] = n
	}
	return list
}

// rawText are elements whose text is taken as it is written.
var rawText = words("iframe noembed noframes noscript plaintext script style xmp")

// verbatim are elements in which spaces count.
var verbatim = words("pre script style textarea")

// void are elements without content.
var void = words("area base br col embed hr img input link meta param source track wbr")

// block are elements around which spaces are not seen.
var block = words("address article aside base blockquote body br caption center col colgroup dd details dialog dir div dl dt fieldset " +
	"figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li link main menu meta nav noscript " +
	"ol optgroup option p pre script search section select style summary table tbody td template tfoot th thead title tr ul")

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(list) {
		set[word] = true
	}
	return set
}

// deepest is where paths end: what is nested deeper is compared, and told with the path of its ancestor.
const deepest = 64

// tokens reads a page.
func tokens(text string) []element {
	type opened struct {
		*node
		name     string
		children int
	}
	var list []element
	open := []opened{{}} // the page itself first
	z := html.NewTokenizer(strings.NewReader(text))
	for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
		t := z.Token()
		top := &open[len(open)-1]
		switch kind {
		case html.TextToken:
			if n := len(list); n > 0 && list[n-1].kind == html.TextToken { // a comment was between
				list[n-1].data += t.Data
				continue
			}
			list = append(list, element{kind: kind, data: t.Data, at: top.node})
		case html.DoctypeToken:
			list = append(list, element{kind: kind, data: strings.ToLower(t.Data)})
		case html.StartTagToken, html.SelfClosingTagToken:
			slices.SortStableFunc(t.Attr, func(a, b html.Attribute) int { return strings.Compare(a.Key, b.Key) })
			// Of an attribute that stands twice browsers take the first.
			t.Attr = slices.CompactFunc(t.Attr, func(a, b html.Attribute) bool { return a.Key == b.Key })
			place := top.node
			switch {
			case place == nil:
				place = &node{name: t.Data, nth: top.children, depth: 1}
			case place.depth < deepest:
				place = &node{parent: place, name: t.Data, nth: top.children, depth: place.depth + 1}
			}
			top.children++
			list = append(list, element{kind: html.StartTagToken, data: t.Data, attr: t.Attr, at: place})
			if !void[t.Data] && kind != html.SelfClosingTagToken {
				open = append(open, opened{node: place, name: t.Data})
			}
		case html.EndTagToken:
			list = append(list, element{kind: kind, data: t.Data, at: top.node})
			// One that was never opened closes nothing. Only so many are looked at: a page of end tags stays linear.
			for i := len(open) - 1; i >= max(1, len(open)-deepest); i-- {
				if open[i].name == t.Data {
					open = open[:i]
					break
				}
			}
		}
	}
	return trimmed(list)
}

// trimmed collapses spaces, and takes them away beside blocks.
func trimmed(list []element) []element {
	isBlock := func(i int) bool {
		return i < 0 || i >= len(list) || list[i].kind == html.DoctypeToken || list[i].kind != html.TextToken && block[list[i].data]
	}
	var out []element
	for i, e := range list {
		if e.kind == html.TextToken && !(e.at != nil && verbatim[e.at.name]) {
			text := strings.Join(strings.FieldsFunc(e.data, isSpace), " ")
			before := e.data != "" && isSpace(rune(e.data[0])) && !isBlock(i-1)
			after := e.data != "" && isSpace(rune(e.data[len(e.data)-1])) && !isBlock(i+1)
			switch {
			case text != "":
				if before {
					text = " " + text
				}
				if after {
					text += " "
				}
			case before && after:
				text = " "
			default:
				continue
			}
			e.data = text
		}
		out = append(out, e)
	}
	return out
}

// isSpace is HTML's notion: a no-break space is none.
func isSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\f' || r == '\r' }

// html compares two pages: what is the same at both ends is left out, noise included; what remains is compared token by
// token where there are as many on both sides, and is one difference where not.
func (d *differ) html(old, new []element) {
	old, new = d.withoutNoise(old), d.withoutNoise(new)
	for len(old) > 0 && len(new) > 0 && d.alike(&old[0], &new[0]) {
		old, new = old[1:], new[1:]
	}
	for len(old) > 0 && len(new) > 0 && d.alike(&old[len(old)-1], &new[len(new)-1]) {
		old, new = old[:len(old)-1], new[:len(new)-1]
	}
	if len(old) != len(new) {
		base := d.enterCommon(old, new)
		if !d.noisy() {
			d.differs(Structure, rendered(old, d.maxValue()), rendered(new, d.maxValue()))
		}
		d.up(base)
		return
	}
	for i := range old {
		d.token(&old[i], &new[i])
	}
}

// withoutNoise leaves out what stands in elements that are noise as a whole.
func (d *differ) withoutNoise(list []element) []element {
	if len(d.noise) == 0 {
		return list
	}
	known := map[*node]bool{nil: false}
	var inNoise func(n *node) bool
	inNoise = func(n *node) bool {
		noisy, ok := known[n]
		if !ok {
			noisy = inNoise(n.parent)
			if !noisy {
				base := mark{len(d.path), len(d.pattern)}
				for _, n := range n.path() {
					d.step(n.name, n.nth)
				}
				noisy = d.noisy()
				d.up(base)
			}
			known[n] = noisy
		}
		return noisy
	}
	return slices.DeleteFunc(list, func(e element) bool { return inNoise(e.at) })
}

// step goes down to an element.
func (d *differ) step(name string, nth int) {
	d.path = append(append(d.path, '/'), pointerEscapes.Replace(name)...)
	d.path = append(strconv.AppendInt(append(d.path, '['), int64(nth), 10), ']')
	d.pattern = append(append(d.pattern, '/'), pointerEscapes.Replace(name)...)
}

// enterCommon goes to the element that all of both lists stand in.
func (d *differ) enterCommon(old, new []element) mark {
	base := mark{len(d.path), len(d.pattern)}
	all := append(slices.Clone(old), new...)
	if len(all) == 0 {
		return base
	}
	common := all[0].around()
	for i := range all {
		path, n := all[i].around(), 0
		for n < min(len(common), len(path)) && common[n].name == path[n].name && common[n].nth == path[n].nth {
			n++
		}
		common = common[:n]
	}
	for _, n := range common {
		d.step(n.name, n.nth)
	}
	return base
}

// around are the elements that a token stands in: a tag does not stand in its own.
func (e *element) around() []*node {
	path := e.at.path()
	if e.kind != html.TextToken && len(path) > 0 {
		path = path[:len(path)-1]
	}
	return path
}

// alike reports whether two tokens are the same but for noise.
func (d *differ) alike(old, new *element) bool {
	if old.kind != new.kind || old.kind != html.TextToken && old.data != new.data {
		return false
	}
	same := true
	found := d.found
	d.found = func(string, Difference) { same = false }
	d.token(old, new)
	d.found = found
	return same
}

// token compares two tokens, at the place of the old one.
func (d *differ) token(old, new *element) {
	if old.kind == new.kind && old.data == new.data && slices.Equal(old.attr, new.attr) {
		return
	}
	base := mark{len(d.path), len(d.pattern)}
	defer d.up(base)
	if old.kind != new.kind || old.kind != html.TextToken && old.data != new.data {
		d.enterCommon([]element{*old}, []element{*new})
		if !d.noisy() {
			d.differs(Structure, rendered([]element{*old}, d.maxValue()), rendered([]element{*new}, d.maxValue()))
		}
		return
	}
	// Where both stand in other elements, those differ already.
	d.enterCommonPath(old, new)
	if old.kind == html.TextToken {
		m := d.down("#text")
		d.strings(old.data, new.data, true, true)
		d.up(m)
		return
	}
	values := func(attributes []html.Attribute) map[string]string {
		m := map[string]string{}
		for _, a := range attributes {
			m[a.Key] = a.Val
		}
		return m
	}
	a, b := values(old.attr), values(new.attr)
	for _, attribute := range old.attr {
		d.attribute(attribute.Key, a, b)
	}
	for _, attribute := range new.attr {
		if _, ok := a[attribute.Key]; !ok {
			d.attribute(attribute.Key, a, b)
		}
	}
}

func (d *differ) attribute(name string, old, new map[string]string) {
	m := d.down("@" + name)
	x, inOld := old[name]
	y, inNew := new[name]
	d.strings(x, y, inOld, inNew)
	d.up(m)
}

// enterCommonPath goes down as far as both tokens have the same elements around them, by name.
func (d *differ) enterCommonPath(old, new *element) {
	a, b := old.at.path(), new.at.path()
	for i := range min(len(a), len(b)) {
		if a[i].name != b[i].name {
			return
		}
		d.step(a[i].name, min(a[i].nth, b[i].nth))
	}
}

// rendered is how tokens are written, the beginning of it.
func rendered(list []element, most int) string {
	var b strings.Builder
	for _, e := range list {
		b.WriteString(html.Token{Type: e.kind, Data: e.data, Attr: e.attr}.String())
		if b.Len() > most {
			break
		}
	}
	return b.String()
}
