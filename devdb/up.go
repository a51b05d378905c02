package devdb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Service is something to run beside the apps: the gateway.
type Service struct {
	Name    string
	Command string // for sh, in Root
	Ready   string // as App.Ready
}

// CrashError is an app that has ended by itself, which ends all.
type CrashError struct {
	Name string
	Last []string // the last lines that it printed
	Err  error    // nil: with exit code 0
}

func (e *CrashError) Error() string {
	if e.Err == nil {
		return e.Name + " has ended by itself, with exit code 0"
	}
	return e.Name + " has ended by itself: " + e.Err.Error()
}

func (e *CrashError) Unwrap() error { return e.Err }

// NotReadyError is an app that does not become ready.
type NotReadyError struct {
	Name  string
	URL   string
	After time.Duration
	Last  []string
	Err   error // of the last try
}

func (e *NotReadyError) Error() string {
	return fmt.Sprintf("%s is not ready after %s: %v", e.Name, e.After, e.Err)
}

func (e *NotReadyError) Unwrap() error { return e.Err }

// Hint says what was asked.
func (e *NotReadyError) Hint() string {
	if strings.HasPrefix(e.URL, "tcp:") {
		return "it is ready when it listens at " + e.URL
	}
	return "it is ready when " + e.URL + " answers with less than 400"
}

// Up starts the apps, and what is to run beside them, on the database that Refresh has made, and runs until ctx ends,
// which is no error, or one of them does. When it returns nothing of them runs any more.
func (d *Dev) Up(ctx context.Context, more ...Service) error {
	var started []*process
	defer func() {
		for _, p := range started {
			p.signal(syscall.SIGTERM) // to all at once; then wait for each
		}
		for _, p := range started {
			p.stop(d.cfg.Grace)
			d.cfg.Events(Event{Kind: EventEnded, Name: p.name, Text: endOf(p.err)})
		}
	}()
	crashed := make(chan *process)
	watch, stop := context.WithCancel(ctx)
	defer stop()
	start := func(s Service, dir string, env map[string]string) error {
		p, err := d.start(s.Name, dir, s.Command, environ(d.cfg.Environ, d.target.own(env)),
			func(line string) { d.cfg.Events(Event{Kind: EventOutput, Name: s.Name, Text: line}) })
		if err != nil {
			return &CrashError{Name: s.Name, Err: err}
		}
		started = append(started, p)
		d.cfg.Events(Event{Kind: EventStarted, Name: s.Name})
		go func() {
			<-p.ended
			select {
			case crashed <- p:
			case <-watch.Done():
			}
		}()
		return nil
	}
	var waiting []Service
	for _, a := range d.cfg.Apps {
		if a.Start == "" {
			continue
		}
		s := Service{a.Name, a.Start, a.Ready}
		dir, env := d.cfg.place(a.Name)
		if err := start(s, dir, env); err != nil {
			return err
		}
		waiting = append(waiting, s)
	}
	for _, s := range more {
		if err := start(s, d.cfg.Root, d.cfg.Env); err != nil {
			return err
		}
		waiting = append(waiting, s)
	}
	if len(started) == 0 {
		return &Error{Op: "start the apps", Err: errors.New("none has a command"), Hint: `say how in [dev.apps.NAME]: start = "flask run"`}
	}
	failed := make(chan error)
	for i, s := range waiting {
		go func() {
			err := d.awaitReady(watch, s, started[i])
			select {
			case failed <- err:
			case <-watch.Done():
			}
		}()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-crashed:
			return &CrashError{Name: p.name, Last: p.output(), Err: p.err}
		case err := <-failed:
			if err != nil {
				return err
			}
		}
	}
}

func endOf(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// awaitReady asks an app until it is ready.
func (d *Dev) awaitReady(ctx context.Context, s Service, p *process) error {
	if s.Ready != "" {
		if err := d.asked(ctx, s, p); err != nil || ctx.Err() != nil {
			return err
		}
	}
	d.cfg.Events(Event{Kind: EventReady, Name: s.Name, Text: s.Ready})
	return nil
}

// asked polls: there is no event that says that somebody else's server listens.
func (d *Dev) asked(ctx context.Context, s Service, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.ReadyWithin)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := answers(ctx, s.Ready)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // that the time was over tells nothing
			last = err
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return nil // which ends all, and says why
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return &NotReadyError{s.Name, s.Ready, d.cfg.ReadyWithin, p.output(), last}
			}
			return nil
		}
	}
}

// answers asks once, and says why what is at a URL is not ready.
func answers(ctx context.Context, ready string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if address, is := strings.CutPrefix(ready, "tcp://"); is {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close() // nothing was said on it
		}
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ready, nil)
	if err != nil {
		return err
	}
	// A redirect is an answer: to the login page, most often.
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(req)
	if err != nil {
		return err
	}
	_ = answer.Body.Close() // only its status counts
	if answer.StatusCode >= 400 {
		return errors.New(strings.ToLower(answer.Status))
	}
	return nil
}
