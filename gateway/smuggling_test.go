package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSmuggling: whatever a client writes, the applications see the requests that the gateway has seen. Each case hides
// a request for /smuggled in something that two parsers could read in two ways; it is refused, or passes as a body.
func TestSmuggling(t *testing.T) {
	p := newPair(t, nil)
	const hidden = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	const last = "GET /old/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	body := "0\r\n\r\n" + hidden
	for name, tt := range map[string]struct {
		head    string // without the empty line
		body    string
		refused bool // must be: two readings are possible
	}{
		"CL and TE":                  {"POST /old HTTP/1.1\r\nHost: a\r\nContent-Length: «n»\r\nTransfer-Encoding: chunked\r\n", body, false},
		"TE and CL":                  {"POST /old HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", body, false},
		"two lengths":                {"POST /old HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: «n»\r\n", hidden, true},
		"lengths in a list":          {"POST /old HTTP/1.1\r\nHost: a\r\nContent-Length: 0, «n»\r\n", hidden, true},
		"length with a sign":         {"POST /old HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n", hidden, true},
		"length in hex":              {"POST /old HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n", hidden, true},
		"length with a space before": {"POST /old HTTP/1.1\r\nHost: a\r\nContent-Length : «n»\r\n", hidden, true},
		"folded length":              {"POST /old HTTP/1.1\r\nHost: a\r\nX: y\r\n Content-Length: «n»\r\n", "", false},
		"folded coding":              {"POST /old HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: «n»\r\n", hidden, false},
		"two codings":                {"POST /old HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", body, true},
		"unknown coding":             {"POST /old HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n", body, true},
		"codings in a list":          {"POST /old HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n", body, true},
		"coding with a tab":          {"POST /old HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tchunked\r\nContent-Length: 5\r\n", body, false},
		"coding with an underscore":  {"POST /old HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent-Length: «n»\r\n", body, false},
		"bare LF":                    {"POST /old HTTP/1.1\nHost: a\nContent-Length: «n»\n", hidden, false},
		"bare CR in a header":        {"POST /old HTTP/1.1\r\nHost: a\r\nX: y\rContent-Length: «n»\r\n", hidden, true},
		"NUL in a header":            {"POST /old HTTP/1.1\r\nHost: a\r\nX: y\x00\r\nContent-Length: «n»\r\n", hidden, true},
		"CRLF in the path":           {"GET /old%0d%0aX: HTTP/1.1\r\nHost: a\r\n", "", false},
		"two hosts":                  {"GET /old HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "", true},
		"no host":                    {"GET /old HTTP/1.1\r\n", "", true},
		"host with a path":           {"GET /old HTTP/1.1\r\nHost: a/smuggled\r\n", "", true},
		"absolute form":              {"GET http://evil.example/old HTTP/1.1\r\nHost: a\r\n", "", false},
		"authority form":             {"CONNECT /smuggled HTTP/1.1\r\nHost: a\r\n", "", false},
		"chunk size with a sign":     {"POST /old HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", "+0\r\n\r\n" + hidden, true},
		"chunk size too large":       {"POST /old HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", "10000000000000000\r\n\r\n" + hidden, true},
		"chunk ends with LF":         {"POST /old HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", "3\nabc\n0\n\n", false},
		"HTTP/1.0 with a coding":     {"POST /old HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: «n»\r\n", body, false},
		"HTTP/0.9":                   {"GET /smuggled\r\n", "", true},
		"version two in the line":    {"GET /old HTTP/2.0\r\nHost: a\r\n", "", true},
		"preface of HTTP/2":          {"PRI * HTTP/2.0\r\n", "SM\r\n\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			p.seen(t)
			end := "\r\n"
			if strings.Contains(name, "bare LF") {
				end = "\n"
			}
			head := strings.ReplaceAll(tt.head, "«n»", strconv.Itoa(len(tt.body)))
			answers := p.raw(t, head+end+tt.body+last)
			seen := p.seen(t)
			switch {
			case tt.refused:
				if len(answers) != 1 || answers[0] < 400 || len(seen) != 0 {
					t.Errorf("answers %v, seen %q; want a refusal and the end", answers, seen)
				}
			case len(answers) == 1 && answers[0] >= 400 && len(seen) == 0: // refused, too
			case len(seen) != len(answers):
				// A request that the gateway takes for one of its own has an answer of its own.
				t.Errorf("%d answers for the requests %q", len(answers), seen)
			}
		})
	}
}

// seen is what the legacy application was asked since the last time.
func (p *pair) seen(t *testing.T) (paths []string) {
	t.Helper()
	res, err := http.Get(p.legacy.url.String() + "/legacy/seen")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&paths); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(paths, func(s string) bool { return strings.HasSuffix(s, "/legacy/seen") })
}

// raw sends bytes as they are and returns the status of each answer until the connection ends.
func (p *pair) raw(t *testing.T, request string) (status []int) {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	defer context.AfterFunc(t.Context(), func() { c.Close() })()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(c)
	for {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return status
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		status = append(status, res.StatusCode)
	}
}
