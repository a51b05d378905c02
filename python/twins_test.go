package python_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/replank/replank/gateway"
	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/identity"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/pyenv"
)

// twins are two applications with one database behind a gateway.
type twins struct {
	*testing.T
	dsn            string
	cfg            identity.Config
	authority      *identity.Authority
	front          *gateway.Gateway
	gateway        *httptest.Server
	modern, legacy *url.URL
	python         string
	env            []string
}

const (
	modernSecret = "modern-secret-which-is-long-enough-for-anybody"
	legacySecret = "legacy-secret-which-is-long-enough-for-anybody"
	rolesQuery   = `SELECT array(SELECT g.name::text FROM auth_group g JOIN auth_user_groups ug ON ug.group_id = g.id WHERE ug.user_id = u.id ORDER BY 1) AS roles,
		'acme' AS tenant FROM auth_user u WHERE u.id::text = $1`
)

// twinsDB is a database with what both applications and the gateway need.
func twinsDB(t *testing.T, e pyenv.Environment) string {
	t.Helper()
	dsn := pgtest.DB(t)
	mustIn(t, filepath.Join("testdata", "twins"), append(connection(t, dsn), pythonPath(t), "MODERN_SECRETS=x", "JWKS=none"),
		e.Python(t), "-B", "modern.py", "migrate", "--no-input", "-v", "0")
	s, err := decisions.Open(t.Context(), decisions.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	pgtest.Exec(t, dsn, `INSERT INTO auth_group (id, name) VALUES (1, 'editors'), (2, 'billing')`)
	for i, name := range []string{"alice", "bob"} {
		pgtest.Exec(t, dsn, fmt.Sprintf(`INSERT INTO auth_user (id, username, password, is_active, is_staff, is_superuser, first_name, last_name, email, date_joined)
			VALUES (%d, '%s', '%s', true, false, false, '', '', '', now())`, 41+i, name, password("pw")))
	}
	pgtest.Exec(t, dsn, `INSERT INTO auth_user_groups (user_id, group_id) VALUES (41, 1), (41, 2)`)
	return dsn
}

// password is what Django's hasher for tests makes.
func password(text string) string {
	sum := md5.Sum([]byte("salt" + text))
	return "md5$salt$" + hex.EncodeToString(sum[:])
}

func pythonPath(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	return "PYTHONPATH=" + dir
}

// startTwins starts both applications under gunicorn and the gateway in front. change may alter the configuration, env is
// added to that of the applications.
func startTwins(t *testing.T, e pyenv.Environment, template string, change func(*identity.Config), env ...string) *twins {
	t.Helper()
	w := &twins{T: t, dsn: pgtest.DB(t, pgtest.From(template)), python: e.Python(t)}
	w.cfg = identity.Config{
		Control: w.dsn,
		Users:   identity.Users{Claims: rolesQuery},
		Sources: []identity.Source{
			identity.Django{Secrets: []string{modernSecret, "an old one"}},
			identity.Flask{Secrets: []string{legacySecret, "an old one"}},
		},
	}
	// The applications' addresses are there before the applications are: connections wait.
	modern, legacy := listen(t), listen(t)
	w.modern, w.legacy = address(modern), address(legacy)
	if change != nil {
		change(&w.cfg)
	}
	w.gateway = httptest.NewServer(w)
	t.Cleanup(w.gateway.Close)
	// The URL of the modern application is known to no configuration before, so that of introspection is put in here.
	for i, s := range w.cfg.Sources {
		if in, ok := s.(identity.Introspect); ok {
			in.URL = strings.NewReplacer("http://modern", w.modern.String(), "http://legacy", w.legacy.String()).Replace(in.URL)
			w.cfg.Sources[i] = in
		}
	}
	w.authority = w.open()
	w.front = w.through(w.authority)
	w.env = append(connection(t, w.dsn), pythonPath(t), "JWKS="+w.gateway.URL+"/.replank/jwks.json",
		"MODERN_SECRETS="+modernSecret, "LEGACY_SECRETS="+legacySecret)
	w.env = append(w.env, env...)
	w.gunicorn(modern, "modern:application")
	w.gunicorn(legacy, "legacy:app")
	return w
}

// open is one more gateway.
func (w *twins) open() *identity.Authority {
	w.Helper()
	a, err := identity.Open(w.Context(), w.cfg)
	if err != nil {
		w.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := a.Run(ctx); err != nil {
			w.Errorf("run: %v", err)
		}
	})
	w.Cleanup(func() { stop(); done.Wait(); a.Close() })
	return a
}

func listen(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l.(*net.TCPListener)
}

func address(l net.Listener) *url.URL { return &url.URL{Scheme: "http", Host: l.Addr().String()} }

func (w *twins) gunicorn(l *net.TCPListener, app string) {
	w.Helper()
	file, err := l.File()
	if err != nil {
		w.Fatal(err)
	}
	l.Close()
	var log bytes.Buffer
	cmd := exec.Command(w.python, "-B", "-m", "gunicorn", "--workers", "1", "--threads", "4", "--bind", "fd://3", "--timeout", "60", app)
	cmd.Dir = filepath.Join("testdata", "twins")
	cmd.Env = append(append(os.Environ(), w.env...), "HOME="+w.TempDir()) // gunicorn keeps a socket there
	cmd.ExtraFiles = []*os.File{file}
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	file.Close()
	w.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if w.Failed() {
			w.Logf("%s:\n%s", app, log.String())
		}
	})
}

// ServeHTTP is the least gateway that there can be.
func (w *twins) ServeHTTP(rw http.ResponseWriter, r *http.Request) { w.front.ServeHTTP(rw, r) }

// through is a gateway that goes by an authority.
func (w *twins) through(a *identity.Authority) *gateway.Gateway {
	w.Helper()
	g, err := gateway.New(gateway.Config{Modern: gateway.App{URL: w.modern, Companion: true}, Legacy: gateway.App{URL: w.legacy}, Identity: a})
	if err != nil {
		w.Fatal(err)
	}
	return g
}

// browser keeps cookies.
type browser struct {
	*twins
	http.Client
	base string
}

func (w *twins) browser() *browser {
	w.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.Fatal(err)
	}
	return &browser{w, http.Client{Jar: jar, Timeout: 30 * time.Second}, w.gateway.URL}
}

// seen is what an application says about a request.
type seen struct {
	Status                             int
	User, Local, Cart, Session, Source string
	Tenant                             *string
	Roles, Headers                     []string
}

func (b *browser) do(path string, headers ...string) (int, string) {
	b.Helper()
	req, err := http.NewRequest(http.MethodGet, b.base+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		// As it is, without the spelling that Go likes.
		req.Header[headers[i]] = append(req.Header[headers[i]], headers[i+1])
	}
	resp, err := b.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (b *browser) get(path string) {
	b.Helper()
	if status, body := b.do(path); status != http.StatusOK {
		b.Fatalf("%s: %d %s", path, status, body)
	}
}

func (b *browser) who(side string, headers ...string) seen {
	b.Helper()
	status, body := b.do("/"+side+"/who", headers...)
	s := seen{Status: status}
	if status == http.StatusOK {
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			b.Fatalf("%s: %v: %s", side, err, body)
		}
	} else {
		s.User = body
	}
	return s
}

// is fails unless both applications see the user.
func (b *browser) is(user string) {
	b.Helper()
	for _, side := range []string{"modern", "legacy"} {
		if s := b.who(side); s.Status != http.StatusOK || s.User != user {
			b.Errorf("%s sees %+v, want user %q", side, s, user)
		}
	}
}

// becomes fails unless both applications see the user within a second.
func (b *browser) becomes(user string) {
	b.Helper()
	late := time.Now().Add(time.Second)
	for b.who("modern").User != user || b.who("legacy").User != user {
		if time.Now().After(late) {
			b.is(user)
			return
		}
	}
}

func (b *browser) cookie(name string) string {
	b.Helper()
	u, _ := url.Parse(b.base)
	cookies := b.Jar.Cookies(u)
	i := slices.IndexFunc(cookies, func(c *http.Cookie) bool { return c.Name == name })
	if i < 0 {
		return ""
	}
	return cookies[i].Value
}

func (b *browser) set(name, value string) {
	u, _ := url.Parse(b.base)
	b.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}
