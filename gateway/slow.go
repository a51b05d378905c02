package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// slowBodyError: a client sends its body too slowly: 408.
type slowBodyError struct {
	patience time.Duration
	rate     int64
}

func (e *slowBodyError) Error() string {
	return fmt.Sprintf("the body comes too slowly: nothing for %s, or less than %d bytes a second", e.patience, e.rate)
}

// pace bounds how slow a client may be.
type pace struct {
	patience time.Duration // in which nothing comes, or nothing is taken
	rate     int64         // least bytes of a body a second
	most     int64         // of a body; 0: any
	cut      func(what string)
}

// tooLarge refuses a body before anything of it is read.
func (p *pace) tooLarge(r *http.Request) error {
	if p.most > 0 && r.ContentLength > p.most {
		return &tooLargeError{"a request body", p.most}
	}
	return nil
}

// bound puts the limits of a client around a request and its answer. The returned function ends them.
func (p *pace) bound(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, func()) {
	c := http.NewResponseController(w)
	out := &pacedAnswer{ResponseWriter: w, c: c, p: p, http2: r.ProtoMajor == 2}
	c.SetWriteDeadline(time.Time{})
	if r.ContentLength == 0 {
		return out, r, out.end
	}
	in := &pacedBody{body: r.Body, c: c, p: p, left: p.patience}
	// The server looks at the body of its own request to see whether it was read to its end without an error, and takes
	// what follows for the next request only then. It has to go on to see its own body there: r is not changed.
	own := *r
	own.Body = in
	return out, &own, func() {
		in.Close()
		out.end()
	}
}

// pacedBody is a request's body. It may wait for what comes, but only for as long as its patience, which what comes
// fills up again by its size: a byte now and then is not enough.
type pacedBody struct {
	p *pace
	c *http.ResponseController

	mu     sync.Mutex // held while reading; the transport may read when the handler has ended
	body   io.ReadCloser
	left   time.Duration
	read   int64
	closed bool

	closing atomic.Bool
	whole   atomic.Bool // it was read to its end
	failed  bool
}

func (b *pacedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, &clientError{http.ErrBodyReadAfterClose}
	}
	if most := b.p.most; most > 0 && b.read > most { // where the length is known, tooLarge has refused it
		return 0, &clientError{&tooLargeError{"a request body", most}}
	}
	began := time.Now()
	b.c.SetReadDeadline(began.Add(b.left)) // not possible below a test's recorder: no limit there
	if b.closing.Load() {
		b.c.SetReadDeadline(began) // Close has come before the deadline above, and waits
	}
	n, err := b.body.Read(p)
	// HTTP/2 would end the body at the deadline, although nobody waits for it now; and in HTTP/1 the server goes on to
	// read, to see whether the client goes away.
	b.c.SetReadDeadline(time.Time{})
	b.read += int64(n)
	b.left = min(b.p.patience, b.left-time.Since(began)+time.Duration(float64(n)/float64(b.p.rate)*float64(time.Second)))
	b.whole.Store(err == io.EOF)
	b.failed = err != nil && err != io.EOF
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.p.cut("slow_body")
		return n, &clientError{&slowBodyError{b.p.patience, b.p.rate}}
	case err == nil && b.left <= 0:
		b.p.cut("slow_body")
		b.failed = true
		return n, &clientError{&slowBodyError{b.p.patience, b.p.rate}}
	case err != nil && err != io.EOF:
		return n, &clientError{err}
	}
	return n, err
}

// lastRead is how long a client may go on with a body that nobody wants.
const lastRead = 5 * time.Second

// Close ends the body, and a read that waits. It may be called more than once, until the handler ends.
func (b *pacedBody) Close() error {
	b.closing.Store(true)
	if b.whole.Load() { // the server reads by itself now, and would take a deadline for a client that has gone
		return b.body.Close()
	}
	b.c.SetReadDeadline(time.Now())
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	if !b.failed {
		b.c.SetReadDeadline(time.Now().Add(lastRead)) // net/http reads a little more, so that the client sees the answer
	}
	return b.body.Close()
}

// pacedAnswer is a response writer whose client must take what is written to it.
type pacedAnswer struct {
	http.ResponseWriter
	p     *pace
	c     *http.ResponseController
	http2 bool
}

func (a *pacedAnswer) Write(b []byte) (int, error) {
	a.start()
	n, err := a.ResponseWriter.Write(b)
	return n, a.stop(err)
}

// FlushError is what http.ResponseController calls.
func (a *pacedAnswer) FlushError() error {
	a.start()
	return a.stop(a.c.Flush())
}

// Unwrap lets http.ResponseController find what else the writer can.
func (a *pacedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *pacedAnswer) start() { a.c.SetWriteDeadline(time.Now().Add(a.p.patience)) }

func (a *pacedAnswer) stop(err error) error {
	if a.http2 { // it ends the stream at the deadline, although nobody writes
		a.c.SetWriteDeadline(time.Time{})
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		a.p.cut("slow_reader")
	}
	return err
}

// end is for what the server still holds of the answer. The next request of the connection, and its being idle
// (clients.changed), end this deadline.
func (a *pacedAnswer) end() { a.start() }
