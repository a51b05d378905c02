package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/replank/replank/gateway"
	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/identity"
)

// gatewaySettings are the settings of gateway: the table [gateway] of replank.toml.
type gatewaySettings struct {
	Listen           string
	Modern, Legacy   string
	ModernRoutes     string
	LegacyRoutes     string
	RoutesSecretFile string
	ModernDiscover   string

	DemoteErrors, DemoteDifferences share
	DemoteSlow                      time.Duration

	ShadowReadOnly  bool
	LegacyDiscover  string
	Unlabelled      bool
	LegacyChunked   bool
	ModernChunked   bool
	Trusted         []string
	LegacyNetworks  []string
	KeepAtMost      byteSize
	KeepAll         byteSize
	AnswerTimeout   time.Duration
	KeepConnections time.Duration
	Drain           time.Duration
	Notice          time.Duration

	Admin             string
	AdminTokenFile    string
	ModernHealth      string
	LegacyHealth      string
	Connections       int
	Waiting           int
	ClientConnections int
	ClientTimeout     time.Duration
	BodyAtMost        byteSize

	TenantHeader, TenantHost, TenantPath string
	ParkFor                              time.Duration
	ParkTenant, ParkAll                  int
}

var gatewayOptions = []option{
	{name: "listen", table: "gateway", scope: serving, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.Listen, "listen", "127.0.0.1:8080", "address to listen on")
	}, want: "host:port", ok: func(s *settings) bool { _, _, err := net.SplitHostPort(s.Gateway.Listen); return err == nil }},
	{name: "modern", table: "gateway", scope: serving, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.Modern, "modern", "", "where the modern application listens")
	}, want: wantedURL, ok: func(s *settings) bool { return s.Gateway.Modern == "" || appURL(s.Gateway.Modern) != nil }},
	{name: "legacy", table: "gateway", scope: serving, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.Legacy, "legacy", "", "where the legacy application listens")
	}, want: wantedURL, ok: func(s *settings) bool { return s.Gateway.Legacy == "" || appURL(s.Gateway.Legacy) != nil }},
	{name: "modern-routes", table: "gateway", scope: serving, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.ModernRoutes, "modern-routes", "", "file with the modern application's routes, or http: its companion is asked for them (default: every path is tried)")
	}},
	{name: "legacy-routes", table: "gateway", scope: serving, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.LegacyRoutes, "legacy-routes", "", "file with the legacy application's routes, or http")
	}},
	{name: "routes-secret-file", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.RoutesSecretFile, "routes-secret-file", "", "file with the secret that companions are asked for routes with")
	}},
	{name: "modern-discover", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.ModernDiscover, "modern-discover", "", "command that prints the modern application's routes")
	}},
	{name: "legacy-discover", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.LegacyDiscover, "legacy-discover", "", "command that prints the legacy application's routes")
	}},
	{name: "unlabelled", table: "gateway", scope: serving, add: func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.Gateway.Unlabelled, "unlabelled", false, "the modern application has no companion: every 404 of a request that may be repeated falls back")
	}},
	{name: "modern-chunked", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.Gateway.ModernChunked, "modern-chunked", false, "the modern application reads bodies of unknown length (ASGI)")
	}},
	{name: "legacy-chunked", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.Gateway.LegacyChunked, "legacy-chunked", false, "the legacy application reads bodies of unknown length (ASGI)")
	}},
	{name: "trusted", table: "gateway", scope: serving, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringSliceVar(&s.Gateway.Trusted, "trusted", nil, "networks of proxies in front, whose X-Forwarded headers are true")
	}, want: "networks, like 10.0.0.0/8", ok: func(s *settings) bool { _, err := prefixes(s.Gateway.Trusted); return err == nil }},
	{name: "legacy-networks", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringSliceVar(&s.Gateway.LegacyNetworks, "legacy-networks", nil, "networks from which nobody but the legacy application sends requests")
	}, want: "networks, like 10.1.0.0/16", ok: func(s *settings) bool { _, err := prefixes(s.Gateway.LegacyNetworks); return err == nil }},
	{name: "keep-at-most", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		s.Gateway.KeepAtMost = 64 << 20
		fs.Var(&s.Gateway.KeepAtMost, "keep-at-most", "largest request body that is kept, where it may have to be sent again")
	}, ok: func(s *settings) bool { return s.Gateway.KeepAtMost > 0 }},
	{name: "keep-all", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		s.Gateway.KeepAll = 1 << 30
		fs.Var(&s.Gateway.KeepAll, "keep-all", "all kept request bodies together")
	}, ok: func(s *settings) bool { return s.Gateway.KeepAll > 0 }},
	{name: "answer-timeout", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.DurationVar(&s.Gateway.AnswerTimeout, "answer-timeout", time.Minute, "longest wait for the headers of an answer")
	}, ok: func(s *settings) bool { return s.Gateway.AnswerTimeout > 0 }},
	{name: "keep-connections", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.DurationVar(&s.Gateway.KeepConnections, "keep-connections", 1500*time.Millisecond, "how long unused connections to the applications are kept: less than they keep them")
	}, ok: func(s *settings) bool { return s.Gateway.KeepConnections > 0 }},
	{name: "demote-errors", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		s.Gateway.DemoteErrors = 0.05
		fs.Var(&s.Gateway.DemoteErrors, "demote-errors", "share of errors from which a canary goes back by itself; 100%: never")
	}, want: "a share, like 5%"},
	{name: "demote-slow", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.DurationVar(&s.Gateway.DemoteSlow, "demote-slow", 0, "mean time from which a canary goes back by itself; 0: never")
	}, ok: func(s *settings) bool { return s.Gateway.DemoteSlow >= 0 }},
	{name: "demote-differences", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.Var(&s.Gateway.DemoteDifferences, "demote-differences", "share of different answers from which a shadowed route goes back by itself; 0%: never")
	}, want: "a share, like 5%"},
	{name: "shadow-read-only", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.Gateway.ShadowReadOnly, "shadow-read-only", false, "send shadow requests only where the modern application has shown that nothing they write stays")
	}},
	{name: "drain", table: "gateway", scope: serving, add: func(fs *pflag.FlagSet, s *settings) {
		fs.DurationVar(&s.Gateway.Drain, "drain", 30*time.Second, "how long requests that are under way may take when the gateway is stopped")
	}, ok: func(s *settings) bool { return s.Gateway.Drain > 0 }},
	{name: "notice", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.DurationVar(&s.Gateway.Notice, "notice", time.Second, "how long requests are still taken after the signal, so that load balancers hear of it")
	}, ok: func(s *settings) bool { return s.Gateway.Notice > 0 }},
	{name: "admin", table: "gateway", scope: serving, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.Admin, "admin", "", "address for /metrics, /status, /healthz and /readyz")
	}, want: "host:port", ok: func(s *settings) bool {
		_, _, err := net.SplitHostPort(s.Gateway.Admin)
		return s.Gateway.Admin == "" || err == nil
	}},
	{name: "admin-token-file", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.AdminTokenFile, "admin-token-file", "", "file with the bearer token for /metrics and /status")
	}},
	{name: "modern-health", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.ModernHealth, "modern-health", "", "path that the modern application is checked with")
	}, want: wantedPath, ok: func(s *settings) bool { return healthPath(s.Gateway.ModernHealth) }},
	{name: "legacy-health", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.LegacyHealth, "legacy-health", "", "path that the legacy application is checked with")
	}, want: wantedPath, ok: func(s *settings) bool { return healthPath(s.Gateway.LegacyHealth) }},
	{name: "connections", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.IntVar(&s.Gateway.Connections, "connections", 512, "connections to each application, WebSockets among them")
	}, ok: func(s *settings) bool { return s.Gateway.Connections > 0 }},
	{name: "waiting", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.IntVar(&s.Gateway.Waiting, "waiting", 1024, "requests that wait for a connection to an application")
	}, ok: func(s *settings) bool { return s.Gateway.Waiting > 0 }},
	{name: "client-connections", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.IntVar(&s.Gateway.ClientConnections, "client-connections", 10_000, "connections of clients; more wait")
	}, ok: func(s *settings) bool { return s.Gateway.ClientConnections > 0 }},
	{name: "client-timeout", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.DurationVar(&s.Gateway.ClientTimeout, "client-timeout", 30*time.Second, "how long a client may send nothing of a body, or take nothing of an answer")
	}, ok: func(s *settings) bool { return s.Gateway.ClientTimeout > 0 }},
	{name: "body-at-most", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.Var(&s.Gateway.BodyAtMost, "body-at-most", "largest request body; the applications have their own limits")
	}},
	{name: "tenant-header", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.TenantHeader, "tenant-header", "", "header in which proxies in front (trusted) name the tenant")
	}, want: "a header, like X-Tenant; trusted must name the proxies", ok: func(s *settings) bool {
		return s.Gateway.TenantHeader == "" || headerName.MatchString(s.Gateway.TenantHeader)
	}},
	{name: "tenant-host", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.TenantHost, "tenant-host", "", "regular expression whose group finds the tenant in the host")
	}, want: wantedGroup, ok: func(s *settings) bool { return oneGroup(s.Gateway.TenantHost) }},
	{name: "tenant-path", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.StringVar(&s.Gateway.TenantPath, "tenant-path", "", "regular expression whose group finds the tenant in the path")
	}, want: wantedGroup, ok: func(s *settings) bool { return oneGroup(s.Gateway.TenantPath) }},
	{name: "park-for", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.DurationVar(&s.Gateway.ParkFor, "park-for", 10*time.Second, "how long a request waits while its tenant is being moved")
	}, ok: func(s *settings) bool { return s.Gateway.ParkFor > 0 }},
	{name: "park-tenant", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.IntVar(&s.Gateway.ParkTenant, "park-tenant", 128, "requests of one tenant that wait while it is being moved")
	}, ok: func(s *settings) bool { return s.Gateway.ParkTenant > 0 }},
	{name: "park-all", table: "gateway", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.IntVar(&s.Gateway.ParkAll, "park-all", 1024, "requests of all tenants that wait while they are being moved")
	}, ok: func(s *settings) bool { return s.Gateway.ParkAll > 0 }},
}

const (
	wantedURL  = "http://host:port, without a path"
	wantedPath = "a path, like /health"
	// wantedGroup is for settings that find a part of something.
	wantedGroup = `a regular expression with one group, like ^([a-z0-9-]+)\.shop\.example$`
)

// headerName is a name that passes: one with _ is removed, because WSGI cannot tell it from one with -.
var headerName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

func oneGroup(text string) bool {
	re, err := regexp.Compile(text)
	return text == "" || err == nil && re.NumSubexp() == 1
}

func healthPath(path string) bool { return path == "" || strings.HasPrefix(path, "/") }

// appURL is where an application listens, nil if it is no such URL.
func appURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil {
		return nil
	}
	return u
}

func prefixes(texts []string) ([]netip.Prefix, error) {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		var err error
		if list[i], err = netip.ParsePrefix(text); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (a *app) gatewayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "gateway", Short: "Stand in front of a new application and the old one it replaces", GroupID: groupServe,
		Long: `Answers HTTP requests with two applications: the modern one where it has a route,
else the legacy one. The modern application's companion (replank.django.middleware
.Gateway) labels what it has no route for; such a request has not run anything, and
goes to the legacy application with its whole body. A page that the modern
application has a route for and does not find is not looked for elsewhere.

SIGINT and SIGTERM stop it: no new connections, and requests that are under way end.

With a database (--db, DATABASE_URL) it follows the decisions that replank routes
makes there, and counts there who answers what. Files of routes are read again when
they change, and on SIGHUP; one with a mistake is told, and the last good ones hold.
On SIGHUP replank.toml is read again, too: some settings take effect, and those that
need a restart are named.

docs/guide-gateway.md tells what passes, and how.`,
		Example: `  replank gateway --modern http://127.0.0.1:8001 --legacy http://127.0.0.1:8002
  replank gateway --config replank.toml -v       # with a line for each request`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serveGateway(cmd) },
	}
	a.set.addFlags(cmd.Flags(), serving)
	return cmd
}

func (a *app) serveGateway(cmd *cobra.Command) error {
	set := a.set.Gateway
	modern, legacy := appURL(set.Modern), appURL(set.Legacy)
	if modern == nil || legacy == nil {
		return &usageError{err: errors.New("a gateway needs two applications"), hint: "give --modern and --legacy, or modern and legacy in [gateway] of replank.toml"}
	}
	trusted, err := prefixes(set.Trusted)
	if err != nil {
		return err
	}
	legacyNetworks, err := prefixes(set.LegacyNetworks)
	if err != nil {
		return err
	}
	if set.TenantHeader != "" && len(trusted) == 0 {
		return &usageError{err: errors.New("tenant_header says nothing: only proxies in front may send it, and none are known"), hint: "name their networks with trusted in [gateway]"}
	}
	tracer, flush, err := a.tracer(cmd.Context())
	if err != nil {
		return err
	}
	defer flush()
	store, authority, err := a.openControl(cmd.Context())
	if err != nil {
		return err
	}
	var secret []byte
	if store != nil {
		defer store.Close()
		if secret, err = store.HopSecret(cmd.Context()); err != nil {
			return err
		}
	}
	if authority != nil {
		defer authority.Close()
	}
	l, err := new(net.ListenConfig).Listen(cmd.Context(), "tcp", set.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer l.Close()
	cfg := set.live(trusted)
	cfg.Name, cfg.Tenants, cfg.HopSecret, cfg.LegacyNetworks = gatewayName(l), set.tenants(), secret, legacyNetworks
	cfg.ModernRoutes, cfg.LegacyRoutes, cfg.RoutesSecretFile, cfg.Decisions, cfg.Identity = set.ModernRoutes, set.LegacyRoutes, set.RoutesSecretFile, store, authority
	cfg.Modern = set.app(modern, !set.Unlabelled, set.ModernChunked, set.ModernHealth)
	cfg.Legacy = set.app(legacy, false, set.LegacyChunked, set.LegacyHealth)
	cfg.Unlabelled, cfg.ShadowReadOnly = set.Unlabelled, set.ShadowReadOnly
	cfg.ClientConnections, cfg.Notice, cfg.Tracer, cfg.Logger = set.ClientConnections, set.Notice, tracer, a.log
	g, err := gateway.New(cfg)
	if err != nil {
		return err
	}
	stop, err := a.serveAdmin(cmd.Context(), g)
	if err != nil {
		return err
	}
	defer stop()
	if err := a.say("listening", fmt.Sprintf("listening on http://%s: %s first, then %s", l.Addr(), modern, legacy)); err != nil {
		return err
	}
	// What keeps the table up to date ends behind the last request, and writes down what was counted.
	running, stop := context.WithCancel(context.WithoutCancel(cmd.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = g.Run(running) // it ends when it is stopped
	}()
	defer func() { stop(); <-ended }()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	inForce := a.set.texts()
	go func() {
		for {
			select {
			case <-running.Done():
				return
			case <-hup:
				a.reconfigure(g, cmd.Flags(), inForce)
				if err := g.Reload(); err != nil {
					a.log.Error("the routes cannot be used; the last ones hold", "error", err)
				}
			}
		}
	}()
	return g.Serve(cmd.Context(), l, set.Drain)
}

// app is what both applications have in common.
func (set gatewaySettings) app(at *url.URL, companion, chunked bool, health string) gateway.App {
	return gateway.App{URL: at, Companion: companion, Chunked: chunked, Health: gateway.Health{Path: health},
		AnswerTimeout: set.AnswerTimeout, Idle: set.KeepConnections, Connections: set.Connections, Waiting: set.Waiting}
}

// gatewayName is what people know a gateway by: one that is started anew after it was killed has the same.
func gatewayName(l net.Listener) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return host + " " + l.Addr().String()
}

func (set gatewaySettings) tenants() gateway.Tenants {
	t := gateway.Tenants{Header: set.TenantHeader, Wait: set.ParkFor, Waiting: set.ParkTenant, WaitingAll: set.ParkAll}
	if set.TenantHost != "" {
		t.Host = regexp.MustCompile(set.TenantHost) // oneGroup has tried it
	}
	if set.TenantPath != "" {
		t.Path = regexp.MustCompile(set.TenantPath)
	}
	return t
}

// serveAdmin listens for those who run the gateway, where they have asked for it, until stop is called: also while
// requests are drained.
func (a *app) serveAdmin(ctx context.Context, g *gateway.Gateway) (stop func(), err error) {
	set := a.set.Gateway
	if set.Admin == "" {
		return func() {}, nil
	}
	token := ""
	if set.AdminTokenFile != "" {
		text, err := os.ReadFile(set.AdminTokenFile)
		if err != nil {
			return nil, fmt.Errorf("read the token for the admin listener: %w", err)
		}
		if token = strings.TrimSpace(string(text)); token == "" {
			return nil, &usageError{err: fmt.Errorf("%s is empty", set.AdminTokenFile), hint: "write a token into it, or leave admin_token_file out and let admin listen on 127.0.0.1"}
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", set.Admin)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics: %w", err)
	}
	if err := g.AdminAllowed(l.Addr(), token); err != nil {
		l.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := g.ServeAdmin(ctx, l, token); err != nil {
			a.log.Error("the admin listener has ended", "error", err)
		}
	}()
	return func() {
		cancel()
		<-ended
	}, a.say("admin", fmt.Sprintf("metrics and health on http://%s", l.Addr()))
}

// demotion is what the settings say about it.
func demotion(set gatewaySettings) gateway.Demote {
	d := gateway.Demote{Errors: float64(set.DemoteErrors), Slow: set.DemoteSlow, Differences: float64(set.DemoteDifferences)}
	if d.Errors == 0 {
		d.Errors = 1e-9 // the first error: 0 is the default of the package
	}
	return d
}

// openControl opens what is in the database, where one is given.
func (a *app) openControl(ctx context.Context) (*decisions.Store, *identity.Authority, error) {
	cfg, wanted, err := a.set.Identity.config()
	if err != nil {
		return nil, nil, err
	}
	if a.set.dsn() == "" {
		if wanted {
			return nil, nil, &usageError{err: errors.New("identities need a database: keys and revocations are there"), hint: "give --db, or set DATABASE_URL"}
		}
		return nil, nil, nil
	}
	store, err := decisions.Open(ctx, decisions.Config{DSN: a.set.dsn(), Owner: a.set.Owner, Logger: a.log})
	if err != nil || !wanted {
		return store, nil, a.connectError(err)
	}
	cfg.Control, cfg.Logger = a.set.dsn(), a.log
	authority, err := identity.Open(ctx, cfg)
	if err != nil {
		store.Close()
		return nil, nil, err
	}
	return store, authority, nil
}
