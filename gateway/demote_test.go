package gateway

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/route"
)

// TestDemote: a canary whose answers are errors goes back by itself, with the reason; one that was decided about meanwhile
// stays as it is.
func TestDemote(t *testing.T) {
	dsn := pgtest.DB(t)
	store, err := decisions.Open(t.Context(), decisions.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	p := newPair(t, func(c *Config) {
		c.ModernRoutes, c.LegacyRoutes = documents(t)
		c.Decisions = store
	})
	canary := route.Decision{App: route.Modern, Template: "/same/{name}", Phase: route.PhaseCanary, Canary: route.Canary{Share: 1}}
	decide := func(d route.Decision) {
		t.Helper()
		if _, _, err := store.Decide(t.Context(), d, "", "test"); err != nil {
			t.Fatal(err)
		}
		snap, err := store.Read(t.Context())
		if err == nil {
			err = p.gateway.routes.decided(snap)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ask := func(path string, n int) {
		for range n {
			p.do(t, "GET", path, nil)
		}
	}
	phase := func() string {
		t.Helper()
		p.gateway.demote(t.Context())
		return pgtest.Value[string](t, dsn, "SELECT coalesce(phase, '-') FROM replank.route WHERE template = '/same/{name}'")
	}
	decide(canary)
	ask("/same/a", 30)
	ask("/same/broken", 1)
	if got := phase(); got != "canary" {
		t.Errorf("one error of 31: %s", got)
	}
	ask("/same/broken", 4)
	if got := phase(); got != "legacy" {
		t.Errorf("five errors of 35: %s", got)
	}
	if because := pgtest.Value[string](t, dsn, "SELECT because || ' ' || by FROM replank.route_event ORDER BY id DESC LIMIT 1"); because != "5 of 35 answers of the modern application were errors, more than 5% replank gateway" {
		t.Error(because)
	}
	// It is judged anew, and only as long as it is what was judged.
	decide(canary)
	ask("/same/broken", 25)
	modern := canary
	modern.Phase, modern.Canary = route.PhaseModern, route.Canary{}
	decide(modern)
	if got := phase(); got != "modern" {
		t.Errorf("decided about meanwhile: %s", got)
	}
	// What serves everybody is not judged.
	ask("/same/broken", 25)
	if got := phase(); got != "modern" {
		t.Errorf("for everybody: %s", got)
	}
	if res := p.do(t, "GET", "/same/broken", nil); res.StatusCode != http.StatusInternalServerError || strings.Contains(res.body, "legacy") {
		t.Errorf("%s %.100s", res.Status, res.body)
	}
}

// TestJudge: what is demoted, and what is not.
func TestJudge(t *testing.T) {
	d := Demote{Slow: time.Second, Differences: 0.1}.withDefaults()
	of := func(requests, errors int64, mean time.Duration) answers {
		return answers{requests, errors, mean * time.Duration(requests)}
	}
	for name, tt := range map[string]struct {
		r    record
		want string
	}{
		"nothing":            {record{}, ""},
		"errors":             {record{modern: of(20, 2, 0), legacy: of(100, 0, 0)}, "2 of 20"},
		"at the limit":       {record{modern: of(20, 1, 0)}, ""},
		"too few":            {record{modern: of(19, 19, 0)}, ""},
		"legacy fails too":   {record{modern: of(20, 20, 0), legacy: of(100, 60, 0)}, ""},
		"slow":               {record{modern: of(20, 0, 3*time.Second), legacy: of(20, 0, time.Second)}, "3s on average"},
		"legacy is slow too": {record{modern: of(20, 0, 3*time.Second), legacy: of(20, 0, 2*time.Second)}, ""},
		"differences":        {record{same: 17, different: 3}, "3 of 20"},
		"some differences":   {record{same: 18, different: 2}, ""},
	} {
		if got := d.judge(tt.r); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := (Demote{Errors: -1}).withDefaults().judge(record{modern: of(20, 20, 0)}); got != "" {
		t.Errorf("never: %s", got)
	}
}
