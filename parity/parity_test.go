package parity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func read(t *testing.T, text string) []Case {
	t.Helper()
	cases, _, err := ReadCases(strings.NewReader(text), "cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// told writes what differs the way that tests have it.
func told(r *Report) []string {
	var list []string
	for _, c := range r.Cases {
		if c.Verdict == Failed {
			list = append(list, fmt.Sprintf("%d failed: %s", c.Line, c.Error))
		}
		for _, d := range c.Differences {
			list = append(list, fmt.Sprintf("%d %s %s: %s | %s", c.Line, d.Path, d.Kind, d.Old, d.New))
		}
	}
	return list
}

// kept takes a recording through its file, in which none of the secrets may be.
func kept(t *testing.T, rec *Recording, secrets ...string) *Recording {
	t.Helper()
	var file bytes.Buffer
	if err := rec.Write(&file); err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		if strings.Contains(file.String(), secret) {
			t.Errorf("%s is in the recording:\n%s", secret, &file)
		}
	}
	again, err := ReadRecording(&file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(rec.Answers, again.Answers); d != "" {
		t.Error(d)
	}
	return again
}

// server starts an application, and says where it listens.
func server(t *testing.T, handler http.HandlerFunc) *url.URL {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// both records on one application and runs on another.
func both(t *testing.T, cases []Case, legacy, modern Config) (*Recording, *Report) {
	t.Helper()
	rec, err := Record(t.Context(), legacy, cases)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), modern, cases, kept(t, rec, "hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	return rec, r
}

func TestReadCases(t *testing.T) {
	cases, left, err := ReadCases(strings.NewReader(`# comment
{"path": "/a?b=1"}
{"method": "post", "path": "/a", "headers": {"X": "1"}, "body": "b"}

{"argv": ["old", "--password", "hunter2", "--token=hunter2"], "modern_argv": ["new"], "stdin": "s"}
127.0.0.1 - olga [10/Oct/2000:13:55:36 -0700] "GET /log%2Fged?token=hunter2 HTTP/1.1" 200 2326
127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /log%2Fged?token=hunter2 HTTP/1.1" 200 2326 "http://ref/" "Mozilla/5.0 \"x\""
shop.example:443 ::1 - - [10/Oct/2000:13:55:36 -0700] "HEAD //x HTTP/2.0" 304 -
127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "POST /a HTTP/1.1" 200 2326
127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "\x16\x03\x01" 400 0
127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET http://elsewhere/ HTTP/1.1" 400 0
127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "-" 408 0
{"path": "/a?b=1", "name": "again"}
`), "f")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range cases {
		got = append(got, fmt.Sprintf("%d %s %v", c.Line, c.title(), c.writes()))
	}
	want := []string{"2 GET /a?b=1 false", "3 POST /a true", "5 old --password [redacted] --token=[redacted] false",
		"6 GET /log%2Fged?token=[redacted] false", "8 HEAD //x false", "13 again false"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(Left{Repeated: 1, Methods: 1, Unreadable: 3}, left); d != "" {
		t.Error(d)
	}
	if cases[0].key == cases[5].key || !strings.HasPrefix(cases[5].key, cases[0].key) {
		t.Errorf("the same request twice has the keys %s and %s", cases[0].key, cases[5].key)
	}
}

func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "f:1: there is no case",
		"# x\nGET /":                         "f:2: neither JSON",
		`{"path": "/a"`:                      "unexpected EOF",
		`{"path": "/a"} {}`:                  "more than one",
		`{"pth": "/a"}`:                      "pth",
		`{"path": "/a", "argv": ["x"]}`:      "one of them",
		`{"method": "GET"}`:                  "one of them",
		`{"argv": []}`:                       "begin with a program",
		`{"argv": ["x"], "modern_argv": []}`: "begin with a program",
		`{"argv": ["x"], "body": "b"}`:       "for a path",
		`{"path": "/", "stdin": "b"}`:        "for an argv",
		`{"path": "a"}`:                      "begins with a slash",
		`{"path": "/a b"}`:                   "without spaces",
		`{"path": "/%zz"}`:                   "%zz",
	} {
		_, _, err := ReadCases(strings.NewReader(text), "f")
		var wrong *CaseError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	_, _, err := ReadCases(strings.NewReader("x\n{}\n{\"path\":\"/\"}\ny"), "f")
	for _, want := range []string{"f:1:", "f:2:", "f:4:"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
	for _, text := range []string{"", "{}", `{"format":"replank-parity","version":2}`, `{"format":"replank-parity","version":1}{}`} {
		if _, err := ReadRecording(strings.NewReader(text)); err == nil {
			t.Errorf("%q is read as a recording", text)
		}
	}
}

// TestRequests: what a case says arrives, and nothing else.
func TestRequests(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintln(w, r.Method, r.RequestURI, r.Host, r.Header.Get("X-Who"), r.Header.Get("Cookie"), len(r.TransferEncoding), r.ContentLength, string(body))
	}
	cases := read(t, `{"path": "/a%2Fb//c/../%C3%A4?x=%20&y=[1]", "headers": {"X-Who": "${WHO}", "Cookie": "a=1"}}
		{"path": "//elsewhere/x?", "headers": {"host": "shop.example"}}
		{"method": "REPORT", "path": "/r", "body": "body of ${WHO}, $5"}
		{"method": "OPTIONS", "path": "/"}`)
	legacy := Config{App: server(t, echo), Writes: true, Environ: []string{"WHO=olga"}}
	modern := legacy
	modern.App = server(t, echo)
	rec, r := both(t, cases, legacy, modern)
	host := legacy.App.Host
	var got []string
	for _, a := range rec.Answers {
		got = append(got, strings.TrimSpace(a.Answer.Body))
	}
	want := []string{"GET /a%2Fb//c/../%C3%A4?x=%20&y=[1] " + host + " olga a=1 0 0", "GET //elsewhere/x? shop.example   0 0",
		"REPORT /r " + host + "   0 16 body of olga, $5", "OPTIONS / " + host + "   0 0"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(Counts{Cases: 4, Same: 4}, r.Counts); d != "" { // the second application got the first one's Host
		t.Error(d, told(r))
	}
}

// TestWrites: without consent nothing that may write is sent; with it, once, in the order of the file.
func TestWrites(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	app := server(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Method+r.URL.Path)
	})
	dir := t.TempDir()
	cases := read(t, `{"method": "POST", "path": "/1"}
		{"path": "/2"}
		{"method": "DELETE", "path": "/3"}
		{"path": "/4", "writes": true}
		{"argv": ["mkdir", "${DIR}/made"], "writes": true}
		{"method": "PUT", "path": "/5"}`)
	cfg := Config{App: app, Environ: []string{"DIR=" + dir, "PATH=" + os.Getenv("PATH")}}
	rec, r := both(t, cases, cfg, cfg)
	if d := cmp.Diff([]string{"GET/2", "GET/2", "GET/2"}, seen); d != "" {
		t.Error(d)
	}
	if rec.Skipped != 5 || r.Skipped != 5 || r.Same != 1 {
		t.Errorf("%d and %d cases are left out", rec.Skipped, r.Skipped)
	}
	cfg.Writes, seen = true, nil
	rec, err := Record(t.Context(), cfg, cases)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"POST/1", "GET/2", "GET/2", "DELETE/3", "GET/4", "PUT/5"}, seen); d != "" {
		t.Error(d)
	}
	if len(rec.Answers) != 6 || rec.Answers[4].Answer.Status != 0 { // a second mkdir would have failed
		t.Errorf("recorded: %+v", rec.Answers)
	}
	if _, err := os.Stat(filepath.Join(dir, "made")); err != nil {
		t.Error(err)
	}
}

// TestPrograms: what a program prints, as JSON where it is, and its exit code.
func TestPrograms(t *testing.T) {
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "report")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	legacy := script(`case $1 in
		json) echo '{"total": 5, "password": "hunter2", "pid": '$$'}' ;;
		text) cat; echo end ;;
		env) echo "$GREETING" ;;
		fails) exit 3 ;;
		killed) kill -9 $$ ;;
	esac`)
	modern := script(`case $1 in
		json) echo '{"pid": 1,"password":"another","total":6}' ;;
		text) cat; echo end ;;
		env) echo "$GREETING" ;;
		fails) exit 4 ;;
	esac`)
	cases := read(t, fmt.Sprintf(`{"argv": [%[1]q, "json"], "modern_argv": [%[2]q, "json"], "name": "report"}
		{"argv": [%[1]q, "text"], "modern_argv": [%[2]q, "text"], "stdin": "a\nb\n"}
		{"argv": [%[1]q, "env"], "modern_argv": [%[2]q, "env", "${ONLY_MODERN}"]}
		{"argv": [%[1]q, "fails"], "modern_argv": [%[2]q, "fails"]}
		{"argv": [%[1]q, "killed"]}
		{"argv": ["/nowhere/to/be/found"]}
		{"argv": [%[1]q, "${UNSET}", "${UNSET}"]}`, legacy, modern))
	cfg := Config{Environ: []string{"PATH=" + os.Getenv("PATH"), "GREETING=hello"}}
	newer := cfg
	newer.Environ = append(slices.Clone(cfg.Environ), "ONLY_MODERN=1")
	rec, r := both(t, cases, cfg, newer)
	want := []string{"1 /total value: 5 | 6", "4  value: 3 | 4", "5 failed: there is no recorded answer", "6 failed: there is no recorded answer", "7 failed: there is no recorded answer"}
	if d := cmp.Diff(want, told(r)); d != "" {
		t.Error(d)
	}
	if body := rec.Answers[2].Answer.Body; body != "hello\n" {
		t.Errorf("the environment of programs: %q", body)
	}
	if len(rec.Failures) != 3 {
		t.Fatalf("failures: %v", rec.Failures)
	}
	for i, want := range []string{"killed", "no such file", "not in the environment: UNSET"} {
		if !strings.Contains(rec.Failures[i].Error, want) {
			t.Errorf("%q instead of %q", rec.Failures[i].Error, want)
		}
	}
}

// TestNoAnswer: who does not answer, or not in time, fails its case and no other.
func TestNoAnswer(t *testing.T) {
	app := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hangs":
			<-r.Context().Done()
		case "/breaks":
			panic(http.ErrAbortHandler)
		case "/half":
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "half")
		}
	})
	cases := read(t, `{"path": "/hangs"}
		{"path": "/breaks"}
		{"path": "/half"}
		{"argv": ["sh", "-c", "setsid sleep 600 & sleep 600"]}
		{"path": "/ok"}`)
	cfg := Config{App: app, Timeout: 500 * time.Millisecond, Environ: []string{"PATH=" + os.Getenv("PATH")}}
	rec, err := Record(t.Context(), cfg, cases)
	if err != nil {
		t.Fatal(err)
	}
	if len(rec.Answers) != 1 || rec.Answers[0].Case != "GET /ok" {
		t.Errorf("recorded: %+v", rec.Answers)
	}
	var lines []int
	for _, f := range rec.Failures {
		lines = append(lines, f.Line)
		if f.Error == "" || slices.Contains([]int{1, 4}, f.Line) && !strings.Contains(f.Error, "no answer within 500ms") {
			t.Errorf("line %d: %s", f.Line, f.Error)
		}
	}
	if d := cmp.Diff([]int{1, 2, 3, 4}, lines); d != "" {
		t.Error(d)
	}
	rec, err = Record(t.Context(), Config{}, cases[4:])
	if err != nil || len(rec.Failures) != 1 || !strings.Contains(rec.Failures[0].Error, "needs an application") {
		t.Errorf("%v, without an application: %+v", err, rec)
	}
}

// TestBounded: no more cases than allowed are asked at the same time, and a signal ends it.
func TestBounded(t *testing.T) {
	var now, most atomic.Int32
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	app := server(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for {
			seen := most.Load()
			if n <= seen || most.CompareAndSwap(seen, n) {
				break
			}
		}
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	var file strings.Builder
	for n := range 20 {
		fmt.Fprintf(&file, "{\"path\": \"/%d\"}\n", n)
	}
	cases := read(t, file.String())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := Record(ctx, Config{App: app, Workers: 3}, cases)
		ended <- err
	}()
	for range 3 {
		<-arrived
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	close(release)
	rec, err := Record(t.Context(), Config{App: app, Workers: 3}, cases)
	if err != nil {
		t.Fatal(err)
	}
	if len(rec.Answers) != 20 {
		t.Errorf("%d answers", len(rec.Answers))
	}
	if n := most.Load(); n != 3 {
		t.Errorf("%d cases were asked at the same time, want 3", n)
	}
}

func TestRoutes(t *testing.T) {
	for path, want := range map[string]string{
		"/orders/17/lines/3": "/orders/{n}/lines/{n}", "/v2/x": "/v2/x", "/u/123e4567-e89b-12d3-a456-426614174000/": "/u/{id}/",
		"/blob/0123456789abcdef0123": "/blob/{id}", "/x/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.abcdefgh": "/x/[redacted]",
	} {
		if got := withoutNumbers(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	c := read(t, `{"path": "/orders/1?x=2"}`)[0]
	named := func(method, path string) string { return "route of " + path }
	if got := c.route(named); got != "GET route of /orders/1" {
		t.Error(got)
	}
}

// FuzzReadCases: whatever a file has in it, what is read can be told, sent and found again.
func FuzzReadCases(f *testing.F) {
	f.Add(`{"path": "/a?b=1", "headers": {"A": "${B}"}}`)
	f.Add(`{"argv": ["a", "--token", "b"]}`)
	f.Add(`::1 - - [x] "GET /%2F HTTP/1.1" 200 1`)
	f.Fuzz(func(t *testing.T, text string) {
		cases, _, err := ReadCases(strings.NewReader(text), "f")
		if err == nil && len(cases) == 0 {
			t.Error("neither cases nor an error")
		}
		keys := map[string]bool{}
		for _, c := range cases {
			if keys[c.key] {
				t.Errorf("two cases have the key %s", c.key)
			}
			keys[c.key] = true
			if c.title() == "" || c.Line == 0 {
				t.Errorf("%+v has no title or line", c)
			}
			if c.Argv == nil && c.Path[0] != '/' {
				t.Errorf("path %q", c.Path)
			}
		}
	})
}
