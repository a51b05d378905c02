package history

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/replank/replank/python"
)

// CodeRun is code of a migration that is to be run, and how its outcome gets known: the framework's own connection
// enlists its backend first, and its transaction ends with Mark, which writes the journal.
type CodeRun struct {
	Place     Place
	Migration string
	At        []int // as in Code; none: the whole migration
	Backwards bool
	Atomic    bool
	// Deferred says that what an operation leaves for the end of its migration is somebody else's to execute.
	Deferred bool
	DSN      string
	Database string // the name of the database, where DSN leaves it to the environment
	// Enlist and Mark are statements on the journal that return a row, or nothing may be done any more.
	Enlist, Mark string
	// Session are statements of the framework's session before the code.
	Session []string
}

// CodeError is what the framework says of code that did not work. What it did is rolled back where it is atomic.
type CodeError struct {
	Name      string
	Text      string // the last line of the traceback
	SQLState  string // "" where it is no error of the server
	Traceback string // what the framework printed, its end
}

func (e *CodeError) Error() string { return e.Name + ": " + e.Text }

// CodeLostError is a process of the framework that ended before it answered: whoever has the journal knows whether the
// code was committed.
type CodeLostError struct {
	Name    string
	Err     error
	Printed string
}

func (e *CodeLostError) Error() string {
	return e.Name + ": the framework's process ended: " + e.Err.Error()
}
func (e *CodeLostError) Unwrap() error { return e.Err }

// Runner runs code through the frameworks of projects. A project is loaded once, by the first code of it that is run.
type Runner struct {
	// Project is where code is run. Default: the places of the migrations, as they were when these were read.
	Project Project
	// Printed hears the lines that code prints. Default: nobody.
	Printed func(line string)

	mu      sync.Mutex
	workers map[Place]*worker
}

// Run runs code and returns when its transaction has ended. When ctx ends the process is killed, and its transaction
// with it.
func (r *Runner) Run(ctx context.Context, c CodeRun) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	w, err := r.worker(c.Place)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, w.kill)
	err = w.ask(c)
	if !stop() || errors.As(err, new(*CodeLostError)) {
		delete(r.workers, c.Place)
		w.kill()
		<-w.ended
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	return err
}

// Close lets the projects go.
func (r *Runner) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for place, w := range r.workers {
		delete(r.workers, place)
		w.kill()
		<-w.ended
	}
}

// worker is the framework's process for a project.
type worker struct {
	cmd   *exec.Cmd
	lib   string
	in    io.WriteCloser
	out   *bufio.Reader
	ended chan struct{}
	err   error // set when ended
	kill  func()

	mu   sync.Mutex
	tail []string // the last lines that it printed
}

func (r *Runner) worker(at Place) (*worker, error) {
	if w := r.workers[at]; w != nil {
		select {
		case <-w.ended:
			delete(r.workers, at)
		default:
			return w, nil
		}
	}
	p := r.Project
	if p.Dir == "" {
		p.Dir = at.Dir
	}
	p.Framework = at.Framework
	if len(projectsIn(p.Dir)) == 0 && p.Settings == "" {
		return nil, &Error{Path: at.Dir, Err: errors.New("the project whose code has to be run is not there"),
			hint: "name the folder of its manage.py or alembic.ini: in migrations of replank.toml, or in REPLANK_MIGRATIONS"}
	}
	w := &worker{ended: make(chan struct{})}
	var err error
	if w.lib, err = os.MkdirTemp("", "replank-run-"); err != nil {
		return nil, &Error{Path: p.Dir, Err: err}
	}
	if err := w.start(p, r.Printed); err != nil {
		os.RemoveAll(w.lib)
		return nil, err
	}
	if r.workers == nil {
		r.workers = map[Place]*worker{}
	}
	r.workers[at] = w
	return w, nil
}

func (w *worker) start(p Project, printed func(string)) error {
	if err := python.Write(w.lib); err != nil {
		return &Error{Path: p.Dir, Err: err}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd, err := p.command(ctx, w.lib, "run")
	if err != nil {
		cancel()
		return err
	}
	w.cmd, w.kill = cmd, cancel
	stderr, err1 := cmd.StderrPipe()
	in, err2 := cmd.StdinPipe()
	out, err3 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, err3, cmd.Start()); err != nil {
		cancel()
		return &Error{Path: p.Dir, Err: err}
	}
	w.in, w.out = in, bufio.NewReader(out)
	go func() {
		lines := bufio.NewScanner(stderr)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			w.mu.Lock()
			w.tail = append(w.tail[max(0, len(w.tail)-199):], lines.Text())
			w.mu.Unlock()
			if printed != nil {
				printed(lines.Text())
			}
		}
		_, _ = io.Copy(io.Discard, stderr)
		w.err = cmd.Wait()
		cancel()
		os.RemoveAll(w.lib)
		close(w.ended)
	}()
	return nil
}

// ask sends a request and waits for its answer.
func (w *worker) ask(c CodeRun) error {
	app, name, ok := strings.Cut(c.Migration, ".")
	if !ok {
		app, name = "", c.Migration
	}
	at := c.At
	if at == nil {
		at = []int{}
	}
	request, err := json.Marshal(map[string]any{
		"app": app, "name": name, "revision": c.Migration, "at": at, "backwards": c.Backwards, "atomic": c.Atomic, "deferred": c.Deferred, "database": c.Place.Database,
		"dsn": c.DSN, "dbname": c.Database, "enlist": c.Enlist, "mark": c.Mark, "session": append([]string{}, c.Session...),
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.tail = nil
	w.mu.Unlock()
	_, err = w.in.Write(append(request, '\n'))
	var line []byte
	if err == nil {
		line, err = w.out.ReadBytes('\n')
	}
	if err != nil {
		<-w.ended
		return &CodeLostError{Name: c.Migration, Err: errors.New(said(w.printed(), cmp.Or(w.err, err))), Printed: w.printed()}
	}
	var answer struct{ Error, SQLState string }
	if err := json.Unmarshal(line, &answer); err != nil {
		return &CodeLostError{Name: c.Migration, Err: fmt.Errorf("its answer cannot be read: %w", err)}
	}
	if answer.Error != "" {
		return &CodeError{Name: c.Migration, Text: answer.Error, SQLState: answer.SQLState, Traceback: w.printed()}
	}
	return nil
}

func (w *worker) printed() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.tail, "\n")
}
