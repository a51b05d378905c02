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
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/replank/replank/internal/compare"
	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/identity"
	"github.com/replank/replank/internal/route"
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
	// BodyAtMost bounds every request body, streamed ones too; larger ones get 413. Default: 0, the applications say.
	BodyAtMost int64
	// ClientConnections bounds the connections of clients; more wait. Default: 10000.
	ClientConnections int
	// HeaderTimeout bounds the time in which the headers of a request must come. Default: 10s.
	HeaderTimeout time.Duration
	// ClientTimeout is how long nothing may come of a body, and nothing be taken of an answer. Default: 30s.
	ClientTimeout time.Duration
	// SlowestBody is how many bytes a second a body must bring at least. Default: 500.
	SlowestBody int64
	// Notice is how long requests are still taken when the gateway is stopped, so that load balancers and clients
	// hear of it. It ends when no client is connected. Default: 1s.
	Notice time.Duration
	// Tracer makes spans. Default: none.
	Tracer trace.TracerProvider
	// ModernRoutes and LegacyRoutes are the files with the applications' routes: documents of the companions
	// (docs/gateway-routes.md), or OpenAPI descriptions. [Ask]: the application's companion is asked for them.
	// Default: none, every route is tried.
	ModernRoutes, LegacyRoutes string
	// RoutesSecretFile is the file with the secret that the companions want to see before they tell their routes. It is
	// read each time they are asked. Default: none; Ask needs it.
	RoutesSecretFile string
	// Look is how often those files are looked at, and the companions asked. Default: 1s.
	Look time.Duration
	// Decisions about routes, and where the traffic is counted. Default: none, who has the route answers.
	Decisions *decisions.Store
	// Demote says when a route goes back to the legacy application by itself. Default: see [Demote].
	Demote Demote
	// ShadowReadOnly sends shadow requests only where the modern application has shown that nothing which they write
	// stays: its companion has tried to. Default: false, GET and HEAD are sent in any case.
	ShadowReadOnly bool
	// Identity finds out who sends a request, and tells both applications. Default: none.
	Identity *identity.Authority
	// HopSecret signs the tokens by which the gateway recognises requests that the applications send (32 bytes). All
	// gateways before the same applications need the same: see [decisions.Store.HopSecret]. Default: a random one.
	HopSecret []byte
	// LegacyNetworks are networks in which nobody but the legacy application sends requests: one without a token is the
	// legacy application's. Default: none.
	LegacyNetworks []netip.Prefix
	// Tenants says whose request it is, and how long requests wait whose tenant is being moved. Default: see [Tenants].
	Tenants Tenants
	// Name is what people know this gateway by, where several share a database; no two that run may have the same.
	// Default: the host's name and the process's id.
	Name string
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
	table   atomic.Pointer[table]
	routes  *routes
	traffic traffic
	shadow  *shadow
	tenants *tenants
	judge   judge
	hops    *hops
	proxy   *httputil.ReverseProxy
	log     *slog.Logger

	wrongWays wrongWays
	live      atomic.Pointer[live]
	metrics   *metrics
	traces    *traces
	draining  atomic.Bool
}

// firstRead bounds the time in which the decisions must be read before a gateway begins.
const firstRead = 10 * time.Second

// New returns a gateway. With Decisions it needs their database.
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
	if cfg.KeepDir == "" {
		cfg.KeepDir = os.TempDir()
	}
	cfg.Look = orDefault(cfg.Look, time.Second)
	if cfg.Name == "" {
		host, _ := os.Hostname() // without it, the id must do
		cfg.Name = fmt.Sprintf("%s %d", host, os.Getpid())
	}
	g := &Gateway{
		cfg:     cfg,
		keeper:  &keeper{inMemory: cfg.KeepInMemory, dir: cfg.KeepDir},
		learned: newLearned(50_000, orDefault(cfg.LearnFor, time.Minute)),
		log:     cfg.Logger,
		traces:  newTraces(cfg.Tracer),
		hops:    newHops(cfg.HopSecret),
	}
	g.metrics = newMetrics(g)
	var err error
	if g.tenants, err = newTenants(cfg, g.metrics); err != nil {
		return nil, err
	}
	g.Change(cfg)
	g.modern, g.legacy = newApp(Modern, cfg.Modern, g), newApp(Legacy, cfg.Legacy, g)
	g.shadow = &shadow{g: g, compare: compare.Config{MaxBody: shadowBody}, jobs: make(chan *shadowed, shadowWaiting), found: map[string]*decisions.Shadow{}}
	g.shadow.guard = &guard{app: g.modern}
	g.routes = &routes{g: g, docs: [2]*document{{app: route.Modern, now: make(chan struct{}, 1)}, {app: route.Legacy}}}
	for i, from := range []string{cfg.ModernRoutes, cfg.LegacyRoutes} {
		switch {
		case from == "":
		case from != Ask:
			g.routes.docs[i].from = file(from)
		default:
			g.routes.docs[i].from = newCompanion([]*url.URL{cfg.Modern.URL, cfg.Legacy.URL}[i], cfg.RoutesSecretFile)
		}
	}
	g.metrics.documents(g.routes)
	if err := g.routes.start(context.Background()); err != nil {
		return nil, err
	}
	if s := cfg.Decisions; s != nil { // before the first request: it may be one that was given back to the legacy application
		ctx, cancel := context.WithTimeout(context.Background(), firstRead)
		defer cancel()
		snap, err := s.Read(ctx)
		if err == nil {
			err = g.routes.decided(snap)
		}
		if err != nil {
			return nil, err
		}
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
	answerer
	*live
	fromProxy  bool // a trusted one
	table      int64
	template   string          // "": nobody knows the route
	decision   *route.Decision // nil: none
	who        identity.Who
	came       *hop   // nil: no application has sent it
	chain      string // names it and all requests that are sent because of it
	may        Side   // the application that it was found it may reach
	tenant     string // "": nobody's
	admitted   bool   // it is counted among what is under way of its tenant
	placed     route.App
	answeredBy Side
	status     int
	body       *kept // nil: streamed, or none
	sent       *sent // nil: nobody wants to know
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// answerer is who may answer a request.
type answerer struct {
	first Side
	// trial: nobody knows whether the modern application has the route. It is told so, and looks before anything runs.
	trial bool
	// fallback: a label lets the legacy application answer.
	fallback bool
	// methods: the route is known to take the method, so no label will come.
	methods bool
	// shadow: the modern application is asked too, and its answer compared.
	shadow bool
}

// decide says who answers.
func (g *Gateway) decide(x *exchange, r *http.Request) {
	t := g.table.Load()
	m := t.routes.Match(route.Request{Method: r.Method, Path: r.URL.Path, WebSocket: r.Header.Get("Upgrade") != ""})
	x.table = t.number
	for _, o := range []route.Outcome{m.Legacy, m.Modern} {
		if o.Route != nil && x.template == "" {
			x.template = o.Route.Template
		}
	}
	x.decision = m.Decision
	a := route.Decide(m, m.Decision)
	if x.placed != "" {
		a, x.decision = route.Placed(m, x.placed), nil // what was decided about the route is not what is tried here
	}
	// What the legacy application asks for goes to the modern one only when it has to: then it is refused.
	if a.Canary && !x.came.from(Legacy) && m.Decision.Canary.Picks(g.caller(x, r)) {
		a = route.Decide(m, &route.Decision{Phase: route.PhaseModern})
	}
	switch {
	case a.By == route.Legacy, a.Trial && g.learned.knows(r.Method, r.URL.Path):
		x.answerer = answerer{first: Legacy, shadow: a.Shadow}
	default:
		x.answerer = answerer{first: Modern, trial: a.Trial, fallback: a.Fallback,
			methods: !a.Trial && m.Modern.Route != nil && m.Modern.Route.Methods != nil}
	}
}

// caller is who sends a request, for a canary.
func (g *Gateway) caller(x *exchange, r *http.Request) route.Caller {
	return route.Caller{Subject: x.who.Subject, Tenant: x.tenant, Address: addressOf(r, x.fromProxy), Header: r.Header.Get}
}

// addressOf is where a request comes from.
func addressOf(r *http.Request, fromProxy bool) string {
	address, _, _ := net.SplitHostPort(r.RemoteAddr)
	if before := r.Header.Values("X-Forwarded-For"); len(before) > 0 && fromProxy {
		list := strings.Split(strings.Join(before, ","), ",")
		address = strings.TrimSpace(list[len(list)-1]) // what our own proxy has added
	}
	return address
}

func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := g.live.Load()
	fromProxy := now.trusts(r)
	came, about := g.chained(r, fromProxy), r.Header.Get(headerAsk) // before they are taken out
	clean(r.Header, fromProxy)
	if name := g.cfg.Tenants.Header; name != "" && !fromProxy {
		r.Header.Del(name)
	}
	identity.Strip(r.Trailer)
	if r.URL.Path == keysPath && g.cfg.Identity != nil {
		g.cfg.Identity.JWKS().ServeHTTP(w, r) // public keys
		return
	}
	if r.URL.Path == hopPath && came != nil {
		g.direct(w, r, came, about)
		return
	}
	if r.URL.Path == ownPrefix || strings.HasPrefix(r.URL.Path, ownPrefix+"/") {
		http.NotFound(w, r) // the companions' answers are for the gateway
		return
	}
	w, r, end := now.pace.bound(w, r)
	defer end()
	if g.draining.Load() && r.Header["Upgrade"] == nil {
		w.Header().Set("Connection", "close")
	}
	r = g.traces.began(r)
	x, began := &exchange{live: now, fromProxy: fromProxy, came: came, chain: chainOf(came)}, time.Now()
	defer func() {
		x.body.Close()
		g.dismiss(x)
		took := time.Since(began)
		g.metrics.told(x, r.Method, took)
		g.traces.told(r, x)
		g.judge.answered(x, took)
		g.traffic.count(x.template, r.Method, x.answeredBy, x.status)
		g.log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.Int("status", x.status), slog.String("answered_by", string(x.answeredBy)), slog.String("route", x.template),
			slog.String("tenant", x.tenant), slog.Int64("table", x.table), slog.String("chain", x.chain),
			slog.Float64("took_seconds", took.Seconds()))
	}()
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	if err := g.prepare(x, r); err != nil {
		g.failed(w, r, err)
		return
	}
	g.proxy.ServeHTTP(w, r)
}
