package gateway

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/route"
)

// TestShadow: in phase shadow the legacy application answers, and what the modern one would have said is compared:
// differences count but for those that the legacy application has with itself. Writes are not repeated, and a modern
// application that hangs keeps nobody waiting.
func TestShadow(t *testing.T) { onEach(t, shadowing) }

func shadowing(t *testing.T) {
	store, err := decisions.Open(t.Context(), decisions.Config{DSN: pgtest.DB(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	if _, _, err := store.Decide(t.Context(), route.Decision{App: route.Modern, Template: "/same/{name}", Phase: route.PhaseShadow}, "", "test"); err != nil {
		t.Fatal(err)
	}
	compared := tells("compared")
	p := newPair(t, func(c *Config) {
		c.ModernRoutes, c.LegacyRoutes = documents(t)
		c.Decisions, c.Logger = store, slog.New(compared)
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.gateway.Run(ctx) }()
	get := func(path string) {
		t.Helper()
		if res := p.do(t, "GET", path, nil); res.StatusCode != http.StatusOK || !strings.Contains(res.body, `"total":2`) {
			t.Errorf("%s: %s %.200s", path, res.Status, res.body)
		}
	}
	for _, path := range []string{"/same/a", "/same/b", "/same/wrong?token=hush"} {
		get(path)
	}
	for range 3 {
		<-compared.c
	}
	p.do(t, "POST", "/same/a", strings.NewReader("x")) // not allowed there, and not repeated
	// The modern application takes seconds for this one: the answer is there before it has compared anything.
	for range 2 {
		get("/same/stuck")
	}
	select {
	case <-compared.c:
		t.Error("the client has waited for the comparison")
	default:
	}
	// A client that goes before the end is no comparison.
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/legacy/large", nil)
	res, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.CopyN(io.Discard, res.Body, 10)
	res.Body.Close()
	for range 2 {
		<-compared.c
	}
	cancel()
	<-ended
	found, _, err := store.Shadows(t.Context(), time.Now().AddDate(0, 0, -2), "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i].Day = time.Time{}
	}
	want := decisions.Shadow{Template: found[0].Template, Same: 4, Different: 1}
	if len(found) != 1 || found[0] != want {
		t.Errorf("%+v, want %+v", found, want)
	}
	_, samples, err := store.Shadows(t.Context(), time.Now(), found[0].Template)
	if err != nil || len(samples) != 1 {
		t.Fatalf("%+v, %v", samples, err)
	}
	s := samples[0]
	if s.Total != 1 || s.Differences[0].Path != "/total" || s.Differences[0].Old != "2" || s.Differences[0].New != "1" {
		t.Errorf("%+v", s)
	}
	if strings.Contains(s.Path, "hush") || !strings.HasPrefix(s.Path, "/same/wrong?token=") {
		t.Errorf("the sample keeps %s", s.Path)
	}
}

// TestShadowReadOnly: shadow requests reach the modern application only where its companion has tried to write in vain,
// and what wants to write there nevertheless is told, and changes nothing.
func TestShadowReadOnly(t *testing.T) {
	apps := newPort(t, "invoices")
	dsn, legacy := apps.dsn, apps.legacy
	for _, tt := range []struct {
		middleware string
		want       map[string]string // by template: why it could not be compared
	}{
		{"", map[string]string{"GET /invoices/": "ReadOnly", "GET /wrote/": "ReadOnly", "GET /later/": "ReadOnly", "POST /invoices/": "ReadOnly"}},
		{"replank.django.shadow.ReadOnly", map[string]string{"GET /invoices/": "", "GET /wrote/": "wanted to write", "GET /later/": "wanted to write", "POST /invoices/": ""}},
	} {
		t.Run(tt.middleware, func(t *testing.T) {
			modern := gunicorn(t, "port/modern", "django.core.wsgi:get_wsgi_application()", append(apps.env, "MORE="+tt.middleware)...)
			compared := tells("compared")
			g, err := New(Config{Modern: App{URL: modern.url, Companion: true}, Legacy: App{URL: legacy.url}, ShadowReadOnly: true, Logger: slog.New(compared)})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); g.shadow.run(ctx) }()
			defer func() { cancel(); <-ended }()
			for what := range tt.want {
				method, template, _ := strings.Cut(what, " ")
				var body io.Reader
				if method == http.MethodPost {
					body = strings.NewReader("note=shadowed")
				}
				r, err := http.NewRequestWithContext(t.Context(), method, legacy.url.String()+template, body)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				decision := &route.Decision{App: route.Modern, Template: what, Phase: route.PhaseShadow, ShadowWrites: true}
				x := &exchange{answerer: answerer{shadow: true}, template: what, decision: decision}
				res, err := g.send(x, g.legacy, r)
				if err != nil {
					t.Fatal(err)
				}
				if text, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(text), "legacy") {
					t.Errorf("%s: %v %s", what, err, text)
				}
				res.Body.Close()
				<-compared.c
			}
			found, samples := g.shadow.take()
			if len(found) != len(tt.want) || len(samples) != len(tt.want) {
				t.Fatalf("%+v %+v", found, samples)
			}
			for _, s := range samples {
				if s.Failed == "" && (s.Total != 1 || s.Differences[0].Path != "/by") && s.Template == "GET /invoices/" {
					t.Errorf("%s: %+v", s.Template, s.Result)
				}
				if why := tt.want[s.Template]; !strings.Contains(s.Failed, why) || (why == "") != (s.Failed == "") {
					t.Errorf("%s: %q, want %q", s.Template, s.Failed, why)
				}
			}
			by := pgtest.Value[string](t, dsn, "SELECT coalesce(string_agg(name || ' by ' || by || ': ' || note, ', '), '') FROM entry")
			if by != "invoices by legacy: shadowed" {
				t.Errorf("written: %s", by)
			}
			pgtest.Exec(t, dsn, "TRUNCATE entry")
		})
	}
}
