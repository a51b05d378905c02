package gateway

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/route"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// documents are what the companions say of the applications in testdata.
func documents(t *testing.T) (modern, legacy string) {
	t.Helper()
	dir := t.TempDir()
	modern, legacy = filepath.Join(dir, "modern.json"), filepath.Join(dir, "legacy.json")
	root, err := filepath.Abs(filepath.Join("..", "python"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []struct {
		dir  string
		args []string
	}{
		{"modern", []string{"-m", "replank.django", "routes", "--settings", "settings", "-o", modern}},
		{"legacy", []string{"-m", "replank.flask", "routes", "app:app", "-o", legacy}},
	} {
		cmd := exec.CommandContext(t.Context(), python.Python(t), append([]string{"-B"}, e.args...)...)
		cmd.Dir, cmd.Env = filepath.Join("testdata", e.dir), append(os.Environ(), "PYTHONPATH="+root+string(os.PathListSeparator)+".")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return modern, legacy
}

// answeredBy is who has answered.
func (r reply) answeredBy() string {
	if strings.Contains(r.body, `"app":"legacy"`) {
		return "legacy"
	}
	if strings.HasPrefix(r.body, "modern ") {
		return "modern"
	}
	return r.Status
}

// told is a log that tells of one thing.
type told struct {
	what string
	c    chan struct{}
}

func tells(what string) told { return told{what, make(chan struct{}, 100)} }

func (s told) Enabled(context.Context, slog.Level) bool { return true }
func (s told) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s told) WithGroup(string) slog.Handler            { return s }
func (s told) Handle(_ context.Context, r slog.Record) error {
	if r.Message == s.what {
		s.c <- struct{}{}
	}
	return nil
}

// TestDecisions: a phase moves a route at once, in each direction, on every gateway that watches; and what was answered
// is counted.
func TestDecisions(t *testing.T) { onEach(t, decisionsMove) }

func decisionsMove(t *testing.T) {
	dsn := pgtest.DB(t)
	// Nobody polls here: what is in time was notified.
	store, err := decisions.Open(t.Context(), decisions.Config{DSN: dsn, Poll: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	swapped := tells("routes")
	p := newPair(t, func(c *Config) {
		c.ModernRoutes, c.LegacyRoutes = documents(t)
		c.Decisions, c.Logger = store, slog.New(swapped)
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.gateway.Run(ctx) }()

	<-swapped.c // the documents
	<-swapped.c // the decisions as they are at first
	decide := func(d route.Decision) {
		t.Helper()
		if _, _, err := store.Decide(t.Context(), d, "", "test"); err != nil {
			t.Fatal(err)
		}
		<-swapped.c
	}
	expect := func(method, path, want string, headers ...string) {
		t.Helper()
		if got := p.do(t, method, path, nil, headers...).answeredBy(); got != want {
			t.Errorf("%s %s: %s, want %s", method, path, got, want)
		}
	}
	ported := route.Decision{App: route.Modern, Template: "/ported/"}
	expect("GET", "/ported/", "modern")
	for _, phase := range []route.Phase{route.PhaseLegacy, route.PhaseModern, route.PhaseShadow, route.PhaseRetired, route.PhaseLegacy, ""} {
		d := ported
		d.Phase = phase
		decide(d)
		want := map[route.Phase]string{route.PhaseLegacy: "legacy", route.PhaseShadow: "legacy"}[phase]
		if want == "" {
			want = "modern"
		}
		expect("GET", "/ported/", want)
		expect("POST", "/ported/", want)
	}
	canary := ported
	canary.Phase, canary.Canary = route.PhaseCanary, route.Canary{Header: "X-Canary: 1"}
	decide(canary)
	expect("GET", "/ported/", "legacy")
	expect("GET", "/ported/", "modern", "X-Canary", "1")
	canary.Canary = route.Canary{Share: 1}
	decide(canary)
	expect("GET", "/ported/", "modern")
	// A retired route has no other side, whatever the view says.
	decide(route.Decision{App: route.Modern, Template: "/both", Phase: route.PhaseRetired})
	expect("GET", "/both", "modern")
	if res := p.do(t, "POST", "/both", strings.NewReader("x")); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a retired route falls back: %s %.100s", res.Status, res.body)
	}

	cancel()
	if err := <-ended; err != context.Canceled {
		t.Error(err)
	}
	counts, err := store.Counts(t.Context(), time.Now().AddDate(0, 0, -2))
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]int64{}
	for _, c := range counts {
		sums[c.Template+" "+c.Method+" "+c.AnsweredBy] += c.Requests
	}
	for what, want := range map[string]int64{"/{path} GET legacy": 4, "/{path} GET modern": 7, "/{path} POST legacy": 3} {
		if sums[what] != want {
			t.Errorf("%s: %d, want %d, of %v", what, sums[what], want, sums)
		}
	}
}

// TestReload: documents are used when they have changed, and those with a mistake are not, and nothing else is forgotten.
func TestReload(t *testing.T) {
	var modern string
	p := newPair(t, func(c *Config) { c.ModernRoutes, c.LegacyRoutes = documents(t); modern = c.ModernRoutes })
	good, err := os.ReadFile(modern)
	if err != nil {
		t.Fatal(err)
	}
	first := p.gateway.table.Load()
	if err := p.gateway.Reload(); err != nil || p.gateway.table.Load() != first {
		t.Errorf("%v: nothing has changed, and the table was swapped", err)
	}
	for name, bad := range map[string]string{
		"cut":     string(good[:len(good)/2]),
		"pattern": regexp.MustCompile(`"re": *"`).ReplaceAllString(string(good), `"re": "(`),
		"empty":   "",
	} {
		if err := os.WriteFile(modern, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := p.gateway.Reload(); err == nil || !strings.Contains(err.Error(), "modern") {
			t.Errorf("%s: %v", name, err)
		}
		if p.gateway.table.Load() != first {
			t.Errorf("%s: the table was swapped", name)
		}
	}
	// A route less.
	if err := os.WriteFile(modern, []byte(strings.Replace(string(good), `"/ported/"`, `"/ported-else/"`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.gateway.Reload(); err != nil || p.gateway.table.Load() == first {
		t.Errorf("%v: the table was not swapped", err)
	}
}

// statusOf is what the admin listener says.
func statusOf(t *testing.T, g *Gateway) status {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/status", nil)
	r.Host = "localhost"
	g.admin("").ServeHTTP(w, r)
	var s status
	if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%v: %d %s", err, w.Code, w.Body)
	}
	return s
}

// TestBadRoute: a route that cannot be used is named, and its paths are tried; all others are used. What is no document
// changes nothing, and keeps no other document from being used.
func TestBadRoute(t *testing.T) {
	var modern, legacy string
	p := newPair(t, func(c *Config) {
		c.ModernRoutes, c.LegacyRoutes = documents(t)
		modern, legacy = c.ModernRoutes, c.LegacyRoutes
	})
	spoil := func(path, old, new string) (was string) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), old) {
			t.Fatalf("no %s in %s", old, text)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	metric := func(name, app string) float64 {
		return value(t, p.gateway, `replank_gateway_`+name+`{app="`+app+`"}`)
	}
	tries := func() float64 {
		return value(t, p.gateway, `replank_gateway_trials_total{said="none"}`) + value(t, p.gateway, `replank_gateway_trials_total{said="route"}`)
	}
	p.do(t, "GET", "/ported/", nil)
	p.do(t, "GET", "/old", nil).legacy(t)
	if got := tries(); got != 0 {
		t.Fatalf("known routes were tried: %v", got)
	}
	good := spoil(modern, `"template":"/ported/","methods":null`, `"template":"/ported/","methods":["get"]`)
	if err := p.gateway.Reload(); err != nil {
		t.Fatal(err)
	}
	if s := statusOf(t, p.gateway); len(s.Apps[route.Modern].Bad) != 1 || !strings.Contains(s.Apps[route.Modern].Bad[0], `"/ported/"`) || s.Apps[route.Modern].Problem != "" || metric("routes_bad", "modern") != 1 {
		t.Errorf("%+v", s.Apps[route.Modern])
	}
	if got := p.do(t, "GET", "/ported/", nil).answeredBy(); got != "modern" {
		t.Errorf("its path is answered by %s", got)
	}
	if got := tries(); got != 1 {
		t.Errorf("%v trials, want 1: nobody knows whose it is", got)
	}
	p.do(t, "POST", "/ported/more", strings.NewReader("x")).legacy(t) // tried, and labelled
	p.do(t, "GET", "/old", nil).legacy(t)
	if got := tries(); got != 2 {
		t.Errorf("%v trials, want 2: all others are known", got)
	}

	// One that is none, and one that is new, at the same time.
	table := p.gateway.table.Load()
	spoil(modern, `"version":1`, `"version":7`)
	spoil(legacy, `"build":"`, `"build":"other`)
	if err := p.gateway.Reload(); err == nil || !strings.Contains(err.Error(), "version 7") || !strings.Contains(err.Error(), modern) {
		t.Errorf("%v", err)
	}
	s := statusOf(t, p.gateway)
	if s.Apps[route.Modern].Problem == "" || s.Apps[route.Modern].Routes == 0 || !strings.HasPrefix(s.Apps[route.Legacy].Build, "other") || s.Apps[route.Legacy].Problem != "" || s.Table != table.number+1 {
		t.Errorf("%d %+v %+v", s.Table, s.Apps[route.Modern], s.Apps[route.Legacy])
	}
	if metric("routes_stale", "modern") != 1 || metric("routes_stale", "legacy") != 0 {
		t.Error("no metric tells that a document cannot be used")
	}
	if err := os.WriteFile(modern, []byte(good), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.gateway.Reload(); err != nil {
		t.Error(err)
	}
	if s := statusOf(t, p.gateway).Apps[route.Modern]; s.Problem != "" || s.Bad != nil || metric("routes_stale", "modern") != 0 || metric("routes_bad", "modern") != 0 {
		t.Errorf("it is good again: %+v", s)
	}
}
