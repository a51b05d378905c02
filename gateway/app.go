package gateway

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"
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
	// AnswerTimeout bounds the time until the headers of an answer. Default: 60s.
	AnswerTimeout time.Duration
	// Idle is how long an unused connection is kept. It must be shorter than the application keeps it: gunicorn closes
	// after 2 s, and a POST that meets the close cannot be sent again. Default: 1500ms.
	Idle time.Duration
	// Connections bounds the connections to it. Default: 0, none.
	Connections int
}

// app is an App at work.
type app struct {
	side      Side
	url       *url.URL
	companion bool
	chunked   bool
	transport *http.Transport
}

func newApp(side Side, a App) *app {
	return &app{side: side, url: a.URL, companion: a.Companion, chunked: a.Chunked, transport: &http.Transport{
		Proxy:                 nil, // HTTP_PROXY is for programs that go out
		DialContext:           (&net.Dialer{Timeout: orDefault(a.DialTimeout, 2*time.Second), KeepAlive: 30 * time.Second}).DialContext,
		ResponseHeaderTimeout: orDefault(a.AnswerTimeout, time.Minute),
		IdleConnTimeout:       orDefault(a.Idle, 1500*time.Millisecond),
		MaxIdleConnsPerHost:   512,
		MaxConnsPerHost:       a.Connections,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // answers pass as they are
		WriteBufferSize:       16 << 10,
		ReadBufferSize:        16 << 10,
	}}
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// aim points a request at the application. The host that the client asked for stays.
func (a *app) aim(r *http.Request) {
	r.URL.Scheme, r.URL.Host = a.url.Scheme, a.url.Host
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
	res, err := a.transport.RoundTrip(q)
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
