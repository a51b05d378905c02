package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"sync"

	"github.com/replank/replank/internal/identity"
)

// prepare does what must be done before the first application is asked: it waits while the tenant is fenced, finds out
// who has the route where the request has a body that is better not sent twice, and keeps the body where it may be needed
// again.
func (g *Gateway) prepare(x *exchange, r *http.Request) error {
	if err := g.admit(x, r); err != nil {
		return err
	}
	g.decide(x, r)
	if x.came != nil {
		if err := g.steer(x, r); err != nil {
			return err
		}
	}
	if r.ContentLength == 0 {
		return nil
	}
	if err := x.pace.tooLarge(r); err != nil {
		return err
	}
	again := false // the body may have to be sent a second time
	switch {
	case !x.fallback, x.methods:
	case !g.modern.companion:
		// Without a label only what may be done twice falls back.
		again = g.cfg.Unlabelled && idempotent(r.Method)
	case r.ContentLength > 0 && r.ContentLength <= g.keeper.inMemory:
		again = true
	default:
		said, err := g.modern.ask(r.Context(), r)
		if err != nil {
			return err
		}
		g.heard(x, said.label, said.build, r)
		if said.label.fallsBack() {
			x.answerer = answerer{first: Legacy}
			break
		}
		// The view itself may answer 405, when its methods could not be known before.
		again = !said.methods
	}
	to := g.modern
	if x.first == Legacy {
		to = g.legacy
	}
	if !again && (r.ContentLength > 0 || to.chunked) {
		x.trial, x.fallback = false, false
		return nil
	}
	body, err := g.keeper.keep(r.Body)
	x.body = body
	return err
}

func idempotent(method string) bool {
	return slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete, http.MethodTrace}, method)
}

// rewrite makes the request that goes to an application.
func (g *Gateway) rewrite(p *httputil.ProxyRequest) {
	fromProxy := exchangeOf(p.In.Context()).fromProxy
	if fromProxy {
		for _, name := range []string{"Forwarded", "X-Forwarded-For"} {
			if before := p.In.Header[name]; before != nil {
				p.Out.Header[name] = before
			}
		}
	}
	p.SetXForwarded()
	if fromProxy {
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
			if before := p.In.Header[name]; before != nil {
				p.Out.Header[name] = before
			}
		}
	}
	// ReverseProxy takes out parameters that Go cannot parse, because a proxy and the application could read them
	// differently. This one reads none, and the applications have read them as they are until now.
	p.Out.URL.RawQuery = p.In.URL.RawQuery
	p.Out.Host = p.In.Host
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// roundTrip asks the application that has the route, or both in their order.
func (g *Gateway) roundTrip(out *http.Request) (*http.Response, error) {
	x := exchangeOf(out.Context())
	if x.first == Legacy {
		return g.send(x, g.legacy, out)
	}
	if !x.fallback {
		return g.send(x, g.modern, out)
	}
	if x.trial && g.modern.companion {
		out.Header.Set(headerTrial, "1")
	}
	res, err := g.send(x, g.modern, out)
	if err != nil {
		return nil, err
	}
	what := labelOf(res.Header)
	g.heard(x, what, res.Header.Get(headerBuild), out)
	if !what.fallsBack() && !g.guesses(res, out.Method) {
		return res, nil
	}
	// Nothing was executed: the label says so, or what was executed may be executed again (guesses).
	discard(res)
	g.metrics.fallbacks.Inc()
	delete(out.Header, headerTrial)
	return g.send(x, g.legacy, out.Clone(out.Context()))
}

// guesses reports whether an answer without a label lets the legacy application answer.
func (g *Gateway) guesses(res *http.Response, method string) bool {
	return g.cfg.Unlabelled && !g.modern.companion && res.StatusCode == http.StatusNotFound && idempotent(method)
}

// heard learns from what the companion has said.
func (g *Gateway) heard(x *exchange, what label, build string, r *http.Request) {
	if !g.modern.companion {
		return // a label of nobody knows whom
	}
	if g.learned.answered(build) {
		g.routes.docs[0].soon()
	}
	if what.fallsBack() {
		g.learned.learn(what, r.Method, r.URL.Path)
	}
}

func (g *Gateway) send(x *exchange, a *app, out *http.Request) (*http.Response, error) {
	if err := g.oneWay(x, out, a.side); err != nil {
		return nil, err
	}
	x.answeredBy = a.side
	a.aim(out)
	g.hops.mark(out, x.came, x.chain, clip(x.template), a.side)
	// Here, because by now what a client's Connection header names has been taken out.
	if err := g.identify(out, x.who, a); err != nil {
		return nil, err
	}
	if x.body != nil {
		out.Body, out.ContentLength, out.TransferEncoding = x.body.open(), x.body.size, nil
		if x.body.size == 0 {
			out.Body = http.NoBody
		}
	}
	if a.side == Legacy && x.body == nil && out.ContentLength > 0 && x.shadows(out) {
		x.sent = &sent{ReadCloser: out.Body, want: int(out.ContentLength)}
		out.Body = x.sent
	}
	res, err := a.RoundTrip(out)
	if err == nil && x.shadow {
		g.shadow.watch(x, out, res)
	}
	return res, err
}

// identify tells an application who sends a request.
func (g *Gateway) identify(out *http.Request, who identity.Who, a *app) error {
	if g.cfg.Identity == nil {
		return nil
	}
	if err := g.cfg.Identity.Apply(out.Header, who, string(a.side)); err != nil {
		return &unknownError{err}
	}
	return nil
}

// modify takes out of an answer what was for the gateway.
func (g *Gateway) modify(res *http.Response) error {
	exchangeOf(res.Request.Context()).status = res.StatusCode
	forget(res.Header)
	return nil
}

// failed answers where no application has.
func (g *Gateway) failed(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r.Context())
	var tooLarge *tooLargeError
	var client *clientError
	var unknown *unknownError
	var wrong *wrongWayError
	var timeout net.Error
	status := http.StatusBadGateway
	switch {
	case refuses(w, err, &status): // before the next: net/http takes a client that is too slow for one that has gone
	case r.Context().Err() != nil && errors.Is(context.Cause(r.Context()), context.Canceled):
		g.log.Debug("the client has gone", "path", r.URL.Path)
		panic(http.ErrAbortHandler) // nobody reads an answer
	case errors.As(err, &tooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.As(err, &client):
		status = http.StatusBadRequest
	case errors.As(err, &unknown):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	case errors.As(err, &timeout) && timeout.Timeout():
		status = http.StatusGatewayTimeout
	}
	if errors.As(err, &wrong) { // it is in the log
		x.status, x.answeredBy = wrong.status(), ""
		g.refuse(w, wrong)
		return
	}
	g.log.Log(r.Context(), slog.LevelError, "no answer", "method", r.Method, "path", r.URL.Path, "app", x.answeredBy, "status", status, "error", err)
	x.status, x.answeredBy = status, ""
	http.Error(w, http.StatusText(status), status)
}

// unknownError: nobody can say who sends a request.
type unknownError struct{ err error }

func (e *unknownError) Error() string { return "find out who sends the request: " + e.err.Error() }
func (e *unknownError) Unwrap() error { return e.err }

// bufferPool lends ReverseProxy the buffers it copies answers with.
type bufferPool struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[bufferSize]byte); ok {
		return b[:]
	}
	return new([bufferSize]byte)[:]
}

func (p *bufferPool) Put(b []byte) { p.pool.Put((*[bufferSize]byte)(b)) }
