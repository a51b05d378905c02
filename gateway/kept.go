package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// keeper keeps request bodies: in memory, then on disk, within one budget for all.
type keeper struct {
	inMemory int64        // of one body
	limit    atomic.Int64 // of one body
	budget   atomic.Int64 // of all bodies together
	dir      string       // of the files
	used     atomic.Int64
}

// tooLargeError refuses a body that would have to be kept: 413.
type tooLargeError struct {
	what  string
	limit int64
}

func (e *tooLargeError) Error() string { return fmt.Sprintf("%s: more than %d bytes", e.what, e.limit) }

// kept is a body that can be read more than once. Close gives its room back.
type kept struct {
	k      *keeper
	memory []byte
	file   *os.File // what does not fit in memory, behind it; nil: nothing
	size   int64
	taken  int64 // of the budget
}

// clientError is a body that could not be read: the client's end, not ours.
type clientError struct{ err error }

func (e *clientError) Error() string { return "read the body: " + e.err.Error() }
func (e *clientError) Unwrap() error { return e.err }

// keep reads a body to its end. Nothing is left behind when it fails.
func (k *keeper) keep(body io.Reader) (_ *kept, err error) {
	b := &kept{k: k}
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	var memory bytes.Buffer
	in := &reading{k: k, b: b, r: body}
	_, err = io.CopyN(&memory, in, k.inMemory)
	b.memory = memory.Bytes()
	if errors.Is(err, io.EOF) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	if b.file, err = os.CreateTemp(k.dir, "replank-body-"); err != nil {
		return nil, fmt.Errorf("keep a request body: %w", err)
	}
	// Nobody else can open it, and no crash leaves it behind.
	if err = os.Remove(b.file.Name()); err != nil {
		return nil, fmt.Errorf("keep a request body: %w", err)
	}
	if _, err = io.Copy(b.file, in); err != nil {
		return nil, err
	}
	return b, nil
}

// reading counts what is read against the limit and the budget, before it is kept.
type reading struct {
	k *keeper
	b *kept
	r io.Reader
}

func (in *reading) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	if n > 0 {
		in.b.size += int64(n)
		if limit := in.k.limit.Load(); in.b.size > limit {
			return 0, &tooLargeError{"a request body that must be kept", limit}
		}
		in.b.taken += int64(n)
		if budget := in.k.budget.Load(); in.k.used.Add(int64(n)) > budget {
			return 0, &tooLargeError{"all request bodies that must be kept", budget}
		}
	}
	return n, err
}

// open is the body from its beginning.
func (b *kept) open() io.ReadCloser {
	if b.file == nil {
		return io.NopCloser(bytes.NewReader(b.memory))
	}
	rest := io.NewSectionReader(b.file, 0, b.size-int64(len(b.memory)))
	return io.NopCloser(io.MultiReader(bytes.NewReader(b.memory), rest))
}

// Close gives the room back. It may be called more than once.
func (b *kept) Close() {
	if b == nil {
		return
	}
	b.k.used.Add(-b.taken)
	b.taken = 0
	if b.file != nil {
		b.file.Close()
		b.file = nil
	}
}
