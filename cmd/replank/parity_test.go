package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files serves texts as JSON.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := texts[r.URL.Path]
		w.Header().Set("Content-Type", "application/json")
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			text = `"not found"`
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestParity: recorded, compared, and every exit code that the guide promises.
func TestParity(t *testing.T) {
	legacy := files(t, map[string]string{"/orders/1": `{"id": 1, "total": 5}`, "/orders/2": `{"id": 2, "total": 7}`, "/me": `{"token": "hunter2", "name": "olga"}`})
	modern := files(t, map[string]string{"/orders/1": `{"total": 5, "id": 1}`, "/orders/2": `{"id": 2, "total": "7\u001b[2J"}`, "/me": `{"token": "other", "name": "olga"}`})
	c := newCLI(t, "")
	c.write("replank.toml", "[gateway]\nlegacy = \""+legacy+"\"\n", "good.jsonl", "{\"path\": \"/orders/1\"}\n{\"path\": \"/me\"}\n",
		"all.jsonl", "{\"path\": \"/orders/1\"}\n{\"path\": \"/orders/2\"}\n{\"path\": \"/me\"}\n{\"path\": \"/none\"}\n{\"method\": \"DELETE\", \"path\": \"/orders/1\"}\n")

	contains(t, c.want(exitOK, "parity", "record", "all.jsonl").out, "4 cases recorded in parity.jsonl, 1 left out because they may change something")
	text, err := os.ReadFile(filepath.Join(c.dir, "parity.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter2") {
		t.Errorf("a secret is in the recording:\n%s", text)
	}
	info, err := os.Stat(filepath.Join(c.dir, "parity.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the recording has mode %s", info.Mode())
	}

	r := c.want(exitOK, "parity", "run", "good.jsonl", "--modern", modern)
	contains(t, r.out, "GET /orders/{n}", "2 cases: 2 the same, 0 different", "1 case with secrets")
	r = c.want(exitFailed, "parity", "run", "all.jsonl", "--modern", modern)
	contains(t, r.out, "line 2: GET /orders/2", "body /total: type", "- 7", `+ "7\u001b[2J"`, "5 cases: 3 the same, 1 different, 1 left out")
	if strings.Contains(r.out, "\x1b") {
		t.Errorf("an answer steers the terminal: %q", r.out)
	}
	c.write("routes.json", `{"format": "replank-routes", "version": 1, "framework": "django 5.2", "build": "1", "matching": "ordered", "complete": true, "incomplete_because": [], "routes": [
		{"template": "/orders/<n>", "methods": null, "endpoint": "order", "stages": [{"re": "/orders/[0-9]+", "end": true}]}]}`)
	r = c.want(exitFailed, "parity", "run", "all.jsonl", "--modern", modern, "--routes", "routes.json", "--json")
	got := objects(t, r.out)
	if len(got) != 1 || got[0]["exit_code"] != 1.0 || got[0]["different"] != 1.0 {
		t.Errorf("--json: %s", r.out)
	}
	contains(t, r.out, `"route": "GET /orders/<n>"`, `"route": "GET (no route)"`, `"kind": "type"`)

	c.write("more.jsonl", "{\"path\": \"/new\"}\n")
	contains(t, c.want(exitUsage, "parity", "run", "more.jsonl", "--modern", modern).out, "there is no recorded answer", "1 failed")
	r = c.want(exitUsage, "parity", "record", "more.jsonl", "--legacy", "http://127.0.0.1:1", "--out", "none.jsonl", "--json")
	if failures := objects(t, r.out)[0]["failures"].([]any); len(failures) != 1 {
		t.Errorf("%s", r.out)
	}
	c.write("access.log", "::1 - - [10/Oct/2000:13:55:36 -0700] \"GET /me HTTP/1.1\" 200 5\n::1 - - [10/Oct/2000:13:55:36 -0700] \"POST /me HTTP/1.1\" 200 5\n")
	contains(t, c.want(exitOK, "parity", "record", "access.log").err, "1 line of the log: neither GET nor HEAD")
}

// TestParityPrograms: programs need no application.
func TestParityPrograms(t *testing.T) {
	c := newCLI(t, "").with("WORD=hello")
	c.write("tools.jsonl", `{"name": "greet", "argv": ["sh", "-c", "echo $WORD; echo ${WORD}"], "modern_argv": ["sh", "-c", "printf 'hello\\nhallo\\n'"]}`)
	c.want(exitOK, "parity", "record", "tools.jsonl")
	r := c.want(exitFailed, "parity", "run", "tools.jsonl")
	contains(t, r.out, "greet", "body /line 2: value", "- hello", "+ hallo")
}

// TestParityInterrupted: a signal ends it, and nothing is written.
func TestParityInterrupted(t *testing.T) {
	arrived := make(chan struct{})
	legacy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}))
	t.Cleanup(legacy.Close)
	c := newCLI(t, "")
	c.write("cases.jsonl", "{\"path\": \"/\"}\n")
	s := c.start("parity", "record", "cases.jsonl", "--legacy", legacy.URL)
	<-arrived
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if r := c.finish(s); r.code != exitStopped {
		t.Errorf("exit code %d: %s", r.code, r.err)
	}
	if _, err := os.Stat(filepath.Join(c.dir, "parity.jsonl")); err == nil {
		t.Error("half a recording is written")
	}
}

// TestParityRefuses: what is wrong is told before anything is asked.
func TestParityRefuses(t *testing.T) {
	c := newCLI(t, "")
	c.write("cases.jsonl", "{\"path\": \"/\"}\n", "wrong.jsonl", "{\"path\": \"x\"}\n{}\n", "no.jsonl", "{}")
	for _, one := range []struct {
		args []string
		want []string
	}{
		{[]string{"parity"}, []string{"record or run"}},
		{[]string{"parity", "record"}, []string{"usage: replank parity record CASES"}},
		{[]string{"parity", "record", "cases.jsonl"}, []string{"whom to ask", "--legacy"}},
		{[]string{"parity", "record", "wrong.jsonl", "--legacy", "http://h"}, []string{"wrong.jsonl:1", "wrong.jsonl:2", "hint: a line is a JSON object"}},
		{[]string{"parity", "record", "nowhere.jsonl", "--legacy", "http://h"}, []string{"read the cases"}},
		{[]string{"parity", "record", "cases.jsonl", "--legacy", "http://h", "--at-once", "0"}, []string{"--at-once"}},
		{[]string{"parity", "run", "cases.jsonl", "--modern", "http://h"}, []string{"read the recording", "replank parity record"}},
		{[]string{"parity", "run", "cases.jsonl", "--modern", "http://h", "--recorded", "no.jsonl"}, []string{"no recording of replank parity"}},
	} {
		contains(t, c.want(exitUsage, one.args...).err, one.want...)
	}
	left, err := filepath.Glob(filepath.Join(c.dir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 3 {
		t.Errorf("files: %q", left)
	}
}
