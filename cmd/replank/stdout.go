package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// stdout is standard output. Writing to it never fails for the caller: a migration goes on and ends with its own
// exit code, whoever reads or does not read what it prints.
type stdout struct {
	file *os.File

	mu   sync.Mutex
	gone bool  // the reader went away (| head): it has seen enough, which is no error
	err  error // the first other failure: a full disk
}

func (o *stdout) Write(p []byte) (int, error) {
	_, err := o.file.Write(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
	case errors.Is(err, syscall.EPIPE):
		o.gone = true
	case o.err == nil:
		o.err = err
	}
	return len(p), nil
}

// closed reports whether nobody reads any more.
func (o *stdout) closed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.gone
}

// lost tells a person that output is missing, and gives the exit code. A change of the database ends with its own
// code, because that is what a script goes by; of every other command the output is all that was asked for.
func (a *app) lost(code int) int {
	a.stdout.mu.Lock()
	defer a.stdout.mu.Unlock()
	if a.stdout.err == nil {
		return code
	}
	a.messages.trouble(trouble{Verdict: exitName(exitFailed), Message: fmt.Sprintf("write to standard output: %s", errors.Unwrap(a.stdout.err))})
	if code == exitOK && !a.changing {
		return exitFailed
	}
	return code
}
