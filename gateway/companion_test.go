package gateway

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/replank/replank/internal/route"
)

func secretFile(t *testing.T, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAskedForRoutes: both companions tell their routes to whoever shows the secret, and to nobody else.
func TestAskedForRoutes(t *testing.T) { onEach(t, askedForRoutes) }

func askedForRoutes(t *testing.T) {
	const secret = "fünf-und-zwanzig"
	modern := gunicorn(t, "modern", "django.core.wsgi:get_wsgi_application()", "DJANGO_SETTINGS_MODULE=settings", "ROUTES_SECRET="+secret)
	legacy := gunicorn(t, "legacy", "app:app", "ROUTES_SECRET="+secret)
	ask := func(s *server, method string, headers ...string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.url.String()+"/.replank/routes", nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(text)
	}
	modernFile, legacyFile := documents(t)
	for s, file := range map[*server]string{modern: modernFile, legacy: legacyFile} {
		for _, headers := range [][]string{nil, {"Authorization", secret}, {"Authorization", "Bearer"}, {"Authorization", "Bearer "}, {"Authorization", "Bearer " + secret[:5]},
			{"Authorization", "Bearer " + secret + "x"}, {"Authorization", "Basic " + secret}, {"Authorization", "Bearer None"}} {
			if res, text := ask(s, "GET", headers...); res.StatusCode != 404 || text != "" || res.Header.Get("ETag") != "" {
				t.Errorf("%s with %q: %s %.100s", s.dir, headers, res.Status, text)
			}
		}
		if res, text := ask(s, "POST", "Authorization", "Bearer "+secret); res.StatusCode != 404 || text != "" {
			t.Errorf("%s, POST: %s %.100s", s.dir, res.Status, text)
		}
		res, text := ask(s, "GET", "Authorization", "Bearer "+secret)
		told, err := route.Read([]byte(text))
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%s: %s %v %.300s", s.dir, res.Status, err, text)
		}
		written, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if text != string(written) {
			t.Errorf("%s tells other routes than the command writes:\n%.2000s\n%.2000s", s.dir, text, written)
		}
		if strings.Contains(strings.Join(told.IncompleteBecause, " "), "wsgi_app") {
			t.Errorf("%s: the companion takes itself for something that answers: %v", s.dir, told.IncompleteBecause)
		}
		for _, known := range []string{res.Header.Get("ETag"), `"x", ` + res.Header.Get("ETag")} {
			if again, text := ask(s, "GET", "Authorization", "Bearer "+secret, "If-None-Match", known); again.StatusCode != 304 || text != "" {
				t.Errorf("%s, nothing new: %s %.100s", s.dir, again.Status, text)
			}
		}
		if again, text := ask(s, "GET", "Authorization", "Bearer "+secret, "If-None-Match", `"x"`); again.StatusCode != 200 || text == "" {
			t.Errorf("%s, another one: %s", s.dir, again.Status)
		}
		if again, _ := ask(s, "GET", "If-None-Match", res.Header.Get("ETag")); again.StatusCode != 404 {
			t.Errorf("%s tells without the secret that nothing has changed: %s", s.dir, again.Status)
		}
	}

	// The gateway starts with the wrong secret: all routes are tried, and it says so.
	file := secretFile(t, "wrong")
	g, err := New(Config{Modern: App{URL: modern.url, Companion: true}, Legacy: App{URL: legacy.url}, ModernRoutes: Ask, LegacyRoutes: Ask, RoutesSecretFile: file, Look: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if s := statusOf(t, g).Apps; s[route.Modern].Routes != 0 || !strings.Contains(s[route.Modern].Problem, "404") || !strings.Contains(s[route.Legacy].Hint, "REPLANK_ROUTES_SECRET") {
		t.Errorf("%+v", s[route.Modern])
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	known := func() bool {
		s := statusOf(t, g).Apps
		return s[route.Modern].Routes > 0 && s[route.Modern].Problem == "" && s[route.Legacy].Routes > 0 && s[route.Legacy].Problem == ""
	}
	eventually(t, "the routes of both are known", known)
	table := g.table.Load()

	// One that hangs, and then one that is not there: what it has said holds.
	modern.signal(t, syscall.SIGSTOP)
	t.Cleanup(func() { modern.signal(t, syscall.SIGCONT) })
	eventually(t, "it is told that the application does not answer", func() bool { return statusOf(t, g).Apps[route.Modern].Problem != "" })
	modern.signal(t, syscall.SIGKILL)
	modern.cmd.Wait()
	eventually(t, "it is told that nobody listens", func() bool { return strings.Contains(statusOf(t, g).Apps[route.Modern].Problem, "refused") })
	if s := statusOf(t, g).Apps[route.Modern]; s.Routes == 0 || g.table.Load() != table || value(t, g, `replank_gateway_routes_stale{app="modern"}`) != 1 {
		t.Errorf("%+v", s)
	}
	if _, err := New(g.cfg); err != nil {
		t.Errorf("a gateway that starts while the application is not there: %v", err)
	}
	for _, none := range []string{"", filepath.Join(t.TempDir(), "none"), secretFile(t, " ")} {
		cfg := g.cfg
		cfg.RoutesSecretFile = none
		if _, err := New(cfg); err == nil || !strings.Contains(hintOf(err), "routes_secret_file") {
			t.Errorf("%q: %v", none, err)
		}
	}
}

// TestNoSecretNoRoutes: without the setting nobody is told anything.
func TestNoSecretNoRoutes(t *testing.T) {
	p := newPair(t, nil)
	for _, s := range []*server{p.modern, p.legacy} {
		for _, shown := range []string{"", "None", "null"} {
			if text, err := AskRoutes(t.Context(), s.url, secretFile(t, shown+"x")); err == nil {
				t.Errorf("%s: %.100s", s.dir, text)
			}
			r, err := http.NewRequestWithContext(t.Context(), "GET", s.url.String()+"/.replank/routes", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+shown)
			res, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != 404 {
				t.Errorf("%s, Bearer %s: %s", s.dir, shown, res.Status)
			}
		}
	}
	// From outside there is nothing at all.
	if res := p.do(t, "GET", "/.replank/routes", nil, "Authorization", "Bearer x"); res.StatusCode != 404 || res.Header.Get("ETag") != "" {
		t.Errorf("%s", res.Status)
	}
}
