package route

import (
	"encoding/json"
	"slices"
	"testing"
)

// TestExamples: a route's examples are paths that it matches, unless its limits refuse them or another route is before it.
func TestExamples(t *testing.T) {
	low := json.Number("100")
	text := func(s string) Segment { return Segment{Text: &s} }
	for _, test := range []struct {
		matching string
		route    Route
		want     string // one of them
		least    int    // how many match
	}{
		{Ordered, Route{Template: "/", Stages: []Stage{{RE: "/", End: true}}}, "/", 1},
		{Ordered, Route{Template: "/o/{id}/", Stages: []Stage{{RE: "/o/"}, {RE: "([0-9]+)/", End: true}}}, "/o/7/", 4},
		{Ordered, Route{Template: "/u/{id}", Stages: []Stage{{RE: "/u/([0-9a-f]{2}-[0-9a-f]{3})", End: true}}}, "/u/77-777", 2},
		{Ordered, Route{Template: "/{lang}", Stages: []Stage{{RE: "/(de|en|fr)(?:/(x))?", End: true}}}, "/en/x", 3},
		{Ordered, Route{Template: "/w", Stages: []Stage{{RE: "/w/([^/]+)/([A-Z]*)", End: true}}}, "/w/7/A", 4},
		{Ordered, Route{Template: "anywhere", Stages: []Stage{{RE: "x+y", Search: true, End: true}}}, "/xy", 3},
		{Ordered, Route{Template: "/n", Stages: []Stage{{RE: "/n((((a{30}){30}){1}))*", End: true}}}, "", 0},
		{Segments, Route{Template: "/s/{id}/{path}", Segments: []Segment{text(""), text("s"), {RE: `(?P<id>\d+)`}, {RE: "([^/].*?)", Final: true}},
			Limits: []Limit{{Param: "id", Kind: "int", Min: &low}}}, "/s/777/qqqq", 1},
	} {
		d := docOf(t, test.matching)
		d.Routes = []*Route{&test.route}
		table := compiled(t, Config{Modern: d, Legacy: docOf(t, Ordered)})
		examples := test.route.Examples()
		if !slices.Equal(examples, test.route.Examples()) {
			t.Errorf("%s: other examples the second time", test.route.Template)
		}
		matched := 0
		for _, path := range examples {
			if table.Match(Request{Method: "GET", Path: path}).Modern.Kind == Found {
				matched++
			}
		}
		if test.want != "" && !slices.Contains(examples, test.want) || matched < test.least {
			t.Errorf("%s: %q, of which %d match; want %q among them, and %d", test.route.Template, examples, matched, test.want, test.least)
		}
	}
}
