package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// slots are the connections to an application, and the queue before them. A request has one until its answer was read
// to its end.
type slots struct {
	free        chan struct{}
	mostWaiting int64
	timeout     time.Duration
	waiting     atomic.Int64
}

func newSlots(connections, waiting int, timeout time.Duration) *slots {
	return &slots{free: make(chan struct{}, connections), mostWaiting: int64(waiting), timeout: timeout}
}

// take waits for a slot, first come, first served.
func (s *slots) take(ctx context.Context, side Side) error {
	select {
	case s.free <- struct{}{}:
		return nil
	default:
	}
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > s.mostWaiting {
		return &refusedError{side: side, why: refusedFull, retry: time.Second}
	}
	timeout := time.NewTimer(s.timeout)
	defer timeout.Stop()
	select {
	case s.free <- struct{}{}:
		return nil
	case <-timeout.C:
		return &refusedError{side: side, why: refusedWaited, retry: time.Second}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *slots) give()     { <-s.free }
func (s *slots) used() int { return len(s.free) }

// taken is the body of an answer: it gives the slot back when it is closed.
func (a *app) taken(res *http.Response) io.ReadCloser {
	if both, ok := res.Body.(io.ReadWriteCloser); ok && res.StatusCode == http.StatusSwitchingProtocols {
		return &tunnel{both, sync.OnceFunc(a.slots.give)}
	}
	b := &answerBody{ReadCloser: res.Body, a: a}
	// Closing the body closes the connection below a read that waits.
	b.timer = time.AfterFunc(a.silence, func() {
		b.silent.Store(true)
		b.ReadCloser.Close()
	})
	b.timer.Stop()
	return b
}

// tunnel is what a WebSocket's handshake opens. Nobody knows how long it may be silent.
type tunnel struct {
	io.ReadWriteCloser
	give func()
}

func (t *tunnel) Close() error {
	defer t.give()
	return t.ReadWriteCloser.Close()
}

type answerBody struct {
	io.ReadCloser
	a      *app
	timer  *time.Timer
	closed atomic.Bool
	silent atomic.Bool
	failed bool
}

func (b *answerBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.a.silence)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && b.silent.Load() {
		err = fmt.Errorf("the %s application has sent nothing more of its answer for %s", b.a.side, b.a.silence)
	}
	if err != nil && err != io.EOF && !errors.Is(err, context.Canceled) && !b.failed { // a client that has gone cancels it
		b.failed = true
		b.a.metrics.cut.Inc()
	}
	return n, err
}

func (b *answerBody) Close() error {
	b.timer.Stop()
	if b.closed.CompareAndSwap(false, true) {
		defer b.a.slots.give()
	}
	return b.ReadCloser.Close()
}
