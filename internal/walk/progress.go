package walk

import (
	"sync"
	"time"
)

// Progress is how far a walk is.
type Progress struct {
	Rows     int64         // changed so far, resumed parts included
	Fraction float64       // of the table visited, 0 to 1
	Estimate int64         // rows changed when done, extrapolated; 0 = not known yet
	Rate     float64       // rows changed a second, recently
	ETA      time.Duration // 0 = not known yet
	Late     int           // ranges that wait for row locks of others
	// Reason is why the walk is idle or slow right now; "" = it is not.
	Reason string
	Idle   map[string]time.Duration // by signal
}

type progress struct {
	mu       sync.Mutex
	report   func(Progress)
	pace     *pace
	slices   map[int]Slice
	expected int64
	stat     Stats
	marks    []mark
}

type mark struct {
	at            time.Time
	rows, visited int64
}

const rateOver = 20 * time.Second

func newProgress(slices []Slice, report func(Progress), p *pace) *progress {
	pr := &progress{report: report, pace: p, slices: map[int]Slice{}}
	for _, s := range slices {
		pr.slices[s.ID] = s
		pr.expected += s.Expected
		pr.stat.Rows += s.Rows
	}
	return pr
}

func (p *progress) retried() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stat.Retries++
}

// committed notes a range and tells the listener.
func (p *progress) committed(s Slice, rows int64, late []Slice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slices[s.ID] = s
	p.stat.Rows += rows
	p.stat.Ranges++
	p.stat.Dirty += int64(len(late))
	for _, l := range late {
		p.slices[l.ID] = l
	}
	if p.report != nil {
		p.report(p.now())
	}
}

// tell tells the listener although nothing has happened: that is news, too.
func (p *progress) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.report != nil {
		p.report(p.now())
	}
}

func (p *progress) now() Progress {
	var visited int64
	late := 0
	for _, s := range p.slices {
		switch {
		case s.Late:
			if !s.Done {
				late++
			}
		case s.Done:
			visited += s.Expected
		default:
			visited += min(s.Visited, s.Expected)
		}
	}
	reason, idle := p.pace.report()
	out := Progress{Rows: p.stat.Rows, Late: late, Reason: reason, Idle: idle, Fraction: 1}
	if p.expected > 0 {
		out.Fraction = min(1, float64(visited)/float64(p.expected))
	}
	if out.Fraction > 0.01 {
		out.Estimate = int64(float64(out.Rows) / out.Fraction)
	}
	now := time.Now()
	p.marks = append(p.marks, mark{now, p.stat.Rows, visited})
	for len(p.marks) > 2 && now.Sub(p.marks[1].at) > rateOver {
		p.marks = p.marks[1:]
	}
	if first := p.marks[0]; now.Sub(first.at) > 0 {
		took := now.Sub(first.at).Seconds()
		out.Rate = float64(p.stat.Rows-first.rows) / took
		if d := visited - first.visited; d > 0 {
			out.ETA = time.Duration(float64(p.expected-visited) / float64(d) * took * float64(time.Second))
		}
	}
	return out
}

func (p *progress) stats(began time.Time) Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stat
	s.Elapsed = time.Since(began)
	_, s.Idle = p.pace.report()
	return s
}
