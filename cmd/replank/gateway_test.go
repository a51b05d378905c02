package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestGatewayCommand: the program answers with both applications, tells who has answered, and lets a request end that is
// under way when it is stopped.
func TestGatewayCommand(t *testing.T) {
	folder := func(name string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("this is "+name), 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	modern := httptest.NewServer(http.FileServer(http.Dir(folder("new.txt"))))
	defer modern.Close()
	arrived, release := make(chan struct{}), make(chan struct{})
	files := http.FileServer(http.Dir(folder("old.txt")))
	legacy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(arrived)
			<-release
			r.URL.Path = "/old.txt"
		}
		files.ServeHTTP(w, r)
	}))
	defer legacy.Close()

	c := newCLI(t, "")
	c.write("replank.toml", "[gateway]\nlisten = \"127.0.0.1:0\"\nlegacy = \""+legacy.URL+"\"\nunlabelled = true\n")
	s := c.start("gateway", "--modern", modern.URL, "-v", "--log-format", "json")
	t.Cleanup(func() { s.cmd.Process.Kill() })
	s.out.waitFor("\n")
	url := regexp.MustCompile(`http://[0-9.]+:[0-9]+`).FindString(s.out.String())
	get := func(path string) (int, string) {
		res, err := http.Get(url + path)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(text)
	}
	for path, want := range map[string]string{"/new.txt": "this is new.txt", "/old.txt": "this is old.txt"} {
		if status, text := get(path); status != http.StatusOK || text != want {
			t.Errorf("%s: %d %q", path, status, text)
		}
	}
	if status, _ := get("/none.txt"); status != http.StatusNotFound {
		t.Errorf("nobody has it: %d", status)
	}
	slow := make(chan string, 1)
	go func() {
		_, text := get("/slow")
		slow <- text
	}()
	select {
	case <-arrived:
	case text := <-slow:
		t.Fatalf("answered with %q before the application was asked", text)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	close(release)
	if text := <-slow; text != "this is old.txt" {
		t.Errorf("the request under way got %q", text)
	}
	r := c.finish(s)
	if r.code != exitOK {
		t.Errorf("exit code %d: %s", r.code, r.err)
	}
	for _, want := range []string{`"path":"/new.txt","status":200,"answered_by":"modern"`, `"path":"/old.txt","status":200,"answered_by":"legacy"`} {
		if !strings.Contains(r.err, want) {
			t.Errorf("no %s in\n%s", want, r.err)
		}
	}
}

// TestGatewayRefuses: what is wrong is told at once, with its place, and nothing listens.
func TestGatewayRefuses(t *testing.T) {
	c := newCLI(t, "")
	r := c.want(exitUsage, "gateway")
	contains(t, r.err, "two applications", "--modern", "[gateway]")
	c.write("replank.toml", "[gateway]\nlisten = \"8080\"\nmodern = \"127.0.0.1:8001\"\nlegacy = \"http://h/path\"\ntrusted = [\"10.0.0.0\"]\ndrain = \"-1s\"\nportt = 1\n")
	r = c.want(exitUsage, "gateway")
	contains(t, r.err, "replank.toml:2", "host:port", "replank.toml:3", "replank.toml:4", "without a path", "replank.toml:5", "10.0.0.0/8", "replank.toml:6", "replank.toml:7", "portt")
}

// TestGatewayAdmin: the admin listener answers while requests are served, with the token of a file where it has one, and
// spans go to the collector that OpenTelemetry's variables name.
func TestGatewayAdmin(t *testing.T) {
	app := httptest.NewServer(http.FileServer(http.Dir(t.TempDir())))
	defer app.Close()
	spans := make(chan string, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		spans <- r.URL.Path + " " + string(text)
	}))
	defer collector.Close()
	c := newCLI(t, "").with("OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_SERVICE_NAME=shop-gateway")
	c.write("token", "secret\n", "empty", " \n", "replank.toml", "[gateway]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nadmin_token_file = \"token\"\nunlabelled = true\n"+
		"modern = \""+app.URL+"\"\nlegacy = \""+app.URL+"\"\n")
	s := c.start("gateway")
	t.Cleanup(func() { s.cmd.Process.Kill() })
	s.out.waitFor("listening on")
	urls := regexp.MustCompile(`http://127[0-9.]+:[0-9]+`).FindAllString(s.out.String(), -1)
	admin, requests := urls[0], urls[1]
	ask := func(url, token string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(text)
	}
	if status, _ := ask(requests+"/", ""); status != http.StatusOK {
		t.Errorf("a request: %d", status)
	}
	if status, _ := ask(admin+"/metrics", ""); status != http.StatusUnauthorized {
		t.Errorf("metrics without the token: %d", status)
	}
	if status, text := ask(admin+"/metrics", "secret"); status != http.StatusOK || !strings.Contains(text, `replank_gateway_requests_total{answered_by="modern",method="read",status="2xx"} 1`) {
		t.Errorf("metrics: %d %s", status, text)
	}
	if status, text := ask(admin+"/readyz", ""); status != http.StatusOK || !strings.Contains(text, "modern: up") {
		t.Errorf("readyz: %d %s", status, text)
	}
	if status, _ := ask(requests+"/metrics", ""); status != http.StatusNotFound {
		t.Errorf("clients can read metrics: %d", status)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if r := c.finish(s); r.code != exitOK {
		t.Errorf("exit code %d: %s", r.code, r.err)
	}
	select {
	case text := <-spans: // sent at the end at the latest
		contains(t, text, "/v1/traces ", "shop-gateway", "GET modern", "replank.answered_by")
	default:
		t.Error("no spans have come")
	}

	both := []string{"gateway", "--modern", app.URL, "--legacy", app.URL}
	c.write("replank.toml", "[gateway]\nlisten = \"127.0.0.1:0\"\n")
	contains(t, c.run(append(both, "--admin", "0.0.0.0:0")...).err, "no token", "admin_token_file")
	contains(t, c.with("REPLANK_GATEWAY_ADMIN_TOKEN_FILE=empty").run(append(both, "--admin", "0.0.0.0:0")...).err, "empty is empty")
	contains(t, c.with("OTEL_EXPORTER_OTLP_PROTOCOL=grpc").run(both...).err, "http/protobuf", "4318")
}

// TestGatewayReconfigured: on SIGHUP a gateway takes over what it can, names what needs a restart, and takes over nothing of
// a file with mistakes, while it goes on.
func TestGatewayReconfigured(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("X-Forwarded-For"))
	}))
	defer app.Close()
	c := newCLI(t, "")
	write := func(more string) {
		c.write("replank.toml", "[gateway]\nlisten = \"127.0.0.1:0\"\nmodern = \""+app.URL+"\"\nlegacy = \""+app.URL+"\"\nunlabelled = true\n"+more)
	}
	write("")
	s := c.start("gateway", "--drain", "20s")
	t.Cleanup(func() { s.cmd.Process.Kill() })
	s.out.waitFor("listening on")
	url := regexp.MustCompile(`http://127[0-9.]+:[0-9]+`).FindString(s.out.String())
	ask := func(body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", "192.0.2.7")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(text)
	}
	hup := func(wait string) {
		t.Helper()
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		s.err.waitFor(wait)
	}
	if status, text := ask("four"); status != 200 || strings.Contains(text, "192.0.2.7") {
		t.Errorf("at first: %d %q", status, text)
	}
	write("trusted = [\"127.0.0.0/8\"]\nbody_at_most = \"3B\"\ndrain = \"1s\"\nconnections = 7\n\n[identity]\nflask_cookie = \"other\"\n\n[lint]\nserver = 17\n")
	hup("are in force")
	contains(t, s.err.String(), "[gateway.connections identity.flask_cookie]", "[gateway.trusted gateway.body_at_most]")
	if told := s.err.String(); strings.Contains(told, "drain") || strings.Contains(told, "lint") {
		t.Errorf("a flag is stronger than the file, and lint is nothing to a gateway: %s", told)
	}
	if status, _ := ask("four"); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that is too large now: %d", status)
	}
	if status, text := ask("one"); status != 200 || !strings.HasPrefix(text, "192.0.2.7") {
		t.Errorf("from a proxy of ours: %d %q", status, text)
	}
	write("trusted = []\nclient_timeout = \"never\"\nconnexions = 8\n")
	hup("none of them is taken over")
	contains(t, s.err.String(), "replank.toml:7", "client_timeout", "replank.toml:8", "connexions")
	if _, text := ask("one"); !strings.HasPrefix(text, "192.0.2.7") {
		t.Errorf("a mistake has taken something over: %q", text)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if r := c.finish(s); r.code != exitOK {
		t.Errorf("exit code %d: %s", r.code, r.err)
	}
}
