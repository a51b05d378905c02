package gateway

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/route"
)

// calling is the path of a route of the legacy application that sends a request to url while it is served.
func calling(how, url string) string { return "/legacy/calls/" + how + "?url=" + escape(url) }

func escape(text string) string { return url.QueryEscape(text) }

// controlled is a pair with a control database, and everything that two gateways on it need.
func controlled(t *testing.T, change func(*Config)) (*pair, *decisions.Store, Config) {
	t.Helper()
	store, err := decisions.Open(t.Context(), decisions.Config{DSN: pgtest.DB(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	secret, err := store.HopSecret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var cfg Config
	p := newPair(t, func(c *Config) {
		c.ModernRoutes, c.LegacyRoutes = documents(t)
		c.Decisions, c.HopSecret = store, secret
		if change != nil {
			change(c)
		}
		cfg = *c
	})
	return p, store, cfg
}

// read makes a gateway know what is decided, as Watch does.
func (p *pair) read(t *testing.T, store *decisions.Store) {
	t.Helper()
	snap, err := store.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.gateway.routes.decided(snap); err != nil {
		t.Fatal(err)
	}
}

// seenByLegacy are the requests that the legacy application has got since the last question.
func (p *pair) seenByLegacy(t *testing.T) string {
	t.Helper()
	_, text := get(t, p.legacy.url.String()+"/legacy/seen")
	return strings.TrimSpace(text)
}

func (p *pair) expect(t *testing.T, path string, status int, contains string) {
	t.Helper()
	if res := p.do(t, "GET", path, nil); res.StatusCode != status || !strings.Contains(res.body, contains) {
		t.Errorf("%s: %s %q, want %d and %q", path, res.Status, res.body, status, contains)
	}
}

// TestOneWay: a request that the legacy application sends while it serves one does not reach the modern application,
// however it is sent, through whichever gateway or past all of them, unless a waiver that is not over lets it; a loop ends
// at its first turn, waiver or not. Everything else passes. What happened is listed.
func TestOneWay(t *testing.T) {
	p, store, cfg := controlled(t, nil)
	second, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	other := httptest.NewServer(second)
	t.Cleanup(other.Close)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.gateway.Run(ctx) }()

	const rule = "one way only"
	ported := p.url + "/ported/"
	for _, how := range []string{"requests", "urllib", "hand"} {
		p.expect(t, calling(how, ported), http.StatusForbidden, rule)
	}
	p.expect(t, "/legacy/calls/stream?way=requests&url="+escape(ported), http.StatusOK, rule) // its answer had begun
	p.expect(t, calling("requests", other.URL+"/ported/"), http.StatusForbidden, rule)
	p.expect(t, calling("requests", p.modern.url.String()+"/ported/"), http.StatusForbidden, rule)
	p.expect(t, calling("requests", ported)+"&method=POST", http.StatusForbidden, "replank routes allow '/legacy/calls/{how}' '/{path}'")
	p.expect(t, calling("without", ported), http.StatusOK, "modern GET") // nobody can know
	p.expect(t, "/ported/", http.StatusOK, "modern GET")

	// The other direction, and each application with itself.
	p.expect(t, "/calls/?url="+escape(p.url+"/old"), http.StatusOK, `"app":"legacy"`)
	p.expect(t, "/calls/?url="+escape(ported), http.StatusOK, "modern GET")
	p.expect(t, calling("requests", p.url+"/old"), http.StatusOK, `"app":"legacy"`)
	p.expect(t, calling("requests", p.url+calling("urllib", p.url+"/old")), http.StatusOK, `"app":"legacy"`)

	// Loops.
	p.seenByLegacy(t)
	p.expect(t, calling("requests", p.url+calling("requests", p.url+"/old")), http.StatusLoopDetected, "a loop")
	p.expect(t, "/calls/?url="+escape(p.url+calling("requests", ported)), http.StatusLoopDetected, "a loop")
	p.expect(t, "/calls/?url="+escape(p.legacy.url.String()+calling("requests", ported)), http.StatusLoopDetected, "a loop")
	if got := p.seenByLegacy(t); strings.Count(got, "/legacy/calls/requests") != 3 || strings.Contains(got, "/old") {
		t.Errorf("the legacy application has seen %s", got)
	}

	// Waivers.
	allow := func(caller, route string, until time.Time) {
		t.Helper()
		day := until.UTC().Truncate(24 * time.Hour)
		version, err := store.Allow(t.Context(), decisions.Allowance{Caller: caller, Route: route, Waiver: decisions.Waiver{Because: "test", Until: &day}, By: "test"})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the gateway has heard of it", func() bool {
			r := p.gateway.routes
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.latest != nil && *r.latest >= version
		})
	}
	allow("/legacy/calls/{how}", "/{path}", time.Now().AddDate(0, 0, -1))
	p.expect(t, calling("requests", ported), http.StatusForbidden, rule)
	allow("/legacy/large", "/{path}", time.Now().AddDate(0, 0, 1))
	p.expect(t, calling("requests", ported), http.StatusForbidden, rule)
	allow("/legacy/calls/{how}", "/{path}", time.Now().AddDate(0, 0, 1)) // a request at midnight has two days
	p.expect(t, calling("requests", ported), http.StatusOK, "modern GET")
	p.expect(t, calling("requests", p.modern.url.String()+"/ported/"), http.StatusOK, "modern GET")
	p.expect(t, calling("requests", p.url+"/calls/?url="+escape(p.url+"/old")), http.StatusLoopDetected, "a loop")

	cancel()
	<-ended
	list, err := store.WrongWays(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range list {
		if w.First.After(w.Last) || time.Since(w.First) > time.Hour {
			t.Errorf("seen from %s to %s", w.First, w.Last)
		}
		got = append(got, strings.Join([]string{w.Why, w.CallerApp, w.Caller, w.Method, w.Route, strconv.FormatInt(w.Refused, 10), strconv.FormatInt(w.Allowed, 10)}, " "))
	}
	slices.Sort(got)
	want := []string{
		"direction legacy /legacy/calls/{how} GET /{path} 7 3", // another gateway lists its own
		"direction legacy /legacy/calls/{how} POST /{path} 1 0",
		"loop legacy  GET /{path} 1 0", // what it serves, the gateway has not seen
		"loop legacy /legacy/calls/{how} GET /legacy/calls/{how} 1 0",
		"loop legacy /legacy/calls/{how} GET /{path} 1 0",
		"loop modern /{path} GET /{path} 1 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := second.wrongWays.take(); len(n) != 1 || n[0].Refused != 1 {
		t.Errorf("the other gateway has counted %+v", n)
	}
	if n := value(t, p.gateway, `replank_gateway_wrong_way_total{done="refused",why="direction"}`); n != 8 {
		t.Errorf("%v refusals in the metrics", n)
	}
}

// TestHopTokens: a token that is not one of the gateways' own, or no longer, means nothing, and no application sees it; a
// good one is refused from anywhere.
func TestHopTokens(t *testing.T) {
	p := newPair(t, func(c *Config) { c.ModernRoutes, c.LegacyRoutes = documents(t) })
	foreign := newHops(nil)
	claims := hop{ID: "x", Expires: time.Now().Add(time.Minute).Unix(), Side: Legacy, Route: "/a", Passed: []string{"legacy:a"}}
	good := p.gateway.hops.sign(claims)
	modern := claims
	modern.Side, modern.Passed = Modern, nil
	text, sum, _ := strings.Cut(good, ".")
	expired := claims
	expired.Expires = time.Now().Add(-time.Second).Unix()
	none := hopText.EncodeToString([]byte("{}"))
	for name, token := range map[string]string{
		"foreign": foreign.sign(claims), "expired": p.gateway.hops.sign(expired), "another's sum": foreign.sign(modern)[:len(text)] + "." + sum,
		"no sum": text, "empty sum": text + ".", "no claims": "." + sum, "changed": none + "." + sum, "not base64": text + ".%%%", "empty": "", "long": strings.Repeat("a", 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			for _, by := range []string{"legacy", "modern", "else"} {
				res := p.do(t, "GET", "/ported/", nil, headerHop, token, headerHopBy, by)
				if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.body, "modern") || strings.Contains(res.Header.Get("X-Headers"), "HOP_BY") {
					t.Errorf("%s %.200s %s", res.Status, res.body, res.Header.Get("X-Headers"))
				}
				if res := p.do(t, "GET", hopPath, nil, headerHop, token, headerHopBy, by, headerAsk, "GET /ported/"); res.StatusCode != http.StatusNotFound {
					t.Errorf("the gateway answers %s to whoever asks", res.Status)
				}
			}
		})
	}
	for name, headers := range map[string][]string{
		"good":                  {headerHop, good},
		"named in Connection":   {headerHop, good, "Connection", headerHop},
		"twice, folded":         {headerHop, good + ", " + good},
		"of the modern, passed": {headerHop, p.gateway.hops.sign(modern), headerHopBy, "legacy"},
	} {
		if res := p.do(t, "GET", "/ported/", nil, headers...); res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusLoopDetected {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
	if res := p.do(t, "GET", "/ported/", nil, headerHop, p.gateway.hops.sign(modern)); res.StatusCode != http.StatusOK {
		t.Errorf("of the modern application: %s", res.Status)
	}
	long := modern
	long.Passed = slices.Repeat([]string{"modern:x"}, mostPassed)
	if res := p.do(t, "GET", "/ported/", nil, headerHop, p.gateway.hops.sign(long)); res.StatusCode != http.StatusLoopDetected {
		t.Errorf("a chain without end: %s", res.Status)
	}
	// What the companion asks.
	for about, want := range map[string]int{"GET /ported/": http.StatusForbidden, "": http.StatusBadRequest, "GET": http.StatusBadRequest, "GET http://else/": http.StatusBadRequest} {
		if res := p.do(t, "GET", hopPath, nil, headerHop, good, headerAsk, about); res.StatusCode != want {
			t.Errorf("asked about %q: %s", about, res.Status)
		}
	}
	// Only to named hosts: this one is not called 127.0.0.1.
	heard := make(chan http.Header, 1)
	third := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heard <- r.Header }))
	defer third.Close()
	p.expect(t, calling("requests", strings.Replace(third.URL, "127.0.0.1", "localhost", 1)), http.StatusOK, "")
	if h := <-heard; h[headerHop] != nil || h[headerHopBy] != nil {
		t.Errorf("a stranger is told %v", h)
	}
}

// TestOneWayUnknown: where no document says who has a route, what the legacy application asks for is looked up at the
// modern one, and not tried there.
func TestOneWayUnknown(t *testing.T) {
	var log output
	p := newPair(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	p.expect(t, calling("requests", p.url+"/ported/"), http.StatusForbidden, "a route that nobody knows")
	p.expect(t, calling("requests", p.url+"/old"), http.StatusOK, `"app":"legacy"`)
	if res := p.do(t, "POST", calling("requests", p.url+"/both")+"&method=POST", bytes.NewReader(make([]byte, 100_000))); res.answeredBy() != "legacy" {
		t.Errorf("%s %s", res.Status, res.body)
	}
	if text := log.String(); strings.Count(text, "wrong way") != 1 {
		t.Error(text)
	}
	// Without a companion it cannot be looked up: the legacy application gets what it would have got without a gateway.
	p = newPair(t, func(c *Config) { c.Modern.Companion, c.Unlabelled = false, true })
	p.expect(t, calling("requests", p.url+"/ported/"), http.StatusOK, `"app":"legacy"`)
	// A network in which there is nobody else.
	p = newPair(t, func(c *Config) { c.LegacyNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	p.expect(t, calling("without", p.url+"/ported/"), http.StatusForbidden, "one way only")
	p.expect(t, "/old", http.StatusOK, `"app":"legacy"`)
}

// TestOneWayPhases: a canary and a shadow do not take what the legacy application asks for to the modern one.
func TestOneWayPhases(t *testing.T) {
	p, store, _ := controlled(t, nil)
	for _, d := range []route.Decision{
		{App: route.Modern, Template: "/ported/", Phase: route.PhaseCanary, Canary: route.Canary{Share: 1}},
		{App: route.Modern, Template: "/same/{name}", Phase: route.PhaseShadow},
	} {
		if _, _, err := store.Decide(t.Context(), d, "", "test"); err != nil {
			t.Fatal(err)
		}
	}
	p.read(t, store)
	p.expect(t, "/ported/", http.StatusOK, "modern GET")
	p.expect(t, calling("requests", p.url+"/ported/"), http.StatusOK, `"app":"legacy"`)
	p.expect(t, calling("requests", p.url+"/same/a"), http.StatusOK, `"name":"a"`)
	p.expect(t, "/calls/?url="+escape(p.url+"/same/a"), http.StatusOK, `"name":"a"`)
	if n := len(p.gateway.shadow.jobs); n != 0 {
		t.Errorf("%d copies of chained requests", n)
	}
	p.expect(t, "/same/a", http.StatusOK, `"name":"a"`)
	if n := len(p.gateway.shadow.jobs); n != 1 {
		t.Errorf("%d copies of a request from outside", n)
	}
}

// TestPastTheGateway: the modern application's companion refuses by itself what the legacy one sends to it, under ASGI as
// under WSGI, when nobody can say that it is allowed.
func TestPastTheGateway(t *testing.T) {
	strange := newHops(nil)
	legacy, modern := strange.sign(hop{Side: Legacy}), strange.sign(hop{Side: Modern})
	heard := make(chan http.Header, 1)
	third := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heard <- r.Header }))
	defer third.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	asgi := []string{"-m", "uvicorn", "--fd", "3", "--lifespan", "off", "django.core.asgi:get_asgi_application", "--factory"}
	wsgi := []string{"-m", "gunicorn", "--bind", "fd://3", "django.core.wsgi:get_wsgi_application()"}
	for name, tt := range map[string]struct {
		args    []string
		gateway string
		want    int
	}{
		"ASGI, no gateway": {asgi, "", http.StatusForbidden}, "WSGI, no gateway": {wsgi, "", http.StatusForbidden},
		"ASGI, it is gone": {asgi, gone.URL, http.StatusServiceUnavailable}, "WSGI, it is gone": {wsgi, gone.URL, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "modern", tt.args, "DJANGO_SETTINGS_MODULE=settings", "TEST_GATEWAY="+tt.gateway)
			send := func(path, token string, want int) {
				t.Helper()
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url.String()+path, nil)
				if token != "" {
					r.Header.Set(headerHop, token)
				}
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if res.StatusCode != want {
					t.Errorf("%.10s: %s, want %d", token, res.Status, want)
				}
			}
			send("/ported/", legacy, tt.want)
			send("/ported/", "", http.StatusOK)
			send("/ported/", "no.token", http.StatusOK)
			// Its own requests carry the token of the request that it serves, and not that of the last one.
			for _, token := range []string{modern, "", modern} {
				send("/calls/?url="+escape(third.URL), token, http.StatusOK)
				if h := <-heard; h.Get(headerHop) != token || token != "" && h.Get(headerHopBy) != "modern" {
					t.Errorf("sent with %v while %.10s is served", h, token)
				}
			}
		})
	}
}

// TestWrongWaysKept: what could not be written is counted on.
func TestWrongWaysKept(t *testing.T) {
	var w wrongWays
	one, two := decisions.WrongWay{Why: decisions.Direction, Route: "/a"}, decisions.WrongWay{Why: decisions.Direction, Route: "/b"}
	w.note(one, false)
	w.note(two, true)
	list := w.take()
	if len(list) != 2 || w.take() != nil {
		t.Fatalf("%+v", list)
	}
	w.note(one, true)
	w.note(one, false)
	w.give(list)
	for _, n := range w.take() {
		if n.Route == "/a" && (n.Refused != 2 || n.Allowed != 1 || !n.Last.After(n.First)) || n.Route == "/b" && (n.Refused != 0 || n.Allowed != 1) {
			t.Errorf("%+v", n)
		}
	}
}

// BenchmarkHop is what each request costs.
func BenchmarkHop(b *testing.B) {
	s := newHops(nil)
	r := httptest.NewRequest(http.MethodGet, "/invoices/7/", nil)
	for b.Loop() {
		s.mark(r, nil, chainOf(nil), "/invoices/{id}/", Modern)
	}
}
