package lint

import "sync"

// room bounds how many bytes are read ahead.
type room struct {
	mu   sync.Mutex
	more sync.Cond
	left int
	size int
}

func newRoom(size int) *room {
	r := &room{left: size, size: size}
	r.more.L = &r.mu
	return r
}

// take waits until there is room for n bytes, or until nothing else is in it.
func (r *room) take(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n > r.left && r.left < r.size {
		r.more.Wait()
	}
	r.left -= n
}

func (r *room) give(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left += n
	r.more.Signal()
}
