package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/replank/replank/internal/pgtest"
)

// asProgram makes this test binary be replank itself: the real main in a process of its own.
const asProgram = "REPLANK_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	pgtest.Main(m)
}

// cli runs replank in a folder of its own, with nothing of our environment.
type cli struct {
	t   *testing.T
	dir string
	env []string
}

func newCLI(t *testing.T, dsn string) *cli {
	c := &cli{t: t, dir: t.TempDir(), env: []string{asProgram + "=1", "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TZ=UTC"}}
	if dsn != "" {
		c.env = append(c.env, "DATABASE_URL="+dsn)
	}
	return c
}

// with is the same with more environment.
func (c *cli) with(env ...string) *cli {
	return &cli{t: c.t, dir: c.dir, env: append(append([]string{}, c.env...), env...)}
}

// write makes files in the folder: name, text, name, text …
func (c *cli) write(files ...string) {
	c.t.Helper()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(c.dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *cli) command(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	return cmd
}

// result is how a call ended.
type result struct {
	code     int
	out, err string
}

func (c *cli) run(args ...string) result {
	c.t.Helper()
	return c.finish(c.start(args...))
}

// want runs and fails the test when the exit code is another one.
func (c *cli) want(code int, args ...string) result {
	c.t.Helper()
	r := c.run(args...)
	if r.code != code {
		c.t.Fatalf("replank %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.out, r.err)
	}
	return r
}

// started is a call under way.
type started struct {
	cmd      *exec.Cmd
	out, err *watched
}

func (c *cli) start(args ...string) *started {
	c.t.Helper()
	s := &started{cmd: c.command(args...), out: newWatched(), err: newWatched()}
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.err
	if err := s.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	return s
}

func (c *cli) finish(s *started) result {
	c.t.Helper()
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.t.Fatal(err)
	}
	return result{s.cmd.ProcessState.ExitCode(), s.out.String(), s.err.String()}
}

// watched collects output that a test can wait for.
type watched struct {
	mu   sync.Mutex
	more *sync.Cond
	buf  bytes.Buffer
}

func newWatched() *watched {
	w := &watched{}
	w.more = sync.NewCond(&w.mu)
	return w
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.more.Broadcast()
	return w.buf.Write(b)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// waitFor returns when the text has been written.
func (w *watched) waitFor(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !strings.Contains(w.buf.String(), text) {
		w.more.Wait()
	}
}

// objects decodes a stream of JSON objects and fails when anything else is in it.
func objects(t *testing.T, out string) []map[string]any {
	t.Helper()
	var list []map[string]any
	dec := json.NewDecoder(strings.NewReader(out))
	for dec.More() {
		var o map[string]any
		if err := dec.Decode(&o); err != nil {
			t.Fatalf("not JSON: %v\n%s", err, out)
		}
		list = append(list, o)
	}
	return list
}

// contains fails the test for each of the texts that is not in got.
func contains(t *testing.T, got string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(got, text) {
			t.Errorf("%q is not in\n%s", text, got)
		}
	}
}
