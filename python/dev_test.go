package python_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/pyenv"
)

// dev is a Python with both frameworks and the plugins that tests use.
var dev = pyenv.Environment{Name: "dev", Packages: []string{"Django==5.2.*", "psycopg[binary]==3.3.*", "Flask==3.1.*", "Flask-SQLAlchemy==3.1.*",
	"Flask-Migrate==4.1.*", "alembic==1.20.*", "SQLAlchemy==2.0.*", "pytest==9.*", "pytest-django==4.*", "pytest-xdist==3.*"}}

// pair is a Flask application and the Django application that succeeds it, on one database, with migrations that need
// each other in turns.
type pair struct {
	*clover
	server *pgtest.Server
	name   string // of the database
	legacy string // their addresses
	modern string
	front  string // of the gateway
}

func newPair(t *testing.T) *pair {
	t.Helper()
	server := pgtest.Shared(t)
	c := &clover{t: t, python: dev.Python(t), dir: t.TempDir()}
	if err := os.CopyFS(c.dir, os.DirFS(filepath.Join("testdata", "pair"))); err != nil {
		t.Fatal(err)
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{clover: c, server: server, name: strings.ToLower(strings.TrimPrefix(t.Name(), "Test")) + "_dev", legacy: freeAddress(t), modern: freeAddress(t), front: freeAddress(t)}
	_, legacyPort, _ := net.SplitHostPort(p.legacy)
	_, modernPort, _ := net.SplitHostPort(p.modern)
	p.env = []string{"REPLANK_DEV_DB=" + server.DSN(p.name), "PYTHONDONTWRITEBYTECODE=1", "REPLANK_BIN=" + path, "PYTHONPATH=" + here,
		"LEGACY_PORT=" + legacyPort, "MODERN_PORT=" + modernPort, "PYTHONUNBUFFERED=1",
		"PATH=" + filepath.Dir(c.python) + string(os.PathListSeparator) + os.Getenv("PATH")}
	p.change("replank.toml", "127.0.0.1:LEGACY_PORT", p.legacy, "127.0.0.1:MODERN_PORT", p.modern, "127.0.0.1:GATEWAY_PORT", p.front)
	return p
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// refresh gives the steps that were run.
func (p *pair) refresh() string {
	p.t.Helper()
	lines := strings.Split(strings.TrimSpace(p.stdout("dev", "refresh", "--json")), "\n")
	var last struct {
		Kind string
		Ran  []string
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Kind != "summary" {
		p.t.Fatalf("%v %q", err, lines)
	}
	return strings.Join(last.Ran, " ")
}

func (p *pair) counts() string {
	p.t.Helper()
	return pgtest.Value[string](p.t, p.server.DSN(p.name), "SELECT (SELECT count(*) FROM customers) || ' customers, ' || (SELECT count(*) FROM billing_invoice) || ' invoices'")
}

// TestDevRefresh: interleaved migrations of both frameworks in the order of their needs; what is run after a change;
// failure and resumption.
func TestDevRefresh(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	if got := p.refresh(); got != "legacy-customers modern-migrate fixtures legacy-last-invoice made-up" {
		t.Errorf("ran %s", got)
	}
	if got := p.counts(); got != "51 customers, 1 invoices" {
		t.Error(got)
	}
	if got := p.refresh(); got != "" {
		t.Errorf("nothing has changed, and %s ran", got)
	}
	p.change("legacy/app.py", "range(50)", "range(60)")
	if got := p.refresh(); got != "made-up" {
		t.Errorf("ran %s", got)
	}
	p.change("modern/billing/fixtures/invoices.json", `"customer": 1`, `"customer": 77`)
	out := p.replank(1, "dev", "refresh")
	contains(t, out, "step fixtures failed", "IntegrityError", "the last lines of fixtures", "manage.py loaddata invoices", "DB_NAME="+p.name+"_replank_step_")
	if got := p.counts(); got != "61 customers, 1 invoices" {
		t.Errorf("the database of before: %s", got)
	}
	_, command, _ := strings.Cut(out, "which is as before the step\n")
	command, _, _ = strings.Cut(strings.TrimSpace(command), "\n")
	contains(t, mustIn(t, "/", p.env, "sh", "-c", "("+strings.TrimSpace(command)+") 2>&1 | grep IntegrityError"), "customer_id")
	p.change("modern/billing/fixtures/invoices.json", `"customer": 77`, `"customer": 1`)
	if got := p.refresh(); got != "" {
		t.Errorf("ran %s", got)
	}
	p.change("legacy/migrations/versions/0001_customers.py", "'the first'", "'the very first'")
	if got := p.refresh(); got != "legacy-customers modern-migrate fixtures legacy-last-invoice made-up" {
		t.Errorf("ran %s", got)
	}
	pgtest.Exec(t, p.server.DSN(p.name), "TRUNCATE customers CASCADE")
	p.replank(0, "dev", "reset")
	if got := p.counts(); got != "61 customers, 1 invoices" {
		t.Error(got)
	}
}

// TestDevRefreshKilled: after kill -9 in the middle of a step the next refresh goes on there, and nothing is left behind.
func TestDevRefreshKilled(t *testing.T) {
	pgtest.Share(t, 2)
	t.Parallel()
	p := newPair(t)
	p.change("replank.toml", `"python manage.py loaddata invoices"`, `"python manage.py loaddata invoices; echo $$ is here; test -e go || sleep 600"`)
	cmd, lines := p.begin("dev", "refresh", "-v")
	pid := ""
	for line := range lines {
		if before, ok := strings.CutSuffix(line, " is here"); ok {
			pid = before[strings.LastIndexByte(before, ' ')+1:]
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // killed
	p.write("modern/go", "")
	if got := p.refresh(); got != "fixtures legacy-last-invoice made-up" {
		t.Errorf("ran %s", got)
	}
	must(t, "sh", "-c", "kill -9 -"+pid) // the step that nobody waits for
	if n := pgtest.Value[int](t, p.server.DSN("postgres"), "SELECT count(*) FROM pg_database WHERE datname LIKE $1", p.name+"\\_replank%"); n != 5 {
		t.Errorf("%d databases beside the one to develop with, want the five templates", n)
	}
}

// begin starts replank and gives its lines as they come.
func (p *pair) begin(args ...string) (*exec.Cmd, <-chan string) {
	p.t.Helper()
	path, err := program()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env, cmd.Stderr = p.dir, append(os.Environ(), p.env...), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return cmd, lines
}

// TestDevUp: both servers with the gateway in front, one log, one Ctrl-C, and nothing is left: Django's reloader runs its server in a second process.
func TestDevUp(t *testing.T) {
	pgtest.Share(t, 2)
	t.Parallel()
	p := newPair(t)
	cmd, lines := p.begin("dev", "up")
	var ready []string
	var log strings.Builder
	for line := range lines {
		fmt.Fprintln(&log, line)
		if strings.Contains(line, "| ready") {
			ready = append(ready, strings.Fields(line)[0])
		}
		if len(ready) == 3 {
			for _, ask := range [][2]string{{p.legacy + "/health", "customers"}, {p.modern + "/health", "invoices"}, {p.front + "/health", "invoices"}, {p.front + "/customers", "made up 49"}} {
				contains(t, mustGet(t, "http://"+ask[0]), ask[1])
			}
			ready = append(ready, "all")
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
	slices.Sort(ready)
	if !slices.Equal(ready, []string{"all", "gateway", "legacy", "modern"}) {
		t.Errorf("ready: %q\n%s", ready, log.String())
	}
	contains(t, log.String(), "legacy", "| ended: ", "GET /health")
	if strings.Contains(log.String(), "\x1b[1m") {
		t.Error("colours, and no terminal")
	}
	for _, address := range []string{p.legacy, p.modern, p.front} {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			t.Errorf("somebody still listens at %s", address)
		}
	}
}

func mustGet(t *testing.T, address string) string {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("%s: %s %v", address, answer.Status, err)
	}
	return string(text)
}

// TestDevUpCrash: the end of one server ends all, with its name and last lines.
func TestDevUpCrash(t *testing.T) {
	pgtest.Share(t, 2)
	t.Parallel()
	p := newPair(t)
	p.change("replank.toml", "python manage.py runserver", "python manage.py runserver --nonsense")
	contains(t, p.replank(1, "dev", "up"), "the last lines of modern", "--nonsense", "modern has ended by itself: exit status 2")
	if conn, err := net.Dial("tcp", p.legacy); err == nil {
		_ = conn.Close()
		t.Error("the other one still listens")
	}
}

// TestPytestFixture: every test has a database of its own, Django and SQLAlchemy see the same, in four processes at once; also
// those that pytest-django rolls back work, and afterwards nothing is left but the pool.
func TestPytestFixture(t *testing.T) {
	pgtest.Share(t, 2)
	t.Parallel()
	p := newPair(t)
	p.change("replank.toml", "pool = 3", "pool = 2")
	p.env = append(p.env, "SEEN="+filepath.Join(p.dir, "seen"))
	for _, how := range [][]string{{"-n", "4"}, {}} {
		out := mustIn(t, filepath.Join(p.dir, "tests"), p.env, p.python, append([]string{"-m", "pytest", "-q", "-p", "replank.pytest_plugin", "-p", "no:cacheprovider"}, how...)...)
		contains(t, out, "10 passed")
	}
	seen, err := os.ReadFile(filepath.Join(p.dir, "seen"))
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(seen))
	slices.Sort(names)
	if len(names) != 12 || len(slices.Compact(names)) != 12 {
		t.Errorf("databases: %q", names)
	}
	p.replank(0, "testdb", "fill")
	p.settled(2)
}

// settled waits until the background process has ended, and wants so many databases for tests.
func (p *pair) settled(want int) {
	p.t.Helper()
	const left = "SELECT count(*) FROM pg_database WHERE datname LIKE $1"
	for pgtest.Value[int](p.t, p.server.DSN("postgres"), left, p.name+"\\_replank\\_test%") != want {
		if p.t.Context().Err() != nil {
			p.t.Fatalf("there are not %d", want)
		}
		p.replank(0, "testdb", "fill")
	}
}

// TestTestDBOfAKilledTest is dropped, by whoever comes next.
func TestTestDBOfAKilledTest(t *testing.T) {
	pgtest.Share(t, 2)
	t.Parallel()
	p := newPair(t)
	p.refresh()
	holder := exec.Command("sleep", "600")
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	dsn := strings.TrimSpace(p.stdout("testdb", "--for", fmt.Sprint(holder.Process.Pid)))
	p.settled(4) // three that are ready, and this one
	if pgtest.Value[int](t, dsn, "SELECT count(*) FROM customers") != 51 {
		t.Error("it is not the one of a test that lives")
	}
	if err := holder.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // killed
	p.settled(3)
	if pgtest.TryExec(dsn, "SELECT 1") == nil {
		t.Error("it is still there")
	}
}
