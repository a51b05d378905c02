package gateway

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/identity"
)

// Tenants says whose request it is, and how long requests of a tenant wait that is being moved. What is said here comes
// before the tenant of an identity.
type Tenants struct {
	// Header in which proxies in front (Config.Trusted) name the tenant. From anybody else it is removed. Default: none.
	Header string
	// Host and Path find the tenant in the host (in lower case, without a port) and in the path (decoded, with one slash
	// at its beginning): it is what their only group matches. Default: none.
	Host, Path *regexp.Regexp
	// Wait bounds how long a request waits; 503 after it. Default: 10s.
	Wait time.Duration
	// Waiting bounds how many requests of one tenant wait, WaitingAll of all together; 503 over it. Default: 128 and 1024.
	Waiting, WaitingAll int
}

func (c Tenants) check() error {
	for name, re := range map[string]*regexp.Regexp{"host": c.Host, "path": c.Path} {
		if re != nil && re.NumSubexp() != 1 {
			return fmt.Errorf("the expression that finds a tenant in the %s has %d groups, and must have one: %s", name, re.NumSubexp(), re)
		}
	}
	return nil
}

// tenants lets requests of a tenant wait while it is fenced.
//
// # Why no request slips through
//
// A request counts itself as under way, and then looks at the placements. Who fences stores the placements, and then reads
// the counts (decisions.Follow). Whatever comes first, the one sees the other: either the request sees the fence, takes its
// count back and waits, or it is counted, and the fence is not in force until it has ended.
type tenants struct {
	Tenants
	known bool // the gateway can tell tenants apart
	// placed is nil until the placements were read for the first time: nobody knows who is fenced, so all tenants wait.
	placed  atomic.Pointer[placements]
	unread  line
	flying  sync.Map // tenant -> *atomic.Int64; taken out at zero, and never used again then
	waiting atomic.Int64
	metrics *tenantMetrics
}

// placements are those of one time.
type placements struct {
	of   map[string]decisions.Placement // only what matters
	held map[string]*line               // of the tenants that are not settled
}

// line is where requests of one tenant wait.
type line struct {
	settled chan struct{} // closed when they may go
	waiting atomic.Int64
}

func newTenants(cfg Config, m *metrics) (*tenants, error) {
	t := &tenants{Tenants: cfg.Tenants, unread: line{settled: make(chan struct{})}}
	t.known = cfg.Identity != nil || t.Header != "" || t.Host != nil || t.Path != nil
	t.Wait, t.Waiting, t.WaitingAll = orDefault(t.Wait, 10*time.Second), orDefault(t.Waiting, 128), orDefault(t.WaitingAll, 1024)
	if cfg.Decisions == nil {
		t.placed.Store(&placements{})
	}
	t.metrics = m.ofTenants(t)
	return t, t.check()
}

// of says whose request it is; "": nobody's. A header of somebody who is not trusted is gone by now.
func (t *tenants) of(r *http.Request, who identity.Who) string {
	if t.Header != "" {
		if said := r.Header.Values(t.Header); len(said) > 0 {
			return strings.TrimSpace(strings.Join(said, ",")) // as the applications read it
		}
	}
	if t.Host != nil {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if m := t.Host.FindStringSubmatch(strings.ToLower(strings.TrimSuffix(host, "."))); m != nil {
			return m[1]
		}
	}
	if t.Path != nil {
		if m := t.Path.FindStringSubmatch("/" + strings.TrimLeft(r.URL.Path, "/")); m != nil { // werkzeug takes any number for one
			return m[1]
		}
	}
	return who.Tenant
}

// enter counts a request of a tenant as under way.
func (t *tenants) enter(tenant string) {
	for {
		c, _ := t.flying.LoadOrStore(tenant, new(atomic.Int64))
		count := c.(*atomic.Int64)
		for n := count.Load(); n >= 0; n = count.Load() {
			if count.CompareAndSwap(n, n+1) {
				return
			}
		}
		t.flying.CompareAndDelete(tenant, count) // its last request is just taking it out
	}
}

func (t *tenants) leave(tenant string) {
	c, _ := t.flying.Load(tenant)
	count := c.(*atomic.Int64)
	if count.Add(-1) == 0 && count.CompareAndSwap(0, -1) {
		t.flying.CompareAndDelete(tenant, count)
	}
}

// look says where a tenant is, and where its requests have to wait; nil: they may go.
func (t *tenants) look(tenant string) (decisions.Placement, *line) {
	p := t.placed.Load()
	if p == nil {
		return decisions.Placement{Until: time.Now().Add(t.Wait)}, &t.unread
	}
	return p.of[tenant], p.held[tenant]
}

// apply puts other placements in the place of the last ones. Only Follow calls it, one after another.
func (t *tenants) apply(of map[string]decisions.Placement) {
	before, now := t.placed.Load(), &placements{of: of, held: map[string]*line{}}
	for tenant, p := range of {
		if p.State == decisions.Settled {
			continue
		}
		if before != nil {
			now.held[tenant] = before.held[tenant]
		}
		if now.held[tenant] == nil {
			now.held[tenant] = &line{settled: make(chan struct{})}
		}
	}
	t.placed.Store(now)
	if before == nil {
		close(t.unread.settled)
		return
	}
	for tenant, l := range before.held {
		if now.held[tenant] == nil {
			close(l.settled)
		}
	}
}

// inFlight says what is under way of tenants that are not settled.
func (t *tenants) inFlight() map[string]int64 {
	found := map[string]int64{}
	for tenant := range t.placed.Load().held {
		if c, ok := t.flying.Load(tenant); ok {
			if n := c.(*atomic.Int64).Load(); n > 0 {
				found[tenant] = n
			}
		}
	}
	return found
}

// admit returns when a request may go to an application, and finds out who sends it. The request is counted then, and
// dismiss has to be called at its end.
func (g *Gateway) admit(x *exchange, r *http.Request) (err error) {
	t, since := g.tenants, time.Time{}
	for {
		if g.cfg.Identity != nil { // once more after waiting: a session may have ended meanwhile
			if x.who, err = g.cfg.Identity.Identify(r.Context(), r); err != nil {
				return &unknownError{err}
			}
		}
		if x.tenant = t.of(r, x.who); x.tenant == "" {
			return nil
		}
		t.enter(x.tenant)
		p, l := t.look(x.tenant)
		// What an application sends because of a request that is under way must pass: that one waits for its answer, and
		// the fence for that one. When none is under way any more the state is another, and nothing passes.
		if l == nil || p.State == decisions.Fenced && x.came != nil && x.came.ID != "" {
			x.admitted, x.placed = true, p.App
			return nil
		}
		t.leave(x.tenant)
		if since.IsZero() {
			since = time.Now()
			defer func() { t.metrics.parked.Observe(time.Since(since).Seconds()) }()
		}
		if err := t.wait(r.Context(), l, since, p.Until); err != nil {
			return err
		}
	}
}

// dismiss counts an admitted request as ended.
func (g *Gateway) dismiss(x *exchange) {
	if x.admitted {
		g.tenants.leave(x.tenant)
	}
}

// wait returns when the requests of a line may go. Nothing is read of the request meanwhile.
func (t *tenants) wait(ctx context.Context, l *line, since, until time.Time) error {
	left := time.Until(until)
	if left <= 0 {
		return t.refuse(parkedOver, left)
	}
	defer t.waiting.Add(-1)
	defer l.waiting.Add(-1)
	// Both are counted, whatever the other one says: the two that are taken back are the two that were added.
	all, own := t.waiting.Add(1), l.waiting.Add(1)
	if all > int64(t.WaitingAll) || own > int64(t.Waiting) {
		return t.refuse(parkedFull, left)
	}
	timeout := time.NewTimer(min(left, t.Wait-time.Since(since)))
	defer timeout.Stop()
	select {
	case <-l.settled:
		return nil
	case <-timeout.C:
		return t.refuse(parkedWaited, time.Until(until))
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Why a request of a tenant that is being moved is refused. These are values of a metric's label, too.
const (
	parkedFull   = "full"   // too many wait
	parkedWaited = "waited" // for too long
	parkedOver   = "over"   // the tenant should be settled by now, and nobody has done it
)

// parkedError: a request waits no longer for its tenant to be moved: 503.
type parkedError struct {
	why   string
	retry time.Duration
}

func (t *tenants) refuse(why string, left time.Duration) error {
	t.metrics.refused.WithLabelValues(why).Inc()
	if left <= 0 { // nobody knows
		left = parkedRetry
	}
	return &parkedError{why, min(left, parkedRetry)}
}

// parkedRetry is the longest time after which a client is told to come again.
const parkedRetry = 30 * time.Second

func (e *parkedError) Error() string {
	return "the tenant is being moved, and " + map[string]string{
		parkedFull:   "too many of its requests, or of all tenants', wait already",
		parkedWaited: "the request has waited for as long as it may",
		parkedOver:   "is not settled although its time is over: replank tenants release",
	}[e.why]
}
