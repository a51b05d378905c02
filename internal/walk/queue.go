package walk

import (
	"context"
	"sync"
	"time"
)

// queued is a slice with what this process knows of it.
type queued struct {
	Slice
	found     bool      // its relation was there when this worker last looked
	refused   int       // times in a row that locks kept us out
	notBefore time.Time // of a late slice: when to try again
	tally     tally     // of the pass that its window is in
}

// queue hands out slices: fresh ones first, late ones when there are no others. A worker that finds only slices
// that others work on waits, because they may leave late ones.
type queue struct {
	mu      sync.Mutex
	open    []*queued
	known   map[int]bool // IDs of all slices that are or were here
	lastID  int
	taken   int
	aborted bool
	changed chan struct{}
}

func newQueue(slices []Slice) *queue {
	q := &queue{known: map[int]bool{}, changed: make(chan struct{})}
	for _, s := range slices {
		q.lastID, q.known[s.ID] = max(q.lastID, s.ID), true
		if !s.Done {
			q.open = append(q.open, &queued{Slice: s})
		}
	}
	return q
}

func (q *queue) empty() bool { return q.len() == 0 }

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.open)
}

// take returns nil when the walk is over.
func (q *queue) take(ctx context.Context) (*queued, error) {
	for {
		q.mu.Lock()
		if q.aborted || len(q.open) == 0 && q.taken == 0 {
			q.mu.Unlock()
			return nil, ctx.Err()
		}
		best := -1
		for i, s := range q.open {
			if best < 0 || !s.Late && q.open[best].Late ||
				s.Late == q.open[best].Late && s.notBefore.Before(q.open[best].notBefore) {
				best = i
			}
		}
		if best >= 0 {
			s := q.open[best]
			q.open = append(q.open[:best], q.open[best+1:]...)
			q.taken++
			q.mu.Unlock()
			return s, nil
		}
		changed := q.changed
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// give puts back a slice that was taken, unless it is done.
func (q *queue) give(s *queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken--
	if !s.Done {
		q.open = append(q.open, s)
	}
	q.wake()
}

// add puts further slices into the queue.
func (q *queue) add(more []Slice) {
	if len(more) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range more {
		q.known[m.ID] = true
		q.open = append(q.open, &queued{Slice: m})
	}
	q.wake()
}

func (q *queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// abort lets the other workers go.
func (q *queue) abort() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.aborted = true
	q.wake()
}

// newID numbers a slice that is about to be added.
func (q *queue) newID() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lastID++
	return q.lastID
}

func (q *queue) knows(id int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.known[id]
}
