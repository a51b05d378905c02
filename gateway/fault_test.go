package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"
)

// TestOperations runs what needs real applications but does not harm them on one pair of them.
func TestOperations(t *testing.T) {
	p := newPair(t, nil)
	t.Run("slow clients and floods", func(t *testing.T) { slowClientsAndFloods(t, p) })
	t.Run("drain under load", func(t *testing.T) { drainUnderLoad(t, p) })
	t.Run("metrics", func(t *testing.T) { metricsOf(t, p.again(t)) })
}

// again is another gateway before the same applications.
func (p *pair) again(t *testing.T) *pair {
	g, err := New(p.gateway.cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	other := *p
	other.t, other.gateway, other.url = t, g, s.URL
	return &other
}

// eventually waits until something is true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// served is a gateway that listens as the program does.
func served(t *testing.T, cfg Config) (g *Gateway, base string, stop func() error) {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, l, 20*time.Second) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { stop() })
	return g, "http://" + l.Addr().String(), stop
}

// get asks on a connection of its own.
func get(t *testing.T, address string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res, string(text)
}

// signal sends a signal to gunicorn and its workers.
func (s *server) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	// The master last: it would start new workers for those that were killed.
	pids := []int{s.cmd.Process.Pid}
	for _, m := range regexp.MustCompile(`Booting worker with pid: (\d+)`).FindAllStringSubmatch(s.log.String(), -1) {
		pid, _ := strconv.Atoi(m[1])
		pids = append(pids, pid)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
}

// TestHangingAndKilled: a modern application that hangs, and then is killed, costs its own requests only, is left alone
// after a few, and is asked again when it is back.
func TestHangingAndKilled(t *testing.T) {
	p := newPair(t, func(cfg *Config) {
		cfg.Modern.AnswerTimeout, cfg.Modern.Failures, cfg.Modern.OpenFor = 300*time.Millisecond, 3, 200*time.Millisecond
	})
	p.do(t, "GET", "/old", nil).legacy(t) // learned
	status := func() int {
		res := p.do(t, "GET", "/ported/", nil)
		if res.StatusCode == http.StatusServiceUnavailable && (res.Header.Get("Retry-After") != "1" || !strings.Contains(res.Header.Get("Proxy-Status"), "error=destination_unavailable")) {
			t.Errorf("503 with %v", res.Header)
		}
		p.do(t, "GET", "/old", nil).legacy(t) // whatever the other one does
		return res.StatusCode
	}
	if got := status(); got != http.StatusOK {
		t.Fatal(got)
	}
	p.modern.signal(t, syscall.SIGSTOP)
	t.Cleanup(func() { p.modern.signal(t, syscall.SIGCONT) })
	for n := range 3 {
		if got := status(); got != http.StatusGatewayTimeout {
			t.Errorf("request %d to an application that hangs: %d", n+1, got)
		}
	}
	if got := p.gateway.modern.breaker.State(); got != gobreaker.StateOpen {
		t.Errorf("after three of them: %s", got)
	}
	if got := status(); got != http.StatusServiceUnavailable {
		t.Errorf("then: %d", got)
	}
	p.modern.signal(t, syscall.SIGCONT)
	eventually(t, "the application is asked again", func() bool { return status() == http.StatusOK })
	p.modern.signal(t, syscall.SIGKILL)
	p.modern.cmd.Wait()
	for n := range 3 {
		if got := status(); got != http.StatusBadGateway {
			t.Errorf("request %d to an application that is dead: %d", n+1, got)
		}
	}
	if got := status(); got != http.StatusServiceUnavailable {
		t.Errorf("then: %d", got)
	}
	if used := p.gateway.modern.slots.used(); used != 0 {
		t.Errorf("%d connections are still taken", used)
	}
}

// raw is an application that writes bytes: no framework can be made to misbehave so. It is given each request with its
// number on the connection.
type raw struct {
	url  *url.URL
	seen atomic.Int64
}

func newRaw(t *testing.T, answer func(c net.Conn, r *http.Request, n int) (goOn bool)) *raw {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	a := &raw{url: &url.URL{Scheme: "http", Host: l.Addr().String()}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for n := 1; ; n++ {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					io.Copy(io.Discard, r.Body)
					a.seen.Add(1)
					if !answer(c, r, n) {
						return
					}
				}
			}()
		}
	}()
	return a
}

const fine = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"

// TestBrokenAnswers: what is no answer is told as 502 or by a connection that ends, and takes nothing from others.
func TestBrokenAnswers(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	modern := newRaw(t, func(c net.Conn, r *http.Request, _ int) bool {
		switch r.URL.Path {
		case "/garbage":
			io.WriteString(c, "\x16\x03\x01 this is no HTTP\r\n\r\n")
		case "/closes":
		case "/endless":
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := io.WriteString(c, "X: "+strings.Repeat("y", 8000)+"\r\n"); err != nil {
					return false
				}
			}
		case "/half":
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		case "/half-chunked":
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
		case "/silent":
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
			<-release
		case "/error":
			io.WriteString(c, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
			return true
		default:
			io.WriteString(c, fine)
			return true
		}
		return false
	})
	g, base, _ := served(t, Config{Modern: App{URL: modern.url, SilenceTimeout: 200 * time.Millisecond, Failures: 3, OpenFor: time.Hour}, Legacy: App{URL: modern.url}})
	for path, want := range map[string]int{"/garbage": 502, "/closes": 502, "/endless": 502, "/half": 200, "/half-chunked": 200, "/silent": 200} {
		res, err := http.Get(base + path)
		if err != nil && want == 200 {
			continue // the connection has ended before the client has seen anything
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %s", path, res.Status)
		}
		if want == 200 && (err == nil || string(text) != "half") {
			t.Errorf("%s: %q, %v; want half an answer that is told to be half", path, text, err)
		}
		if res, text := get(t, base+"/fine"); text != "fine" {
			t.Errorf("after %s: %s %s", path, res.Status, text)
		}
	}
	for range 10 {
		if res, _ := get(t, base+"/error"); res.StatusCode != 500 {
			t.Errorf("an answer of the application became %s", res.Status)
		}
	}
	if got := g.modern.breaker.State(); got != gobreaker.StateClosed {
		t.Errorf("answers have opened the breaker: %s", got)
	}
	if got := value(t, g, `replank_gateway_app_cut_answers_total{app="modern"}`); got != 3 {
		t.Errorf("%v cut answers were counted, want 3", got)
	}
	eventually(t, "every connection is given back", func() bool { return g.modern.slots.used() == 0 })
	for range 3 {
		get(t, base+"/closes")
	}
	before := modern.seen.Load()
	if res, _ := get(t, base+"/fine"); res.StatusCode != 503 || modern.seen.Load() != before {
		t.Errorf("after three failures in a row: %s", res.Status)
	}
}

// TestEarlyAnswer: an application that answers before it has read the body, and closes, has answered: net/http by itself
// fails with what happens to the rest of the body, if it notices that first.
func TestEarlyAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close() // with bytes that nobody has read: the kernel resets the connection
				r, err := http.ReadRequest(bufio.NewReader(c))
				if err == nil && r.URL.Path == "/answers" {
					io.WriteString(c, "HTTP/1.1 405 No\r\nConnection: close\r\nContent-Length: 5\r\n\r\nearly")
				}
			}()
		}
	}()
	modern := &url.URL{Scheme: "http", Host: l.Addr().String()}
	g, base, _ := served(t, Config{Modern: App{URL: modern, Failures: 1000}, Legacy: App{URL: modern}})
	large := make([]byte, 5<<20)
	ask := func(path string) (*http.Response, string) {
		res, err := http.Post(base+path, "text/plain", unknown{bytes.NewReader(large)})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res, string(text)
	}
	for range 100 {
		if res, text := ask("/answers"); res.StatusCode != 405 || text != "early" {
			t.Fatalf("%s %q, want what the application has answered", res.Status, text)
		}
	}
	for range 10 {
		if res, text := ask("/dies"); res.StatusCode != 502 {
			t.Fatalf("%s %q, but nobody has answered", res.Status, text)
		}
	}
	eventually(t, "every connection is given back", func() bool { return g.modern.slots.used() == 0 })
}

// TestSentAgain: what was not sent is sent again, what only reads is sent twice at most, what writes once.
func TestSentAgain(t *testing.T) {
	const warm = 6
	var mu sync.Mutex
	met := sync.NewCond(&mu)
	together := 0
	modern := newRaw(t, func(c net.Conn, r *http.Request, n int) bool {
		if r.URL.Path == "/kills" {
			return false
		}
		if r.URL.Path == "/warm" { // answered when all are there: each has a connection of its own
			mu.Lock()
			together++
			for before := together; together%warm != 0 && together == before; {
				met.Wait()
			}
			met.Broadcast()
			mu.Unlock()
		}
		io.WriteString(c, fine)
		return true
	})
	g, base, _ := served(t, Config{Modern: App{URL: modern.url, Idle: time.Minute, Failures: 100}, Legacy: App{URL: modern.url}})
	ask := func(method, path string, body io.Reader, headers ...string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, base+path, body)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range headers {
			r.Header.Set(name, "a")
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	for _, tt := range []struct {
		method, body string
		headers      []string
		times        int64
	}{
		{"GET", "", nil, 2},
		{"HEAD", "", nil, 2},
		{"POST", "", nil, 1},
		{"POST", "", []string{"Idempotency-Key"}, 1},
		{"POST", "", []string{"X-Idempotency-Key"}, 1},
		{"POST", "body", []string{"Idempotency-Key"}, 1},
		{"PUT", "body", nil, 1},
		{"DELETE", "", nil, 1},
		{"PATCH", "", nil, 1},
	} {
		t.Run(tt.method+" "+tt.body+strings.Join(tt.headers, ""), func(t *testing.T) {
			var all sync.WaitGroup
			for range warm {
				all.Go(func() { ask("GET", "/warm", nil) })
			}
			all.Wait()
			before := modern.seen.Load()
			var body io.Reader
			if tt.body != "" {
				body = strings.NewReader(tt.body)
			}
			if got := ask(tt.method, "/kills", body, tt.headers...); got != 502 {
				t.Errorf("%d", got)
			}
			if times := modern.seen.Load() - before; times != tt.times {
				t.Errorf("sent %d times, want %d", times, tt.times)
			}
		})
	}
	t.Run("no connection at first", func(t *testing.T) {
		g.modern.transport.CloseIdleConnections()
		dial, dials := g.modern.transport.DialContext, 0
		g.modern.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials++; dials == 1 {
				address = "127.0.0.1:1"
			}
			return dial(ctx, network, address)
		}
		before := modern.seen.Load()
		if got := ask("POST", "/fine", unknown{strings.NewReader("body")}); got != 200 || dials != 2 || modern.seen.Load() != before+1 {
			t.Errorf("%d after %d connections", got, dials)
		}
	})
}

// TestQueue: an application gets as many connections as it may have; a few requests wait, the others are told to come
// again.
func TestQueue(t *testing.T) {
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			arrived <- struct{}{}
			<-release
		}
		io.WriteString(w, "done")
	}))
	defer slow.Close()
	at, err := url.Parse(slow.URL)
	if err != nil {
		t.Fatal(err)
	}
	g, base, _ := served(t, Config{Modern: App{URL: at, Connections: 1, Waiting: 1, WaitTimeout: time.Minute}, Legacy: App{URL: at, Connections: 1, WaitTimeout: 50 * time.Millisecond}})
	g.learned.learn(noRoute, "GET", "/slow/legacy")
	g.learned.learn(noRoute, "GET", "/legacy")
	var all sync.WaitGroup
	ask := func() {
		if res, text := get(t, base+"/slow"); text != "done" {
			t.Errorf("%s %s", res.Status, text)
		}
	}
	all.Go(ask)
	<-arrived
	ctx, goes := context.WithCancel(t.Context())
	all.Go(func() {
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, base+"/slow", nil)
		if res, err := http.DefaultTransport.RoundTrip(r); err == nil {
			t.Errorf("a client that has gone got %s", res.Status)
		}
	})
	eventually(t, "one waits", func() bool { return g.modern.slots.waiting.Load() == 1 })
	goes()
	eventually(t, "it has left the queue", func() bool { return g.modern.slots.waiting.Load() == 0 })
	all.Go(ask)
	eventually(t, "one waits", func() bool { return g.modern.slots.waiting.Load() == 1 })
	res, _ := get(t, base+"/slow")
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(res.Header.Get("Proxy-Status"), "connection_limit_reached") {
		t.Errorf("one too many: %s %v", res.Status, res.Header)
	}
	if res, text := get(t, base+"/legacy"); text != "done" {
		t.Errorf("the other application: %s", res.Status)
	}
	g.legacy.slots.free <- struct{}{}
	if res, text := get(t, base+"/legacy"); res.StatusCode != 503 {
		t.Errorf("waited for too long: %s %s", res.Status, text)
	}
	g.legacy.slots.give()
	close(release)
	all.Wait()
	if g.modern.slots.used() != 0 || g.modern.slots.waiting.Load() != 0 {
		t.Error("something is still taken")
	}
	if got := g.modern.breaker.State(); got != gobreaker.StateClosed {
		t.Errorf("a queue is no failure: %s", got)
	}
}

// TestHealthCheck: an application whose check fails is not asked until it is good again.
func TestHealthCheck(t *testing.T) {
	var status atomic.Int64
	status.Store(200)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			w.WriteHeader(int(status.Load()))
			return
		}
		fmt.Fprint(w, "fine")
	}))
	defer app.Close()
	at, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, base, _ := served(t, Config{Modern: App{URL: at, Health: Health{Path: "/health", Every: 5 * time.Millisecond}}, Legacy: App{URL: at}})
	if res, _ := get(t, base+"/"); res.StatusCode != 200 {
		t.Fatal(res.Status)
	}
	status.Store(500)
	eventually(t, "the application is down", func() bool {
		res, _ := get(t, base+"/")
		return res.StatusCode == 503 && strings.Contains(res.Header.Get("Proxy-Status"), "health check")
	})
	status.Store(204)
	eventually(t, "it is up again", func() bool { res, _ := get(t, base+"/"); return res.StatusCode == 200 })
}
