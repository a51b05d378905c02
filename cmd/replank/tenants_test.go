package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/replank/replank/internal/pgtest"
)

// TestTenants: a tenant is fenced, placed and released on the command line, and a gateway that runs does it.
func TestTenants(t *testing.T) {
	dsn := pgtest.DB(t)
	c := newCLI(t, dsn)
	contains(t, c.want(exitOK, "tenants", "list").out, "no tenant was placed", "no gateway follows")
	app := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name+" "+r.URL.Path) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	c.write("replank.toml", "[gateway]\nlisten = \"127.0.0.1:0\"\nmodern = \""+app("modern")+"\"\nlegacy = \""+app("legacy")+"\"\nunlabelled = true\ntenant_path = '^/([a-z]+)/'\n")
	s := c.start("gateway")
	t.Cleanup(func() { s.cmd.Process.Kill() })
	s.out.waitFor("\n")
	at := regexp.MustCompile(`http://[0-9.]+:[0-9]+`).FindString(s.out.String())
	get := func(path string) string {
		res, err := http.Get(at + path)
		if err != nil {
			return err.Error()
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return string(text)
	}
	if got := get("/acme/1"); got != "modern /acme/1" {
		t.Errorf("%q", got)
	}
	contains(t, c.want(exitOK, "tenants", "place", "acme", "legacy").out, "tenant acme is answered by the legacy application")
	for get("/acme/2") != "legacy /acme/2" { // within a second
	}
	if got := get("/other/1"); got != "modern /other/1" {
		t.Errorf("another tenant: %q", got)
	}
	contains(t, c.want(exitOK, "tenants", "fence", "acme", "--hold", "1m").out, "none of its requests is under way", "epoch")
	waits := make(chan string, 1)
	go func() { waits <- get("/acme/3") }()
	var listed struct {
		Tenants []struct {
			Tenant, App, State string
			Epoch              int64
		}
		Gateways []struct {
			Name  string
			Epoch int64
		}
	}
	if err := json.Unmarshal([]byte(c.want(exitOK, "tenants", "list", "--json").out), &listed); err != nil || len(listed.Tenants) != 1 || len(listed.Gateways) != 1 {
		t.Fatalf("%+v, %v", listed, err)
	}
	if l := listed.Tenants[0]; l.Tenant != "acme" || l.App != "legacy" || l.State != "moving" || l.Epoch == 0 || !strings.Contains(listed.Gateways[0].Name, strings.TrimPrefix(at, "http://")) {
		t.Errorf("%+v", listed)
	}
	contains(t, c.want(exitOK, "tenants", "list").out, "acme", "legacy", "moving", "  in ", "gateway ", "heard of")
	contains(t, c.want(exitFailed, "tenants", "fence", "acme").err, "the tenant is moving since", "replank tenants release")
	select {
	case text := <-waits:
		t.Errorf("a request of a fenced tenant got %q", text)
	default:
	}
	contains(t, c.want(exitOK, "tenants", "place", "acme", "modern").out, "the modern application")
	if got := <-waits; got != "modern /acme/3" {
		t.Errorf("%q", got)
	}
	c.want(exitOK, "tenants", "fence", "acme")
	contains(t, c.want(exitOK, "tenants", "release", "acme").out, "stays where it was")
	contains(t, c.want(exitOK, "tenants", "list").out, "modern", "settled")
	contains(t, c.want(exitFailed, "tenants", "release", "acme").err, "it has no fence")
	contains(t, c.want(exitUsage, "tenants", "forget", listed.Gateways[0].Name).err, "is missing", "replank tenants list")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if r := c.finish(s); r.code != exitOK {
		t.Errorf("exit code %d: %s", r.code, r.err)
	}
	contains(t, c.want(exitOK, "tenants", "list").out, "no gateway follows")

	pgtest.Exec(t, dsn, "INSERT INTO replank.gateway (id, name, tenants, epoch, seen_at) VALUES ('x', 'box 10.0.0.7:8080', true, 0, now() - interval '1 hour')")
	contains(t, c.want(exitFailed, "tenants", "fence", "acme", "--drain", "100ms").err, "box 10.0.0.7:8080 was last heard of 1h0m", "replank tenants forget")
	contains(t, c.want(exitOK, "tenants", "forget", "box", "10.0.0.7:8080").out, "is forgotten")
	contains(t, c.want(exitOK, "tenants", "place", "acme", "routes").out, "who has the route")

	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"application": {[]string{"tenants", "place", "acme", "new"}, `no application "new"`},
		"times":       {[]string{"tenants", "fence", "acme", "--drain", "1m", "--hold", "10s"}, "do not fit together"},
	} {
		t.Run(name, func(t *testing.T) { contains(t, c.want(exitUsage, tt.args...).err, tt.want) })
	}
	c.write("replank.toml", "[gateway]\nlisten = \"127.0.0.1:0\"\nmodern = \""+at+"\"\nlegacy = \""+at+"\"\ntenant_path = '^/t/'\ntenant_host = '('\ntenant_header = \"X_Tenant\"\npark_for = \"0s\"\n")
	contains(t, c.want(exitUsage, "gateway").err, "replank.toml:5", "one group", "replank.toml:6", "replank.toml:7", "a header, like X-Tenant", "replank.toml:8")
	c.write("replank.toml", "[gateway]\nlisten = \"127.0.0.1:0\"\nmodern = \""+at+"\"\nlegacy = \""+at+"\"\ntenant_header = \"X-Tenant\"\n")
	contains(t, c.want(exitUsage, "gateway").err, "tenant_header says nothing", "trusted")
}
