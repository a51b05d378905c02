package gateway

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
)

// scrape is what the admin listener says of metrics.
func scrape(t *testing.T, g *Gateway) string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Host = "localhost"
	g.admin("").ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// value is one metric.
func value(t *testing.T, g *Gateway, series string) float64 {
	t.Helper()
	for line := range strings.Lines(scrape(t, g)) {
		if text, ok := strings.CutPrefix(line, series+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	return 0
}

// metricsOf: what happens is counted, and no client can make new series.
func metricsOf(t *testing.T, p *pair) {
	p.do(t, "GET", "/old", nil).legacy(t) // tried
	p.do(t, "GET", "/old", nil).legacy(t) // learned
	p.do(t, "POST", "/ported/", strings.NewReader("x"))
	p.do(t, "GET", "/things/101", nil)
	p.do(t, "POST", "/both", strings.NewReader(strings.Repeat("x", 100_000))).legacy(t) // asked
	for series, want := range map[string]float64{
		`replank_gateway_requests_total{answered_by="legacy",method="read",status="2xx"}`:  2,
		`replank_gateway_requests_total{answered_by="legacy",method="write",status="2xx"}`: 1,
		`replank_gateway_requests_total{answered_by="modern",method="write",status="2xx"}`: 1,
		`replank_gateway_requests_total{answered_by="modern",method="read",status="4xx"}`:  1,
		`replank_gateway_request_seconds_count{answered_by="legacy"}`:                      3,
		`replank_gateway_fallbacks_total`:                                                  1,
		`replank_gateway_trials_total{said="route"}`:                                       1,
		`replank_gateway_trials_total{said="none"}`:                                        1,
		`replank_gateway_trials_total{said="object"}`:                                      1,
		`replank_gateway_trials_total{said="method"}`:                                      1,
		`replank_gateway_learned_paths`:                                                    2,
		`replank_gateway_kept_bytes`:                                                       0,
		`replank_gateway_app_up{app="modern"}`:                                             1,
		`replank_gateway_app_breaker{app="legacy",state="closed"}`:                         1,
		`replank_gateway_app_breaker{app="legacy",state="open"}`:                           0,
		`replank_gateway_app_connections{app="legacy"}`:                                    0,
		`replank_gateway_app_seconds_count{app="modern"}`:                                  4,
	} {
		if got := value(t, p.gateway, series); got != want {
			t.Errorf("%s %v, want %v", series, got, want)
		}
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "guide-gateway.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| [a-z0-9, ]+ \\| ").FindAllStringSubmatch(string(page), -1)
	descriptions := make(chan *prometheus.Desc, 1000)
	p.gateway.metrics.registry.Describe(descriptions)
	close(descriptions)
	var described []string
	for d := range descriptions {
		if m := regexp.MustCompile(`fqName: "replank_gateway_([a-z_]+)"`).FindStringSubmatch(d.String()); m != nil {
			described = append(described, m[1])
			if !slices.ContainsFunc(listed, func(l []string) bool { return l[1] == m[1] }) {
				t.Errorf("docs/guide-gateway.md does not list %s", m[1])
			}
		}
	}
	for _, m := range listed {
		if !slices.Contains(described, m[1]) {
			t.Errorf("docs/guide-gateway.md lists %s, which is not there", m[1])
		}
	}
	series := func() int { return strings.Count(scrape(t, p.gateway), "\nreplank_gateway_requests_total") }
	p.do(t, "GET", "/old/none", nil)
	before := series()
	for _, odd := range []string{"BREW", "PROPFIND", "GETT"} {
		p.do(t, odd, "/ported/"+odd, nil, "Host", odd)
	}
	if after := series(); after != before {
		t.Errorf("%d series became %d", before, after)
	}
}

// TestAdminListener: who may ask what.
func TestAdminListener(t *testing.T) {
	app := newRaw(t, func(c net.Conn, _ *http.Request, _ int) bool { return false })
	g, err := New(Config{Modern: App{URL: app.url}, Legacy: App{URL: app.url}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(token, path, host string, headers ...string) int {
		r := httptest.NewRequest("GET", path, nil)
		r.Host = host
		for _, value := range headers {
			r.Header.Add("Authorization", value)
		}
		w := httptest.NewRecorder()
		g.admin(token).ServeHTTP(w, r)
		return w.Code
	}
	for _, tt := range []struct {
		token, path, host string
		headers           []string
		want              int
	}{
		{"", "/metrics", "127.0.0.1:8081", nil, 200},
		{"", "/metrics", "localhost", nil, 200},
		{"", "/metrics", "[::1]:8081", nil, 200},
		{"", "/metrics", "evil.example", nil, 403},
		{"", "/metrics", "127.0.0.1.evil.example:8081", nil, 403},
		{"", "/healthz", "10.0.0.7:8081", nil, 200},
		{"secret", "/metrics", "127.0.0.1", nil, 401},
		{"secret", "/metrics", "gateway:8081", []string{"Bearer secret"}, 200},
		{"secret", "/metrics", "127.0.0.1", []string{"Bearer secre"}, 401},
		{"secret", "/metrics", "127.0.0.1", []string{"Bearer secret2"}, 401},
		{"secret", "/metrics", "127.0.0.1", []string{"secret"}, 401},
		{"secret", "/metrics", "127.0.0.1", []string{"Bearer "}, 401},
		{"secret", "/healthz", "10.0.0.7", nil, 200},
		{"secret", "/readyz", "10.0.0.7", nil, 200},
		{"secret", "/old", "127.0.0.1", nil, 404},
	} {
		if got := ask(tt.token, tt.path, tt.host, tt.headers...); got != tt.want {
			t.Errorf("token %q: %s of %s with %q: %d, want %d", tt.token, tt.path, tt.host, tt.headers, got, tt.want)
		}
	}
	g.legacy.health.down.Store(true)
	if got := ask("", "/readyz", "h"); got != 200 {
		t.Errorf("one application down: %d", got)
	}
	for range 5 {
		done, err := g.modern.breaker.Allow()
		if err != nil {
			t.Fatal(err)
		}
		done(io.ErrUnexpectedEOF)
	}
	if got := ask("", "/readyz", "h"); got != 503 || g.modern.breaker.State() != gobreaker.StateOpen {
		t.Errorf("both down: %d", got)
	}
	if got := ask("", "/healthz", "h"); got != 200 {
		t.Errorf("it lives all the same: %d", got)
	}
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := g.ServeAdmin(t.Context(), l, ""); err == nil || !strings.Contains(err.Error(), "no token") {
		t.Errorf("open to everybody: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.ServeAdmin(ctx, l, "secret") }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if res, text := get(t, "http://127.0.0.1:"+port+"/healthz"); res.StatusCode != 200 || text != "ok\n" {
		t.Errorf("%s %s", res.Status, text)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
