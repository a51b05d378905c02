package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// TestEventsAreStreamed: each event of a stream arrives before the next one is made.
func TestEventsAreStreamed(t *testing.T) { onEach(t, eventsAreStreamed) }

func eventsAreStreamed(t *testing.T) {
	p := newPair(t, nil)
	res, err := p.client.Get(p.url + "/legacy/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	for n := range 3 {
		line, err := lines.ReadString('\n')
		if want := fmt.Sprintf("data: %d\n", n); err != nil || line != want {
			t.Fatalf("%q, %v; want %q", line, err, want)
		}
		lines.ReadString('\n')
		if res := p.do(t, "POST", "/legacy/events/next", nil); res.StatusCode != http.StatusNoContent {
			t.Fatal(res.Status)
		}
	}
	if rest, err := io.ReadAll(lines); err != nil || len(rest) != 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

// beforeASGI puts a gateway before a modern application under gunicorn and a legacy one that speaks ASGI.
func beforeASGI(t *testing.T) string {
	t.Helper()
	modern := gunicorn(t, "modern", "django.core.wsgi:get_wsgi_application()", "DJANGO_SETTINGS_MODULE=settings")
	legacy := uvicorn(t, "asgi", "app:app")
	g, err := New(Config{Modern: App{URL: modern.url, Companion: true}, Legacy: App{URL: legacy.url, Chunked: true}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	return s.URL
}

// TestWebSocket: a handshake that the modern application has no route for becomes a connection to the legacy one.
func TestWebSocket(t *testing.T) { onEach(t, webSocket) }

func webSocket(t *testing.T) {
	url := beforeASGI(t)
	for _, round := range []string{"tried", "learned"} {
		t.Run(round, func(t *testing.T) {
			c, _, err := websocket.Dial(t.Context(), strings.Replace(url, "http", "ws", 1)+"/socket", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			for _, text := range []string{"one", strings.Repeat("two", 5000)} {
				if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
					t.Fatal(err)
				}
				_, got, err := c.Read(t.Context())
				if err != nil || string(got) != "legacy "+text {
					t.Fatalf("%.50s, %v", got, err)
				}
			}
			if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("another protocol makes no tunnel", func(t *testing.T) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", url+"/socket", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "HTTP2-Settings": {"AAMAAABkAARAAAAAAAIAAAAA"}}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s", res.Status)
		}
	})
	t.Run("a body of unknown length is streamed to who reads it", func(t *testing.T) {
		http.Get(url + "/up") // learned
		in, out := io.Pipe()
		r, err := http.NewRequestWithContext(t.Context(), "POST", url+"/up", in)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for range 10 {
				out.Write([]byte("0123456789"))
			}
			out.Close()
		}()
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if text, err := io.ReadAll(res.Body); err != nil || string(text) != "legacy 100 chunked" {
			t.Errorf("%q, %v", text, err)
		}
	})
}

// TestHeadersFromOutside: what only the gateway may say does not pass, however it is spelt.
func TestHeadersFromOutside(t *testing.T) { onEach(t, headersFromOutside) }

func headersFromOutside(t *testing.T) {
	p := newPair(t, nil)
	lies := []string{"Replank-Identity", "replank-identity", "REPLANK_IDENTITY", "Replank_Identity", "replank_trial", "Replank-Trial", "Replank-Anything", "Replank-Hop-By", "replank_hop",
		"X-Forwarded-For", "X_Forwarded_For", "X-Forwarded-Host", "x-forwarded-proto", "X-Real-IP", "Forwarded", "X-Original-URL", "Proxy", "X-Forwarded-Prefix"}
	for _, lie := range lies {
		for _, also := range [][]string{nil, {"Connection", lie}, {"Connection", "close, " + lie}} {
			f := p.do(t, "GET", "/old", nil, append([]string{lie, "lie"}, also...)...).legacy(t)
			for _, name := range f.Headers {
				switch name := strings.ToLower(strings.ReplaceAll(name, "_", "-")); {
				case name == "replank-hop": // the gateway's own
				case name == "x-forwarded-for" || name == "x-forwarded-host" || name == "x-forwarded-proto":
				case strings.HasPrefix(name, "replank-"), name == "proxy", name == "forwarded", strings.HasPrefix(name, "x-forwarded"), strings.HasPrefix(name, "x-original"), name == "x-real-ip":
					t.Errorf("%s: the application has seen %s", lie, name)
				}
			}
		}
	}
	if f := p.do(t, "GET", "/old", nil, "X-Forwarded-Host", "evil.example").legacy(t); strings.Contains(f.Host, "evil") {
		t.Errorf("host %s", f.Host)
	}
	if res := p.do(t, "GET", "/.replank/ask", nil, "Replank-Ask", "GET /ported/"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a client may ask the companion: %s", res.Status)
	}
}
