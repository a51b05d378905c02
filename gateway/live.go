package gateway

import (
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// live is what can be changed while requests are answered. A request goes by one of them from its beginning to its end.
type live struct {
	trusted []netip.Prefix
	pace    *pace
}

// Change takes these from a configuration, from the next request on: Trusted, BodyAtMost, ClientTimeout, SlowestBody,
// KeepAtMost, KeepAll and Demote. All else in it is not looked at: it needs another gateway.
func (g *Gateway) Change(cfg Config) {
	g.keeper.limit.Store(orDefault(cfg.KeepAtMost, 64<<20))
	g.keeper.budget.Store(orDefault(cfg.KeepAll, 1<<30))
	g.judge.change(cfg.Demote.withDefaults())
	g.live.Store(&live{trusted: slices.Clone(cfg.Trusted), pace: &pace{patience: orDefault(cfg.ClientTimeout, 30*time.Second),
		rate: orDefault(cfg.SlowestBody, 500), most: cfg.BodyAtMost, cut: func(why string) { g.metrics.slow.WithLabelValues(why).Inc() }}})
}

// trusts reports whether a request comes from a proxy of ours.
func (l *live) trusts(r *http.Request) bool {
	if len(l.trusted) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && within(l.trusted, peer.Addr())
}
