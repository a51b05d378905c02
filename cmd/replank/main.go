// Command replank changes live PostgreSQL databases from plain SQL.
//
// This package is the only place that reads the environment, picks the defaults of the process, prints or
// exits: flags → Config → one call.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	p := process{args: os.Args[1:], getenv: os.Getenv, out: os.Stdout, err: os.Stderr}
	os.Exit(p.main())
}

// process is what the operating system gives a program.
type process struct {
	args     []string
	getenv   func(string) string
	out, err *os.File
}

func (p process) main() int {
	signal.Ignore(syscall.SIGPIPE) // see stdout
	a := newApp(p)
	ctx, stop := politely(a.stopping, a.killed)
	defer stop()
	err := a.root().ExecuteContext(ctx)
	if err != nil && !a.begun {
		err = unknownCommand(err)
		a.set.JSON = a.wantsJSON()
	}
	code := a.exitCode(ctx, err)
	a.report(err, code)
	code = a.lost(code)
	if a.lastEngine != nil {
		a.lastEngine.Close()
	}
	if a.code != nil {
		a.code.Close()
	}
	return code
}

// stopping tells that a signal was heard, where it takes a moment to obey.
func (a *app) stopping() {
	if a.executing.Load() {
		fmt.Fprintln(a.process.err, "\nstopping after the current transaction; once more to stop at once")
	}
}

// killed ends what would outlive us.
func (a *app) killed() {
	if d := a.dev.Load(); d != nil {
		d.Kill()
	}
}

// errInterrupted is the cause of a context that a signal ended.
var errInterrupted = errors.New("interrupted by a signal")

// politely gives a context that the first SIGINT or SIGTERM ends, so that what is under way is left in a state
// that resume goes on from. The second one ends the process; even that does no harm, it only loses the last
// range.
func politely(stopping, killed func()) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-signals; !ok {
			return
		}
		stopping()
		cancel(errInterrupted)
		if _, ok := <-signals; ok {
			killed()
			os.Exit(exitKilled)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
	}
}
