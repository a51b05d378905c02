package pg

import (
	"context"
	"errors"
	"sync"
	"time"
)

// guard cancels a backend from the watch connection when a deadline passes,
// and goes on cancelling until it is stopped, so that the statement after the
// one that was hit does not get through either.
type guard struct {
	db      *DB
	backend Backend
	done    chan struct{}
	ended   chan struct{}

	mu       sync.Mutex
	timer    *time.Timer
	deadline time.Time
	hit      bool
	closed   bool
}

// errBudgetAtCommit: all was done, but too late to commit within the budget.
var errBudgetAtCommit = errors.New("the lock budget was used up before COMMIT")

func (db *DB) newGuard(b Backend) *guard {
	return &guard{db: db, backend: b, done: make(chan struct{}), ended: make(chan struct{})}
}

func (g *guard) watch(deadline time.Time) {
	g.mu.Lock()
	g.deadline = deadline
	g.timer = time.NewTimer(time.Until(deadline))
	g.mu.Unlock()
	go g.run()
}

func (g *guard) run() {
	defer close(g.ended)
	for {
		select {
		case <-g.done:
			return
		case <-g.timer.C:
		}
		g.mu.Lock()
		left := time.Until(g.deadline)
		if left > 0 {
			g.timer.Reset(left)
			g.mu.Unlock()
			continue
		}
		g.hit = true
		g.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		if _, err := g.db.Cancel(ctx, g.backend); err != nil {
			g.db.cfg.Logger.Warn("could not cancel a lock try that is over its budget", "pid", g.backend.PID, "err", err)
		}
		cancel()
		g.timer.Reset(5 * time.Millisecond)
	}
}

// extend moves the deadline once the locks are granted. False: too late.
func (g *guard) extend(deadline time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hit {
		return false
	}
	g.deadline = deadline
	return true
}

func (g *guard) fired() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hit
}

// mayCommit refuses a COMMIT that comes too late. A deadline that passes while
// COMMIT runs still cancels it: deferred constraints can take long.
func (g *guard) mayCommit() error {
	if g.fired() {
		return errBudgetAtCommit
	}
	return nil
}

// stop returns when no cancel of ours can hit a later statement any more.
func (g *guard) stop() {
	g.mu.Lock()
	started := g.timer != nil
	if !g.closed {
		g.closed = true
		close(g.done)
	}
	g.mu.Unlock()
	if started {
		<-g.ended
	}
}
