package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/route"
)

// follow opens the decisions of a database, and lets the gateway follow them until the end of the test or stop.
func (p *pair) follow(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.gateway.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	return stop
}

// clients ask until done is closed. Every answer must be one of the application that may give it: good is asked.
func (p *pair) clients(t *testing.T, done <-chan struct{}, good func(reply) error) (wait func() (requests int64)) {
	var asked atomic.Int64
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				method, body := http.MethodGet, io.Reader(nil)
				if (n+i)%2 == 0 {
					method, body = http.MethodPost, strings.NewReader("a body")
				}
				r, err := http.NewRequest(method, p.url+"/ported/", body)
				if err != nil {
					t.Error(err)
					return
				}
				res, err := p.client.Do(r)
				if err != nil {
					t.Errorf("%s: %v", method, err)
					return
				}
				text, err := io.ReadAll(res.Body)
				res.Body.Close()
				asked.Add(1)
				if err == nil && res.StatusCode != http.StatusOK {
					err = fmt.Errorf("%s", res.Status)
				}
				if err == nil {
					err = good(reply{res, string(text)})
				}
				if err != nil {
					t.Errorf("%s: %v: %.200s", method, err, text)
					return
				}
			}
		})
	}
	return func() int64 { all.Wait(); return asked.Load() }
}

// TestControlDatabaseGone: while the database cannot be reached, what was decided last holds, nobody notices but those who
// run the gateway, and nothing that was counted is lost. What is decided meanwhile is in force when it is back.
func TestControlDatabaseGone(t *testing.T) {
	dsn := pgtest.DB(t)
	proxy := pgtest.Proxy(t, dsn)
	lost, swapped := tells("the control database cannot be reached; the last decisions about routes hold"), tells("routes")
	open := func(cfg decisions.Config) *decisions.Store {
		t.Helper()
		store, err := decisions.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(store.Close)
		return store
	}
	store, people := open(decisions.Config{DSN: proxy.DSN(), Logger: slog.New(lost)}), open(decisions.Config{DSN: dsn})
	p := newPair(t, func(c *Config) {
		c.ModernRoutes, c.LegacyRoutes = documents(t)
		c.Decisions, c.Logger = store, slog.New(swapped)
	})
	stop := p.follow(t)
	<-swapped.c // the documents
	<-swapped.c // the decisions as they are at first
	decide := func(phase route.Phase) {
		t.Helper()
		if _, _, err := people.Decide(t.Context(), route.Decision{App: route.Modern, Template: "/ported/", Phase: phase}, "", "test"); err != nil {
			t.Fatal(err)
		}
	}
	problem := func() string { return statusOf(t, p.gateway).Decisions.Problem }
	decide(route.PhaseLegacy)
	<-swapped.c
	var requests int64
	for name, fault := range map[string]func(on bool){"refused": proxy.Refuse, "silent": proxy.Hole} {
		if got := problem(); got != "" {
			t.Errorf("%s, before: %s", name, got)
		}
		done := make(chan struct{})
		wait := p.clients(t, done, func(r reply) error {
			if by := r.answeredBy(); by != "legacy" {
				return fmt.Errorf("answered by %s, and nobody has taken the decision back", by)
			}
			return nil
		})
		fault(true)
		<-lost.c
		if problem() == "" || value(t, p.gateway, "replank_gateway_decisions_stale") != 1 {
			t.Errorf("%s: neither the status nor a metric says it", name)
		}
		decide(route.PhaseModern) // of which the gateway cannot know
		if r := p.do(t, "GET", "/ported/", nil); r.answeredBy() != "legacy" {
			t.Errorf("%s: answered by %s", name, r.answeredBy())
		}
		requests++
		close(done)
		requests += wait()
		back := time.Now()
		fault(false)
		<-swapped.c
		t.Logf("%s: in force %s after the database was back", name, time.Since(back).Round(time.Millisecond))
		if r := p.do(t, "GET", "/ported/", nil); r.answeredBy() != "modern" {
			t.Errorf("%s, back: answered by %s", name, r.answeredBy())
		}
		requests++
		eventually(t, "the status says that it is back", func() bool { return problem() == "" && value(t, p.gateway, "replank_gateway_decisions_stale") == 0 })
		decide(route.PhaseLegacy)
		<-swapped.c
	}
	stop()
	counts, err := people.Counts(t.Context(), time.Now().AddDate(0, 0, -2))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counts {
		requests -= c.Requests
	}
	if requests > 0 { // what was written and not confirmed is counted twice
		t.Errorf("%d requests were not counted", requests)
	}
}

// TestReloadStorm: while routes are written, read and decided about as fast as it goes, every request is answered, by one
// table or another, and at the end the last ones hold.
func TestReloadStorm(t *testing.T) {
	dsn := pgtest.DB(t)
	store, err := decisions.Open(t.Context(), decisions.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	var modern string
	p := newPair(t, func(c *Config) {
		c.ModernRoutes, c.LegacyRoutes = documents(t)
		c.Decisions, c.Look, modern = store, time.Millisecond, c.ModernRoutes
	})
	with, err := os.ReadFile(modern)
	if err != nil {
		t.Fatal(err)
	}
	ported := `"template":"/ported/","methods":null`
	versions := [][]byte{
		with,
		[]byte(strings.ReplaceAll(string(with), "/ported/", "/else/")),                              // without the route
		[]byte(strings.Replace(string(with), ported, `"template":"/ported/","methods":["get"]`, 1)), // a bad one
		with[:len(with)/2], // none
	}
	p.follow(t)
	done := make(chan struct{})
	wait := p.clients(t, done, func(r reply) error {
		if by := r.answeredBy(); by != "legacy" && by != "modern" {
			return fmt.Errorf("answered by %s", by)
		}
		return nil
	})
	const times = 300
	var storm sync.WaitGroup
	storm.Go(func() {
		for range times {
			// In place: a reader may see a part of it.
			if err := os.WriteFile(modern, versions[rand.IntN(len(versions))], 0o644); err != nil {
				t.Error(err)
			}
			_ = p.gateway.Reload() // some are none
		}
	})
	for range 2 {
		storm.Go(func() {
			for range times {
				_ = p.gateway.Reload()
			}
		})
	}
	storm.Go(func() {
		for range times {
			d := route.Decision{App: route.Modern, Template: "/ported/", Phase: route.Phases[rand.IntN(len(route.Phases))].Name}
			if d.Phase == route.PhaseRetired {
				d.Phase = "" // nothing falls back from it, whoever has the route
			}
			if d.Phase == route.PhaseCanary {
				d.Canary = route.Canary{Share: 0.5}
			}
			if _, _, err := store.Decide(t.Context(), d, "", "test"); err != nil {
				t.Error(err)
			}
		}
	})
	storm.Wait()
	close(done)
	if n := wait(); n < 20 {
		t.Errorf("only %d requests were made in the storm", n)
	}
	if err := os.WriteFile(modern, with, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Decide(t.Context(), route.Decision{App: route.Modern, Template: "/ported/", Phase: route.PhaseLegacy}, "", "test"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the last document and the last decision hold", func() bool {
		m := p.gateway.table.Load().routes.Match(route.Request{Method: "GET", Path: "/ported/"})
		return m.Modern.Kind == route.Found && m.Decision != nil && m.Decision.Phase == route.PhaseLegacy
	})
	if err := p.gateway.Reload(); err != nil || statusOf(t, p.gateway).Apps[route.Modern].Problem != "" {
		t.Errorf("after it: %v", err)
	}
}
