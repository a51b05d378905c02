package walk

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/replank/replank/internal/pg"
)

// Verdict is what a signal says of the system now. The zero value is: go on.
type Verdict struct {
	Level Level
	Why   string // for people, with the numbers
	// Hands is how many workers may work at the same time. 0 = as many as there are.
	Hands int
}

// Level is how much of the system we may use.
type Level int

// The levels, better ones first.
const (
	Go   Level = iota // go on
	Slow              // use a smaller share of the time
	Stop              // wait
)

// Signal is one sign of how the system is. A Check that fails stops the walk until it succeeds again: what cannot
// be read is not known to be good.
type Signal interface {
	Name() string
	Check(ctx context.Context, q pg.Querier) (Verdict, error)
}

const (
	leastShare  = 0.15             // of the time, however many signals say Slow
	longestRest = 2 * time.Second  // between two ranges, when slow
	patience    = 10 * time.Second // for one look at all signals
)

// pace makes workers wait. Share is the part of the time they may work: cut by a factor while a signal says Slow,
// growing back step by step.
type pace struct {
	full    bool // Hands count for nothing
	mu      sync.Mutex
	share   float64
	now     Verdict // of the last look
	by      string  // name of the signal behind it; "" = all is well
	slow    string  // name of the signal that slowed us last
	working int     // how many have a turn now
	idle    map[string]time.Duration
	freed   chan struct{} // closed when a turn ends
	changed chan struct{} // closed at each look
	pausing string        // what the last worker to pause waits for; "" = nobody does
}

func newPace(full bool) *pace {
	return &pace{full: full, share: 1, idle: map[string]time.Duration{}, changed: make(chan struct{}), freed: make(chan struct{}),
		now: Verdict{Level: Stop, Why: "first look at the signals"}, by: "start"}
}

// look checks every signal once and publishes the verdict.
func (p *pace) look(ctx context.Context, q pg.Querier, signals []Signal) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var worst Verdict
	by, hands := "", 0
	for _, s := range signals {
		v, err := s.Check(ctx, q)
		if err != nil {
			v = Verdict{Level: Stop, Why: "cannot be read: " + err.Error()}
		}
		if p.full {
			v.Hands = 0
		}
		if v.Hands > 0 && (hands == 0 || v.Hands < hands) {
			hands = v.Hands
		}
		if v.Level > worst.Level || v.Hands > 0 && by == "" {
			worst, by = v, s.Name()
		}
	}
	worst.Hands = hands
	p.publish(worst, by)
}

func (p *pace) publish(v Verdict, by string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now, p.by = v, by
	switch v.Level {
	case Go:
		p.share = min(1, p.share+0.15)
	case Slow:
		p.share = max(leastShare, p.share*0.6)
		p.slow = by
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// sample looks every interval until ctx ends, and calls after each time. A lost sampler connection is an unreadable
// signal.
func (p *pace) sample(ctx context.Context, db *pg.DB, signals []Signal, every time.Duration, log *slog.Logger, after func()) {
	var s *pg.Session
	defer func() {
		if s != nil {
			s.Close()
		}
	}()
	for ctx.Err() == nil {
		if s != nil && s.Lost() {
			s.Close()
			s = nil
		}
		if s == nil {
			var err error
			if s, err = db.Session(ctx); err != nil {
				log.Warn("no connection to read the health signals", "error", err)
				p.publish(Verdict{Level: Stop, Why: "cannot be read: " + err.Error()}, "connection")
			}
		}
		if s != nil {
			p.look(ctx, s, signals)
		}
		after()
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

// turn returns when the next range may begin. rest must follow it.
func (p *pace) turn(ctx context.Context) error {
	for {
		p.mu.Lock()
		reason, changed, freed := p.by, p.changed, p.freed
		if p.now.Level < Stop && (p.now.Hands == 0 || p.working < p.now.Hands) {
			p.working++
			p.mu.Unlock()
			return ctx.Err()
		}
		p.mu.Unlock()
		began := time.Now()
		select {
		case <-ctx.Done():
		case <-changed:
		case <-freed:
		}
		p.charge(reason, time.Since(began))
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// rest ends a turn, after as much idleness as the share asks for beside the time worked. No other worker has the turn
// meanwhile: it would use the time that is to be left to others.
func (p *pace) rest(ctx context.Context, worked time.Duration) error {
	p.mu.Lock()
	share, reason := p.share, p.slow
	p.mu.Unlock()
	var err error
	if share < 1 && worked > 0 {
		err = p.pause(ctx, reason, min(time.Duration(float64(worked)*(1/share-1)), longestRest))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.working--
	close(p.freed)
	p.freed = make(chan struct{})
	return err
}

// pause sleeps in the name of a reason.
func (p *pace) pause(ctx context.Context, reason string, d time.Duration) error {
	began := time.Now()
	p.mu.Lock()
	p.pausing = reason
	p.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
	p.charge(reason, time.Since(began))
	return ctx.Err()
}

func (p *pace) charge(reason string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle[reason] += d
	p.pausing = ""
}

// crowded reports whether others are at work, so that workers take turns.
func (p *pace) crowded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now.Hands > 0
}

// factor shortens ranges while the system is busy: a shorter range holds its locks for less.
func (p *pace) factor() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now.Hands > 0 {
		return 0.25
	}
	return max(p.share, 0.25)
}

func (p *pace) report() (reason string, idle map[string]time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.now.Level == Stop:
		reason = p.by + ": " + p.now.Why
	case p.share < 1:
		reason = fmt.Sprintf("%s: %s (at %.0f%%)", p.slow, p.now.Why, 100*p.share)
	case p.now.Hands > 0:
		reason = fmt.Sprintf("%s: %s (workers take turns: %d at a time)", p.by, p.now.Why, p.now.Hands)
	case p.pausing != "":
		reason = p.pausing
	}
	return reason, maps.Clone(p.idle)
}
