package gateway

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/replank/replank/internal/decisions"
)

// # One way only
//
// The modern application may call the legacy one, and never the other way round: else nobody could ever switch the
// legacy one off. Every request to an application passes send, and send asks oneWay.

// hopPath is where the modern application's companion asks about a request that has not come through a gateway.
const hopPath = ownPrefix + "/hop"

// wrongWays is what is allowed in spite of the rule, and what has happened against it.
type wrongWays struct {
	allowed atomic.Pointer[decisions.Allowances]

	mu    sync.Mutex
	found map[decisions.WrongWay]*decisions.WrongWay // by what they are without their numbers and times
}

// chained returns what a request says of the chain that it belongs to, nil if it begins one.
func (g *Gateway) chained(r *http.Request, fromProxy bool) *hop {
	if h := g.hops.read(r.Header); h != nil {
		return h
	}
	if len(g.cfg.LegacyNetworks) == 0 {
		return nil
	}
	from, err := netip.ParseAddr(addressOf(r, fromProxy))
	if err != nil || !within(g.cfg.LegacyNetworks, from) {
		return nil
	}
	return &hop{Side: Legacy, Passed: []string{unseen(Legacy)}}
}

func within(networks []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(address.Unmap()) })
}

// steer decides about a request that an application sends.
func (g *Gateway) steer(x *exchange, r *http.Request) error {
	// A copy would reach the modern application behind the legacy one's back, or go round where nobody waits for it.
	x.shadow = false
	if x.came.Side == Legacy && x.first == Modern && x.fallback {
		switch {
		case g.modern.companion:
			said, err := g.modern.ask(r.Context(), r) // runs nothing there
			if err != nil {
				return err
			}
			g.heard(x, said.label, said.build, r)
			if said.label.fallsBack() {
				x.answerer = answerer{first: Legacy}
			}
		case x.trial:
			// To ask would be to call. Without a gateway the legacy application would have called itself.
			x.answerer = answerer{first: Legacy}
		}
	}
	return g.oneWay(x, r, x.first)
}

// oneWay refuses a request that must not reach an application.
func (g *Gateway) oneWay(x *exchange, r *http.Request, to Side) error {
	if x.came == nil || x.may == to {
		return nil
	}
	e := &wrongWayError{to: to, call: decisions.WrongWay{CallerApp: string(x.came.Side), Caller: clip(x.came.Route), Method: countedMethod(r.Method), Route: clip(x.template)}}
	switch {
	case x.came.loops(to, passage(to, r)):
		e.call.Why = decisions.Loop
	case x.came.Side == Legacy && to == Modern:
		e.call.Why = decisions.Direction
	default:
		x.may = to
		return nil
	}
	allowed := false
	if list := g.wrongWays.allowed.Load(); list != nil && e.call.Why == decisions.Direction {
		_, allowed = list.Of(e.call.Caller, e.call.Route, today())
	}
	g.wrongWays.note(e.call, allowed)
	done := "refused"
	if allowed {
		done, x.may = "allowed", to
	}
	g.metrics.wrongWays.WithLabelValues(e.call.Why, done).Inc()
	g.log.Warn("wrong way", "why", e.call.Why, "done", done, "caller", e.call.CallerApp, "serving", e.call.Caller,
		"method", r.Method, "route", e.call.Route, "path", r.URL.Path, "chain", x.chain)
	if allowed {
		return nil
	}
	return e
}

// clip bounds a template in tables.
func clip(template string) string {
	if r := []rune(template); len(template) > decisions.LongestTemplate && len(r) > decisions.LongestTemplate {
		return string(r[:decisions.LongestTemplate])
	}
	return template
}

func (w *wrongWays) note(call decisions.WrongWay, allowed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.found[call]
	if n == nil {
		n = &decisions.WrongWay{}
		*n = call
		n.First = time.Now()
		if w.found == nil {
			w.found = map[decisions.WrongWay]*decisions.WrongWay{}
		}
		w.found[call] = n
	}
	n.Last = time.Now()
	if allowed {
		n.Allowed++
	} else {
		n.Refused++
	}
}

// take returns what was found, and begins anew.
func (w *wrongWays) take() (list []decisions.WrongWay) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.found {
		list = append(list, *n)
	}
	w.found = nil
	return list
}

// give puts back what could not be written.
func (w *wrongWays) give(list []decisions.WrongWay) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, old := range list {
		call := decisions.WrongWay{Why: old.Why, CallerApp: old.CallerApp, Caller: old.Caller, Method: old.Method, Route: old.Route}
		if n := w.found[call]; n != nil {
			old.Refused, old.Allowed, old.Last = old.Refused+n.Refused, old.Allowed+n.Allowed, n.Last
		}
		if w.found == nil {
			w.found = map[decisions.WrongWay]*decisions.WrongWay{}
		}
		w.found[call] = &old
	}
}

// direct answers the modern application's companion, which has got a request from the legacy application itself: 204 if
// it may serve it, else what it has to answer.
func (g *Gateway) direct(w http.ResponseWriter, r *http.Request, came *hop, about string) {
	method, target, _ := strings.Cut(about, " ")
	u, err := url.ParseRequestURI(target)
	if err != nil || !strings.HasPrefix(target, "/") {
		http.Error(w, headerAsk+": METHOD /path", http.StatusBadRequest)
		return
	}
	asked := &http.Request{Method: method, URL: u, Header: http.Header{}, RemoteAddr: r.RemoteAddr}
	x := &exchange{came: came, chain: chainOf(came)}
	g.decide(x, asked)
	if err := g.oneWay(x, asked, Modern); err != nil {
		g.refuse(w, err.(*wrongWayError))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// wrongWayError: an application has sent a request that must not reach the one that would have to answer it.
type wrongWayError struct {
	to   Side
	call decisions.WrongWay
}

func (e *wrongWayError) Error() string {
	c := e.call
	caller, route := cmp.Or(c.Caller, "a route that nobody knows"), cmp.Or(c.Route, "what nobody has a route for")
	if c.Why == decisions.Loop {
		return fmt.Sprintf("a loop: the %s application calls %s %s while it serves %s, and the %s one that has to answer is already waiting for this very chain",
			c.CallerApp, c.Method, route, caller, e.to)
	}
	return fmt.Sprintf("one way only: the legacy application never calls the modern one, and it calls %s %s while it serves %s", c.Method, route, caller)
}

// Hint says what to do.
func (e *wrongWayError) Hint() string {
	c := e.call
	if c.Why == decisions.Loop {
		return "answer from the data that both applications share, instead of by a request"
	}
	return fmt.Sprintf("let the legacy application do it itself, or allow it until a day: replank routes allow '%s' '%s' --because TEXT --until DATE",
		cmp.Or(c.Caller, decisions.Unknown), cmp.Or(c.Route, decisions.Unknown))
}

// status: a loop is 508. The direction is a rule, and no failure: it gets 403, which no client takes for a reason to try
// again and no canary for an error.
func (e *wrongWayError) status() int {
	if e.call.Why == decisions.Loop {
		return http.StatusLoopDetected
	}
	return http.StatusForbidden
}

// refuse tells the developer of the calling application, who is the one that reads it.
func (g *Gateway) refuse(w http.ResponseWriter, e *wrongWayError) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "Refused by the gateway. "+e.Error()+"\nhint: "+e.Hint(), e.status())
}
