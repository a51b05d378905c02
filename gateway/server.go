package gateway

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
)

const (
	headerTimeout = 10 * time.Second // for the headers of a request: slowloris gets no further
	idleTimeout   = 75 * time.Second // between two requests of a connection
	mostHeaders   = 64 << 10         // bytes of headers
	mostStreams   = 100              // requests at a time of an HTTP/2 connection
)

// Serve answers on a listener until ctx ends. Then it goes on for Config.Notice, and tells each client to come back on
// another connection; after that it takes no new connection, and lets the requests that are under way end, for at most
// drain.
func (g *Gateway) Serve(ctx context.Context, l net.Listener, drain time.Duration) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // a load balancer that ends TLS may speak it; nobody can upgrade to it
	clients := &clients{gone: make(chan struct{}, 1), told: g.metrics.connection}
	s := &http.Server{
		Handler:           g,
		ReadHeaderTimeout: orDefault(g.cfg.HeaderTimeout, headerTimeout),
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    mostHeaders,
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: mostStreams, SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		ErrorLog:          g.connectionLog(),
		ConnState:         clients.changed,
	}
	checking, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	for _, a := range []*app{g.modern, g.legacy} {
		go a.health.run(checking)
	}
	ended := make(chan error, 1)
	// More clients than that wait in the queue of the operating system.
	go func() { ended <- s.Serve(netutil.LimitListener(l, orDefault(g.cfg.ClientConnections, 10_000))) }()
	select {
	case err := <-ended:
		return fmt.Errorf("listen on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	g.draining.Store(true)
	notice := time.NewTimer(orDefault(g.cfg.Notice, time.Second))
	defer notice.Stop()
	for clients.open.Load() > 0 {
		select {
		case <-clients.gone:
			continue
		case <-notice.C:
		}
		break
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := s.Shutdown(last); err != nil {
		s.Close()
		if errors.Is(err, context.DeadlineExceeded) {
			return &drainError{drain}
		}
		return err
	}
	return nil
}

// clients counts the connections of a server.
type clients struct {
	open atomic.Int64
	gone chan struct{} // filled when one has gone
	told func(net.Conn, http.ConnState)
}

func (c *clients) changed(conn net.Conn, s http.ConnState) {
	c.told(conn, s)
	switch s {
	case http.StateNew:
		c.open.Add(1)
	case http.StateIdle:
		conn.SetWriteDeadline(time.Time{}) // that of the last answer (pacedAnswer.end)
	case http.StateClosed, http.StateHijacked:
		c.open.Add(-1)
		select {
		case c.gone <- struct{}{}:
		default:
		}
	}
}

// drainError: requests were under way for longer than they were given.
type drainError struct{ drain time.Duration }

func (e *drainError) Error() string {
	return fmt.Sprintf("requests were still under way after %s, and were cut", e.drain)
}

// Hint says what to do.
func (e *drainError) Hint() string { return "give them longer with --drain" }

// connectionLog takes what net/http has to say about connections: clients that go, broken handshakes.
func (g *Gateway) connectionLog() *log.Logger { return log.New(logWriter{g}, "", 0) }

type logWriter struct{ g *Gateway }

func (w logWriter) Write(p []byte) (int, error) {
	w.g.log.Debug("connection", "message", string(p))
	return len(p), nil
}
