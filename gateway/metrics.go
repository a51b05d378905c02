package gateway

import (
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/sony/gobreaker/v2"
)

// metrics counts what the gateway does. No label has a value that a client can choose: paths, methods and hosts are in
// the log.
type metrics struct {
	registry  *prometheus.Registry
	make      promauto.Factory
	answered  map[Side]*answered // by who has answered; "": the gateway itself
	fallbacks prometheus.Counter
	trials    *prometheus.CounterVec
	clients   prometheus.Gauge
	slow      *prometheus.CounterVec
	wrongWays *prometheus.CounterVec
}

// answered are the requests of which one has answered. They are looked up once, not for each request.
type answered struct {
	took     prometheus.Observer
	requests map[string]*[len(statusClasses)]prometheus.Counter // by method class
}

const metricPrefix = "replank_gateway_"

// buckets go from what a cache answers in to what users wait for at most.
var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

func newMetrics(g *Gateway) *metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := promauto.With(registry)
	requests := f.NewCounterVec(prometheus.CounterOpts{Name: metricPrefix + "requests_total",
		Help: "Requests that were answered, by who has answered (none: the gateway itself), read or write, and class of the status (none: the client has gone)."},
		[]string{"answered_by", "method", "status"})
	took := f.NewHistogramVec(prometheus.HistogramOpts{Name: metricPrefix + "request_seconds",
		Help:    "Time from the headers of a request to the end of its answer.",
		Buckets: buckets, NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour},
		[]string{"answered_by"})
	m := &metrics{registry: registry, make: f, answered: map[Side]*answered{},
		fallbacks: f.NewCounter(prometheus.CounterOpts{Name: metricPrefix + "fallbacks_total",
			Help: "Requests that the modern application was tried with first, and that the legacy one has answered."}),
		trials: f.NewCounterVec(prometheus.CounterOpts{Name: metricPrefix + "trials_total",
			Help: "Questions to the modern application whether it has a route, by its label (none: it has, or it has no companion)."}, []string{"said"}),
		clients: f.NewGauge(prometheus.GaugeOpts{Name: metricPrefix + "client_connections", Help: "Open connections of clients, without WebSockets."}),
		slow: f.NewCounterVec(prometheus.CounterOpts{Name: metricPrefix + "slow_clients_total",
			Help: "Requests that were cut because the client sends its body (slow_body) or takes its answer (slow_reader) too slowly."}, []string{"why"}),
		wrongWays: f.NewCounterVec(prometheus.CounterOpts{Name: metricPrefix + "wrong_way_total",
			Help: "Requests of the applications in the wrong direction or in a loop, and whether a waiver has let them through."}, []string{"why", "done"}),
	}
	for side, by := range map[Side]string{Modern: "modern", Legacy: "legacy", "": "none"} {
		a := &answered{took: took.WithLabelValues(by), requests: map[string]*[len(statusClasses)]prometheus.Counter{}}
		for _, class := range []string{methodRead, methodWrite} {
			a.requests[class] = new([len(statusClasses)]prometheus.Counter)
			for i, status := range statusClasses {
				a.requests[class][i] = requests.WithLabelValues(by, class, status)
			}
		}
		m.answered[side] = a
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: metricPrefix + "kept_bytes", Help: "Request bodies that are kept now, in memory and in files."},
		func() float64 { return float64(g.keeper.used.Load()) })
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: metricPrefix + "learned_paths", Help: "Paths of which it is known that the modern application has no route for them."},
		func() float64 { return float64(g.learned.size()) })
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: metricPrefix + "decisions_stale", Help: "1 if the control database cannot be reached: the last decisions about routes hold."},
		func() float64 {
			if g.cfg.Decisions != nil && g.cfg.Decisions.Lost() != nil {
				return 1
			}
			return 0
		})
	return m
}

// documents shows what is known of routes.
func (m *metrics) documents(r *routes) {
	for _, d := range r.docs {
		gauge := func(name, help string, value func() int) {
			m.make.NewGaugeFunc(prometheus.GaugeOpts{Name: metricPrefix + name, Help: help, ConstLabels: prometheus.Labels{"app": string(d.app)}}, func() float64 {
				r.mu.Lock()
				defer r.mu.Unlock()
				return float64(value())
			})
		}
		gauge("routes", "Routes of the application that are known.", func() int { return countOf(d.doc) })
		gauge("routes_bad", "Routes of the application's document that cannot be used: the paths that may be theirs are tried.", func() int { return len(d.bad) })
		gauge("routes_stale", "1 if the application's document cannot be read or is none: the last good one holds.", func() int {
			if d.wrong != nil {
				return 1
			}
			return 0
		})
	}
}

// told counts a request at its end.
func (m *metrics) told(x *exchange, method string, took time.Duration) {
	a := m.answered[x.answeredBy]
	a.requests[methodClass(method)][statusClass(x.status)].Inc()
	a.took.Observe(took.Seconds())
}

const methodRead, methodWrite = "read", "write"

func methodClass(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return methodRead
	}
	return methodWrite
}

var statusClasses = [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

// statusClass is an index of statusClasses.
func statusClass(status int) int {
	if status < 100 || status > 599 {
		return 0
	}
	return status / 100
}

// connection is the server's ConnState.
func (m *metrics) connection(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		m.clients.Inc()
	case http.StateClosed, http.StateHijacked:
		m.clients.Dec()
	}
}

// appMetrics counts what one application does.
type appMetrics struct {
	trials   *prometheus.CounterVec
	took     prometheus.Histogram
	failures *prometheus.CounterVec
	refusals *prometheus.CounterVec
	again    prometheus.Counter
	cut      prometheus.Counter
}

func (m *metrics) of(a *app) *appMetrics {
	f, app := m.make, prometheus.Labels{"app": string(a.side)}
	gauge := func(name, help string, value func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: metricPrefix + name, Help: help, ConstLabels: app}, value)
	}
	gauge("app_up", "1 if the application is asked: its health check is good, and its circuit breaker is not open.", func() float64 {
		if a.available() != nil {
			return 0
		}
		return 1
	})
	for _, state := range []gobreaker.State{gobreaker.StateClosed, gobreaker.StateHalfOpen, gobreaker.StateOpen} {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: metricPrefix + "app_breaker", Help: "1 for the state that the circuit breaker is in.",
			ConstLabels: prometheus.Labels{"app": string(a.side), "state": state.String()}}, func() float64 {
			if a.breaker.State() == state {
				return 1
			}
			return 0
		})
	}
	gauge("app_connections", "Connections to the application that are in use.", func() float64 { return float64(a.slots.used()) })
	gauge("app_waiting", "Requests that wait for a connection to the application.", func() float64 { return float64(a.slots.waiting.Load()) })
	counters := func(name, help string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: metricPrefix + name, Help: help, ConstLabels: app}, []string{"why"})
	}
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: metricPrefix + name, Help: help, ConstLabels: app})
	}
	return &appMetrics{
		trials: m.trials,
		took: f.NewHistogram(prometheus.HistogramOpts{Name: metricPrefix + "app_seconds", ConstLabels: app,
			Help:    "Time until the headers of an application's answer, trials included.",
			Buckets: buckets, NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour}),
		failures: counters("app_failures_total", "Requests that the application has not answered: connect, timeout, broken."),
		refusals: counters("app_refused_total", "Requests that were not sent to the application: open (circuit breaker), down (health check), full (queue), waited (no connection in time)."),
		again:    counter("app_retries_total", "Requests that were sent to the application a second time, because the first has not arrived or only reads."),
		cut:      counter("app_cut_answers_total", "Answers that ended in their middle."),
	}
}

// tenantMetrics count requests that wait because their tenant is being moved.
type tenantMetrics struct {
	parked  prometheus.Histogram
	refused *prometheus.CounterVec
}

func (m *metrics) ofTenants(t *tenants) *tenantMetrics {
	m.make.NewGaugeFunc(prometheus.GaugeOpts{Name: metricPrefix + "parked", Help: "Requests that wait because their tenant is being moved."},
		func() float64 { return float64(t.waiting.Load()) })
	m.make.NewGaugeFunc(prometheus.GaugeOpts{Name: metricPrefix + "tenants_held", Help: "Tenants that are fenced or being moved."}, func() float64 {
		p := t.placed.Load()
		if p == nil {
			return 0
		}
		return float64(len(p.held))
	})
	return &tenantMetrics{
		parked: m.make.NewHistogram(prometheus.HistogramOpts{Name: metricPrefix + "parked_seconds",
			Help:    "How long requests have waited because their tenant was being moved, whether they were let go or refused.",
			Buckets: buckets, NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour}),
		refused: m.make.NewCounterVec(prometheus.CounterOpts{Name: metricPrefix + "parked_refused_total",
			Help: "Requests that were refused because their tenant was being moved: full (too many wait), waited (for too long), over (it should be settled by now)."}, []string{"why"}),
	}
}

// asked counts a request to the application.
func (m *appMetrics) asked(r *http.Request, res *http.Response, why string, took time.Duration) {
	switch {
	case why != "":
		m.failures.WithLabelValues(why).Inc()
	case res != nil:
		m.took.Observe(took.Seconds())
		if r.Header[headerTrial] != nil || r.Header[headerAsk] != nil {
			m.trials.WithLabelValues(labelOf(res.Header).known()).Inc()
		}
	}
}

// refused counts a request that was not sent.
func (m *appMetrics) refused(err error) error {
	var refused *refusedError
	if errors.As(err, &refused) {
		m.refusals.WithLabelValues(refused.why).Inc()
	}
	return err
}

// known bounds what a label may be in a metric.
func (l label) known() string {
	switch l {
	case noRoute, noMethod, noSlash, noObject:
		return string(l)
	case "":
		return "none"
	}
	return "other"
}
