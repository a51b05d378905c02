package gateway

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"
)

// How long a client may take. Bodies and answers have no limit of their own: uploads and streams take what they take.
const (
	headerTimeout = 10 * time.Second // for the headers of a request: slowloris gets no further
	idleTimeout   = 75 * time.Second // between two requests of a connection
	mostHeaders   = 64 << 10         // bytes of headers
)

// Serve answers on a listener until ctx ends, and then lets the requests that are under way end, for at most drain.
func (g *Gateway) Serve(ctx context.Context, l net.Listener, drain time.Duration) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // a load balancer that ends TLS may speak it; nobody can upgrade to it
	s := &http.Server{
		Handler:           g,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    mostHeaders,
		Protocols:         protocols,
		ErrorLog:          log.New(logWriter{g}, "", 0),
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("listen on %s: %w", l.Addr(), err)
	case <-ctx.Done():
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

// drainError: requests were under way for longer than they were given.
type drainError struct{ drain time.Duration }

func (e *drainError) Error() string {
	return fmt.Sprintf("requests were still under way after %s, and were cut", e.drain)
}

// Hint says what to do.
func (e *drainError) Hint() string { return "give them longer with --drain" }

// logWriter takes what net/http has to say about connections: clients that go, broken handshakes.
type logWriter struct{ g *Gateway }

func (w logWriter) Write(p []byte) (int, error) {
	w.g.log.Debug("connection", "message", string(p))
	return len(p), nil
}
