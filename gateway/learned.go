package gateway

import (
	"sync"
	"time"
)

// learned remembers of which paths the modern application has said that it has no such route, so that they do not
// pay for a trial again. It holds what was asked for last, and forgets everything when another build of the modern
// application answers.
type learned struct {
	most int           // of paths in one half
	last time.Duration // how long an answer holds

	mu       sync.RWMutex
	build    string
	new, old map[string]time.Time // path, or method and path → until when; old goes when new is full
}

func newLearned(most int, last time.Duration) *learned {
	return &learned{most: most, last: last, new: map[string]time.Time{}}
}

// methodKey is for an answer that holds for one method only. No path begins like that.
func methodKey(method, path string) string { return method + " " + path }

// knows reports whether the modern application has no route for it.
func (l *learned) knows(method, path string) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	now := time.Now() // its monotonic part is compared: a step of the clock changes nothing
	for _, half := range []map[string]time.Time{l.new, l.old} {
		if len(half) == 0 {
			continue
		}
		if until, ok := half[path]; ok && now.Before(until) {
			return true
		}
		if until, ok := half[methodKey(method, path)]; ok && now.Before(until) {
			return true
		}
	}
	return false
}

// learn keeps a label.
func (l *learned) learn(what label, method, path string) {
	key := path
	if what == noMethod {
		key = methodKey(method, path)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.new) >= l.most {
		l.old, l.new = l.new, make(map[string]time.Time, l.most)
	}
	l.new[key] = time.Now().Add(l.last)
}

// answered forgets everything if another build has answered than before, and reports it.
func (l *learned) answered(build string) (another bool) {
	if build == "" {
		return false
	}
	l.mu.RLock()
	same := l.build == build
	l.mu.RUnlock()
	if same {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if another = l.build != build; another {
		l.build, l.new, l.old = build, map[string]time.Time{}, nil
	}
	return another
}

// size is how many paths are known now, those included whose time is over.
func (l *learned) size() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.new) + len(l.old)
}
