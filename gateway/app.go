package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
)

// App is one of the two applications.
type App struct {
	// URL is where it listens: http://host:port. It must be given.
	URL *url.URL
	// Companion says that the companion package answers there: its labels tell what was not found. Default: false.
	Companion bool
	// Chunked says that the application reads bodies of unknown length (ASGI, not WSGI: Django and Flask behind WSGI
	// servers see an empty body). Default: false, such bodies are kept first and sent with their length.
	Chunked bool
	// DialTimeout bounds a new connection. Default: 2s.
	DialTimeout time.Duration
	// AnswerTimeout bounds the time until the headers of an answer, and the time in which the application takes nothing
	// of a request. Default: 60s.
	AnswerTimeout time.Duration
	// SilenceTimeout bounds the time in which nothing more of an answer comes. Default: 5m.
	SilenceTimeout time.Duration
	// Idle is how long an unused connection is kept. It must be shorter than the application keeps it: gunicorn closes
	// after 2 s, and a POST that meets the close cannot be sent again. Default: 1500ms.
	Idle time.Duration
	// Connections bounds the connections to it, WebSockets among them. Default: 512.
	Connections int
	// Waiting bounds the requests that wait for a connection; the next one gets 503. Default: 1024.
	Waiting int
	// WaitTimeout bounds their wait; 503 after it. Default: 10s.
	WaitTimeout time.Duration
	// Failures is how many requests one after another must fail (no connection, no answer in time, no HTTP) until the
	// application is left alone. An answer is no failure, whatever its status. Default: 5.
	Failures uint32
	// OpenFor is how long it is left alone until one request tries again. Default: 5s.
	OpenFor time.Duration
	// Health is the check that asks by itself. Default: none.
	Health Health
}

// app is an App at work.
type app struct {
	side      Side
	url       *url.URL
	companion bool
	chunked   bool
	transport *http.Transport
	silence   time.Duration
	slots     *slots
	breaker   *gobreaker.TwoStepCircuitBreaker[struct{}]
	openFor   time.Duration
	health    *checked
	metrics   *appMetrics
	traces    *traces
}

func newApp(side Side, a App, g *Gateway) *app {
	answer := orDefault(a.AnswerTimeout, time.Minute)
	connections := orDefault(a.Connections, 512)
	dialer := net.Dialer{Timeout: orDefault(a.DialTimeout, 2*time.Second), KeepAlive: 30 * time.Second}
	made := &app{
		side: side, url: a.URL, companion: a.Companion, chunked: a.Chunked,
		silence: orDefault(a.SilenceTimeout, 5*time.Minute),
		slots:   newSlots(connections, orDefault(a.Waiting, 1024), orDefault(a.WaitTimeout, 10*time.Second)),
		openFor: orDefault(a.OpenFor, 5*time.Second),
		traces:  g.traces,
		transport: &http.Transport{
			Proxy: nil, // HTTP_PROXY is for programs that go out
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := dialer.DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return &wire{Conn: c, stalled: answer}, nil
			},
			ResponseHeaderTimeout:  answer,
			IdleConnTimeout:        orDefault(a.Idle, 1500*time.Millisecond),
			MaxIdleConnsPerHost:    connections,
			MaxConnsPerHost:        connections, // with those that are just being closed; requests wait for a slot before
			ExpectContinueTimeout:  time.Second,
			MaxResponseHeaderBytes: 256 << 10,
			DisableCompression:     true, // answers pass as they are
			WriteBufferSize:        16 << 10,
			ReadBufferSize:         16 << 10,
		},
	}
	made.health = newChecked(made, a.Health, g.log)
	made.breaker = newBreaker(made, orDefault(a.Failures, 5), g.log)
	made.metrics = g.metrics.of(made)
	return made
}

func orDefault[T comparable](given, otherwise T) T {
	var zero T
	if given == zero {
		return otherwise
	}
	return given
}

// aim points a request at the application. The host that the client asked for stays.
func (a *app) aim(r *http.Request) {
	r.URL.Scheme, r.URL.Host = a.url.Scheme, a.url.Host
}

// RoundTrip asks the application, if it is there and has a connection left.
func (a *app) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := a.available(); err != nil {
		return nil, a.metrics.refused(err)
	}
	if err := a.slots.take(r.Context(), a.side); err != nil {
		return nil, a.metrics.refused(err)
	}
	done, err := a.breaker.Allow()
	if err != nil { // since available: it has failed while this request waited, or another one is trying it
		a.slots.give()
		return nil, a.metrics.refused(&refusedError{side: a.side, why: refusedOpen, retry: a.openFor})
	}
	r, end := a.traces.asked(a, r)
	began := time.Now()
	res, err := a.send(r)
	why := failureOf(r.Context(), err)
	switch {
	case err == nil:
		done(nil)
	case why == "":
		done(errNotItsFault)
	default:
		done(err)
	}
	a.metrics.asked(r, res, why, time.Since(began))
	end(res, err)
	if err != nil {
		a.slots.give()
		return nil, err
	}
	res.Body = a.taken(res)
	return res, nil
}

// refusedAgain is how long a request waits before it is sent again to an application that has refused its connection:
// one that is being started anew.
const refusedAgain = 100 * time.Millisecond

// send sends a request; once more if nothing of it was sent.
func (a *app) send(r *http.Request) (*http.Response, error) {
	// net/http takes these headers for leave to send a POST a second time, on any connection that breaks. They are
	// a promise of the client about its own requests, which the application may not know. Its look-up knows the
	// canonical spelling only; to the application the name is the same.
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if v, ok := r.Header[name]; ok {
			delete(r.Header, name)
			r.Header[lowerKeys[name]] = v
		}
	}
	// A transport closes the body when it has got no connection. Whoever has made the request closes it.
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = unclosed{r.Body}
	}
	res, err := a.transport.RoundTrip(a.watched(r))
	if err == nil {
		return res, nil
	}
	var dial *net.OpError
	if !errors.As(err, &dial) || dial.Op != "dial" || dial.Timeout() || r.Context().Err() != nil {
		return nil, err
	}
	// There was no connection, so nothing of the request has left this process, and nothing of its body was read.
	select {
	case <-time.After(refusedAgain):
	case <-r.Context().Done():
		return nil, err
	}
	a.metrics.again.Inc()
	return a.transport.RoundTrip(a.watched(r))
}

var lowerKeys = map[string]string{"Idempotency-Key": "idempotency-key", "X-Idempotency-Key": "x-idempotency-key"}

// unclosed is a body that only its owner closes.
type unclosed struct{ body io.Reader }

func (b unclosed) Read(p []byte) (int, error) { return b.body.Read(p) }
func (unclosed) Close() error                 { return nil }

// wire is a connection to an application that knows what was written to it.
type wire struct {
	net.Conn
	stalled time.Duration
	written atomic.Int64
	begun   atomic.Int64 // what was written before the present request
}

// Write fails when the application takes nothing for too long: no other time limit counts while a body is sent.
//
// An application may answer before it has read the whole request, and close. net/http then fails with what happened to
// the rest of the request, although the answer is there. So the rest is thrown away, and whoever reads decides: the
// answer comes before the end of the connection, and where there is none, reading fails at once. Of a request of which
// nothing was sent the error stays: net/http sends it again on another connection.
func (w *wire) Write(p []byte) (int, error) {
	w.SetWriteDeadline(time.Now().Add(w.stalled))
	n, err := w.Conn.Write(p)
	w.written.Add(int64(n))
	if (errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)) && w.sent() {
		return len(p), nil
	}
	return n, err
}

// sent says whether anything of the present request was sent.
func (w *wire) sent() bool { return w.written.Load() > w.begun.Load() }

var errSentTwice = errors.New("the application has closed the connection twice before it answered")

// watched tells the connection of each request, and bounds how often net/http sends a request by itself. Where
// a connection that was used before breaks without an answer, it sends requests without a body that only read on the next
// one, and so on until a connection is new: a request that kills a process of the application would go on to kill the
// others. The third time, this one gets a connection that is closed already.
func (a *app) watched(r *http.Request) *http.Request {
	w := &watch{again: a.metrics.again}
	ctx, cancel := context.WithCancelCause(r.Context()) // ends with its parent: the answer is read after this function
	w.cancel = cancel
	if t := httptrace.ContextClientTrace(ctx); t != nil {
		// ReverseProxy has made it for this one request, and sets another hook of it. WithClientTrace would join the two
		// by reflection, which costs more than all else here.
		t.GotConn = w.got
		return r.WithContext(ctx)
	}
	return r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: w.got}))
}

// watch follows one request from connection to connection.
type watch struct {
	again  prometheus.Counter
	cancel context.CancelCauseFunc
	last   *wire
	sent   int
}

func (w *watch) got(info httptrace.GotConnInfo) {
	if w.last != nil && w.last.sent() {
		w.sent++
		w.again.Inc()
	}
	conn := info.Conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = t.NetConn() // below TLS
	}
	w.last, _ = conn.(*wire)
	if w.last == nil {
		return
	}
	w.last.begun.Store(w.last.written.Load())
	if w.sent >= 2 {
		// Nothing can be written to it, and the transport finds the cause when it wants to try again.
		w.cancel(errSentTwice)
		info.Conn.Close()
	}
}

// answer is what the companion would say to a request.
type answer struct {
	label   label // "": there is a route
	build   string
	methods bool // the methods of the route are known, too
}

// ask asks the companion what it would say to a request, without sending its body and without running anything of the
// application: a request with a large body goes to the right side at once, and is read once.
func (a *app) ask(ctx context.Context, r *http.Request) (answer, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url.Scheme+"://"+a.url.Host+ownPrefix+"/ask", nil)
	if err != nil {
		return answer{}, err
	}
	q.Host = r.Host
	q.Header.Set(headerAsk, r.Method+" "+r.URL.EscapedPath())
	res, err := a.RoundTrip(q)
	if err != nil {
		return answer{}, err
	}
	discard(res)
	said := answer{labelOf(res.Header), res.Header.Get(headerBuild), res.Header.Get(headerMethods) != ""}
	if said.label == "" && res.StatusCode != http.StatusNoContent {
		return answer{}, &companionError{a.url, res.Status}
	}
	return said, nil
}
