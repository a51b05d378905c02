package devdb

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// lastLines is how much of a command's output is shown when it fails.
const lastLines = 20

// longestLine is where a line of output is broken.
const longestLine = 64 << 10

// processes are the groups of all commands under way, for the one who has no more patience.
type processes struct {
	mu     sync.Mutex
	groups map[int]bool
}

// Kill ends all commands at once, from any goroutine.
func (d *Dev) Kill() {
	d.procs.mu.Lock()
	defer d.procs.mu.Unlock()
	for group := range d.procs.groups {
		_ = syscall.Kill(-group, syscall.SIGKILL) // it has ended
	}
}

// process is a command with all that it starts: a group, of which nothing outlives it.
type process struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended and all it said was heard
	err   error         // how; after ended

	mu   sync.Mutex
	last []string
}

// start runs a command of the shell. print gets each line that it writes, to wherever.
func (d *Dev) start(name, dir, command string, environ []string, print func(line string)) (*process, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, cmd: exec.Command("sh", "-c", command), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, environ, in, in
	// A group of its own: a Ctrl-C at the terminal is ours to pass on, and what the command has started ends with it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	d.procs.mu.Lock()
	if err = p.cmd.Start(); err == nil {
		if d.procs.groups == nil {
			d.procs.groups = map[int]bool{}
		}
		d.procs.groups[p.cmd.Process.Pid] = true
	}
	d.procs.mu.Unlock()
	_ = in.Close() // the command has its own
	if err != nil {
		_ = out.Close()
		return nil, err
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		p.listen(out, print)
	}()
	go func() {
		p.err = p.cmd.Wait()
		// What it has left behind holds the pipe. The number of the group is not given again while one lives in it.
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		d.procs.mu.Lock()
		delete(d.procs.groups, p.cmd.Process.Pid)
		d.procs.mu.Unlock()
		_ = out.SetReadDeadline(time.Now().Add(5 * time.Second)) // one that left the group, too
		<-read
		_ = out.Close()
		close(p.ended)
	}()
	return p, nil
}

// listen hands lines on, until nobody can write any more.
func (p *process) listen(out io.Reader, print func(string)) {
	r := bufio.NewReaderSize(out, longestLine)
	for {
		line, _, err := r.ReadLine()
		if err != nil {
			return
		}
		text := strings.TrimRight(string(line), "\r")
		p.mu.Lock()
		if p.last = append(p.last, text); len(p.last) > lastLines {
			p.last = p.last[1:]
		}
		p.mu.Unlock()
		print(text)
	}
}

// output is what it has said last.
func (p *process) output() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.last...)
}

// signal sends a signal to the command and all that it has started.
func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.ended:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, s) // it is ending
	}
}

// stop ends it: politely, then at once.
func (p *process) stop(grace time.Duration) {
	p.signal(syscall.SIGTERM)
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case <-p.ended:
	case <-patience.C:
		p.signal(syscall.SIGKILL)
		<-p.ended
	}
}

// StepError is a step that failed.
type StepError struct {
	Step string
	Last []string // the last lines that it printed
	// Alone is a shell command that runs it in a database with the state before it.
	Alone string
	// Database is that database.
	Database string
	Err      error
}

func (e *StepError) Error() string { return "step " + e.Step + " failed: " + e.Err.Error() }
func (e *StepError) Unwrap() error { return e.Err }

// Hint says how to go on.
func (e *StepError) Hint() string {
	return "correct it, and call replank dev refresh again: it goes on with this step"
}

// run carries a step out in a database.
func (d *Dev) run(ctx context.Context, l link, database string) error {
	env := environ(d.cfg.Environ, d.target.at(database).own(l.env))
	p, err := d.start(l.Name, l.dir, l.Run, env, func(line string) { d.cfg.Events(Event{Kind: EventOutput, Name: l.Name, Text: line}) })
	if err != nil {
		return &StepError{Step: l.Name, Err: err}
	}
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.stop(d.cfg.Grace)
		return &Error{Op: "refresh", Step: l.Name, Err: errors.Join(context.Cause(ctx), ctx.Err()), Hint: "what was done before it is kept"}
	}
	if p.err != nil {
		return &StepError{Step: l.Name, Last: p.output(), Err: p.err}
	}
	return nil
}
