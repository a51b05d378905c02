package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/identity"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/route"
)

// TestTenantCounts: once a fence is applied and nothing is said to be under way, no request runs until the tenant is
// settled, however many come and go meanwhile.
func TestTenantCounts(t *testing.T) {
	m := newMetrics(&Gateway{keeper: &keeper{}, learned: newLearned(1, time.Minute)})
	ten, err := newTenants(Config{Tenants: Tenants{Header: "X-Tenant"}}, m)
	if err != nil {
		t.Fatal(err)
	}
	var running atomic.Int64
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				ten.enter("acme")
				if _, l := ten.look("acme"); l == nil {
					running.Add(1)
					running.Add(-1)
				}
				ten.leave("acme")
			}
		})
	}
	fence := map[string]decisions.Placement{"acme": {State: decisions.Fenced, Until: time.Now().Add(time.Hour)}}
	for range 2000 {
		ten.apply(fence)
		for ten.inFlight()["acme"] > 0 {
		}
		for range 10 {
			if n := running.Load(); n != 0 {
				t.Fatalf("%d run behind a fence that is in force", n)
			}
		}
		ten.apply(nil)
	}
	close(stop)
	all.Wait()
	ten.flying.Range(func(tenant, _ any) bool {
		t.Errorf("%s is kept for ever", tenant)
		return true
	})
}

func BenchmarkTenantCounts(b *testing.B) {
	m := newMetrics(&Gateway{keeper: &keeper{}, learned: newLearned(1, time.Minute)})
	ten, err := newTenants(Config{}, m)
	if err != nil {
		b.Fatal(err)
	}
	var n atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		tenant := fmt.Sprint("tenant ", n.Add(1))
		for pb.Next() {
			ten.enter(tenant)
			if _, l := ten.look(tenant); l != nil {
				b.Fatal("fenced")
			}
			ten.leave(tenant)
		}
	})
}

// TestTenantOf: whose request it is.
func TestTenantOf(t *testing.T) {
	host, path := regexp.MustCompile(`^([a-z-]+)\.shop\.example$`), regexp.MustCompile(`^/t/([^/]+)/`)
	for name, tt := range map[string]struct {
		tenants Tenants
		host    string
		path    string
		headers []string
		want    string
	}{
		"identity":            {Tenants{Host: host, Path: path}, "shop.example", "/a", nil, "of the session"},
		"header":              {Tenants{Header: "X-Tenant", Host: host}, "umbrella.shop.example", "/", []string{" acme "}, "acme"},
		"two headers":         {Tenants{Header: "X-Tenant"}, "", "/", []string{"acme", "umbrella"}, "acme,umbrella"},
		"host":                {Tenants{Header: "X-Tenant", Host: host, Path: path}, "acme.shop.example", "/t/umbrella/", nil, "acme"},
		"host with port":      {Tenants{Host: host}, "ACME.Shop.example.:8080", "/", nil, "acme"},
		"path":                {Tenants{Host: host, Path: path}, "shop.example", "/t/acme/x", nil, "acme"},
		"path, encoded":       {Tenants{Path: path}, "", "/t/%61cme/x", nil, "acme"},
		"path, more slashes":  {Tenants{Path: path}, "", "//t/acme/x", nil, "acme"},
		"path, another route": {Tenants{Path: path}, "", "/x/t/acme/x", nil, "of the session"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Host, r.Header["X-Tenant"] = tt.host, tt.headers
			var err error
			if r.URL, err = url.ParseRequestURI(tt.path); err != nil {
				t.Fatal(err)
			}
			if got := (&tenants{Tenants: tt.tenants}).of(r, identity.Who{Tenant: "of the session"}); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	app := &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	for _, bad := range []string{`^/t/`, `^/(t)/(a)/`} {
		if _, err := New(Config{Modern: App{URL: app}, Legacy: App{URL: app}, Tenants: Tenants{Path: regexp.MustCompile(bad)}}); err == nil || !strings.Contains(err.Error(), "group") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func openStore(t *testing.T, dsn string) *decisions.Store {
	t.Helper()
	s, err := decisions.Open(t.Context(), decisions.Config{DSN: dsn, Poll: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// fenced is a tenant whose fence is in force.
func fenced(t *testing.T, s *decisions.Store, tenant string, hold time.Duration) decisions.Placement {
	t.Helper()
	p, err := s.Fence(t.Context(), tenant, hold, hold, "test")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func place(t *testing.T, s *decisions.Store, fence decisions.Placement, app route.App) {
	t.Helper()
	if err := s.Place(t.Context(), fence.Tenant, fence.Epoch, app, "test"); err != nil {
		t.Fatal(err)
	}
}

// runs lets a gateway do its work in the background until stop.
func runs(t *testing.T, g *Gateway) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(stop)
	return stop
}

// TestTenantMoves moves a tenant from a Flask application to a Django one while it and another tenant write through two
// gateways: its requests wait and then all succeed on the new side, none reaches an application while the fence is in
// force, and the other tenant notices nothing.
func TestTenantMoves(t *testing.T) {
	p := newPort(t, "acme", "other")
	store := openStore(t, p.dsn)
	place(t, store, fenced(t, store, "acme", time.Minute), route.Legacy)
	var gateways []*Gateway
	var fronts []string
	for n := range 2 {
		g, err := New(Config{Modern: App{URL: p.modern.url, Companion: true}, Legacy: App{URL: p.legacy.url}, Decisions: store, Name: fmt.Sprint("gateway ", n),
			Tenants: Tenants{Path: regexp.MustCompile(`^/([a-z]+)/`), Wait: time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
		runs(t, g)
		eventually(t, "the gateway knows where tenants are", func() bool { return g.tenants.placed.Load() != nil })
		front := httptest.NewServer(g)
		t.Cleanup(front.Close)
		gateways, fronts = append(gateways, g), append(fronts, front.URL)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var failed atomic.Bool
	answers := map[string]*atomic.Int64{"acme": {}, "other": {}}
	const each = 3
	for i := range each {
		for tenant, n := range answers {
			clients.Go(func() {
				for k := 0; ctx.Err() == nil && !failed.Load(); k++ {
					note := fmt.Sprintf("%d of client %d", k, i)
					res, err := http.PostForm(fronts[k%2]+"/"+tenant+"/", url.Values{"note": {note}})
					if err != nil {
						failed.Store(true)
						t.Errorf("%s: %v", tenant, err)
						return
					}
					text, _ := io.ReadAll(res.Body)
					res.Body.Close()
					var said struct{ By string }
					if err := json.Unmarshal(text, &said); res.StatusCode != http.StatusOK || err != nil || tenant == "other" && said.By != "modern" {
						failed.Store(true)
						t.Errorf("%s: %s %.200s", tenant, res.Status, text)
						return
					}
					n.Add(1)
				}
			})
		}
	}
	more := func(tenant string, n int64) {
		t.Helper()
		want := answers[tenant].Load() + n
		eventually(t, tenant+" goes on", func() bool { return answers[tenant].Load() >= want || failed.Load() })
	}
	parked := func() (n int64) {
		for _, g := range gateways {
			n += g.tenants.waiting.Load()
		}
		return n
	}
	written := func() int { return pgtest.Value[int](t, p.dsn, "SELECT count(*)::int FROM entry WHERE name = 'acme'") }
	more("acme", 20)
	more("other", 20)
	fence := fenced(t, store, "acme", time.Minute)
	before := written()
	eventually(t, "all requests of the tenant wait", func() bool { return parked() == each })
	more("other", 30)
	if now := written(); now != before {
		t.Errorf("%d requests have reached an application behind the fence", now-before)
	}
	if n := parked(); n != each {
		t.Errorf("%d requests wait, want %d", n, each)
	}
	place(t, store, fence, route.Modern)
	more("acme", 20)
	cancel()
	clients.Wait()
	sides := pgtest.Value[[]string](t, p.dsn, "SELECT array_agg(by ORDER BY id) FROM entry WHERE name = 'acme'")
	for n, by := range sides {
		if want := map[bool]string{true: "legacy", false: "modern"}[n < before]; by != want {
			t.Fatalf("write %d of %d was answered by %s, but the tenant was moved after %d", n, len(sides), by, before)
		}
	}
	for tenant, n := range answers {
		rows := pgtest.Value[[]string](t, p.dsn, "SELECT array_agg(note) FROM entry WHERE name = '"+tenant+"'")
		if int64(len(rows)) != n.Load() || len(slices.Compact(slices.Sorted(slices.Values(rows)))) != len(rows) {
			t.Errorf("%s: %d rows for %d answered writes, or some twice", tenant, len(rows), n.Load())
		}
	}
	var waited float64
	for _, g := range gateways {
		waited += value(t, g, "replank_gateway_parked_seconds_count")
	}
	// Who is let go by one gateway may come to the other before that one has heard of it.
	if waited < each || waited > 2*each {
		t.Errorf("%v requests have waited, want %d: those of the tenant that was moved", waited, each)
	}
}

// asked is an answer that is still to come.
func (p *pair) asked(t *testing.T, at string, path string, headers ...string) (answer <-chan reply, leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	c := make(chan reply, 1)
	go func() {
		defer close(c)
		res, err := p.client.Do(r)
		if err != nil {
			return // it has left
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		c <- reply{res, string(text)}
	}()
	return c, cancel
}

// TestParking: what waits, for how long, and what ends it.
func TestParking(t *testing.T) {
	dsn := pgtest.DB(t)
	store, faulty := openStore(t, dsn), pgtest.Proxy(t, dsn)
	lost, compared := tells("the control database cannot be reached; tenants stay where they were, and what is fenced stays fenced"), tells("compared")
	follows, err := decisions.Open(t.Context(), decisions.Config{DSN: faulty.DSN(), Poll: 20 * time.Millisecond, Logger: slog.New(lost)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(follows.Close)
	if _, _, err := store.Decide(t.Context(), route.Decision{App: route.Modern, Template: "/same/{name}", Phase: route.PhaseShadow}, "", "test"); err != nil {
		t.Fatal(err)
	}
	p := newPair(t, func(c *Config) {
		c.ModernRoutes, c.LegacyRoutes = documents(t)
		c.Decisions, c.Logger, c.Trusted = follows, slog.New(compared), []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.Tenants = Tenants{Header: "X-Tenant", Wait: 20 * time.Second, Waiting: 2, WaitingAll: 3}
	})
	g := p.gateway
	acme := []string{"X-Tenant", "acme"}
	waits := func(want int64) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d wait", want), func() bool { return g.tenants.waiting.Load() == want })
	}
	refused := func(t *testing.T, res reply, why string) {
		t.Helper()
		if res.Response == nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(res.Header.Get("Proxy-Status"), "being moved") {
			t.Fatalf("%+v", res)
		}
		if n := value(t, g, `replank_gateway_parked_refused_total{why="`+why+`"}`); n != 1 {
			t.Errorf("%v were counted as %s", n, why)
		}
	}
	// seen is what of a path has reached the legacy application.
	seen := func(path string) bool { return strings.Contains(p.do(t, "GET", "/legacy/seen", nil).body, path) }

	all := t
	t.Run("before anything is known", func(t *testing.T) {
		if res := p.do(t, "GET", "/nobody", nil); res.StatusCode != http.StatusOK {
			t.Errorf("nobody's request: %s", res.Status)
		}
		answer, _ := p.asked(t, p.url, "/early", acme...)
		waits(1)
		runs(all, g)
		if res := <-answer; res.Response == nil || res.legacy(t).Path == "" {
			t.Errorf("%+v", res)
		}
	})
	t.Run("a stream is under way until it ends", func(t *testing.T) {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/legacy/events", nil)
		r.Header.Set("X-Tenant", "acme")
		res, err := p.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var none *decisions.FenceError
		if _, err := store.Fence(t.Context(), "acme", time.Second, time.Minute, "test"); !errors.As(err, &none) || !strings.Contains(err.Error(), "1 of its requests") {
			t.Errorf("%v", err)
		}
		if res := p.do(t, "GET", "/after", nil, acme...); res.StatusCode != http.StatusOK {
			t.Errorf("after a fence that was taken back: %s", res.Status)
		}
		res.Body.Close()
		for range 3 {
			p.do(t, "POST", "/legacy/events/next", nil) // the application notices, too
		}
		place(t, store, fenced(t, store, "acme", time.Minute), "")
	})
	t.Run("what an application sends meanwhile passes", func(t *testing.T) {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/legacy/events", nil)
		r.Header.Set("X-Tenant", "acme")
		res, err := p.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		token := g.hops.sign(hop{ID: "chain", Expires: time.Now().Add(time.Minute).Unix(), Side: Legacy})
		inForce := make(chan decisions.Placement, 1)
		go func() {
			fence, err := store.Fence(t.Context(), "acme", 20*time.Second, time.Minute, "test")
			if err != nil {
				t.Error(err)
			}
			inForce <- fence
		}()
		eventually(t, "the tenant is fenced", func() bool { return value(t, g, "replank_gateway_tenants_held") == 1 })
		if res := p.do(t, "GET", "/hop", nil, "X-Tenant", "acme", headerHop, token); res.StatusCode != http.StatusOK {
			t.Errorf("while one is under way: %s", res.Status)
		}
		waits(0)
		res.Body.Close()
		for range 3 {
			p.do(t, "POST", "/legacy/events/next", nil)
		}
		fence := <-inForce
		answer, _ := p.asked(t, p.url, "/late-hop", "X-Tenant", "acme", headerHop, token)
		waits(1)
		if seen("/late-hop") {
			t.Error("it has passed a fence that is in force")
		}
		place(t, store, fence, "")
		if res := <-answer; res.Response == nil || res.legacy(t).Path != "/late-hop?" {
			t.Errorf("%+v", res)
		}
	})
	t.Run("a comparison is under way until it ends", func(t *testing.T) {
		if res := p.do(t, "GET", "/same/stuck", nil, acme...); res.StatusCode != http.StatusOK {
			t.Fatal(res.Status)
		}
		var none *decisions.FenceError
		if _, err := store.Fence(t.Context(), "acme", 500*time.Millisecond, time.Minute, "test"); !errors.As(err, &none) || !strings.Contains(err.Error(), "1 of its requests") {
			t.Errorf("%v", err)
		}
		<-compared.c
		place(t, store, fenced(t, store, "acme", time.Minute), "")
	})
	t.Run("budget", func(t *testing.T) {
		fence := fenced(t, store, "acme", time.Minute)
		one, leave := p.asked(t, p.url, "/one", acme...)
		two, _ := p.asked(t, p.url, "/two", acme...)
		waits(2)
		res := p.do(t, "GET", "/full", nil, acme...)
		refused(t, res, parkedFull)
		for _, other := range [][]string{nil, {"X-Tenant", "other"}} {
			if res := p.do(t, "GET", "/other", nil, other...); res.StatusCode != http.StatusOK {
				t.Errorf("somebody else's request, %v: %s", other, res.Status)
			}
		}
		leave()
		if res, ok := <-one; ok {
			t.Errorf("a client that has left got %s", res.Status)
		}
		waits(1)
		three, _ := p.asked(t, p.url, "/three", acme...)
		waits(2)
		umbrella := fenced(t, store, "umbrella", time.Minute)
		four, _ := p.asked(t, p.url, "/four", "X-Tenant", "umbrella")
		waits(3)
		if n := value(t, g, "replank_gateway_parked"); n != 3 {
			t.Errorf("%v are said to wait", n)
		}
		for _, path := range []string{"/one", "/two", "/three", "/four"} {
			if seen(path) {
				t.Errorf("%s has reached the application", path)
			}
		}
		place(t, store, fence, route.Modern)
		place(t, store, umbrella, "")
		for _, c := range []<-chan reply{two, three, four} {
			if res := <-c; res.Response == nil || res.StatusCode != http.StatusOK {
				t.Errorf("%+v", res)
			}
		}
		waits(0)
	})
	t.Run("its time is over", func(t *testing.T) {
		fenced(t, store, "acme", time.Second)
		answer, _ := p.asked(t, p.url, "/late", acme...)
		refused(t, <-answer, parkedWaited)
		res := p.do(t, "GET", "/later", nil, acme...)
		refused(t, res, parkedOver)
		if res.Header.Get("Retry-After") != "30" {
			t.Errorf("come again in %s", res.Header.Get("Retry-After"))
		}
		if err := store.Release(t.Context(), "acme", 0, "test"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is released", func() bool { return p.do(t, "GET", "/released", nil, acme...).StatusCode == http.StatusOK })
	})
	t.Run("started anew", func(t *testing.T) {
		fence := fenced(t, store, "acme", time.Minute)
		cfg := g.cfg
		cfg.Name = "started anew"
		again, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		front := httptest.NewServer(again)
		defer front.Close()
		answer, _ := p.asked(t, front.URL, "/anew", acme...)
		eventually(t, "it waits", func() bool { return again.tenants.waiting.Load() == 1 })
		stop := runs(t, again)
		defer stop()
		eventually(t, "the gateway has read who is fenced", func() bool { return value(t, again, "replank_gateway_tenants_held") == 1 })
		eventually(t, "it waits on", func() bool { return again.tenants.waiting.Load() == 1 })
		if seen("/anew") {
			t.Error("it has reached the application")
		}
		place(t, store, fence, route.Legacy)
		if res := <-answer; res.Response == nil || res.legacy(t).Path != "/anew?" {
			t.Errorf("%+v", res)
		}
	})
	t.Run("placed before everything that is decided", func(t *testing.T) {
		for _, app := range []route.App{route.Legacy, route.Modern, ""} {
			place(t, store, fenced(t, store, "acme", time.Minute), app)
			want := map[route.App]string{route.Legacy: "legacy", route.Modern: "modern", "": "modern"}[app]
			eventually(t, "it is placed", func() bool { return p.do(t, "GET", "/ported/", nil, acme...).answeredBy() == want })
			if got := p.do(t, "GET", "/only-old", nil, acme...).answeredBy(); got != "legacy" {
				t.Errorf("placed on %q, a route that only the legacy application has: %s", app, got)
			}
			if got := p.do(t, "GET", "/ported/", nil, "X-Tenant", "other").answeredBy(); got != "modern" {
				t.Errorf("another tenant: %s", got)
			}
		}
	})
	t.Run("nobody outside names a tenant", func(t *testing.T) {
		fence := fenced(t, store, "acme", time.Minute)
		cfg := g.cfg
		cfg.Trusted, cfg.Decisions = nil, nil
		open, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		front := httptest.NewServer(open)
		defer front.Close()
		answer, _ := p.asked(t, front.URL, "/outside", acme...)
		if res := <-answer; res.Response == nil || slices.Contains(res.legacy(t).Headers, "X-Tenant") {
			t.Errorf("%+v", res)
		}
		place(t, store, fence, "")
	})
	// Last: the gateway loses its database.
	t.Run("the database is gone", func(t *testing.T) {
		fence := fenced(t, store, "acme", time.Minute)
		faulty.Refuse(true)
		<-lost.c
		answer, _ := p.asked(t, p.url, "/lost", acme...)
		waits(1)
		var none *decisions.FenceError
		if _, err := store.Fence(t.Context(), "umbrella", 500*time.Millisecond, time.Minute, "test"); !errors.As(err, &none) || !strings.Contains(err.Error(), "has not heard of it yet") {
			t.Errorf("a fence without a gateway that serves: %v", err)
		}
		if res := p.do(t, "GET", "/others", nil, "X-Tenant", "umbrella"); res.StatusCode != http.StatusOK {
			t.Errorf("another tenant: %s", res.Status)
		}
		place(t, store, fence, route.Legacy)
		if n := g.tenants.waiting.Load(); n != 1 || seen("/lost") {
			t.Errorf("%d wait: what is not known any more was believed", n)
		}
		faulty.Refuse(false)
		if res := <-answer; res.Response == nil || res.legacy(t).Path != "/lost?" {
			t.Errorf("%+v", res)
		}
	})
}
