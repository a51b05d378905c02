package demo

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Stats is how an application fared.
type Stats struct {
	Requests   int `json:"requests"`
	Statements int `json:"statements"`
	// Failed are the statements that failed for any other reason than the two below.
	Failed int `json:"failed"`
	// Retries after a serialization failure or a deadlock, which every application has to expect.
	Retries int `json:"retries"`
	// CachedPlan are server-prepared statements that PostgreSQL refused because the columns of their result
	// had changed ("cached plan must not change result type"). They were prepared again.
	CachedPlan int `json:"cached_plan_errors"`

	// Latency is counted from the moment a request should have begun, so that a stall counts for everybody who
	// would have come meanwhile.
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`
	Max time.Duration `json:"max_ns"`

	Series []time.Duration `json:"series_ns,omitempty"` // the slowest request of each part of the time
	Errors []ErrorCount    `json:"errors,omitempty"`
}

// ErrorCount is how often the application got one message.
type ErrorCount struct {
	Message string `json:"message"`
	N       int    `json:"n"`
}

// Live is how the application is at this moment.
type Live struct {
	Rate   float64         // requests a second, over the last second
	Worst  time.Duration   // the slowest of them, those that are still waiting included
	Series []time.Duration // the slowest request of each half second, the last one now
	Failed int             // statements, since the beginning
}

// request is one request that was answered, in the time since the beginning.
type request struct {
	due, end time.Duration
	failed   int // statements
}

// recorder collects what the clients feel.
type recorder struct {
	start time.Time

	mu       sync.Mutex
	requests []request
	waiting  map[int]time.Duration // client → when the request it works on, or should work on, was due
	stats    Stats
	errors   map[string]int
}

func newRecorder(start time.Time) *recorder {
	return &recorder{start: start, waiting: map[int]time.Duration{}, errors: map[string]int{}}
}

// due says that a request of a client is to begin now, or should have begun.
func (r *recorder) due(client int, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[client] = at.Sub(r.start)
}

// tally is what one request added to the counters.
type tally struct {
	statements, failed, retries, cachedPlan int
	message                                 string // of the failure
}

func (r *recorder) answered(client int, t tally) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if due, ok := r.waiting[client]; ok {
		r.requests = append(r.requests, request{due, time.Since(r.start), t.failed})
		delete(r.waiting, client)
	}
	r.add(t)
}

// beside counts what is no request: its time is its own affair.
func (r *recorder) beside(t tally) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(t)
}

func (r *recorder) add(t tally) {
	r.stats.Statements += t.statements
	r.stats.Failed += t.failed
	r.stats.Retries += t.retries
	r.stats.CachedPlan += t.cachedPlan
	if t.message != "" {
		r.errors[t.message]++
	}
}

// window says what was felt between two moments: by every request that was under way meanwhile.
func (r *recorder) window(from, to time.Time) (worst time.Duration, failed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, b := from.Sub(r.start), to.Sub(r.start)
	for _, q := range slices.Backward(r.requests) {
		if q.due <= b && q.end >= a {
			worst = max(worst, q.end-q.due)
			failed += q.failed
		}
	}
	for _, due := range r.waiting {
		if due <= b {
			worst = max(worst, time.Since(r.start)-due)
		}
	}
	return worst, failed
}

// liveFor is how far back the live series goes, and liveStep how finely.
const (
	liveFor  = 24
	liveStep = 500 * time.Millisecond
)

func (r *recorder) live() *Live {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Since(r.start)
	l := &Live{Series: make([]time.Duration, liveFor), Failed: r.stats.Failed}
	// A request is as slow at every moment of its waiting as it will have been at the end.
	spread := func(due, end time.Duration) {
		first := int((now - end) / liveStep)
		last := int((now - due) / liveStep)
		for i := max(first, 0); i <= last && i < liveFor; i++ {
			l.Series[liveFor-1-i] = max(l.Series[liveFor-1-i], end-due)
		}
	}
	for _, q := range slices.Backward(r.requests) {
		if now-q.end > liveFor*liveStep+10*time.Second {
			break
		}
		spread(q.due, q.end)
		if now-q.end < time.Second {
			l.Rate++
			l.Worst = max(l.Worst, q.end-q.due)
		}
	}
	for _, due := range r.waiting {
		spread(due, now)
		l.Worst = max(l.Worst, now-due)
	}
	return l
}

// summary is the whole story, its series in so many parts.
func (r *recorder) summary(parts int) Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Requests = len(r.requests)
	var all []time.Duration
	var end time.Duration
	for _, q := range r.requests {
		all = append(all, q.end-q.due)
		end = max(end, q.end)
	}
	slices.Sort(all)
	s.P50, s.P99, s.Max = quantile(all, 0.5), quantile(all, 0.99), quantile(all, 1)
	s.Series = make([]time.Duration, parts)
	for _, q := range r.requests {
		i := min(parts-1, int(int64(q.due)*int64(parts)/int64(end+1)))
		s.Series[i] = max(s.Series[i], q.end-q.due)
	}
	for m, n := range r.errors {
		s.Errors = append(s.Errors, ErrorCount{m, n})
	}
	slices.SortFunc(s.Errors, func(a, b ErrorCount) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Message, b.Message))
	})
	return s
}

// quantile takes the nearest rank of sorted values.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	i := int(float64(len(sorted))*q+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

func (e ErrorCount) String() string { return fmt.Sprintf("%d × %s", e.N, e.Message) }
