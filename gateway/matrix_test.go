package gateway

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// pair is a gateway before real applications.
type pair struct {
	t              *testing.T
	modern, legacy *server
	gateway        *Gateway
	url            string
	client         *http.Client
}

func newPair(t *testing.T, change func(*Config)) *pair {
	t.Helper()
	// Its address is there before the gateway is: the applications send requests to it.
	s := httptest.NewUnstartedServer(nil)
	address := "TEST_GATEWAY=http://" + s.Listener.Addr().String()
	p := &pair{t: t, modern: gunicorn(t, "modern", "django.core.wsgi:get_wsgi_application()", "DJANGO_SETTINGS_MODULE=settings", address), legacy: gunicorn(t, "legacy", "app:app", address)}
	cfg := Config{Modern: App{URL: p.modern.url, Companion: true}, Legacy: App{URL: p.legacy.url}}
	if change != nil {
		change(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Config.Handler = g
	s.Start()
	t.Cleanup(s.Close)
	p.gateway, p.url = g, s.URL
	p.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return p
}

// from is what the legacy application of testdata tells of a request.
type from struct {
	App, Method, Path, SHA, Declared, Coding, Host string
	Length                                         int64
	Headers                                        []string
}

// reply is an answer that was read.
type reply struct {
	*http.Response
	body string
}

// legacy is what the legacy application has seen; it fails the test if it did not answer.
func (r reply) legacy(t *testing.T) from {
	t.Helper()
	var f from
	if err := json.Unmarshal([]byte(r.body), &f); err != nil || f.App != "legacy" {
		t.Fatalf("%s, not from the legacy application: %.200s", r.Status, r.body)
	}
	return f
}

func (p *pair) do(t *testing.T, method, path string, body io.Reader, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	res, err := p.client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	for name := range res.Header {
		if strings.HasPrefix(name, "Replank-") {
			t.Errorf("%s %s: %s reaches the client", method, path, name)
		}
	}
	return reply{res, string(text)}
}

// unknown hides the length of a body.
type unknown struct{ io.Reader }

// TestFallbackMatrix: what the modern application has no route for is answered by the legacy one, with the whole body,
// and everything else is the modern application's own answer.
func TestFallbackMatrix(t *testing.T) {
	onEach(t, func(t *testing.T) {
		p := newPair(t, nil)
		t.Run("tried", p.matrix)
		p = newPair(t, func(c *Config) { c.ModernRoutes, c.LegacyRoutes = documents(t) })
		t.Run("known", p.matrix)
	})
}

func (p *pair) matrix(t *testing.T) {
	large := make([]byte, 5<<20)
	rand.Read(large)
	bodies := map[string]func() io.Reader{
		"none":          func() io.Reader { return nil },
		"11 bytes":      func() io.Reader { return strings.NewReader("hello world") },
		"5 MB":          func() io.Reader { return bytes.NewReader(large) },
		"chunked":       func() io.Reader { return unknown{strings.NewReader("hello world")} },
		"chunked, 5 MB": func() io.Reader { return unknown{bytes.NewReader(large)} },
	}
	sizes := map[string]int64{"none": 0, "11 bytes": 11, "5 MB": 5 << 20, "chunked": 11, "chunked, 5 MB": 5 << 20}
	for name, body := range bodies {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			if method == "GET" && name != "none" {
				continue
			}
			for _, learned := range []string{"first", "again"} {
				t.Run(strings.Join([]string{"no route", method, name, learned}, "/"), func(t *testing.T) {
					f := p.do(t, method, "/old/thing?a=1;b=%zz", body()).legacy(t)
					if f.Method != method || f.Length != sizes[name] || f.Path != "/old/thing?a=1;b=%zz" {
						t.Errorf("the legacy application has seen %+v", f)
					}
				})
			}
			if method == "GET" {
				continue
			}
			t.Run(strings.Join([]string{"no method", method, name}, "/"), func(t *testing.T) {
				if f := p.do(t, method, "/both", body()).legacy(t); f.Length != sizes[name] {
					t.Errorf("the legacy application has seen %+v", f)
				}
			})
			t.Run(strings.Join([]string{"no method, said by the view", method, name}, "/"), func(t *testing.T) {
				if f := p.do(t, method, "/decorated", body()).legacy(t); f.Length != sizes[name] {
					t.Errorf("the legacy application has seen %+v", f)
				}
			})
			t.Run(strings.Join([]string{"slash", method, name}, "/"), func(t *testing.T) {
				if f := p.do(t, method, "/slashed", body()).legacy(t); f.Length != sizes[name] {
					t.Errorf("the legacy application has seen %+v", f)
				}
			})
			t.Run(strings.Join([]string{"ported", method, name}, "/"), func(t *testing.T) {
				res := p.do(t, method, "/ported/?a=1;b=%zz", body())
				if want := "modern " + method + " /ported/?a=1;b=%zz "; !strings.HasPrefix(res.body, want) || !strings.HasSuffix(res.body, " "+strconv.FormatInt(sizes[name], 10)) {
					t.Errorf("%s: %.100s", res.Status, res.body)
				}
			})
		}
	}
	t.Run("object", func(t *testing.T) {
		if res := p.do(t, "GET", "/things/101", nil); res.StatusCode != http.StatusNotFound || strings.Contains(res.body, "legacy") {
			t.Errorf("%s: %.100s", res.Status, res.body)
		}
		if res := p.do(t, "POST", "/things/101", strings.NewReader("x")); res.StatusCode != http.StatusNotFound || strings.Contains(res.body, "legacy") {
			t.Errorf("%s: %.100s", res.Status, res.body)
		}
		if res := p.do(t, "GET", "/things/99", nil); res.StatusCode != http.StatusOK || !strings.HasPrefix(res.body, "modern") {
			t.Errorf("%s: %.100s", res.Status, res.body)
		}
	})
	t.Run("chunked object", func(t *testing.T) {
		if res := p.do(t, "GET", "/chunked-404", nil); res.StatusCode != http.StatusNotFound || res.body != "modern modern modern " {
			t.Errorf("%s: %.100s", res.Status, res.body)
		}
	})
	t.Run("OPTIONS", func(t *testing.T) {
		if res := p.do(t, "OPTIONS", "/legacy/large", nil); res.StatusCode != http.StatusOK || !strings.Contains(res.Header.Get("Allow"), "GET") {
			t.Errorf("%s %v", res.Status, res.Header)
		}
	})
	t.Run("HEAD", func(t *testing.T) {
		if res := p.do(t, "HEAD", "/old", nil); res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v", res.Status, res.Header)
		}
	})
	t.Run("expect", func(t *testing.T) {
		if f := p.do(t, "POST", "/old", bytes.NewReader(large), "Expect", "100-continue").legacy(t); f.Length != 5<<20 {
			t.Errorf("the legacy application has seen %+v", f)
		}
	})
	t.Run("large answer", func(t *testing.T) {
		if res := p.do(t, "GET", "/legacy/large", nil); len(res.body) != 320*65536 {
			t.Errorf("%d bytes", len(res.body))
		}
	})
	if used := p.gateway.keeper.used.Load(); used != 0 {
		t.Errorf("%d bytes of bodies are still kept", used)
	}
}
