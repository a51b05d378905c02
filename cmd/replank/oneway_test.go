package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/replank/replank/internal/pgtest"
)

// TestGatewayOneWay: gateways on one database know each other's tokens and follow its waivers, and the list has what both
// have refused.
func TestGatewayOneWay(t *testing.T) {
	dsn := pgtest.DB(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "new"), []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	modern := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer modern.Close()
	tokens := make(chan string, 1)
	legacy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { tokens <- r.Header.Get("Replank-Hop") }))
	defer legacy.Close()

	c := newCLI(t, dsn)
	c.write("modern.json", openAPI("true", "/new"), "legacy.json", openAPI("true", "/old"))
	config := "[gateway]\nlisten = \"127.0.0.1:0\"\nmodern_routes = \"modern.json\"\nlegacy_routes = \"legacy.json\"\nunlabelled = true\nmodern = \"" + modern.URL + "\"\nlegacy = \"" + legacy.URL + "\"\n"
	c.write("replank.toml", config)
	var urls []string
	var running []*started
	start := func() {
		t.Helper()
		s := c.start("gateway")
		t.Cleanup(func() { s.cmd.Process.Kill() })
		s.out.waitFor("listening on")
		urls, running = append(urls, regexp.MustCompile(`http://127[0-9.]+:[0-9]+`).FindString(s.out.String())), append(running, s)
	}
	start()
	start()
	get := func(url, token string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Replank-Hop", token)
		}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if status := get(urls[0]+"/old", ""); status != http.StatusOK {
		t.Fatalf("legacy: %d", status)
	}
	token := <-tokens
	for _, url := range urls {
		if status := get(url+"/new", token); status != http.StatusForbidden {
			t.Errorf("with the legacy application's token: %d", status)
		}
		if status := get(url+"/new", ""); status != http.StatusOK {
			t.Errorf("without: %d", status)
		}
	}
	refused := int64(2)
	c.want(exitOK, "routes", "allow", "/old", "/new", "--because", "until it has moved", "--until", time.Now().UTC().AddDate(0, 0, 2).Format(time.DateOnly))
	for _, url := range urls {
		for get(url+"/new", token) != http.StatusOK {
			if refused++; refused > 100_000 {
				t.Fatal("it is not let through")
			}
		}
	}
	// From now on whoever asks is the legacy application.
	c.write("replank.toml", config+"legacy_networks = [\"127.0.0.0/8\"]\n")
	start()
	if status := get(urls[2]+"/new", ""); status != http.StatusForbidden {
		t.Errorf("from the legacy application's network: %d", status)
	}
	for _, s := range running {
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if r := c.finish(s); r.code != exitOK {
			t.Errorf("exit code %d: %s", r.code, r.err)
		}
	}
	var listed wrongWayJSON
	if err := json.Unmarshal([]byte(c.want(exitOK, "routes", "wrong-way", "--json").out), &listed); err != nil {
		t.Fatal(err)
	}
	counts := map[string][2]int64{}
	for _, call := range listed.Calls {
		counts[call.Why+" "+call.CallerApp+" "+call.Caller+" "+call.Method+" "+call.Route] = [2]int64{call.Refused, call.Allowed}
	}
	if len(counts) != 2 || counts["direction legacy /old GET /new"] != [2]int64{refused, 2} || counts["direction legacy  GET /new"] != [2]int64{1, 0} {
		t.Errorf("%v, and %d were refused", counts, refused)
	}
	if len(listed.Allowed) != 1 || listed.Allowed[0].Over || listed.Allowed[0].Because != "until it has moved" {
		t.Errorf("%+v", listed.Allowed)
	}
}
