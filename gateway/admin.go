package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// ServeAdmin answers for those who run the gateway, until ctx ends: /healthz (the process lives), /readyz (requests
// may come), /metrics and /status. With a token, everything that tells about the applications needs it. Without one, the
// listener must be on a loopback address.
func (g *Gateway) ServeAdmin(ctx context.Context, l net.Listener, token string) error {
	if err := g.AdminAllowed(l.Addr(), token); err != nil {
		return err
	}
	s := &http.Server{
		Handler:           g.admin(token),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          g.connectionLog(),
	}
	defer context.AfterFunc(ctx, func() { s.Close() })()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("listen on %s: %w", l.Addr(), err)
	}
	return nil
}

// AdminAllowed says what ServeAdmin would refuse at once.
func (g *Gateway) AdminAllowed(at net.Addr, token string) error {
	if token == "" && !loopback(at.String()) {
		return &openAdminError{at}
	}
	return nil
}

// openAdminError: anybody could reach the listener.
type openAdminError struct{ at net.Addr }

func (e *openAdminError) Error() string {
	return fmt.Sprintf("%s can be reached from other machines, and there is no token", e.at)
}

// Hint says what to do.
func (e *openAdminError) Hint() string {
	return "set admin_token_file in [gateway], or listen on 127.0.0.1"
}

// admin is the handler behind ServeAdmin.
func (g *Gateway) admin(token string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", g.ready)
	mux.Handle("GET /metrics", guarded(token, promhttp.HandlerFor(g.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})))
	mux.Handle("GET /status", guarded(token, http.HandlerFunc(g.status)))
	return mux
}

// ready tells a load balancer whether requests may come. One application that is not there is no reason to stay away:
// the other one answers its part.
func (g *Gateway) ready(w http.ResponseWriter, _ *http.Request) {
	text, up := "", 0
	for _, a := range []*app{g.modern, g.legacy} {
		switch err := a.available(); err {
		case nil:
			up++
			text += string(a.side) + ": up\n"
		default:
			text += string(a.side) + ": " + err.Error() + "\n"
		}
	}
	switch {
	case g.draining.Load():
		text = "draining\n" + text
		fallthrough
	case up == 0:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	io.WriteString(w, text)
}

// guarded lets only those pass who know the token. Without a token only this machine can connect; a page in a browser
// on it that has pointed its own name to 127.0.0.1 (DNS rebinding) is told by that name.
func guarded(token string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token == "" {
			if !loopback(r.Host) {
				http.Error(w, "the name of this host is not localhost", http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r)
			return
		}
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		// Hashes have one length: the comparison tells nothing of the token's, either.
		got := sha256.Sum256([]byte(given))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 || !ok {
			w.Header().Set("WWW-Authenticate", `Bearer realm="replank"`)
			http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopback reports whether an address, with or without a port, is one that only this machine has.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
