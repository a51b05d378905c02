package burndown

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/internal/browser"
)

// hostile is a text that must stay one.
const hostile = `</td><script>alert(1)</script><b onclick="x">b</b>`

// seen is what testdata/page.js has found in the page.
type seen struct {
	Title    string
	Headings []string
	Figures  map[string]string
	Tables   map[string][][]string
	Charts   map[string]struct {
		Width, Height float64
		Title         string
	}
	Marks map[string]struct {
		Width, Height float64
		Fill, Stroke  string
	}
	Background         string
	Width, ScrollWidth float64
	Bold, Scripts      int
	Requests, Console  []string
	Unfolds            bool
	Axe                []string
}

// TestPageInABrowser serves the page under its own policy and opens it in Chromium: in light and dark, and as narrow as a
// phone. REPLANK_TEST_SHOTS names a folder for pictures.
func TestPageInABrowser(t *testing.T) {
	c := sample()
	c.Decisions[4].WaivedBecause = hostile
	c.Hops[0].Caller = hostile
	r := made(t, c)
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		asked = append(asked, q.Method+" "+q.URL.Path)
		mu.Unlock()
		if q.URL.Path != "/burndown" {
			http.NotFound(w, q)
			return
		}
		w.Header().Set("Content-Security-Policy", ContentSecurityPolicy())
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := r.WriteHTML(w); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	url := server.URL + "/burndown"
	out := browser.Run(t, filepath.Join("testdata", "page.js"), url, os.Getenv("REPLANK_TEST_SHOTS"))
	var all map[string]seen
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatalf("%v in %.300s", err, out)
	}
	if len(all) != 3 {
		t.Fatalf("the page was opened in %d ways", len(all))
	}
	mu.Lock()
	if others := slices.DeleteFunc(slices.Clone(asked), func(q string) bool { return q == "GET /burndown" }); len(asked) != 3 || len(others) > 0 {
		t.Errorf("the server was asked for %q", asked)
	}
	mu.Unlock()
	for name, s := range all {
		t.Run(name, func(t *testing.T) { s.check(t, url) })
	}
	if all["light"].Background == all["dark"].Background || all["light"].Marks["chart-routes legacy"].Fill == all["dark"].Marks["chart-routes legacy"].Fill {
		t.Errorf("light and dark look the same: %s, %s", all["light"].Background, all["light"].Marks["chart-routes legacy"].Fill)
	}
}

func (s seen) check(t *testing.T, url string) {
	if len(s.Console) > 0 || len(s.Axe) > 0 || s.Scripts > 0 || s.Bold > 0 {
		t.Errorf("the console says %q, axe says %q; %d scripts, %d times markup of a value", s.Console, s.Axe, s.Scripts, s.Bold)
	}
	if !slices.Equal(s.Requests, []string{url}) {
		t.Errorf("the page asks for %q", s.Requests)
	}
	if s.ScrollWidth > s.Width {
		t.Errorf("the page is %v wide, and the window %v", s.ScrollWidth, s.Width)
	}
	if !s.Unfolds {
		t.Error("the table of the trend does not unfold")
	}
	if want := "Burndown of 2026-03-18: 25.0% of the legacy application is ported"; s.Title != want {
		t.Errorf("title %q", s.Title)
	}
	want := []string{"How much of the legacy application is ported", "Routes", "Trend", "Owners", "Left in the legacy application", "Waived", "From the legacy application to the modern one", "Done"}
	if diff := cmp.Diff(want, s.Headings); diff != "" {
		t.Errorf("headings (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"done": "25.0%", "traffic": "70.0%", "writes": "60.0%", "left": "5"}, s.Figures); diff != "" {
		t.Errorf("figures (-want +got)\n%s", diff)
	}
	for table, rows := range map[string][][]string{
		"routes":   {{"legacy", "5", "55.6%", "the legacy application answers it, or some of it"}, {"all", "9", "", ""}},
		"trend":    {{"2026-03-16", "2", "800", "58.8%", "100", "60.0%"}, {"2026-02-09", "0", "1", "0.0%", "0", "-"}},
		"owners":   {{"sales", "", "1", "1", "1", "0", "1", "960", "79.2%"}, {"(nobody)", "", "0", "0", "0", "1", "2", "0", "-"}},
		"list":     {{"/reports/", "GET", "–", "0", "stale: not called for 30 days; worked on 2026-03-13", "legacy/reports.py:1"}},
		"waived":   {{"/admin/", "sales", "2026-06-26", hostile}},
		"wrong":    {{hostile, "/orders/", "12", "2026-03-15", "–"}},
		"finished": {{"/orders/", "ported", "sales", "2026-03-02", "760"}, {"/basket/", "retired", "sales", "2026-02-16", "0"}},
	} {
		for _, row := range rows {
			if !slices.ContainsFunc(s.Tables[table], func(got []string) bool { return slices.Equal(got, row) }) {
				t.Errorf("table %s has no row %q: %q", table, row, s.Tables[table])
			}
		}
	}
	for chart, title := range map[string]string{"chart-routes": "legacy: 5", "chart-routes-by-week": "to 2 in the week from 2026-03-16, of 8", "chart-traffic-by-week": "to 58.8%"} {
		if c := s.Charts[chart]; c.Width < 200 || c.Height < 20 || !strings.Contains(c.Title, title) {
			t.Errorf("%s: %+v, want %q in its title", chart, c, title)
		}
	}
	for _, status := range Statuses {
		mark := s.Marks["chart-routes "+string(status.Name)]
		share := float64(made(t, sample()).Routes.Of(status.Name)) / 9
		if got := mark.Width / s.Charts["chart-routes"].Width; got < share-0.01 || got > share+0.01 || mark.Height < 20 || mark.Fill == "none" || mark.Fill == "rgb(0, 0, 0)" {
			t.Errorf("the bar's part for %s takes %.3f of it, want %.3f: %+v", status.Name, got, share, mark)
		}
	}
	for _, l := range []string{"chart-routes-by-week line ported", "chart-traffic-by-week line traffic", "chart-traffic-by-week line writes"} {
		if m := s.Marks[l]; m.Width < 100 || m.Height < 20 || m.Stroke == "none" {
			t.Errorf("%s: %+v", l, m)
		}
	}
}

// TestPageOfNothing: a page about an application of which nothing is known says so.
func TestPageOfNothing(t *testing.T) {
	var b strings.Builder
	if err := made(t, Config{Legacy: flask(), Modern: django()}).WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Requests are not counted.", "<p>Not known: requests are not counted.</p>", ">not known</b>", "<p>None.</p>"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, not := range []string{"NaN", "Inf", "ZgotmplZ", "%!"} {
		if strings.Contains(b.String(), not) {
			t.Errorf("the page has %q", not)
		}
	}
}
