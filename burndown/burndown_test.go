package burndown

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/replank/replank/internal/route"
)

var today = time.Date(2026, 3, 18, 15, 4, 5, 0, time.UTC) // a Wednesday

func ago(days int) time.Time { return today.AddDate(0, 0, -days) }

// flask and django make documents of lines "GET,POST /path/{id}/{name} file.py": ids are digits, other names are words.
// Methods * are any; a route that begins with ! is opaque.
func flask(lines ...string) *route.Document  { return document(route.Segments, lines) }
func django(lines ...string) *route.Document { return document(route.Ordered, lines) }

var param = regexp.MustCompile(`\\\{(\w+)\\\}`)

func document(matching string, lines []string) *route.Document {
	d := &route.Document{Format: "replank-routes", Version: 1, Framework: "test", Build: "1", Matching: matching, Complete: true, AppendSlash: true}
	for _, line := range lines {
		f := append(strings.Fields(line), "")
		r := &route.Route{Template: f[1], Source: f[2], StrictSlashes: true}
		if f[0], _ = strings.CutPrefix(f[0], "!"); strings.HasPrefix(line, "!") {
			r.Opaque = "a converter of its own"
		}
		if f[0] != "*" {
			r.Methods = strings.Split(f[0], ",")
		}
		re := param.ReplaceAllStringFunc(regexp.QuoteMeta(r.Template), func(p string) string {
			if p == `\{id\}` {
				return "[0-9]+"
			}
			return "[a-z]+"
		})
		if matching == route.Ordered {
			r.Stages = []route.Stage{{RE: re, End: true}}
		} else {
			for part := range strings.SplitSeq(re, "/") {
				text := strings.ReplaceAll(part, `\`, "")
				if strings.Contains(part, "[") {
					r.Segments = append(r.Segments, route.Segment{RE: part})
				} else {
					r.Segments = append(r.Segments, route.Segment{Text: &text})
				}
			}
		}
		d.Routes = append(d.Routes, r)
	}
	return d
}

func made(t testing.TB, c Config) *Report {
	t.Helper()
	if c.Now.IsZero() {
		c.Now = today
	}
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func row(t testing.TB, r *Report, template string) Route {
	t.Helper()
	i := slices.IndexFunc(r.List, func(x Route) bool { return x.Template == template })
	if i < 0 {
		t.Fatalf("the report has no route %s", template)
	}
	return r.List[i]
}

// TestStatus: what counts as ported is what the gateway would give the modern application.
func TestStatus(t *testing.T) {
	decide := func(app route.App, template string, p route.Phase) []Decision {
		return []Decision{{App: app, Template: template, Phase: p}}
	}
	for _, test := range []struct {
		name           string
		legacy, modern *route.Document
		decisions      []Decision
		counts         []Count
		template       string
		want           Status
		why            string
	}{
		{"the modern application has it, by other names", flask("GET /o/{id}/"), django("GET /o/{id}/"), nil, nil, "/o/{id}/", Ported, ""},
		{"HEAD and OPTIONS do not decide", flask("GET,HEAD,OPTIONS /o"), django("GET /o"), nil, nil, "/o", Ported, ""},
		{"it has not", flask("GET /o/{id}"), django("GET /p"), nil, nil, "/o/{id}", Left, ""},
		{"only with a slash: the legacy application is asked", flask("GET /o/{id}"), django("GET /o/{id}/"), nil, nil, "/o/{id}", Left, ""},
		{"a method is left", flask("GET,POST,DELETE /o"), django("GET /o"), nil, nil, "/o", Left, "legacy still answers POST, DELETE"},
		{"paths are left", flask("GET /o/{name}", "GET /p"), django("GET /o/{name}x", "GET /p"), nil, nil, "/o/{name}", Left, ""},
		{"some paths are left", django("GET /o/{id}"), &route.Document{Format: "replank-routes", Version: 1, Build: "1", Matching: route.Ordered, Complete: true,
			Routes: []*route.Route{{Template: "/o/{year}", Stages: []route.Stage{{RE: "/o/[0-9]{4}", End: true}}}}}, nil, nil, "/o/{id}", Left, "legacy still answers some of its paths, GET /o/7 for one"},
		{"any method", django("* /o"), django("GET,POST /o"), nil, nil, "/o", Ported, ""},
		{"any method, and it is called with one more", django("* /o"), django("GET,POST /o"), nil, []Count{{today, "DELETE", "/o", route.Legacy, 1, 0}}, "/o", Left, "legacy still answers DELETE"},
		{"an earlier route of the legacy application has some of the paths", django("GET /o/a", "GET /o/{name}"), django("GET /o/{name}"), nil, nil, "/o/{name}", Ported, ""},
		{"an earlier route has all of them", django("GET /{name}", "GET /o"), django("GET /o"), nil, nil, "/o", Unknown, "other routes of the legacy application have all of its example paths"},
		{"behind one that is opaque", django("!GET /{rest}", "GET /o"), django("GET /o"), nil, nil, "/o", Ported, ""},
		{"opaque in the modern application", flask("GET /o/{id}"), django("!GET /o/{id}"), nil, nil, "/o/{id}", Unknown, "a converter of its own"},
		{"opaque in the legacy application", flask("!GET /o/{id}"), django("GET /p"), nil, nil, "/o/{id}", Left, ""},
		{"no modern document", flask("GET /o"), nil, nil, nil, "/o", Unknown, "there is no route document of the modern application"},
		{"decided legacy", flask("GET /o"), django("GET /o"), decide(route.Legacy, "/o", route.PhaseLegacy), nil, "/o", Left, "the modern application has it, and the decision is legacy"},
		{"a catch-all, decided legacy", flask("GET /o"), django("GET /{rest}"), decide(route.Modern, "/{rest}", route.PhaseLegacy), nil, "/o", Left, "the modern application has it, and the decision is legacy"},
		{"shadow", flask("GET /o"), django("GET /o"), decide(route.Legacy, "/o", route.PhaseShadow), nil, "/o", Left, "the modern application has it, and the decision is shadow"},
		{"canary", flask("GET /o"), django("GET /o"), decide(route.Legacy, "/o", route.PhaseCanary), nil, "/o", Left, "the modern application has it, and the decision is canary"},
		{"decided modern", flask("GET /o"), django("GET /o"), decide(route.Legacy, "/o", route.PhaseModern), nil, "/o", Ported, ""},
		{"decided modern too early", flask("GET /o"), django("GET /p"), decide(route.Legacy, "/o", route.PhaseModern), nil, "/o", Left, "decided modern, and the modern application has no such route"},
		{"retired", flask("GET /o"), django("GET /p"), decide(route.Legacy, "/o", route.PhaseRetired), nil, "/o", Retired, ""},
		{"waived", flask("GET /o"), django("GET /p"), []Decision{{App: route.Legacy, Template: "/o", WaivedBecause: "dies in May", WaivedUntil: today}}, nil, "/o", Waived, "dies in May"},
		{"the waiver has ended", flask("GET /o"), django("GET /p"), []Decision{{App: route.Legacy, Template: "/o", WaivedBecause: "dies in May", WaivedUntil: ago(1)}}, nil, "/o", Left, "its waiver ended on 2026-03-17: dies in May"},
		{"waived and ported", flask("GET /o"), django("GET /o"), []Decision{{App: route.Legacy, Template: "/o", WaivedBecause: "no"}}, nil, "/o", Ported, ""},
		{"gone, as its traffic says", flask("GET /p"), django("GET /o"), nil, []Count{{ago(9), "GET", "/o", route.Legacy, 5, 0}, {ago(3), "GET", "/o", route.Modern, 5, 0}}, "/o", Retired, "the legacy application does not have it any more"},
		{"gone, as was decided", flask("GET /p"), django("GET /o"), decide(route.Legacy, "/old", route.PhaseRetired), nil, "/old", Retired, "the legacy application does not have it any more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := made(t, Config{Legacy: test.legacy, Modern: test.modern, Decisions: test.decisions, Counts: test.counts, CountedSince: ago(60)})
			got := row(t, r, test.template)
			if got.Status != test.want || got.Why != test.why {
				t.Errorf("%s, %q; want %s, %q", got.Status, got.Why, test.want, test.why)
			}
			sum := 0
			for _, s := range Statuses {
				sum += r.Routes.Of(s.Name)
			}
			if sum != r.Routes.All || r.Routes.All != len(r.List) {
				t.Errorf("the statuses add up to %d of %d, and %d are listed", sum, r.Routes.All, len(r.List))
			}
		})
	}
}

// TestNotGone: a new route that the legacy application has answered 404 for was never the legacy application's.
func TestNotGone(t *testing.T) {
	r := made(t, Config{Legacy: flask("GET /p"), Modern: django("GET /new"), CountedSince: ago(60), Counts: []Count{
		{ago(9), "GET", "/new", route.Modern, 5, 0}, {ago(9), "PUT", "/new", route.Legacy, 1, 0}, {ago(3), "GET", "", route.Legacy, 7, 0}}})
	if r.Routes.All != 1 || r.New != 1 {
		t.Errorf("%d routes, %d new; want 1 and 1", r.Routes.All, r.New)
	}
}

// sample is a report with something of everything.
func sample() Config {
	c := Config{
		Now:          today,
		CountedSince: ago(40),
		HopsSince:    ago(40),
		Legacy: flask("GET,POST /orders/ legacy/orders.py:10", "GET /orders/{id}/ legacy/orders.py:40", "GET /users/{name}/ legacy/users.py:5",
			"POST /users/{name}/avatar/ legacy/users.py:30", "GET /reports/ legacy/reports.py:1", "GET /reports/{id}/pdf/ legacy/reports.py:60",
			"GET /admin/ legacy/admin.py:1", "GET /feed/ legacy/feed.py:1"),
		Modern: django("GET,POST /orders/", "GET /orders/{id}/", "!GET /feed/", "GET /search/"),
		Decisions: []Decision{
			{App: route.Legacy, Template: "/orders/", Owner: "sales"},
			{App: route.Modern, Template: "/orders/{id}/", Owner: "sales", Phase: route.PhaseShadow},
			{App: route.Legacy, Template: "/users/{name}/", Owner: "accounts"},
			{App: route.Legacy, Template: "/users/{name}/avatar/", Owner: "accounts"},
			{App: route.Legacy, Template: "/admin/", Owner: "sales", WaivedBecause: "Django's own takes its place", WaivedUntil: ago(-100)},
			{App: route.Legacy, Template: "/basket/", Owner: "sales", Phase: route.PhaseRetired},
		},
		Counts: []Count{
			{ago(40), "GET", "/orders/", route.Legacy, 500, 0},
			{ago(16), "GET", "/orders/", route.Modern, 300, 3},
			{ago(2), "GET", "/orders/", route.Modern, 400, 0},
			{ago(2), "POST", "/orders/", route.Modern, 60, 1},
			{ago(2), "GET", "/orders/{id}/", route.Legacy, 200, 0},
			{ago(1), "GET", "/users/{name}/", route.Legacy, 90, 9},
			{ago(1), "POST", "/users/{name}/avatar/", route.Legacy, 40, 0},
			{ago(35), "GET", "/reports/", route.Legacy, 1, 0},
			{ago(0), "GET", "/search/", route.Modern, 10, 0},
			{ago(38), "POST", "/basket/", route.Legacy, 20, 0},
			{ago(30), "POST", "/basket/", route.Modern, 30, 0},
		},
		Hops: []Hop{
			{"legacy.billing.send", "/orders/", 12, ago(3), time.Time{}},
			{"legacy.cron", "/search/", 2, ago(3), ago(-3)},
			{"legacy.old", "/search/", 9, ago(31), time.Time{}},
		},
		Touched: map[string]time.Time{"legacy/reports.py": ago(5), "legacy/orders.py": ago(90), "legacy/admin.py": ago(1)},
	}
	return c
}

// TestNumbers: every number of a report, worked out by hand.
func TestNumbers(t *testing.T) {
	r := made(t, sample())
	got := *r
	got.List = nil
	two := 2
	want := Report{FormatVersion: 1, Date: "2026-03-18", Days: 30, Counted: "2026-02-06",
		Routes:  Tally{All: 9, Ported: 1, Retired: 1, Waived: 1, Unknown: 1, Left: 5},
		New:     1,
		Traffic: &Traffic{Days: 30, All: Share{770, 1100}, Writes: Share{60, 100}, ModernErrors: 4, LegacyErrors: 9},
		Owners: []Owner{
			{"", Tally{All: 3, Unknown: 1, Left: 2}, Share{0, 0}},
			{"accounts", Tally{All: 2, Left: 2}, Share{0, 130}},
			{"sales", Tally{All: 4, Ported: 1, Retired: 1, Waived: 1, Left: 1}, Share{760, 960}},
		},
		Stale:   Stale{Routes: 2},
		Touched: &two,
		WrongWay: &WrongWay{Since: "2026-02-06", Ways: 1, List: []HopLine{
			{"legacy.billing.send", "/orders/", 12, "2026-03-15", ""}, {"legacy.cron", "/search/", 2, "2026-03-15", "2026-03-21"}}},
		Trend: []Week{
			{"2026-02-02", 0, Share{0, 520}, Share{0, 20}},
			{"2026-02-09", 0, Share{0, 1}, Share{}},
			{"2026-02-16", 1, Share{30, 30}, Share{30, 30}},
			{"2026-02-23", 1, Share{}, Share{}},
			{"2026-03-02", 2, Share{300, 300}, Share{}},
			{"2026-03-09", 2, Share{}, Share{}},
			{"2026-03-16", 2, Share{470, 800}, Share{60, 100}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for template, want := range map[string]Route{
		"/reports/": {Template: "/reports/", Methods: []string{"GET"}, Status: Left, Source: []string{"legacy/reports.py:1"}, LastCall: "2026-02-11", Stale: "yes", Touched: "2026-03-13"},
		"/orders/":  {Template: "/orders/", Methods: []string{"GET", "POST"}, Status: Ported, Owner: "sales", Source: []string{"legacy/orders.py:10"}, Traffic: Share{760, 760}, LastCall: "2026-03-16", FirstModern: "2026-03-02"},
		"/admin/":   {Template: "/admin/", Methods: []string{"GET"}, Status: Waived, Owner: "sales", Why: "Django's own takes its place", Source: []string{"legacy/admin.py:1"}, WaivedUntil: "2026-06-26"},
		"/basket/":  {Template: "/basket/", Methods: []string{"POST"}, Status: Retired, Phase: "retired", Owner: "sales", Why: "the legacy application does not have it any more", LastCall: "2026-02-16", FirstModern: "2026-02-16"},
		"/orders/{id}/": {Template: "/orders/{id}/", Methods: []string{"GET"}, Status: Left, Phase: "shadow", Owner: "sales", Why: "the modern application has it, and the decision is shadow",
			Source: []string{"legacy/orders.py:40"}, Traffic: Share{0, 200}, LastCall: "2026-03-16", Stale: "no"},
	} {
		if diff := cmp.Diff(want, row(t, r, template)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", template, diff)
		}
	}
}

// TestEdgesOfTime: which day is still one of the last 30, and when nobody can know yet.
func TestEdgesOfTime(t *testing.T) {
	for _, test := range []struct {
		since, called int // days ago; -1: never
		want          string
		days          int
	}{
		{29, -1, "yes", 30}, {28, -1, "unknown", 29}, {0, -1, "unknown", 1}, {-1, -1, "unknown", 0},
		{50, 29, "no", 30}, {50, 30, "yes", 30}, {28, 28, "no", 29},
	} {
		c := Config{Legacy: flask("GET /o"), Modern: django("GET /p"), Days: 30}
		if test.since >= 0 {
			c.CountedSince = ago(test.since)
		}
		if test.called >= 0 {
			c.Counts = []Count{{ago(test.called), "GET", "/o", route.Legacy, 1, 0}}
		}
		r := made(t, c)
		days := 0
		if r.Traffic != nil {
			days = r.Traffic.Days
		}
		if got := row(t, r, "/o").Stale; got != test.want || days != test.days {
			t.Errorf("counted for %d days, called %d days ago: stale %s after %d days; want %s, %d", test.since, test.called, got, days, test.want, test.days)
		}
	}
}

// TestClocksDiffer: a day that has not come yet counts nothing as done, and hides nothing that is wrong.
func TestClocksDiffer(t *testing.T) {
	c := Config{Legacy: flask("GET /o o.py:1"), Modern: django("GET /p"), CountedSince: ago(60), HopsSince: ago(60),
		Counts: []Count{{ago(-1), "GET", "/p", route.Modern, 9, 0}}, Hops: []Hop{{"job", "/p", 1, ago(-1), time.Time{}}}, Touched: map[string]time.Time{"o.py": ago(-1)}}
	r := made(t, c)
	if r.Traffic.All.Of != 0 || r.WrongWay.Ways != 1 || *r.Touched != 1 || len(c.Counts) != 1 {
		t.Errorf("%+v, %+v, %d touched", r.Traffic, r.WrongWay, *r.Touched)
	}
	c.CountedSince = ago(-1)
	if r := made(t, c); r.Traffic != nil || r.Stale.Unknown != 1 || len(r.Trend) != 0 {
		t.Errorf("counted from tomorrow on: %+v, %+v", r.Traffic, r.Stale)
	}
}

// TestCountedUnderTheModernTemplate: the counts of a modern template that leads to one route are that route's, and
// those of a catch-all are nobody's.
func TestCountedUnderTheModernTemplate(t *testing.T) {
	c := Config{Legacy: flask("GET /o/{id}", "GET /a", "GET /b"), Modern: django("GET /o/{name}", "GET /o/{id}", "GET /{rest}"), CountedSince: ago(3),
		Counts: []Count{{ago(2), "GET", "/{rest}", route.Modern, 3, 0}}}
	c.Modern.Routes[1].Template = "/o/{pk}"
	c.Counts = append(c.Counts, Count{ago(1), "GET", "/o/{pk}", route.Modern, 4, 0})
	r := made(t, c)
	if got := row(t, r, "/o/{id}"); got.FirstModern != "2026-03-17" || got.Traffic != (Share{4, 4}) {
		t.Errorf("%+v", got)
	}
	if got := row(t, r, "/a"); got.Status != Ported || got.FirstModern != "" || r.Undated != 2 || r.Traffic.All.Of != 7 {
		t.Errorf("%+v, %d undated, %+v", got, r.Undated, r.Traffic)
	}
}

// TestNobodyAnswered: a request that no application has answered is a call, and in no share.
func TestNobodyAnswered(t *testing.T) {
	r := made(t, Config{Legacy: flask("GET /o"), Modern: django("GET /p"), CountedSince: ago(60), Counts: []Count{
		{ago(2), "GET", "/o", Nobody, 3, 3}, {ago(2), "GET", "/p", route.Modern, 5, 0}}})
	if got := row(t, r, "/o"); got.Stale != "no" || got.Traffic.Of != 0 || r.Traffic.All != (Share{5, 5}) || r.Traffic.Unanswered != 3 || r.Traffic.LegacyErrors != 0 {
		t.Errorf("%+v, %+v", got, r.Traffic)
	}
	if got := text(t, r, Text{}); !strings.Contains(got, "3 requests were answered by no application.") {
		t.Errorf("the text does not say it:\n%s", got)
	}
}

// TestMistakes: nothing is reported from what makes no sense, and all of it is said at once.
func TestMistakes(t *testing.T) {
	_, err := New(Config{Now: today, Counts: []Count{{today, "GET", "/o", "nginx", 1, 0}, {today, "GET", "/o", route.Legacy, 1, 2}}})
	for _, want := range []string{"no route document of the legacy application", `by "nginx"`, "1 requests with 2 errors"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if _, err := New(Config{Legacy: flask(), Now: today, Decisions: []Decision{{App: route.Legacy, Template: "/o", Phase: "soon"}}}); err == nil || !strings.Contains(err.Error(), `"soon"`) {
		t.Errorf("an unknown phase: %v", err)
	}
	if _, err := New(Config{Legacy: flask()}); err == nil {
		t.Error("a report without a day")
	}
}

func TestGate(t *testing.T) {
	known := made(t, sample())
	c := sample()
	c.CountedSince, c.Counts, c.HopsSince, c.Touched = time.Time{}, nil, time.Time{}, nil
	blind := made(t, c)
	for _, test := range []struct {
		report *Report
		limit  string
		want   string // "" holds, "?" not known, or the number
	}{
		{known, "max-legacy=6", ""}, {known, "max-legacy=5", "?"}, {known, "max-legacy=4", "5"},
		{known, "max-unknown=1", ""}, {known, "max-unknown=0", "1"},
		{known, "max-stale=2", ""}, {known, "max-stale=1", "2"}, {blind, "max-stale=0", "?"}, {blind, "max-stale=5", ""},
		{known, "max-touched=2", ""}, {known, "max-touched=1", "2"}, {blind, "max-touched=1000", "?"},
		{known, "max-wrong-way=1", ""}, {known, "max-wrong-way=0", "1"}, {blind, "max-wrong-way=0", "?"},
		{known, "min-traffic=70%", ""}, {known, "min-traffic=70.0001%", "70.0000%"}, {blind, "min-traffic=1%", "?"}, {blind, "min-traffic=0%", ""},
		{known, "min-writes=60%", ""}, {known, "min-writes=61%", "60.0%"},
		{known, "min-ported=25%", ""}, {known, "min-ported=30%", "?"}, {known, "min-ported=40%", "37.5%"},
	} {
		g, err := ParseGate(test.limit)
		if err != nil {
			t.Fatal(err)
		}
		got := g.Check(test.report)
		switch {
		case test.want == "" && len(got) == 0:
		case test.want == "?" && len(got) == 1 && got[0].Unknown && strings.Contains(got[0].Message, "not known"):
		case len(got) == 1 && !got[0].Unknown && strings.HasPrefix(got[0].Message, test.limit+": it is "+test.want+" "):
		default:
			t.Errorf("%s: %+v; want %q", test.limit, got, test.want)
		}
	}
	g, err := ParseGate("max-legacy=0", "max-stale=9", " min-traffic=99%", "max-wrong-way=0")
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Check(known); len(got) != 3 {
		t.Errorf("three limits are violated: %+v", got)
	}
	_, err = ParseGate("max-legacy=120", "max-legacy=-1", "max-legacy=80%", "min-traffic=80", "min-traffic=101%", "min-traffic=NaN%", "max-routes=1", "max-stale", "max-stale=")
	for _, want := range []string{`"max-legacy=-1": "-1" is no number`, `"80%" is no number`, `"80" is no share`, `"101%" is no share`, `"NaN%"`, `"max-routes=1" is no limit`, `"max-stale" is no limit`, `"max-stale="`, "max-wrong-way=0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
}

func TestText(t *testing.T) {
	r := made(t, sample())
	plain := text(t, r, Text{})
	for _, want := range []string{"  all      9\n  ported   1  11.1%\n", "  all        1,100        770  70.0%\n", "Errors (5xx): modern 4 of 770, legacy 9 of 330.",
		"  /reports/              GET      -                0  stale: not called for 30 days; worked on 2026-03-13\n", "  /admin/  sales  2026-06-26  Django's own takes its place\n",
		"  legacy.billing.send  /orders/        12  2026-03-15  -\n", "  2026-03-16       2       800      58.8%             60.0%\n"} {
		if !strings.Contains(plain, want) {
			t.Errorf("the text lacks %q:\n%s", want, plain)
		}
	}
	if strings.ContainsAny(plain, "\x1b█…") {
		t.Error("what is piped has colours or bars")
	}
	for line := range strings.Lines(text(t, r, Text{Width: 80})) {
		if n := len([]rune(line)) - 1; n > 80 && !strings.HasPrefix(line, "  Err") && !strings.HasPrefix(line, "  Por") && !strings.HasPrefix(line, "  1 ") {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	if colored := text(t, r, Text{Width: 100, Color: true}); !strings.Contains(colored, "\x1b[1mOWNERS\x1b[0m") || !strings.Contains(colored, "█") {
		t.Errorf("a terminal's text has no colours or bars:\n%s", colored)
	}

	c := sample()
	for i := range 30 {
		c.Legacy.Routes = append(c.Legacy.Routes, flask(fmt.Sprintf("GET /more/%02d", i)).Routes...)
	}
	c.Hops[0].Caller = "evil\x1b]0;title\x07"
	long := made(t, c)
	if got := text(t, long, Text{Width: 100}); !strings.Contains(got, "and 16 more") || strings.Contains(got, "/more/29") || strings.Contains(got, "\x1b") {
		t.Errorf("a long list on a terminal:\n%s", got)
	}
	if got := text(t, long, Text{Width: 100, All: true}); !strings.Contains(got, "/more/29") {
		t.Errorf("all of a long list:\n%s", got)
	}
	if got := text(t, made(t, Config{Legacy: flask(), Modern: django()}), Text{}); strings.Count(got, "Not known: requests are not counted.") != 2 || !strings.Contains(got, "are to be ported: -") {
		t.Errorf("nothing at all:\n%s", got)
	}
}

func text(t *testing.T, r *Report, how Text) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b, how); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const schema = "../docs/burndown.schema.json"

// TestJSONFollowsItsSchema: the schema allows no field that it does not name.
func TestJSONFollowsItsSchema(t *testing.T) {
	s, err := jsonschema.NewCompiler().Compile(filepath.FromSlash(schema))
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text string) error {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return s.Validate(v)
	}
	written := func(r *Report) string {
		var b strings.Builder
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	full := written(made(t, sample()))
	for _, text := range []string{full, written(made(t, Config{Legacy: flask()}))} {
		if err := valid(text); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	var back Report
	if err := json.Unmarshal([]byte(full), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made(t, sample()), &back); diff != "" {
		t.Errorf("read again (-want +got)\n%s", diff)
	}
	for _, wrong := range []string{`{}`, strings.Replace(full, `"routes"`, `"route"`, 1), strings.Replace(full, `"status": "legacy"`, `"status": "old"`, 1), strings.Replace(full, `"stale": "yes"`, `"stale": "perhaps"`, 1)} {
		if wrong == full || valid(wrong) == nil {
			t.Errorf("the schema accepts %.300s", wrong)
		}
	}
}

// BenchmarkNew reports on a large application.
func BenchmarkNew(b *testing.B) {
	var lines []string
	for i := range 5000 {
		lines = append(lines, fmt.Sprintf("GET,POST /app%d/thing%d/{id}/{name}/", i/100, i))
	}
	c := Config{Legacy: flask(lines...), Modern: django(lines[:2500]...), CountedSince: ago(180)}
	for i := range 200000 {
		c.Counts = append(c.Counts, Count{ago(i % 180), "GET", fmt.Sprintf("/app%d/thing%d/{id}/{name}/", i%5000/100, i%5000), route.Modern, 5, 0})
	}
	for b.Loop() {
		made(b, c)
	}
}

func TestShare(t *testing.T) {
	for want, s := range map[string]Share{"-": {0, 0}, "0.0%": {0, 5}, "0.1%": {1, 100000}, "99.9%": {99999, 100000}, "100.0%": {7, 7}, "66.7%": {2, 3}} {
		if got := s.text(); got != want {
			t.Errorf("%+v is %s, want %s", s, got, want)
		}
	}
}

// TestGuide holds the guide's examples against what is written.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "docs", "guide-burndown.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{text(t, made(t, sample()), Text{}), Limits()} {
		if !strings.Contains(string(guide), "```\n"+want+"```\n") {
			t.Errorf("docs/guide-burndown.md lacks\n%s", want)
		}
	}
}
