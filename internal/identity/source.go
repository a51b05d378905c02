package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Source is where sessions come from: [Django], [Flask], [Bearer] or [Introspect].
type Source interface {
	check() error
	kind() string
	longest() time.Duration // that a session can live; 0: the source itself knows when it ends
	open(ctx context.Context, a *Authority) (verifier, error)
}

// verifier is a source that is ready.
type verifier interface {
	kind() string
	// credential is what a request shows, "" if there is nothing for this source.
	credential(r *http.Request) string
	// verify returns a refusal where the credential proves nobody; any other error says that it could not be found out.
	verify(ctx context.Context, credential string) (proof, error)
	close()
}

// proof is a session that its source believes in.
type proof struct {
	user    string // as the source names it
	column  string // of the users' table, in which that name stands
	sid     string
	unique  bool                       // no other login has this sid
	started time.Time                  // of the login, zero when unknown
	matches func(password string) bool // whether the session was made with the user's present password; nil: any
}

// mark is what the companion writes into a session, under the key _replank.
type mark struct {
	SID string  `json:"sid"` // of a login in this application
	At  float64 `json:"at"`  // by the clock of the database
	Of  string  `json:"of"`  // the session is a copy: the login is the other application's
}

const (
	markKey = "_replank"
	maxSID  = 128
	maxUser = 256
	// skew is how far clocks may differ where a session has only the time of its application.
	skew = 5 * time.Second
)

// read finds the login in a session. A session that the companion did not mark is named by fallback, and counts as
// started at signed (zero: nobody knows).
func read(data map[string]json.RawMessage, userKey, fallback string, unique bool, signed time.Time) (proof, error) {
	p := proof{user: text(data[userKey])}
	if p.user == "" || len(p.user) > maxUser {
		return proof{}, refusal("nobody is logged in")
	}
	var m mark
	if raw, ok := data[markKey]; ok && json.Unmarshal(raw, &m) != nil {
		return proof{}, refusal("its mark cannot be read")
	}
	switch {
	case m.Of != "":
		return proof{}, refusal("it is a copy of another session, which proves nothing by itself")
	case m.SID != "" && len(m.SID) <= maxSID:
		p.sid, p.unique = m.SID, true
		if m.At > 0 && m.At < 1e11 {
			p.started = time.UnixMicro(int64(m.At * 1e6))
		}
	default:
		p.sid, p.unique = digest(fallback), unique
		if !signed.IsZero() {
			p.started = signed.Add(-skew)
		}
	}
	return p, nil
}

// digest names a session by something that must not be told. The companion computes the same (replank.identity.session_id).
func digest(key string) string {
	sum := sha256.Sum256([]byte("replank session\x00" + key))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// cookie returns a cookie as an application sees it: Werkzeug takes the first of several, Django the last.
func cookie(r *http.Request, name string, last bool) string {
	value := ""
	for _, c := range r.CookiesNamed(name) {
		if value != "" && !last {
			break
		}
		value = c.Value
	}
	if len(value) > maxCookie {
		return ""
	}
	return value
}

// bounded keeps answers to our questions short.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, 1<<20)
	}
	return resp, err
}

func blank(secrets []string) bool {
	for _, s := range secrets {
		if strings.TrimSpace(s) == "" {
			return true
		}
	}
	return len(secrets) == 0
}
