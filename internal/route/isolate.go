package route

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Bad is a route of a document that cannot be used.
type Bad struct {
	Line     int // of the document; 0: all of it stands on one
	Number   int // from 1; 0: the routes of the document have no order
	Template string
	Source   string
	Err      error
}

func (b Bad) Error() string {
	var where []string
	if b.Line > 0 {
		where = append(where, fmt.Sprintf("line %d", b.Line))
	}
	if b.Number > 0 {
		where = append(where, fmt.Sprintf("route %d", b.Number))
	}
	where = append(where, fmt.Sprintf("%q", b.Template))
	if b.Source != "" {
		where = append(where, b.Source)
	}
	return strings.Join(where, ", ") + ": " + strings.ReplaceAll(b.Err.Error(), "\n", "; ")
}

func (b Bad) Unwrap() error { return b.Err }

// ReadUsable reads a document as ReadAny does, but for routes with mistakes: they are named, and what may be theirs, the
// paths that begin with their literal prefix, is opaque. A document without a route that can be used is none.
func ReadUsable(data []byte) (*Document, []Bad, error) {
	d, err := ReadAny(data)
	if err == nil {
		return d, nil, nil
	}
	d, bad, isolated := isolate(data)
	if isolated != nil || len(bad) == 0 || len(bad) >= d.given {
		return nil, nil, err
	}
	return d, bad, nil
}

// isolate reads a document whose routes may be wrong. An error is about the document itself.
func isolate(data []byte) (*Document, []Bad, error) {
	if !ours(data) {
		d, bad, err := readOpenAPI(data)
		if err == nil {
			err = d.checkItself()
		}
		return d, bad, err
	}
	var whole struct {
		Document
		Routes []json.RawMessage `json:"routes"`
	}
	if err := decode(data, &whole); err != nil {
		return nil, nil, err
	}
	d := &whole.Document
	if err := d.checkItself(); err != nil {
		return nil, nil, err
	}
	d.given = len(whole.Routes)
	patterns := patterns{}
	var bad []Bad
	var lines []int
	for i, text := range whole.Routes {
		r, err := readRoute(text)
		if err == nil {
			err = errors.Join(r.check(d.Matching, patterns)...)
		}
		if err == nil {
			d.Routes = append(d.Routes, r)
			continue
		}
		if lines == nil {
			lines = linesOfRoutes(data, d.given)
		}
		bad = append(bad, Bad{Line: lines[i], Number: i + 1, Template: r.Template, Source: r.Source, Err: err})
		d.Routes = append(d.Routes, r.standIns(d.Matching, err)...)
	}
	return d, bad, nil
}

// readRoute reads a route. What comes with an error has names only: where a part cannot be read, the others may mean
// something else.
func readRoute(text []byte) (*Route, error) {
	var r *Route
	err := decode(text, &r)
	if err == nil && r != nil {
		return r, nil
	}
	if err == nil {
		err = errors.New("it is null")
	}
	var names struct{ Template, Source string }
	_ = json.Unmarshal(text, &names) // as far as it can be read: err says what is wrong
	return &Route{Template: names.Template, Source: names.Source}, err
}

// linesOfRoutes are the lines on which the n routes of a document begin, all 0 where there is one line only.
func linesOfRoutes(data []byte, n int) []int {
	lines := make([]int, n)
	if !bytes.Contains(bytes.TrimSpace(data), []byte("\n")) {
		return lines
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	var skipped json.RawMessage
	_, err := dec.Token() // {
	for err == nil && dec.More() {
		var key json.Token
		if key, err = dec.Token(); err != nil {
			break
		}
		if key != "routes" {
			err = dec.Decode(&skipped)
			continue
		}
		if _, err = dec.Token(); err != nil { // [
			break
		}
		line, counted := 1, 0
		for i := 0; err == nil && i < n && dec.More(); i++ {
			err = dec.Decode(&skipped)
			// No text of JSON has a newline in it, so those before its end, less those inside of it, are before its start.
			start := int(dec.InputOffset()) - len(skipped)
			line += bytes.Count(data[counted:start], []byte("\n"))
			lines[i], counted = line, start
		}
		break
	}
	return lines
}

// standIns take the place of a route that cannot be used: whoever may be meant by it is opaque.
func (r *Route) standIns(matching string, because error) []*Route {
	why, _, _ := strings.Cut(because.Error(), "\n")
	opaque := Route{Template: r.Template, Name: r.Name, Endpoint: r.Endpoint, Source: r.Source, Opaque: "the route cannot be used: " + why}
	if matching == Ordered {
		prefix := orderedPrefix(r.Stages)
		if opaque.Template == "" {
			opaque.Template = prefix + "{*}"
		}
		opaque.Stages = []Stage{{RE: regexp.QuoteMeta(prefix)}}
		return []*Route{&opaque}
	}
	texts, begun := segmentsPrefix(r.Segments)
	if opaque.Template == "" {
		opaque.Template = strings.Join(append(texts, begun), "/") + "{*}"
	}
	var all []*Route
	if onlyTexts(r.Segments) {
		// A state behind texts only is asked before any regular expression, so this place has to be taken, too.
		exact := opaque
		exact.Segments, exact.StrictSlashes = r.Segments, r.StrictSlashes
		all = append(all, &exact)
	}
	for _, t := range texts {
		opaque.Segments = append(opaque.Segments, Segment{Text: &t})
	}
	opaque.Segments = append(opaque.Segments, Segment{RE: regexp.QuoteMeta(begun) + "(?s:.*)", Final: true})
	return append(all, &opaque)
}

// orderedPrefix is a text with which every path begins that matches the stages.
func orderedPrefix(stages []Stage) string {
	prefix := ""
	for _, s := range stages {
		if s.Search {
			break
		}
		text, whole := prefixOf(s.RE)
		prefix += text
		if !whole || s.End {
			break
		}
	}
	return prefix
}

// segmentsPrefix are the segments with which every path begins that matches, and what the one behind them begins with.
func segmentsPrefix(segments []Segment) (texts []string, begun string) {
	for _, s := range segments {
		if s.Text == nil {
			begun, _ = prefixOf(s.RE)
			return texts, begun
		}
		if s.RE != "" || strings.Contains(*s.Text, "/") {
			return texts, ""
		}
		texts = append(texts, *s.Text)
	}
	// A slash at the end may be left out, or be one too many.
	for len(texts) > 1 && texts[len(texts)-1] == "" {
		texts = texts[:len(texts)-1]
	}
	if len(texts) == 0 {
		return nil, ""
	}
	return texts[:len(texts)-1], texts[len(texts)-1]
}

func onlyTexts(segments []Segment) bool {
	for _, s := range segments {
		if s.Text == nil || s.RE != "" || strings.Contains(*s.Text, "/") {
			return false
		}
	}
	return len(segments) > 0
}

// prefixOf is a text with which every match of a regular expression begins; whole: it is all of it.
func prefixOf(re string) (prefix string, whole bool) {
	tree, err := parsePattern(re)
	if err != nil {
		return unreadPrefix(re), false
	}
	var f flat
	whole = f.add(tree)
	for _, e := range f.elements {
		if e.class != nil {
			return prefix, false
		}
		prefix += e.text
	}
	return prefix, whole
}

// unreadPrefix is prefixOf for what cannot be read as a regular expression: up to the first character that means
// something, without the one that it may be about. Nothing where there is an alternative, which may be one to all before
// it.
func unreadPrefix(re string) string {
	at := strings.IndexAny(re, `\.+*?()|[]{}^$`)
	if at < 0 || strings.Contains(re, "|") {
		return ""
	}
	prefix := re[:at]
	if strings.ContainsRune("+*?{", rune(re[at])) && prefix != "" {
		runes := []rune(prefix)
		prefix = string(runes[:len(runes)-1])
	}
	return prefix
}
