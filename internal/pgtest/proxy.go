package pgtest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// FaultyConn stands between a client and the server and breaks connections on command. All of it happens at once or
// on an event in the stream, so that a test does not have to guess times.
type FaultyConn struct {
	dsn      string // through the proxy
	target   string
	listener net.Listener

	mu     sync.Mutex
	change *sync.Cond // the state below has changed
	links  map[*link]struct{}
	refuse bool
	hole   bool
	delay  time.Duration
	trap   *trap
	closed bool
}

// link is one client's connection and its counterpart.
type link struct {
	client, server net.Conn
}

// trap cuts a connection when a client sends a text.
type trap struct {
	text   []byte // lower case
	when   When
	sprung chan struct{}
}

// When says at which moment CutOn cuts.
type When int

const (
	// BeforeServer cuts before the server has seen the message: what it asks for does not happen.
	BeforeServer When = iota
	// AfterServer cuts after the server has answered and before the client sees the answer: it has happened, but the
	// client cannot know.
	AfterServer
)

// Proxy starts a proxy to the server of dsn.
func Proxy(t testing.TB, dsn string) *FaultyConn {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("start proxy: %v", err)
	}
	u := mustParse(dsn)
	p := &FaultyConn{target: u.Host, listener: listener, links: map[*link]struct{}{}}
	p.change = sync.NewCond(&p.mu)
	u.Host = listener.Addr().String()
	p.dsn = u.String()
	var serving sync.WaitGroup
	serving.Go(func() { p.serve(&serving) })
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.change.Broadcast()
		p.mu.Unlock()
		listener.Close()
		p.Cut()
		serving.Wait()
	})
	return p
}

// DSN leads through the proxy.
func (p *FaultyConn) DSN() string { return p.dsn }

// Cut resets all present connections. New ones are possible.
func (p *FaultyConn) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

// Refuse resets all present connections and every new one, until it is called with false.
func (p *FaultyConn) Refuse(on bool) {
	p.mu.Lock()
	p.refuse = on
	p.mu.Unlock()
	if on {
		p.Cut()
	}
}

// Hole lets nothing through in either direction while it is on, as a dead network would: connections stay open and
// silent. What was held back is delivered when it is switched off.
func (p *FaultyConn) Hole(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole = on
	p.change.Broadcast()
}

// Delay holds every message of either side for d.
func (p *FaultyConn) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// CutOn cuts the next connection whose client sends text (in any case), once. The channel is closed when it has.
func (p *FaultyConn) CutOn(text string, when When) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trap = &trap{text: []byte(strings.ToLower(text)), when: when, sprung: make(chan struct{})}
	return p.trap.sprung
}

func (p *FaultyConn) serve(serving *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.Dial("tcp4", p.target)
		l := &link{client: client, server: server}
		p.mu.Lock()
		if err != nil || p.refuse || p.closed {
			l.reset()
			p.mu.Unlock()
			continue
		}
		p.links[l] = struct{}{}
		p.mu.Unlock()
		serving.Go(func() { p.carry(l) })
	}
}

// carry forwards both directions until one ends.
func (p *FaultyConn) carry(l *link) {
	var answer *trap // set when the trap waits for the server's answer
	var both sync.WaitGroup
	both.Go(func() {
		defer l.close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := l.client.Read(buffer)
			if err != nil {
				return
			}
			if !p.pass() {
				return
			}
			if t := p.springs(buffer[:n]); t != nil {
				if t.when == BeforeServer {
					p.spring(l, t)
					return
				}
				p.mu.Lock()
				answer = t
				p.mu.Unlock()
			}
			if _, err := l.server.Write(buffer[:n]); err != nil {
				return
			}
		}
	})
	both.Go(func() {
		defer l.close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := l.server.Read(buffer)
			if err != nil {
				return
			}
			p.mu.Lock()
			t := answer
			p.mu.Unlock()
			if t != nil {
				p.spring(l, t)
				return
			}
			if !p.pass() {
				return
			}
			if _, err := l.client.Write(buffer[:n]); err != nil {
				return
			}
		}
	})
	both.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// pass waits while the proxy holds messages back and reports whether it still runs.
func (p *FaultyConn) pass() bool {
	p.mu.Lock()
	delay := p.delay
	p.mu.Unlock()
	if delay > 0 {
		time.Sleep(delay) // the fault itself, not a wait for something
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.hole && !p.closed {
		p.change.Wait()
	}
	return !p.closed
}

// springs returns the trap if message springs it, and disarms it.
func (p *FaultyConn) springs(message []byte) *trap {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trap == nil || !bytes.Contains(bytes.ToLower(message), p.trap.text) {
		return nil
	}
	t := p.trap
	p.trap = nil
	return t
}

func (p *FaultyConn) spring(l *link, t *trap) {
	l.reset()
	close(t.sprung)
}

// reset ends both connections so that the client sees "connection reset" and not an orderly end.
func (l *link) reset() {
	if tcp, ok := l.client.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails only on a closed connection
	}
	l.close()
}

func (l *link) close() {
	for _, c := range []io.Closer{l.client, l.server} {
		if conn, ok := c.(net.Conn); ok && conn != nil {
			if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				continue // already broken, which is what we want
			}
		}
	}
}
