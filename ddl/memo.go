package ddl

import "sync"

// memo keeps what was last made of texts: a history asks again and again for the same defaults and conditions. What
// it gives is shared and must not be changed.
type memo[T any] struct {
	mu        sync.Mutex
	now, then map[string]T // those asked for since the last turn, and before it
}

// A memo has no more than two generations of memoTexts, none longer than memoBytes.
const memoTexts, memoBytes = 256, 256

// get gives what make has made of a text.
func (m *memo[T]) get(text string, make func(string) T) T {
	if len(text) > memoBytes {
		return make(text)
	}
	m.mu.Lock()
	v, ok := m.now[text]
	if !ok {
		if v, ok = m.then[text]; ok {
			m.put(text, v)
		}
	}
	m.mu.Unlock()
	if ok {
		return v
	}
	v = make(text)
	m.mu.Lock()
	m.put(text, v)
	m.mu.Unlock()
	return v
}

func (m *memo[T]) put(text string, v T) {
	if m.now == nil || len(m.now) >= memoTexts {
		m.now, m.then = map[string]T{}, m.now
	}
	m.now[text] = v
}
