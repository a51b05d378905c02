package route

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docOf makes a complete document of routes written as JSON.
func docOf(t testing.TB, matching string, routes ...string) *Document {
	t.Helper()
	d := &Document{Format: format, Version: version, Framework: "test", Build: "1", Matching: matching, Complete: true, AppendSlash: true, MergeSlashes: true}
	for _, text := range routes {
		r := &Route{}
		if err := json.Unmarshal([]byte(text), r); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		d.Routes = append(d.Routes, r)
	}
	return d
}

// stages is an ordered route: its template, then its stages.
func stages(template string, res ...string) string {
	r := Route{Template: template}
	for i, re := range res {
		r.Stages = append(r.Stages, Stage{RE: re, End: i == len(res)-1})
	}
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func compiled(t testing.TB, c Config) *Table {
	t.Helper()
	table, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func show(o Outcome) string {
	if o.Route == nil {
		return o.Kind.String()
	}
	return o.Kind.String() + " " + o.Route.Template
}

// TestOrdered: what the frameworks are asked for is in python's tests; these are the places where the tree could differ
// from a plain list of routes.
func TestOrdered(t *testing.T) {
	table := compiled(t, Config{Modern: docOf(t, Ordered,
		stages("a-1", "/a/", "([0-9]+)/x/"),
		stages("a-2", "/a/", "([0-9]+)/y/"),
		stages("wide", "/([^\\n]+)/z/"),
		stages("a-3", "/a/", "([0-9]+)/x/z/"),
		stages("greedy", "/g/([a-z]+)", "z/"),
		stages("back", "/h/([a-z]+)z/"),
		stages("range", "/r/([0-9]{2,3})", "([0-9]+)/"),
		stages("empty", "/"),
		`{"template":"search","methods":["GET"],"stages":[{"re":"/s/"},{"re":"find","search":true},{"re":"me","end":true}]}`,
		`{"template":"open","methods":null,"stages":[{"re":"/open/"}]}`,
		`{"template":"opaque","methods":null,"opaque":"a converter","stages":[{"re":"/o/[a-z]+","end":true}]}`,
		stages("later", "/o/([a-z0-9]+)"),
		`{"template":"ascii","methods":null,"stages":[{"re":"/k/(?i:k+)","end":true,"ascii":true}]}`,
		`{"template":"quiet","methods":null,"append_slash":false,"stages":[{"re":"/quiet/","end":true}]}`,
	)})
	for path, want := range map[string]string{
		"/a/1/x/": "found a-1", "/a/1/y/": "found a-2", "/a/1/z/": "found wide", "/a/1/x/z/": "found wide", "/a/1/q/": "missing",
		"/a/1/x": "slash a-1", "/g/abz/": "missing", "/h/abz/": "found back", "/r/12345/": "found range", "/r/123/": "missing",
		"/": "found empty", "": "slash empty", "/s/xxfindme": "found search", "/s/findyou": "missing", "/open/what/ever": "found open",
		"/o/abc": "opaque opaque", "/o/a1": "found later", "/k/kK": "found ascii", "/k/\u212a": "opaque ascii", "/quiet/": "found quiet", "/quiet": "missing",
		"/a/1/x/\n": "missing", "/a/\xff/z/": "found wide",
	} {
		if got := show(table.Match(Request{Method: "GET", Path: path}).Modern); got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
	if got := show(table.Match(Request{Method: "post", Path: "/s/findme"}).Modern); got != "method search" {
		t.Errorf("POST: %s", got)
	}
}

// TestTreeIsTheList compares the tree of an ordered document with the plain list that it stands for.
func TestTreeIsTheList(t *testing.T) {
	parts := []string{"a/", "b/", "ab", "([0-9]+)/", "([^/]+)/", "([a-b]+)", "x?/", "", "(a|ab)", "c"}
	var routes []string
	for i := range 400 {
		routes = append(routes, stages(fmt.Sprint(i), "/"+parts[i%7], parts[i/7%10], parts[i/70%10]))
	}
	d := docOf(t, Ordered, routes...)
	table := compiled(t, Config{Modern: d})
	plain := func(path string) string {
		for _, r := range d.Routes {
			rest, ok := path, true
			for _, s := range r.Stages {
				re := `\A(?:` + s.RE + `)`
				if s.End {
					re += `\z`
				}
				at := regexp.MustCompile(re).FindStringIndex(rest)
				if ok = at != nil; !ok {
					break
				}
				rest = rest[at[1]:]
			}
			if ok {
				return "found " + r.Template
			}
		}
		return "missing"
	}
	letters := []string{"a/", "b/", "ab", "1/", "12/", "c", "x/", "/", "a", "b"}
	found := 0
	for i := range 400 {
		path := "/" + letters[i%10] + letters[i/3%10] + letters[i/7%10] + letters[i/11%10]
		want := plain(path)
		if want != "missing" {
			found++
		}
		if got := show(table.Match(Request{Method: "GET", Path: path}).Modern); got != want && !(want == "missing" && strings.HasPrefix(got, "slash")) {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
	if found < 50 {
		t.Errorf("only %d paths were found", found)
	}
}

func TestVerdicts(t *testing.T) {
	modern := docOf(t, Ordered, stages("/m/", "/m/"), stages("/both/", "/both/"), stages("/late/", "/late/"),
		`{"template":"/get/","methods":["GET"],"stages":[{"re":"/get/","end":true}]}`,
		`{"template":"/maybe/","methods":null,"opaque":"a converter","stages":[{"re":"/maybe/","end":true}]}`)
	legacy := docOf(t, Ordered, stages("/l/", "/l/"), stages("/both/", "/both/"), stages("/late", "/late"),
		`{"template":"/get/","methods":["POST"],"stages":[{"re":"/get/","end":true}]}`,
		`{"template":"/maybe/","methods":null,"stages":[{"re":"/maybe/","end":true}]}`)
	for _, complete := range []bool{true, false} {
		modern.Complete, modern.IncompleteBecause = complete, []string{"WhiteNoise"}
		table := compiled(t, Config{Modern: modern, Legacy: legacy})
		nobody := map[bool]string{true: "legacy ", false: "unknown WhiteNoise"}[complete]
		for request, want := range map[string]string{
			"GET /m/": "modern ", "GET /l/": "legacy ", "GET /both/": "modern ", "GET /late": "legacy ", "GET /m": "modern ", "GET /l": "legacy ",
			"GET /get/": "modern ", "POST /get/": "legacy ", "PUT /get/": "modern ", "GET /maybe/": "unknown a converter", "GET /none": nobody,
		} {
			method, path, _ := strings.Cut(request, " ")
			m := table.Match(Request{Method: method, Path: path})
			if got := m.Verdict.String() + " " + m.Why; got != want {
				t.Errorf("complete %v, %s: %s, want %s", complete, request, got, want)
			}
		}
	}
	only := compiled(t, Config{Legacy: legacy})
	if m := only.Match(Request{Method: "GET", Path: "/l/"}); m.Verdict != Unknown || !strings.Contains(m.Why, "no route document") {
		t.Errorf("without a document of the modern application: %v %q", m.Verdict, m.Why)
	}
	if m := only.Match(Request{Method: "GET", Path: "/" + strings.Repeat("x", maxPath)}); m.Verdict != Unknown {
		t.Errorf("a long path: %v", m.Verdict)
	}
}

func TestDecisions(t *testing.T) {
	modern := docOf(t, Ordered, stages("/x/{id}/", "/x/([0-9]+)/"))
	legacy := docOf(t, Segments, `{"template":"/x/{n}","methods":null,"segments":[{"text":""},{"text":"x"},{"re":"([0-9]+)"},{"text":""}],"strict_slashes":true}`,
		`{"template":"/l","methods":null,"segments":[{"text":""},{"text":"l"}]}`)
	for _, c := range []struct {
		phase Phase
		on    App
		path  string
		want  Answer
	}{
		{"", "", "/x/1/", Answer{By: Modern, Fallback: true}},
		{"", "", "/l", Answer{By: Legacy}},
		{PhaseLegacy, Modern, "/x/1/", Answer{By: Legacy}},
		{PhaseLegacy, Legacy, "/x/1/", Answer{By: Legacy}},
		{PhaseShadow, Legacy, "/x/1/", Answer{By: Legacy, Shadow: true}},
		{PhaseCanary, Legacy, "/x/1/", Answer{By: Legacy, Canary: true}},
		{PhaseModern, Legacy, "/x/1/", Answer{By: Modern, Fallback: true}},
		{PhaseRetired, Modern, "/x/1/", Answer{By: Modern}},
		{PhaseShadow, Legacy, "/l", Answer{By: Legacy}},
		{PhaseCanary, Legacy, "/l", Answer{By: Legacy}},
		{PhaseModern, Legacy, "/l", Answer{By: Legacy}},
		{PhaseRetired, Legacy, "/l", Answer{By: Modern}},
	} {
		var decisions []Decision
		if c.phase != "" {
			template := "/x/{n}"
			if c.on == Modern {
				template = "/x/{id}/"
			}
			if c.path == "/l" {
				template = "/l"
			}
			decisions = []Decision{{App: c.on, Template: template, Phase: c.phase}}
		}
		m := compiled(t, Config{Modern: modern, Legacy: legacy, Decisions: decisions}).Match(Request{Method: "GET", Path: c.path})
		if (m.Decision != nil) != (c.phase != "") {
			t.Errorf("%+v: the decision is %v", c, m.Decision)
		}
		if got := Decide(m, m.Decision); got != c.want {
			t.Errorf("%s on %s, %s: %+v, want %+v", c.phase, c.on, c.path, got, c.want)
		}
		// A tenant's placement comes first. On the modern side, a route that only the legacy application has stays there,
		// unless it was retired.
		if got := Placed(m, Legacy); got != (Answer{By: Legacy}) {
			t.Errorf("placed on legacy, %s on %s, %s: %+v", c.phase, c.on, c.path, got)
		}
		placed := Answer{By: Modern, Fallback: true}
		switch {
		case c.phase == PhaseRetired:
			placed.Fallback = false
		case c.path == "/l":
			placed = Answer{By: Legacy}
		}
		if got := Placed(m, Modern); got != placed {
			t.Errorf("placed on modern, %s on %s, %s: %+v, want %+v", c.phase, c.on, c.path, got, placed)
		}
	}
	// The one that is further back holds.
	both := compiled(t, Config{Modern: modern, Legacy: legacy, Decisions: []Decision{{App: Modern, Template: "/x/{id}/", Phase: PhaseShadow}, {App: Legacy, Template: "/x/{n}", Phase: PhaseRetired}, {App: Legacy, Template: "/none", Phase: PhaseShadow}}})
	if m := both.Match(Request{Method: "GET", Path: "/x/1/"}); m.Decision.Phase != PhaseShadow {
		t.Errorf("of shadow and retired, %s holds", m.Decision.Phase)
	}
	if len(both.Orphans) != 1 || both.Orphans[0].Template != "/none" {
		t.Errorf("orphans %v", both.Orphans)
	}
	// What the modern application may have is tried.
	modern.Complete, modern.IncompleteBecause = false, []string{"x"}
	open := compiled(t, Config{Modern: modern, Legacy: legacy, Decisions: []Decision{{App: Legacy, Template: "/l", Phase: PhaseModern}}})
	if m := open.Match(Request{Method: "GET", Path: "/l"}); Decide(m, m.Decision) != (Answer{By: Modern, Trial: true, Fallback: true}) {
		t.Errorf("modern, of an incomplete document: %+v", Decide(m, m.Decision))
	}
}

func TestPhases(t *testing.T) {
	for _, from := range Phases {
		if from.Doc == "" || !from.Name.known() {
			t.Errorf("%s has no edges or no sentence", from.Name)
		}
		for _, to := range Phases {
			if Can(from.Name, to.Name) != (from.Name != to.Name) {
				t.Errorf("%s → %s: %v", from.Name, to.Name, Can(from.Name, to.Name))
			}
		}
	}
	if len(Edges) != len(Phases) {
		t.Errorf("%d phases have edges, %d are listed", len(Edges), len(Phases))
	}
}

// TestMistakes: all at once, each with its route, and no table.
func TestMistakes(t *testing.T) {
	d := docOf(t, Segments, `{"template":"/ok","methods":["GET"],"segments":[{"text":""},{"text":"ok"}]}`,
		`{"template":"/re","name":"bad-re","methods":["get"],"segments":[{"text":""},{"re":"(?=x)"}]}`,
		`{"template":"/slash","name":"slash","methods":null,"segments":[{"text":"a/b"}],"stages":[{"re":"x"}]}`,
		`{"template":"/limit","name":"limit","methods":null,"segments":[{"re":"(?P<n>[0-9]+)"}],"limits":[{"param":"m","kind":"int"},{"param":"n","kind":"hex"}]}`,
		`{"template":"","endpoint":"views.none","methods":null,"segments":[{"re":"a","final":true},{"text":"x"}]}`)
	d.Complete = false
	_, err := Compile(Config{Legacy: d, Decisions: []Decision{{App: Legacy, Template: "/ok", Phase: "halfway"}}})
	if err == nil {
		t.Fatal("it compiles")
	}
	for _, want := range []string{"legacy application", "does not say why", `route 2, "/re" (bad-re): method "get"`, `route 2, "/re" (bad-re): segment 2:`,
		`route 3, "/slash" (slash): segment 1 is a text`, "and no stages", `limit of "m"`, `limit of "n"`, `route 5, "" (views.none): it has no template`,
		"segment 1 is final", `phase "halfway"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not said: %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
	for text, want := range map[string]string{
		`{"format":"replank-history","version":1}`:           "write it again",
		`{"format":"replank-routes","version":1,"colour":1}`: "colour",
		`{} {}`: "more behind its end",
		`[`:     "reading the route document",
		`{"format":"replank-routes","version":1,"matching":"x","routes":[null]}`: "route 1 is null",
	} {
		if _, err := Read([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestInvalidUTF8(t *testing.T) {
	// The right column is what Python 3 makes of the left one: bytes.decode(errors="replace").
	for bytes, want := range map[string]string{
		"a\xffb": "a\ufffdb", "\xe2\x82": "\ufffd", "\xe2\x82x": "\ufffdx", "\xed\xa0\x80": "\ufffd\ufffd\ufffd", "\xf0\x9f\x98": "\ufffd",
		"\xf0\x9f\x98/": "\ufffd/", "\xf4\x90\x80\x80": "\ufffd\ufffd\ufffd\ufffd", "\xc0\xaf": "\ufffd\ufffd", "\xe0\x80": "\ufffd\ufffd",
		"\xe0\xa0": "\ufffd", "\xf0\x80": "\ufffd\ufffd", "\xf0\x90": "\ufffd", "\xf4\x8f\xbf": "\ufffd", "\xed\x9f": "\ufffd", "\xc3": "\ufffd",
	} {
		if got := asWerkzeug(bytes); got != want {
			t.Errorf("%q: %q, want %q", bytes, got, want)
		}
	}
	if got := asDjango("/ä\xe2\x82\xff\x80"); got != "/ä%E2%82%FF%80" {
		t.Errorf("%q", got)
	}
}

func TestOpenAPI(t *testing.T) {
	d, err := ReadOpenAPI([]byte(`
openapi: 3.1.0
info: {title: Pets, version: "1"}
servers: [{url: "https://example.com/v{n}/", variables: {n: {default: "2"}}}]
paths:
  /pets/{id}: {get: {operationId: pet, responses: {"200": {description: ok}}}}
  /pets/{name}/toys: {get: {responses: {"200": {description: ok}}}}
  /pets/mine: {post: {responses: {"200": {description: ok}}}}
  /pets/{id}.json: {get: {responses: {"200": {description: ok}}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if d.Complete {
		t.Error("it is complete")
	}
	table := compiled(t, Config{Legacy: d})
	for request, want := range map[string]string{
		"GET /v2/pets/1": "found /v2/pets/{id}", "HEAD /v2/pets/1": "found /v2/pets/{id}", "DELETE /v2/pets/1": "method /v2/pets/{id}",
		"GET /v2/pets/mine": "method /v2/pets/mine", "POST /v2/pets/mine": "found /v2/pets/mine", "GET /v2/pets/1.json": "found /v2/pets/{id}.json",
		"GET /v2/pets/1/toys": "found /v2/pets/{name}/toys", "GET /v2/pets/1/": "missing", "GET /pets/1": "missing", "OPTIONS /v2/pets/mine": "found /v2/pets/mine",
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := show(table.Match(Request{Method: method, Path: path}).Legacy); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
	for text, want := range map[string]string{`{"swagger":"2.0"}`: "is not 3", `{`: "reading the OpenAPI description", `{"openapi":"3.0.0","info":{"title":"x","version":"1"},"paths":{"/a}":{},"/{b":{}}}`: "brace"} {
		if _, err := ReadOpenAPI([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// large is a document of n routes as big applications have them: resources with their views below includes.
func large(t testing.TB, matching string, n int) *Document {
	var routes []string
	views := []string{"", "new/", "([0-9]+)/", "([0-9]+)/edit/", "([0-9]+)/delete/", "([0-9]+)/history/([0-9]+)/", "([-a-zA-Z0-9_]+)/", "search/", "export\\.csv", "([0-9]+)/files/([^\\n]+)"}
	for i := range n {
		resource, view := fmt.Sprintf("app%d/resource%d/", i/100, i/10), views[i%10]
		if matching == Ordered {
			routes = append(routes, stages("/"+resource+view, "/", resource, view))
			continue
		}
		r := Route{Template: "/" + resource + view, Methods: []string{"GET", "HEAD"}, StrictSlashes: true, MergeSlashes: true}
		for segment := range strings.SplitSeq("/"+resource+view, "/") {
			if strings.HasPrefix(segment, "(") {
				r.Segments = append(r.Segments, Segment{RE: segment, Final: strings.Contains(segment, "n]")})
			} else {
				r.Segments = append(r.Segments, Segment{Text: &segment})
			}
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, string(text))
	}
	return docOf(t, matching, routes...)
}

func TestLargeTable(t *testing.T) {
	table := compiled(t, Config{Modern: large(t, Ordered, 20000), Legacy: large(t, Segments, 20000)})
	m := table.Match(Request{Method: "GET", Path: "/app150/resource1503/77/history/5/"})
	if m.Modern.Kind != Found || m.Legacy.Kind != Found || m.Modern.Route.Template != m.Legacy.Route.Template {
		t.Errorf("%s, %s", show(m.Modern), show(m.Legacy))
	}
	for _, path := range []string{"/app150/resource1503/77/history/5/", "/app0/resource0/", "/none/", "/app199/resource1999/slug-1/"} {
		if n := testing.AllocsPerRun(100, func() { table.Match(Request{Method: "GET", Path: path}) }); n > 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	ordered, segments := large(b, Ordered, 20000), large(b, Segments, 20000)
	for _, c := range []struct {
		name   string
		config Config
	}{
		{"django", Config{Modern: ordered}}, {"flask", Config{Legacy: segments}}, {"both", Config{Modern: ordered, Legacy: segments}},
		{"decided", Config{Modern: ordered, Legacy: segments, Decisions: []Decision{{App: Legacy, Template: segments.Routes[15035].Template, Phase: PhaseShadow}}}},
	} {
		table := compiled(b, c.config)
		for _, path := range []string{"/app150/resource1503/77/history/5/", "/app199/resource1999/slug/", "/none/of/them"} {
			b.Run(c.name+path, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					table.Match(Request{Method: "GET", Path: path})
				}
			})
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	ordered, segments := large(b, Ordered, 20000), large(b, Segments, 20000)
	for b.Loop() {
		compiled(b, Config{Modern: ordered, Legacy: segments})
	}
}

// FuzzRead: a document is refused or, perhaps without some of its routes, compiled, and whatever it matches, it answers.
func FuzzRead(f *testing.F) {
	for _, d := range []*Document{large(f, Ordered, 20), large(f, Segments, 20)} {
		text, err := json.Marshal(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "/app0/resource0/7/")
	}
	f.Fuzz(func(t *testing.T, text []byte, path string) {
		if !ours(text) { // the reader of OpenAPI is not
			return
		}
		d, _, err := ReadUsable(text)
		if err != nil {
			return
		}
		table, err := Compile(Config{Modern: d, Legacy: d})
		if err != nil {
			t.Fatalf("what was read cannot be used: %v", err)
		}
		m := table.Match(Request{Method: "GET", Path: path})
		if m.Modern.Kind == Found && m.Modern.Route == nil || m.Modern.Kind != Missing && m.Verdict == VerdictLegacy {
			t.Errorf("%q: %+v", path, m)
		}
		if !slices.Contains([]App{Modern, Legacy}, Decide(m, m.Decision).By) {
			t.Errorf("nobody answers %q", path)
		}
	})
}

// FuzzMatch: paths for a table with every kind of pattern.
func FuzzMatch(f *testing.F) {
	ordered := docOf(f, Ordered, stages("a", "/a/", "([0-9]+)/x/"), stages("b", "/([^\\n]+)/z/"), stages("c", "/(a|ab)(c|bcd)(d*)"),
		`{"template":"s","methods":null,"stages":[{"re":"/s/"},{"re":"find","search":true},{"re":"\\w+\\b","end":true,"ascii":true}]}`)
	segments := docOf(f, Segments, `{"template":"e","methods":["GET"],"segments":[{"text":""},{"re":"(?P<p>[^/][^\\n]*?)/e","final":true,"suffixed":true},{"text":""}],"strict_slashes":true,"merge_slashes":true}`,
		`{"template":"n","methods":["GET"],"segments":[{"text":""},{"text":"n"},{"re":"(?P<n>-?\\p{Nd}+)"}],"limits":[{"param":"n","kind":"int","min":3}]}`,
		`{"template":"f","methods":null,"segments":[{"text":""},{"text":"n"},{"re":"(?P<f>\\p{Nd}+\\.\\p{Nd}+)"},{"text":""}],"limits":[{"param":"f","kind":"float","max":3.5}]}`)
	table := compiled(f, Config{Modern: ordered, Legacy: segments})
	for _, path := range []string{"/a/1/x/", "//a//e//", "/n/٣", "/n/-7/", "/s/findKK", "/abcd", "/n/9.5", "\xe2\x82", ""} {
		f.Add("GET", path, false)
	}
	f.Fuzz(func(t *testing.T, method, path string, websocket bool) {
		r := Request{Method: method, Path: path, WebSocket: websocket}
		m := table.Match(r)
		if again := table.Match(r); again.Modern != m.Modern || again.Legacy != m.Legacy {
			t.Errorf("%q: %+v, then %+v", path, m, again)
		}
		for _, o := range []Outcome{m.Modern, m.Legacy} {
			if (o.Kind == Missing) != (o.Route == nil) && o.Kind != Opaque || (o.Kind == Opaque) != (o.Why != "") {
				t.Errorf("%q: %+v", path, o)
			}
		}
	})
}
