package gateway

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/replank/replank/internal/pyenv"
)

// python has both frameworks.
var python = pyenv.LTS

// onEach runs a test with the Django that has long support and, with REPLANK_TEST_FULL=1, with the newest one.
func onEach(t *testing.T, test func(*testing.T)) {
	if os.Getenv("REPLANK_TEST_FULL") == "" {
		test(t)
		return
	}
	for _, e := range []pyenv.Environment{pyenv.LTS, pyenv.Newest} {
		t.Run(e.Name, func(t *testing.T) {
			python = e // no test runs beside another
			defer func() { python = pyenv.LTS }()
			test(t)
		})
	}
}

// server is an application under gunicorn.
type server struct {
	t   *testing.T
	cmd *exec.Cmd
	url *url.URL
	log *output
	dir string
}

// output may be read while the process writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// gunicorn starts an application of testdata and waits until it answers.
func gunicorn(t *testing.T, dir, app string, env ...string) *server {
	t.Helper()
	return serve(t, dir, []string{"-m", "gunicorn", "--bind", "fd://3", "--workers", "1", "--threads", "8", app}, env...)
}

// uvicorn starts one that speaks ASGI.
func uvicorn(t *testing.T, dir, app string) *server {
	t.Helper()
	return serve(t, dir, []string{"-m", "uvicorn", "--fd", "3", "--lifespan", "off", app})
}

func serve(t *testing.T, dir string, args []string, env ...string) *server {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", "python"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// gunicorn inherits the listener: the port is nobody else's between.
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := &server{t: t, url: &url.URL{Scheme: "http", Host: l.Addr().String()}, log: &output{}, dir: filepath.Join("testdata", dir)}
	interpreter := python.Python(t)
	s.cmd = exec.Command(interpreter, append([]string{"-B"}, args...)...)
	s.cmd.Dir, s.cmd.ExtraFiles, s.cmd.Stdout, s.cmd.Stderr = s.dir, []*os.File{file}, s.log, s.log
	s.cmd.Env = append(append(os.Environ(), "PYTHONPATH="+root+string(os.PathListSeparator)+"."), env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.Close() // ours; gunicorn has its own
	t.Cleanup(s.stop)
	s.wait()
	return s
}

// wait returns when the application answers: a connection waits in the listener's queue until it does.
func (s *server) wait() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String()+"/", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatalf("%s does not answer: %v\n%s", s.dir, err, s.log)
	}
	res.Body.Close()
	if res.StatusCode >= 500 {
		s.t.Fatalf("%s answers %s\n%s", s.dir, res.Status, s.log)
	}
}

func (s *server) stop() {
	if s.cmd.ProcessState != nil {
		return
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		s.cmd.Process.Kill()
		<-done
	}
	if s.t.Failed() {
		s.t.Logf("%s:\n%s", s.dir, lastLines(s.log.String(), 20))
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
