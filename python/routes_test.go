package python_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/replank/replank/burndown"
	"github.com/replank/replank/internal/route"
)

// framework is one of those whose routes are exported, with the application of testdata/routes.
type framework struct {
	name string
	args []string // of the export
	// opaque is the largest share of the paths for which the document may not say who answers.
	opaque float64
}

var frameworks = []framework{
	{"django", []string{"-m", "replank.django", "routes", "--settings", "site_settings"}, 0.20},
	{"flask", []string{"-m", "replank.flask", "routes", "shop_app:app"}, 0.05},
}

// exported runs the companion's export and reads the document with the gateway's reader.
func (f framework) exported(t *testing.T, python string) (*route.Document, []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "routes.json")
	project := filepath.Join("testdata", "routes")
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	mustIn(t, project, []string{"PYTHONPATH=" + root}, python, append(append([]string{"-B"}, f.args...), "-o", file)...)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := route.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return d, text
}

func TestRoutesFollowTheSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "docs", "routes.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range environments(t) {
		for _, f := range frameworks {
			d, text := f.exported(t, e.Python(t))
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value); err != nil {
				t.Errorf("%s: %v", f.name, err)
			}
			if again, _ := f.exported(t, e.Python(t)); again.Build != d.Build || !strings.HasPrefix(d.Build, "sha256:") {
				t.Errorf("%s: the build is %s, and %s the next time", f.name, d.Build, again.Build)
			}
		}
	}
}

// TestRoutesSayWhatIsKnown looks at what is not compared with the frameworks below: methods, places and reasons.
func TestRoutesSayWhatIsKnown(t *testing.T) {
	python := lts.Python(t)
	django, _ := frameworks[0].exported(t, python)
	flask, _ := frameworks[1].exported(t, python)
	for _, c := range []struct {
		in                       *route.Document
		name, template, endpoint string
		methods, source, opaque  string
	}{
		{django, "billing:one", "/invoices/{id}/", "site_urls.Answer", "[GET HEAD OPTIONS PUT]", "site_urls.py:", ""},
		{django, "billing:new", "/invoices/new/", "site_urls.answer", "[GET POST]", "site_urls.py:", ""},
		{django, "billing:slug", "/invoices/{slug}/", "site_urls.answer", "[]", "site_urls.py:", ""},
		{django, "billing:month", "/invoices/{year}/{month}/", "site_urls.answer", "[]", "site_urls.py:", "the converter EvenConverter may refuse a value"},
		{django, "billing:uuid", "/invoices/{key}", "site_urls.Narrow", "[GET OPTIONS]", "site_urls.py:", ""},
		{django, "own", "/own/", "site_urls.Own", "[]", "site_urls.py:", ""},
		{django, "note-seal", "/api/notes/{pk}/seal/", "site_urls.Notes", "[DELETE OPTIONS POST]", "site_urls.py:", ""},
		{django, "counted", "/api/counted", "site_urls.counted", "[GET OPTIONS POST]", "", ""},
		{django, "about", "/{language}/about/", "site_urls.answer", "[]", "site_urls.py:", "the active language decides (i18n_patterns)"},
		{django, "old:look", "/old/look(?=ahead)", "site_urls.answer", "[]", "site_urls.py:", "'^look(?=ahead)' has look-ahead or look-behind"},
		{flask, "invoice", "/invoices/{id}", "shop_app.answer", "[GET HEAD OPTIONS]", "shop_app.py:", ""},
		{flask, "notes.one", "/notes/{id}/", "shop_app.Notes", "[DELETE GET HEAD OPTIONS]", "shop_app.py:", ""},
		{flask, "notes.nested.list", "/notes/{id}/nested/", "shop_app.answer", "[GET HEAD OPTIONS POST]", "shop_app.py:", ""},
		{flask, "even", "/even/{n}", "shop_app.answer", "[GET HEAD OPTIONS]", "shop_app.py:", "the converter Even may refuse a value"},
		{flask, "hex", "/hex/{h}", "shop_app.answer", "[GET HEAD OPTIONS]", "shop_app.py:", "the converter Hex may refuse a value"},
	} {
		i := slices.IndexFunc(c.in.Routes, func(r *route.Route) bool { return r.Name == c.name && r.Template == c.template })
		if i < 0 {
			t.Errorf("no route %s %s", c.name, c.template)
			continue
		}
		r := c.in.Routes[i]
		if r.Endpoint != c.endpoint || fmt.Sprint(r.Methods) != c.methods || !strings.HasPrefix(r.Source, c.source) || r.Opaque != c.opaque {
			t.Errorf("%s: %s %v %s %q, want %+v", c.name, r.Endpoint, r.Methods, r.Source, r.Opaque, c)
		}
	}
	if want := []string{"LocaleMiddleware redirects to the path with a language"}; !slices.Equal(django.IncompleteBecause, want) || django.Complete {
		t.Errorf("Django's document is incomplete because %q", django.IncompleteBecause)
	}
	if !flask.Complete {
		t.Errorf("Flask's document is incomplete because %q", flask.IncompleteBecause)
	}
	for _, r := range flask.Routes {
		if r.Name == "built" || r.Name == "elsewhere" {
			t.Errorf("%s can never be asked for, and is a route", r.Name)
		}
	}
}

// TestExamplesOfRealRoutes: for what the frameworks export, the burndown finds paths that each route gets, but for those
// that never get one because a route before them has it.
func TestExamplesOfRealRoutes(t *testing.T) {
	python := lts.Python(t)
	hidden := [][]string{{"/copies/files/{file}/edit/", "/copies/quiet/", "/invoices/files/{file}/edit/", "/invoices/quiet/", "/lazy[/v{version}]/look(?=ahead)", "/old/look(?=ahead)"}, nil}
	for i, none := range hidden {
		d, _ := frameworks[i].exported(t, python)
		r, err := burndown.New(burndown.Config{Legacy: d, Modern: d, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, row := range r.List {
			if strings.HasPrefix(row.Why, "other routes") {
				got = append(got, row.Template)
			}
			if row.Status == burndown.Left {
				t.Errorf("%s: with the same routes on both sides, %s is left: %s", frameworks[i].name, row.Template, row.Why)
			}
		}
		if !slices.Equal(got, none) {
			t.Errorf("%s: no examples of %q, want %q", frameworks[i].name, got, none)
		}
	}
}

// said is what a framework did with a request.
type said struct {
	Kind, Name, Error string
	Status            int
}

// asking starts a framework, which then answers request by request.
func asking(t *testing.T, python, framework string) func(method, path string, websocket bool) said {
	t.Helper()
	cmd := exec.Command(python, "-B", "ask.py", framework) // it ends with its standard input
	cmd.Dir = filepath.Join("testdata", "routes")
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", framework, err, trouble.String())
		}
	})
	answers := bufio.NewReader(out)
	return func(method, path string, websocket bool) said {
		t.Helper()
		latin := make([]rune, len(path)) // WSGI: bytes as Latin-1
		for i := range len(path) {
			latin[i] = rune(path[i])
		}
		line, err := json.Marshal([]any{method, string(latin), websocket})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(append(line, '\n')); err != nil {
			t.Fatalf("%s is gone: %v\n%s", framework, err, trouble.String())
		}
		answer, err := answers.ReadBytes('\n')
		var s said
		if err == nil {
			err = json.Unmarshal(answer, &s)
		}
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", method, path, err, trouble.String())
		}
		return s
	}
}

// TestMatcherAnswersAsTheFrameworks asks the gateway's matcher and the real framework about the same generated paths.
// REPLANK_TEST_PATHS=1000000 asks about so many, REPLANK_TEST_SEED=… about those of an earlier run.
func TestMatcherAnswersAsTheFrameworks(t *testing.T) {
	n := 6000
	if text := os.Getenv("REPLANK_TEST_PATHS"); text != "" {
		if _, err := fmt.Sscan(text, &n); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range environments(t) {
		for _, f := range frameworks {
			t.Run(e.Name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				python := e.Python(t)
				d, _ := f.exported(t, python)
				table, err := route.Compile(route.Config{Modern: d})
				if err != nil {
					t.Fatal(err)
				}
				ask := asking(t, python, f.name)
				seed := rand.Uint64()
				if text := os.Getenv("REPLANK_TEST_SEED"); text != "" {
					if _, err := fmt.Sscan(text, &seed); err != nil {
						t.Fatal(err)
					}
				}
				g := paths{rand.New(rand.NewPCG(seed, 0)), d}
				kinds, wrong := map[route.Kind]int{}, 0
				for range n {
					method, raw, websocket := g.next()
					path, err := url.PathUnescape(raw)
					if err != nil {
						t.Fatalf("generated %q: %v", raw, err)
					}
					got := table.Match(route.Request{Method: method, Path: path, WebSocket: websocket}).Modern
					kinds[got.Kind]++
					if got.Kind == route.Opaque {
						continue
					}
					want := ask(method, path, websocket)
					if !agree(got, want) {
						t.Errorf("%s %q (%q, WebSocket %v): the matcher says %v %s, %s says %+v (REPLANK_TEST_SEED=%d)",
							method, raw, path, websocket, got.Kind, label(got), f.name, want, seed)
						if wrong++; wrong == 20 {
							t.FailNow()
						}
					}
				}
				t.Logf("%d paths: %v", n, kinds)
				if share := float64(kinds[route.Opaque]) / float64(n); share > f.opaque {
					t.Errorf("%.1f%% of the paths are opaque, more than %.0f%%", 100*share, 100*f.opaque)
				}
				for _, k := range []route.Kind{route.Missing, route.Found, route.Slash, route.Method} {
					if kinds[k] < n/400 {
						t.Errorf("%d of %d paths are %v: too few for a test", kinds[k], n, k)
					}
				}
			})
		}
	}
}

func label(o route.Outcome) string {
	if o.Route == nil {
		return ""
	}
	return o.Route.Label()
}

// agree says whether the matcher and the framework agree.
func agree(got route.Outcome, want said) bool {
	kind := got.Kind.String()
	if want.Kind == "redirect" {
		// LocaleMiddleware's, of a path that has no route: the document says that it is not complete.
		return got.Kind == route.Missing
	}
	switch {
	case got.Kind == route.Found && got.Route.Methods == nil && want.Kind == "method":
		kind = "method" // only the view knew
	case got.Kind == route.Method && want.Kind == "found" && want.Status == 404:
		kind = "found" // Django REST Framework looks at the format before the method
	case kind != want.Kind, want.Kind == "missing" && want.Status != 0, want.Error != "":
		return false
	}
	return kind == want.Kind && (want.Name == "" || got.Route.Name == want.Name)
}

// paths makes requests: paths that routes match, and paths that are close to them.
type paths struct {
	*rand.Rand
	of *route.Document
}

func (g paths) next() (method, raw string, websocket bool) {
	r := g.of.Routes[g.IntN(len(g.of.Routes))]
	var b strings.Builder
	for i, s := range r.Segments {
		if i > 0 {
			b.WriteByte('/')
		}
		if s.Text != nil {
			b.WriteString(*s.Text)
		} else {
			b.WriteString(g.matching(s.RE))
		}
	}
	for _, s := range r.Stages {
		b.WriteString(g.matching(s.RE))
	}
	path := []byte(b.String())
	for range max(0, g.IntN(6)-2) {
		path = g.mutated(path)
	}
	method = []string{"GET", "GET", "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "get", "PROPFIND"}[g.IntN(11)]
	return method, g.encoded(path), g.IntN(20) == 0
}

var odd = []string{"/", "//", "/./", "/../", ".", "..", ";", ";x=1", "\n", "\r\n", "\x00", " ", "%", "%2F", "\xff", "\xe2\x82", "\xed\xa0\x80",
	"\xf0\x9f\x98", "\xf4\x90\x80\x80", "ä", "ß", "\u212a", "ſ", "٣", "३", "²", "Ⅷ", "_", "-", "0", "00", "7", "4300", "é", "İ", "\u2028",
	"\u00a0", "\ufffd", "😀", "a", "Z", "?", "#", "+", "+1", "1_0", "-1", "1.5", "01.50", "1e3", "\u0660.\u0661", "needle", "/edit", "/edit/", "/history",
	"/list/", "de/", "/en/", "pt-br/", ".json", "x!", "\x1c", "\x85"}

func (g paths) mutated(path []byte) []byte {
	if len(path) == 0 {
		return []byte("/")
	}
	at := g.IntN(len(path))
	switch g.IntN(9) {
	case 0: // without a slash at the end, or with one more
		if path[len(path)-1] == '/' {
			return path[:len(path)-1]
		}
		return append(path, '/')
	case 1:
		return append(path, odd[g.IntN(len(odd))]...)
	case 2, 3:
		return slices.Insert(path, at, []byte(odd[g.IntN(len(odd))])...)
	case 4:
		return slices.Delete(path, at, min(len(path), at+1+g.IntN(3)))
	case 5:
		if c := path[at] | 0x20; c >= 'a' && c <= 'z' {
			path[at] ^= 0x20
		}
		return path
	case 6: // a slash doubled
		if i := bytes.IndexByte(path[at:], '/'); i >= 0 {
			return slices.Insert(path, at+i, '/')
		}
		return path
	case 7: // the rest of another route
		other := g.of.Routes[g.IntN(len(g.of.Routes))]
		return append(path[:at:at], variable.ReplaceAllString(other.Template, "7")...)
	default:
		return append(path, '\n')
	}
}

var variable = regexp.MustCompile(`\{[^}]*\}`)

// encoded writes the path as a client may: what must be is encoded, and other bytes sometimes.
func (g paths) encoded(path []byte) string {
	if len(path) == 0 || path[0] != '/' {
		path = append([]byte("/"), path...)
	}
	always := g.IntN(4) == 0
	var b strings.Builder
	for _, c := range path {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("%?#\"<>\\^`{|}", c) >= 0 || always && g.IntN(5) == 0 {
			fmt.Fprintf(&b, []string{"%%%02X", "%%%02x"}[g.IntN(2)], c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// matching makes a text that a regular expression matches.
func (g paths) matching(re string) string {
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil {
		return "x"
	}
	var b strings.Builder
	g.write(&b, tree)
	return b.String()
}

func (g paths) write(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteRune(g.rune(re))
	case syntax.OpCapture:
		g.write(b, re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			g.write(b, sub)
		}
	case syntax.OpAlternate:
		g.write(b, re.Sub[g.IntN(len(re.Sub))])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		low, high := map[syntax.Op]int{syntax.OpPlus: 1, syntax.OpRepeat: re.Min}[re.Op], 1
		if re.Op != syntax.OpQuest {
			high = low + 4
		}
		if re.Op == syntax.OpRepeat && re.Max >= 0 {
			high = re.Max
		}
		for range low + g.IntN(high-low+1) {
			g.write(b, re.Sub[0])
		}
	}
}

// rune takes one of a class, most often one in ASCII.
func (g paths) rune(re *syntax.Regexp) rune {
	if re.Op != syntax.OpCharClass {
		return rune("ab/.-7 é"[g.IntN(8)])
	}
	for range 20 {
		i := 2 * g.IntN(len(re.Rune)/2)
		if g.IntN(8) > 0 && re.Rune[i] >= utf8.RuneSelf {
			i = 0
		}
		low, high := re.Rune[i], re.Rune[i+1]
		if high >= 'z' && low < 'a' && g.IntN(4) > 0 {
			low, high = 'a', 'z'
		}
		if r := low + rune(g.IntN(int(high-low)+1)); utf8.ValidRune(r) && assigned(r) {
			return r
		}
	}
	return 'x'
}

// assigned leaves out characters of Unicode versions that Go and Python may not both have.
func assigned(r rune) bool {
	return r < 0x1000 || r >= 0x4e00 && r < 0x9000 || r >= 0x1f600 && r < 0x1f640
}

// TestTranslation compares what the gateway makes of generated regular expressions with Python's re: whether they match,
// and where they end, which is where the next stage begins.
func TestTranslation(t *testing.T) {
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	seed := fmt.Sprint(rand.Uint32())
	out := mustIn(t, filepath.Join("testdata", "routes"), []string{"PYTHONPATH=" + root}, lts.Python(t), "-B", "-W", "ignore", "translate.py", seed, "500")
	type line struct {
		Python, Untranslatable string
		Fullmatch              bool
		Stage                  route.Stage
		Texts                  []string
		Ends                   []int
	}
	matched, opaque, untranslatable, wrong := 0, 0, 0, 0
	for text := range strings.Lines(out) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if l.Untranslatable != "" {
			untranslatable++
			continue
		}
		// What is left behind the stage must be the text of the second route from the end that Python says.
		for i, subject := range l.Texts {
			end := max(l.Ends[i], 0)
			rest := route.Stage{RE: regexp.QuoteMeta(subject[end:]), End: true}
			d := &route.Document{Format: "replank-routes", Version: 1, Build: "1", Matching: route.Ordered, Complete: true, Routes: []*route.Route{
				{Template: "rest", Stages: []route.Stage{l.Stage, rest}}, {Template: "any", Stages: []route.Stage{l.Stage}}}}
			table, err := route.Compile(route.Config{Modern: d})
			if err != nil {
				t.Fatalf("%q became %q: %v", l.Python, l.Stage.RE, err)
			}
			got := table.Match(route.Request{Method: "GET", Path: subject}).Modern
			switch {
			case got.Kind == route.Opaque:
				opaque++
			case l.Ends[i] < 0 && got.Kind == route.Missing:
			case l.Ends[i] >= 0 && got.Kind == route.Found && got.Route.Template == "rest":
				matched++
			default:
				t.Errorf("%q (fullmatch %v) became %+v: for %q Python ends at %d, the gateway says %v %s (seed %s)",
					l.Python, l.Fullmatch, l.Stage, subject, l.Ends[i], got.Kind, label(got), seed)
				if wrong++; wrong > 20 {
					t.FailNow()
				}
			}
		}
	}
	t.Logf("%d texts matched, %d were opaque; %d regular expressions were not translated", matched, opaque, untranslatable)
	if matched < 300 || untranslatable > 125 {
		t.Errorf("%d texts matched, %d regular expressions were not translated: too few for a test", matched, untranslatable)
	}
}
