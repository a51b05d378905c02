// Package gateway stands in front of two applications, the new one and the old one, and lets the one answer that has
// the route.
//
// # Who answers
//
// A route table says which application has which route. What it cannot say is tried: the modern application is asked
// first, and says with a label (its companion's work) whether it has no such route. Only then the legacy application
// answers. A label is proof that nothing was executed: requests that write fall back on nothing else.
//
// # What passes
//
// Everything passes as it came, and is streamed. A body is kept only where the answer is not known before it is sent.
// Headers that tell who a client is are made here, and never taken from outside.
package gateway

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// Side is one of the two applications.
type Side string

// The two applications.
const (
	Modern Side = "modern"
	Legacy Side = "legacy"
)

// Config says what stands behind a gateway.
type Config struct {
	// Modern and Legacy are the two applications. Both must be given.
	Modern, Legacy App
	// Unlabelled lets every 404 of the modern application fall back, where it has no companion: an object that is not
	// there is then looked for in the legacy application, too, and requests that write never fall back. Default: false.
	Unlabelled bool
	// KeepInMemory is how much of a request body is kept in memory. Default: 64 KiB.
	KeepInMemory int64
	// KeepAtMost bounds a body that must be kept; larger ones get 413. Default: 64 MiB.
	KeepAtMost int64
	// KeepAll bounds all kept bodies together. Default: 1 GiB.
	KeepAll int64
	// KeepDir is where bodies are kept that do not fit in memory. Default: os.TempDir().
	KeepDir string
	// LearnFor is how long a label holds for a path. Default: 1m.
	LearnFor time.Duration
	// Trusted are the networks of proxies in front, whose X-Forwarded-* headers are true. Default: none.
	Trusted []netip.Prefix
	// Logger hears what goes wrong. Default: slog.DiscardHandler.
	Logger *slog.Logger
}

// Gateway is an http.Handler.
type Gateway struct {
	cfg     Config
	modern  *app
	legacy  *app
	keeper  *keeper
	learned *learned
	proxy   *httputil.ReverseProxy
	log     *slog.Logger
}

// New returns a gateway.
func New(cfg Config) (*Gateway, error) {
	if cfg.Modern.URL == nil || cfg.Legacy.URL == nil {
		return nil, errors.New("a gateway needs the URLs of both applications")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.KeepInMemory == 0 {
		cfg.KeepInMemory = 64 << 10
	}
	if cfg.KeepAtMost == 0 {
		cfg.KeepAtMost = 64 << 20
	}
	if cfg.KeepAll == 0 {
		cfg.KeepAll = 1 << 30
	}
	if cfg.KeepDir == "" {
		cfg.KeepDir = os.TempDir()
	}
	g := &Gateway{
		cfg:     cfg,
		modern:  newApp(Modern, cfg.Modern),
		legacy:  newApp(Legacy, cfg.Legacy),
		keeper:  &keeper{inMemory: cfg.KeepInMemory, limit: cfg.KeepAtMost, budget: cfg.KeepAll, dir: cfg.KeepDir},
		learned: newLearned(50_000, orDefault(cfg.LearnFor, time.Minute)),
		log:     cfg.Logger,
	}
	g.proxy = &httputil.ReverseProxy{
		Rewrite:        g.rewrite,
		Transport:      roundTripper(g.roundTrip),
		ModifyResponse: g.modify,
		ErrorHandler:   g.failed,
		ErrorLog:       log.New(io.Discard, "", 0), // the error handler tells
		BufferPool:     &bufferPool{},
	}
	return g, nil
}

// exchange is one request on its way.
type exchange struct {
	route      // who may answer
	answeredBy Side
	status     int
	body       *kept // nil: streamed, or none
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// route is who may answer a request.
type route struct {
	first Side
	trial bool // a label lets the legacy application answer
}

// decide says who answers.
func (g *Gateway) decide(r *http.Request) route {
	if g.learned.knows(r.Method, r.URL.Path) {
		return route{first: Legacy}
	}
	return route{first: Modern, trial: true}
}

func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	clean(r.Header, g.trusts(r))
	if r.URL.Path == ownPrefix || strings.HasPrefix(r.URL.Path, ownPrefix+"/") {
		http.NotFound(w, r) // the companions' answers are for the gateway
		return
	}
	x, began := &exchange{route: g.decide(r)}, time.Now()
	defer func() {
		x.body.Close()
		g.log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.Int("status", x.status), slog.String("answered_by", string(x.answeredBy)), slog.Float64("took_seconds", time.Since(began).Seconds()))
	}()
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	if err := g.prepare(x, r); err != nil {
		g.failed(w, r, err)
		return
	}
	g.proxy.ServeHTTP(w, r)
}

// trusts reports whether a request comes from a proxy of ours.
func (g *Gateway) trusts(r *http.Request) bool {
	if len(g.cfg.Trusted) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && slices.ContainsFunc(g.cfg.Trusted, func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap()) })
}
