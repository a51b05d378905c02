package parity

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replank/replank/internal/pyenv"
)

// python has both frameworks; it is the gateway's.
var python = pyenv.Environment{Name: "gateway52", Packages: []string{
	"Django==5.2.*", "Flask==3.1.*", "gunicorn==23.*", "psycopg[binary]==3.3.*", "SQLAlchemy==2.0.*", "Flask-SQLAlchemy==3.1.*", "uvicorn[standard]==0.35.*"}}

// gunicorn starts an application of testdata, and waits until it answers.
func gunicorn(t *testing.T, dir, app string, env ...string) *url.URL {
	t.Helper()
	interpreter := python.Python(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// gunicorn inherits the listener: the port is nobody else's between.
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var log bytes.Buffer
	cmd := exec.Command(interpreter, "-B", "-m", "gunicorn", "--bind", "fd://3", "--workers", "1", "--threads", "4", app)
	cmd.Dir, cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = filepath.Join("testdata", dir), []*os.File{file}, &log, &log
	cmd.Env = append(append(os.Environ(), "PYTHONPATH=."), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		err := cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %v\n%s", dir, err, &log)
		}
	})
	at := &url.URL{Scheme: "http", Host: l.Addr().String()}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String()+"/form", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s does not answer: %v", dir, err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s", dir, res.Status)
	}
	return at
}

// TestFlaskToDjango: a port is compared with what it replaces. What the frameworks do differently anyway (spaces and the
// order of keys, headers of servers, tokens of forms) does not show; what the port has got wrong does.
func TestFlaskToDjango(t *testing.T) {
	legacy := gunicorn(t, "legacy", "app:app")
	modern := gunicorn(t, "modern", "django.core.wsgi:get_wsgi_application()", "DJANGO_SETTINGS_MODULE=settings")

	var file strings.Builder
	for _, line := range []string{"/orders", "/orders/99", "/form", "/old"} {
		fmt.Fprintf(&file, "{\"path\": %q}\n", line)
	}
	for n := range 9 {
		fmt.Fprintf(&file, "{\"path\": \"/orders/%d\"}\n", n+1)
	}
	file.WriteString(`{"path": "/whoami", "headers": {"Authorization": "Bearer ${APP_PASSWORD}"}}
		{"method": "POST", "path": "/orders", "headers": {"Content-Type": "application/json"}, "body": "{\"total\": 1, \"paid\": false}"}
		{"path": "/orders/21"}`)
	cases := read(t, file.String())

	cfg := Config{App: legacy, Writes: true, Environ: []string{"APP_PASSWORD=legacy-password"}}
	rec, err := Record(t.Context(), cfg, cases)
	if err != nil {
		t.Fatal(err)
	}
	if len(rec.Failures) > 0 || len(rec.Answers) != len(cases) {
		t.Fatalf("%d of %d cases are recorded: %v", len(rec.Answers), len(cases), rec.Failures)
	}
	rec = kept(t, rec, "legacy-password")
	if d := cmp.Diff([]string{"body/took", "body/trace"}, []string(rec.Answers[0].Noise)); d != "" {
		t.Error(d)
	}

	cfg.App, cfg.Environ = modern, []string{"APP_PASSWORD=modern-password"}
	r, err := Run(t.Context(), cfg, cases, rec)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"1 /rows/6/paid type: false | null", "1 /rows/7/total number spelling: 20.0 | 20",
		"11 /paid type: false | null", "12 /total number spelling: 20.0 | 20",
	}
	if d := cmp.Diff(want, told(r)); d != "" {
		t.Error(d)
	}
	routes := []RouteReport{
		{"GET /form", Counts{Cases: 1, Same: 1}}, {"GET /old", Counts{Cases: 1, Same: 1}}, {"GET /orders", Counts{Cases: 1, Different: 1}},
		{"GET /orders/{n}", Counts{Cases: 11, Same: 9, Different: 2}}, {"GET /whoami", Counts{Cases: 1, Same: 1}}, {"POST /orders", Counts{Cases: 1, Same: 1}},
	}
	if d := cmp.Diff(routes, r.Routes); d != "" {
		t.Error(d)
	}
}
