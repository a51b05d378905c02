package gateway

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/replank/replank/internal/route"
)

// Demote says when a route goes back to the legacy application by itself. Only what is on trial is judged: canaries by
// errors and time, shadowed routes by differences. What serves everybody is for people to decide.
type Demote struct {
	// Errors is the share of a canary's answers with status 500 and above, or without an answer, from which it is demoted,
	// if it is also twice that of the legacy application's answers for the route. Default: 0.05; negative: never.
	Errors float64
	// Slow is the mean time of a canary's answers from which it is demoted, if that is also twice the legacy application's.
	// Default: 0, never.
	Slow time.Duration
	// Differences is the share of compared answers that differ from which a shadowed route is demoted. Default: 0, never.
	Differences float64
	// Requests is how many are needed for a judgement. Default: 20.
	Requests int64
	// Window is how far back they count. Default: 1m.
	Window time.Duration
}

func (d Demote) withDefaults() Demote {
	if d.Errors == 0 {
		d.Errors = 0.05
	}
	if d.Requests == 0 {
		d.Requests = 20
	}
	d.Window = orDefault(d.Window, time.Minute)
	return d
}

// judge counts what decides about demotion, in the halves of a window: the older half goes when the newer one is full.
type judge struct {
	mu       sync.Mutex
	cfg      Demote
	since    time.Time // when the newer half began
	new, old map[subject]*record
}

// subject is what is judged: a decision, as long as it is the same.
type subject struct {
	app      route.App
	template string
	phase    route.Phase
}

// record is what was counted about it.
type record struct {
	modern, legacy  answers
	same, different int64
}

type answers struct {
	requests, errors int64
	took             time.Duration
}

func (a *answers) add(b answers) {
	a.requests, a.errors, a.took = a.requests+b.requests, a.errors+b.errors, a.took+b.took
}

func (a answers) share() float64 { return float64(a.errors) / float64(max(1, a.requests)) }

func (a answers) mean() time.Duration { return a.took / time.Duration(max(1, a.requests)) }

func (j *judge) change(cfg Demote) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cfg = cfg
}

func (j *judge) note(d *route.Decision, fn func(*record)) {
	s := subject{d.App, d.Template, d.Phase}
	j.mu.Lock()
	defer j.mu.Unlock()
	if now := time.Now(); now.Sub(j.since) > j.cfg.Window/2 {
		j.old = j.new
		if now.Sub(j.since) > j.cfg.Window {
			j.old = nil // of long ago
		}
		j.new, j.since = map[subject]*record{}, now
	}
	r := j.new[s]
	if r == nil {
		r = &record{}
		j.new[s] = r
	}
	fn(r)
}

// answered notes a canary's answer.
func (j *judge) answered(x *exchange, took time.Duration) {
	if x.decision == nil || x.decision.Phase != route.PhaseCanary || x.status == 0 {
		return // 0: the client has gone
	}
	a := answers{requests: 1, took: took}
	if x.status >= http.StatusInternalServerError {
		a.errors = 1
	}
	j.note(x.decision, func(r *record) {
		if x.first == Modern {
			r.modern.add(a)
		} else {
			r.legacy.add(a)
		}
	})
}

// compared notes a comparison.
func (j *judge) compared(d *route.Decision, same bool) {
	j.note(d, func(r *record) {
		if same {
			r.same++
		} else {
			r.different++
		}
	})
}

// verdicts are the subjects that are to be demoted, each with the reason. They are judged anew from nothing.
func (j *judge) verdicts() map[subject]string {
	j.mu.Lock()
	defer j.mu.Unlock()
	found := map[subject]string{}
	for s := range j.new {
		sum := *j.new[s]
		if before := j.old[s]; before != nil {
			sum.modern.add(before.modern)
			sum.legacy.add(before.legacy)
			sum.same, sum.different = sum.same+before.same, sum.different+before.different
		}
		if why := j.cfg.judge(sum); why != "" {
			found[s] = why
			delete(j.new, s)
			delete(j.old, s)
		}
	}
	return found
}

func (d Demote) judge(r record) string {
	m, l, compared := r.modern, r.legacy, r.same+r.different
	switch {
	case m.requests >= d.Requests && d.Errors >= 0 && m.share() > d.Errors && m.share() > 2*l.share():
		return fmt.Sprintf("%d of %d answers of the modern application were errors, more than %g%%", m.errors, m.requests, 100*d.Errors)
	case m.requests >= d.Requests && d.Slow > 0 && m.mean() > d.Slow && m.mean() > 2*l.mean():
		return fmt.Sprintf("%d answers of the modern application took %s on average, more than %s", m.requests, m.mean().Round(time.Millisecond), d.Slow)
	case compared >= d.Requests && d.Differences > 0 && float64(r.different) > d.Differences*float64(compared):
		return fmt.Sprintf("%d of %d compared answers differed, more than %g%%", r.different, compared, 100*d.Differences)
	}
	return ""
}

// demote gives routes back to the legacy application that have not stood their trial.
func (g *Gateway) demote(ctx context.Context) {
	for s, why := range g.judge.verdicts() {
		d := route.Decision{App: s.app, Template: s.template, Phase: route.PhaseLegacy}
		moved, err := g.cfg.Decisions.Demote(ctx, d, s.phase, why, "replank gateway")
		switch {
		case err != nil:
			g.log.Error("a route could not be demoted", "app", s.app, "template", s.template, "because", why, "error", err)
		case moved:
			g.log.Error("a route was demoted", "app", s.app, "template", s.template, "from", s.phase, "because", why)
		}
	}
}
