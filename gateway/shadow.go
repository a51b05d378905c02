package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/replank/replank/internal/compare"
	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/identity"
	"github.com/replank/replank/internal/route"
)

// What shadow requests may take. They never take it from clients: what does not fit is left out, and counted.
const (
	shadowBody    = 256 << 10 // bytes of an answer that are compared; larger ones are counted
	shadowWaiting = 64
	shadowWorkers = 4
	shadowTimeout = 30 * time.Second
	shadowSamples = 20 // of a template in one turn of writing
)

// shadow compares what the modern application would have answered. Neither the client nor its answer waits for it: the
// answer is copied while it passes, and a request that finds no room is dropped.
type shadow struct {
	g       *Gateway
	compare compare.Config
	guard   *guard
	jobs    chan *shadowed

	mu      sync.Mutex
	found   map[string]*decisions.Shadow // by template
	samples []decisions.Sample
}

// shadowed is a request that the legacy application has answered.
type shadowed struct {
	out      *http.Request // as it went to the legacy application
	sent     []byte        // its body
	template string
	decision *route.Decision
	who      identity.Who
	tenant   string // counted as under way; "": nobody's
	status   int
	header   http.Header
	body     *copied
}

// copied is an answer's body as it passes.
type copied struct {
	io.ReadCloser
	text bytes.Buffer
	over bool
	// done is called at the end of the body, with whether all of it has come.
	done   func(whole bool)
	called atomic.Bool
}

func (c *copied) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if room := shadowBody - c.text.Len(); n > room {
		c.over = true
	} else if !c.over {
		c.text.Write(p[:n])
	}
	if err == io.EOF {
		c.end(true)
	}
	return n, err
}

func (c *copied) Close() error {
	c.end(false) // the client has gone
	return c.ReadCloser.Close()
}

func (c *copied) end(whole bool) {
	if c.called.CompareAndSwap(false, true) {
		c.done(whole)
	}
}

// safe requests change nothing, so they may be sent to both applications.
func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// shadows says whether a request is one that is sent to both applications.
func (x *exchange) shadows(r *http.Request) bool {
	return x.shadow && (safe(r.Method) && r.ContentLength == 0 || x.decision.ShadowWrites && r.ContentLength <= shadowBody)
}

// sent is a request body that is copied while the legacy application reads it.
type sent struct {
	io.ReadCloser
	want int
	text bytes.Buffer
	all  atomic.Bool
}

func (s *sent) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.text.Write(p[:n])
	if s.text.Len() == s.want {
		s.all.Store(true) // nobody writes to it any more
	}
	return n, err
}

// bodySent is the body of a request that was answered; false: not all of it was read.
func (x *exchange) bodySent() ([]byte, bool) {
	switch {
	case x.body != nil:
		text, err := io.ReadAll(x.body.open())
		return text, err == nil
	case x.sent == nil:
		return nil, true
	case x.sent.all.Load():
		return x.sent.text.Bytes(), true
	}
	return nil, false
}

// watch copies an answer of the legacy application that is to be compared.
func (s *shadow) watch(x *exchange, out *http.Request, res *http.Response) {
	if res.StatusCode == http.StatusSwitchingProtocols || !x.shadows(out) {
		return
	}
	sent, ok := x.bodySent()
	if !ok {
		s.note(x.template, func(n *decisions.Shadow) { n.Dropped++ })
		return
	}
	job := &shadowed{out: out.Clone(context.WithoutCancel(out.Context())), sent: sent, template: x.template, decision: x.decision, who: x.who, status: res.StatusCode, header: res.Header.Clone()}
	if x.admitted {
		job.tenant = x.tenant
		s.g.tenants.enter(x.tenant) // beside the request that is counted now: what is fenced waits for the comparison, too
	}
	job.body = &copied{ReadCloser: res.Body, done: func(whole bool) {
		if whole {
			select {
			case s.jobs <- job:
				return
			default:
			}
		}
		s.drop(job)
	}}
	res.Body = job.body
}

// drop gives a comparison up.
func (s *shadow) drop(job *shadowed) {
	s.note(job.template, func(n *decisions.Shadow) { n.Dropped++ })
	s.end(job)
}

func (s *shadow) end(job *shadowed) {
	if job.tenant != "" {
		s.g.tenants.leave(job.tenant)
	}
}

func (s *shadow) note(template string, fn func(*decisions.Shadow)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.found[template]
	if n == nil {
		n = &decisions.Shadow{Day: today(), Template: template}
		s.found[template] = n
	}
	fn(n)
}

// run compares until ctx ends.
func (s *shadow) run(ctx context.Context) {
	var workers sync.WaitGroup
	for range shadowWorkers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case job := <-s.jobs:
					if _, held := s.g.tenants.look(job.tenant); held != nil && job.tenant != "" {
						s.drop(job)
						continue
					}
					s.look(ctx, job)
					s.end(job)
				}
			}
		})
	}
	workers.Wait()
}

// look compares one answer. The legacy application is asked once more only where there is a difference: what it has with
// itself does not count.
func (s *shadow) look(ctx context.Context, job *shadowed) {
	ctx, cancel := context.WithTimeout(ctx, shadowTimeout)
	defer cancel()
	result, err := s.differ(ctx, job)
	s.note(job.template, func(n *decisions.Shadow) {
		switch {
		case err != nil:
			n.Failed++
		case result.Same():
			n.Same++
		default:
			n.Different++
		}
	})
	if err == nil {
		s.g.judge.compared(job.decision, result.Same())
	}
	defer s.g.log.Debug("compared", "route", job.template, "differences", result.Total, "error", err)
	if err == nil && result.Same() {
		return
	}
	sample := decisions.Sample{At: time.Now(), Template: job.template, Method: job.out.Method, Path: compare.Redact(job.out.URL.RequestURI()), Result: result}
	if err != nil {
		sample.Failed = compare.Redact(err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	of := 0
	for _, other := range s.samples {
		if other.Template == sample.Template {
			of++
		}
	}
	if of < shadowSamples {
		s.samples = append(s.samples, sample)
	}
}

func (s *shadow) differ(ctx context.Context, job *shadowed) (compare.Result, error) {
	if job.body.over {
		return compare.Result{}, fmt.Errorf("the answer is larger than %d bytes", shadowBody)
	}
	old, err := s.compare.Read(job.status, job.header, &job.body.text)
	if err != nil {
		return compare.Result{}, fmt.Errorf("read the legacy application's answer: %w", err)
	}
	writes := !safe(job.out.Method)
	if s.g.cfg.ShadowReadOnly || writes {
		if err := s.guard.stands(ctx, func(err error) { s.g.log.Error("nothing is compared in phase shadow", "error", err) }); err != nil {
			return compare.Result{}, err
		}
	}
	fresh, err := s.ask(ctx, job, s.g.modern)
	if err != nil {
		return compare.Result{}, err
	}
	result := s.compare.Diff(old, fresh, nil)
	if result.Same() {
		return result, nil
	}
	if writes { // once is once: what the legacy application has with itself is not known
		return result, nil
	}
	again, err := s.ask(ctx, job, s.g.legacy)
	if err != nil {
		return compare.Result{}, err
	}
	return s.compare.Diff(old, fresh, s.compare.Noise(old, again)), nil
}

// ask sends the request of a job once more.
func (s *shadow) ask(ctx context.Context, job *shadowed, a *app) (*compare.Answer, error) {
	out := job.out.Clone(ctx)
	out.Body, out.ContentLength = nil, int64(len(job.sent))
	if len(job.sent) > 0 {
		out.Body = io.NopCloser(bytes.NewReader(job.sent))
	}
	a.aim(out)
	s.g.hops.mark(out, nil, chainOf(nil), clip(job.template), a.side)
	if err := s.g.identify(out, job.who, a); err != nil {
		return nil, err
	}
	out.Header.Set(headerShadow, "1")
	writes := !safe(out.Method)
	if writes {
		out.Header.Set(headerShadow, "write")
	}
	res, err := a.RoundTrip(out)
	if err != nil {
		return nil, fmt.Errorf("ask the %s application: %w", a.side, err)
	}
	defer res.Body.Close()
	if (s.g.cfg.ShadowReadOnly || writes) && a == s.g.modern {
		if err := s.guard.heard(res.Header, writes); err != nil {
			return nil, err
		}
	}
	forget(res.Header)
	answer, err := s.compare.Read(res.StatusCode, res.Header, io.LimitReader(res.Body, shadowBody+1))
	if err != nil {
		return nil, fmt.Errorf("read the %s application's answer: %w", a.side, err)
	}
	return answer, nil
}

// take returns what was found, and begins anew.
func (s *shadow) take() ([]decisions.Shadow, []decisions.Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []decisions.Shadow
	for _, n := range s.found {
		found = append(found, *n)
	}
	samples := s.samples
	s.found, s.samples = map[string]*decisions.Shadow{}, nil
	return found, samples
}
