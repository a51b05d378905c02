package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slowClientsAndFloods: who sends or takes too little, or sends too much, is cut, while others are served. The
// applications are real ones.
func slowClientsAndFloods(t *testing.T, p *pair) {
	const patience = 300 * time.Millisecond
	cfg := p.gateway.cfg
	cfg.HeaderTimeout, cfg.ClientTimeout, cfg.KeepAtMost, cfg.BodyAtMost = patience, patience, 1<<20, 2<<20
	g, base, _ := served(t, cfg)
	g.learned.learn(noRoute, "GET", "/legacy/large")
	g.learned.learn(noRoute, "GET", "/legacy/events")
	dial := func(t *testing.T) net.Conn {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			panic(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(30 * time.Second))
		return c
	}
	others := func(t *testing.T) {
		t.Helper()
		if res, _ := get(t, base+"/ported/"); res.StatusCode != http.StatusOK {
			t.Errorf("another client got %s", res.Status)
		}
	}
	// drip writes a byte at a time until the other end has had enough.
	drip := func(c net.Conn) (n int) {
		for ; n < 10_000; n++ {
			if _, err := c.Write([]byte("a")); err != nil {
				break
			}
			<-time.After(10 * time.Millisecond)
		}
		return n
	}
	// cut waits for the end of a connection and returns what came before it.
	cut := func(t *testing.T, c net.Conn) string {
		t.Helper()
		others(t)
		text, err := io.ReadAll(c)
		if err, ok := errors.AsType[net.Error](err); ok && err.Timeout() {
			t.Error("the connection is still open")
		}
		return string(text)
	}
	t.Run("headers", func(t *testing.T) {
		for _, drips := range []bool{false, true} {
			c := dial(t)
			io.WriteString(c, "GET /ported/ HTTP/1.1\r\nHost: a\r\nX: ")
			if drips {
				go drip(c)
			}
			if text := cut(t, c); strings.Contains(text, "200 OK") {
				t.Error(text)
			}
		}
	})
	t.Run("body", func(t *testing.T) {
		var all sync.WaitGroup
		for _, path := range []string{"/old", "/ported/"} {
			for _, coding := range []string{"Content-Length: 1000", "Content-Length: 900000", "Transfer-Encoding: chunked"} {
				for _, drips := range []bool{false, true} {
					all.Go(func() {
						c := dial(t)
						io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: a\r\n"+coding+"\r\n\r\n")
						if strings.HasPrefix(coding, "T") {
							io.WriteString(c, "1000\r\n")
						}
						if drips {
							go drip(c)
						}
						if text := cut(t, c); text != "" && !strings.HasPrefix(text, "HTTP/1.1 408 ") {
							t.Errorf("%s %s: %s", path, coding, text)
						}
					})
				}
			}
		}
		all.Wait()
		if used := g.keeper.used.Load(); used != 0 {
			t.Errorf("%d bytes are still kept", used)
		}
		eventually(t, "no connection is taken", func() bool { return g.modern.slots.used() == 0 && g.legacy.slots.used() == 0 })
	})
	t.Run("body over HTTP/2", func(t *testing.T) {
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		client := &http.Transport{Protocols: protocols}
		defer client.CloseIdleConnections()
		in, out := io.Pipe()
		defer out.Close()
		r, err := http.NewRequestWithContext(t.Context(), "POST", base+"/old", in)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusRequestTimeout || res.ProtoMajor != 2 {
			t.Errorf("%s %s", res.Proto, res.Status)
		}
	})
	t.Run("answer", func(t *testing.T) {
		c := dial(t)
		io.WriteString(c, "GET /legacy/large HTTP/1.1\r\nHost: a\r\n\r\n")
		eventually(t, "the answer is on its way", func() bool { return g.legacy.slots.used() == 1 })
		eventually(t, "nobody takes it, and it is given up", func() bool { return g.legacy.slots.used() == 0 })
		if text := cut(t, c); len(text) >= 320*65536 {
			t.Errorf("%d bytes were taken", len(text))
		}
	})
	t.Run("silence of an application is no client's fault", func(t *testing.T) {
		for _, version := range []int{1, 2} {
			protocols := new(http.Protocols)
			protocols.SetHTTP1(version == 1)
			protocols.SetUnencryptedHTTP2(version == 2)
			client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
			res, err := client.Get(base + "/legacy/events")
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(res.Body)
			for n := range 3 {
				if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", n) {
					t.Errorf("HTTP/%d: %q, %v", version, line, err)
				}
				lines.ReadString('\n')
				<-time.After(patience + patience/2)
				p.do(t, "POST", "/legacy/events/next", nil)
			}
			res.Body.Close()
			client.CloseIdleConnections()
		}
	})
	t.Run("headers flood", func(t *testing.T) {
		for _, flood := range []string{"X: " + strings.Repeat("y", 100<<10) + "\r\n", strings.Repeat("X: y\r\n", 20<<10)} {
			c := dial(t)
			go io.WriteString(c, "GET /ported/ HTTP/1.1\r\nHost: a\r\n"+flood+"\r\n")
			if text := cut(t, c); text != "" && !strings.HasPrefix(text, "HTTP/1.1 431 ") {
				t.Error(text)
			}
		}
	})
	t.Run("body flood", func(t *testing.T) {
		for _, tt := range []struct {
			path, head string
			size       int
		}{
			{"/ported/", "Content-Length: 3000000", 0},
			{"/old", "Content-Length: 9223372036854775807", 0},
			{"/old", "Transfer-Encoding: chunked", 2 << 20},
			{"/ported/", "Transfer-Encoding: chunked", 2 << 20},
		} {
			c := dial(t)
			go io.WriteString(c, "POST "+tt.path+" HTTP/1.1\r\nHost: a\r\n"+tt.head+"\r\n\r\n200000\r\n"+strings.Repeat("x", tt.size))
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%s, %s: %v %v", tt.path, tt.head, res, err)
			}
			others(t)
		}
	})
	for why, want := range map[string]int{"slow_body": 13, "slow_reader": 1} {
		if got := value(t, g, `replank_gateway_slow_clients_total{why="`+why+`"}`); int(got) < want {
			t.Errorf("%s: %v counted, want %d", why, got, want)
		}
	}
	if got := g.modern.breaker.Counts().TotalFailures + g.legacy.breaker.Counts().TotalFailures; got != 0 {
		t.Errorf("%d failures of clients were counted as the applications'", got)
	}
}

// TestClientConnections: more clients than may be wait until another goes.
func TestClientConnections(t *testing.T) {
	modern := newRaw(t, func(c net.Conn, _ *http.Request, _ int) bool {
		io.WriteString(c, fine)
		return true
	})
	_, base, _ := served(t, Config{Modern: App{URL: modern.url}, Legacy: App{URL: modern.url}, ClientConnections: 1})
	first, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	io.WriteString(first, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(first), nil); err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	answered := make(chan string, 1)
	go func() {
		_, text := get(t, base+"/second")
		answered <- text
	}()
	first.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	first.Read(make([]byte, 1))
	select {
	case <-answered:
		t.Error("the second was served beside the first")
	default:
	}
	first.Close()
	if text := <-answered; text != "fine" {
		t.Error(text)
	}
}

// drainUnderLoad: a gateway that is stopped under load answers every request that was sent to it, on connections
// whose clients stay as long as they are not told to go, and does not keep clients that do nothing.
func drainUnderLoad(t *testing.T, p *pair) {
	cfg := p.gateway.cfg
	cfg.Notice = 5 * time.Second
	g, base, stop := served(t, cfg)
	g.learned.learn(noRoute, "GET", "/old")
	var sent, answered atomic.Int64
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			defer context.AfterFunc(t.Context(), func() { c.Close() })()
			in := bufio.NewReader(c)
			for {
				sent.Add(1)
				io.WriteString(c, "GET /old HTTP/1.1\r\nHost: a\r\n\r\n")
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Errorf("a request got no answer: %v", err)
					return
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
					t.Errorf("%s, %v", res.Status, err)
				}
				answered.Add(1)
				if res.Close {
					return
				}
			}
		})
	}
	eventually(t, "there is load", func() bool { return answered.Load() > 200 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	clients.Wait()
	if sent.Load() != answered.Load() {
		t.Errorf("%d sent, %d answered", sent.Load(), answered.Load())
	}
	if !g.draining.Load() {
		t.Error("it is not said to be draining")
	}
}
