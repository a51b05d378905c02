package identity

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
)

const people = `CREATE TABLE person (uid uuid PRIMARY KEY, email text, alive boolean NOT NULL DEFAULT true, tenant text);
	INSERT INTO person VALUES ('00000000-0000-0000-0000-00000000000a', 'a@x', true, 'acme'), ('00000000-0000-0000-0000-00000000000b', 'b@x', false, NULL),
		('00000000-0000-0000-0000-00000000000c', 'twin@x', true, NULL), ('00000000-0000-0000-0000-00000000000d', 'twin@x', true, NULL)`

const personA = "00000000-0000-0000-0000-00000000000a"

// prepared is a database with users that are not Django's.
func prepared(t testing.TB) string {
	dsn := pgtest.DB(t)
	s, err := decisions.Open(t.Context(), decisions.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	pgtest.Exec(t, dsn, people)
	return dsn
}

var secret = []byte(strings.Repeat("s", 32))

func config(dsn string) Config {
	return Config{Control: dsn,
		Users:   Users{Table: "person", ID: "uid", Active: "alive", Claims: "SELECT ARRAY['r'] AS roles, tenant FROM person WHERE uid::text = $1"},
		Sources: []Source{Bearer{Issuer: "i", Audience: "a", Algorithms: []string{"HS256"}, Secret: secret}}}
}

func opened(t testing.TB, cfg Config) *Authority {
	t.Helper()
	a, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("%v (%s)", err, pg.HintOf(err))
	}
	t.Cleanup(a.Close)
	return a
}

func claimsOf(sub string) jwt.MapClaims {
	now := time.Now()
	return jwt.MapClaims{"iss": "i", "aud": "a", "sub": sub, "sid": "s", "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()}
}

func bearer(t testing.TB, method jwt.SigningMethod, key any, kid string, claims jwt.MapClaims) *http.Request {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+text)
	return r
}

func identify(t testing.TB, a *Authority, r *http.Request) Who {
	t.Helper()
	who, err := a.Identify(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return who
}

func TestBearer(t *testing.T) {
	a := opened(t, config(prepared(t)))
	with := func(name string, value any) jwt.MapClaims {
		c := claimsOf(personA)
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return c
	}
	who := identify(t, a, bearer(t, jwt.SigningMethodHS256, secret, "", claimsOf(personA)))
	if who.Subject != personA || who.Tenant != "acme" || !slices.Equal(who.Roles, []string{"r"}) || who.Source != "bearer" {
		t.Fatalf("%+v", who)
	}
	now := time.Now()
	for name, r := range map[string]*http.Request{
		"expired":                  bearer(t, jwt.SigningMethodHS256, secret, "", with("exp", now.Add(-time.Minute).Unix())),
		"without end":              bearer(t, jwt.SigningMethodHS256, secret, "", with("exp", nil)),
		"not yet":                  bearer(t, jwt.SigningMethodHS256, secret, "", with("nbf", now.Add(time.Hour).Unix())),
		"another issuer":           bearer(t, jwt.SigningMethodHS256, secret, "", with("iss", "replank")),
		"another audience":         bearer(t, jwt.SigningMethodHS256, secret, "", with("aud", []string{"b"})),
		"another algorithm":        bearer(t, jwt.SigningMethodHS512, secret, "", claimsOf(personA)),
		"none":                     bearer(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "", claimsOf(personA)),
		"another secret":           bearer(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), "", claimsOf(personA)),
		"nobody":                   bearer(t, jwt.SigningMethodHS256, secret, "", with("sub", nil)),
		"no such user":             bearer(t, jwt.SigningMethodHS256, secret, "", claimsOf("00000000-0000-0000-0000-0000000000ff")),
		"what is no id":            bearer(t, jwt.SigningMethodHS256, secret, "", claimsOf("x' OR true --")),
		"a user who is not active": bearer(t, jwt.SigningMethodHS256, secret, "", claimsOf("00000000-0000-0000-0000-00000000000b")),
	} {
		if who := identify(t, a, r); !who.Nobody() || who.Ended {
			t.Errorf("%s: %+v", name, who)
		}
	}
	twice := bearer(t, jwt.SigningMethodHS256, secret, "", claimsOf(personA))
	twice.Header.Add("Authorization", twice.Header.Get("Authorization"))
	if who := identify(t, a, twice); !who.Nobody() {
		t.Errorf("two tokens: %+v", who)
	}
}

// TestBearerOfAnotherColumn: the issuer knows users by their addresses.
func TestBearerOfAnotherColumn(t *testing.T) {
	cfg := config(prepared(t))
	cfg.Sources = []Source{Bearer{Issuer: "i", Audience: "a", Algorithms: []string{"HS256"}, Secret: secret, Column: "email"}}
	a := opened(t, cfg)
	if who := identify(t, a, bearer(t, jwt.SigningMethodHS256, secret, "", claimsOf("a@x"))); who.Subject != personA {
		t.Errorf("%+v", who)
	}
	if who := identify(t, a, bearer(t, jwt.SigningMethodHS256, secret, "", claimsOf("twin@x"))); !who.Nobody() {
		t.Errorf("an address that two have: %+v", who)
	}
}

// TestBearerKeys: keys come from the issuer's JWKS, and a public key is never taken for a secret.
func TestBearerKeys(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	strange, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwks([]signingKey{{kid: "k", public: public}})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	asked := 0
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		_, _ = w.Write(set)
	}))
	defer issuer.Close()
	cfg := config(prepared(t))
	cfg.Sources = []Source{Bearer{Issuer: "i", Audience: "a", Algorithms: []string{"EdDSA"}, JWKS: issuer.URL}}
	a := opened(t, cfg)
	if who := identify(t, a, bearer(t, jwt.SigningMethodEdDSA, private, "k", claimsOf(personA))); who.Subject != personA {
		t.Errorf("%+v", who)
	}
	for name, r := range map[string]*http.Request{
		"the public key as a secret": bearer(t, jwt.SigningMethodHS256, []byte(public), "k", claimsOf(personA)),
		"another key":                bearer(t, jwt.SigningMethodRS256, strange, "k", claimsOf(personA)),
		"no kid":                     bearer(t, jwt.SigningMethodHS256, secret, "", claimsOf(personA)),
	} {
		if who := identify(t, a, r); !who.Nobody() {
			t.Errorf("%s: %+v", name, who)
		}
	}
	for i := range 50 {
		if who := identify(t, a, bearer(t, jwt.SigningMethodEdDSA, private, "unknown"+string(rune('a'+i)), claimsOf(personA))); !who.Nobody() {
			t.Errorf("an unknown key: %+v", who)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if asked > 5 {
		t.Errorf("the issuer was asked %d times because of keys that nobody has", asked)
	}
}

// TestRevoked: a session ends by its name or with its subject's, those that begin later do not, and the tokens that were
// made before are not given out again.
func TestRevoked(t *testing.T) {
	a := opened(t, config(prepared(t)))
	r := bearer(t, jwt.SigningMethodHS256, secret, "", claimsOf(personA))
	who := identify(t, a, r)
	if err := a.Revoke(t.Context(), who.Session, ""); err != nil {
		t.Fatal(err)
	}
	a.hearOf(t.Context(), "revoked sid:"+who.Session)
	if who := identify(t, a, r); !who.Nobody() || !who.Ended {
		t.Errorf("%+v", who)
	}
	other := claimsOf(personA)
	other["sid"] = "other"
	r = bearer(t, jwt.SigningMethodHS256, secret, "", other)
	if who := identify(t, a, r); who.Nobody() {
		t.Error("another session of the user is ended")
	}
	if err := a.Revoke(t.Context(), "", personA); err != nil {
		t.Fatal(err)
	}
	a.hearOf(t.Context(), "revoked sub:"+personA)
	if who := identify(t, a, r); !who.Ended {
		t.Errorf("%+v", who)
	}
	other["iat"] = time.Now().Add(time.Minute).Unix()
	other["sid"] = "later"
	if _, err := a.control.Exec(t.Context(), "UPDATE replank.revoked SET before = before - interval '2 minutes' WHERE sub IS NOT NULL"); err != nil {
		t.Fatal(err)
	}
	other["iat"] = time.Now().Add(-time.Minute).Unix()
	if who := identify(t, a, bearer(t, jwt.SigningMethodHS256, secret, "", other)); who.Nobody() {
		t.Error("a session that began later is ended")
	}
}

// TestToken: one token an audience, used for half its life, and none when something about the user has changed.
func TestToken(t *testing.T) {
	dsn := prepared(t)
	a := opened(t, config(dsn))
	r := bearer(t, jwt.SigningMethodHS256, secret, "", claimsOf(personA))
	made := func(who Who, audience string) string {
		h := http.Header{}
		if err := a.Apply(h, who, audience); err != nil {
			t.Fatal(err)
		}
		return h.Get(TokenHeader)
	}
	first := made(identify(t, a, r), "modern")
	a.known.distrust()
	if again := made(identify(t, a, r), "modern"); again != first {
		t.Error("a token is made for each request")
	}
	if other := made(identify(t, a, r), "legacy"); other == first {
		t.Error("both applications get the same token")
	}
	parsed, err := jwt.ParseWithClaims(first, &token{}, func(tok *jwt.Token) (any, error) {
		return a.keys.Load().keys[0].public, nil
	}, jwt.WithAudience("modern"), jwt.WithIssuer("replank"), jwt.WithValidMethods([]string{"EdDSA"}))
	if err != nil {
		t.Fatal(err)
	}
	c := parsed.Claims.(*token)
	if life := c.ExpiresAt.Sub(c.IssuedAt.Time); life != time.Minute || c.Subject != personA || c.Tenant != "acme" || c.ID == "" || c.Session == "" {
		t.Errorf("%v, %+v", life, c)
	}
	// Half its life later.
	who := identify(t, a, r)
	who.tokens.mu.Lock()
	m := who.tokens.of["modern"]
	m.at = m.at.Add(-31 * time.Second)
	who.tokens.of["modern"] = m
	who.tokens.mu.Unlock()
	if made(identify(t, a, r), "modern") == first {
		t.Error("a token is used for longer than half its life")
	}
	h := http.Header{TokenHeader: {"x"}, EndedHeader: {"y"}}
	if err := a.Apply(h, Who{}, "modern"); err != nil || len(h) > 0 {
		t.Errorf("nobody: %v, %v", h, err)
	}
}

// moved shifts all keys into the past, which is the same as waiting.
func moved(t *testing.T, dsn, by string) {
	t.Helper()
	pgtest.Exec(t, dsn, "UPDATE replank.signing_key SET published_at = published_at - interval '"+by+"', signs_from = signs_from - interval '"+by+
		"', signs_until = signs_until - interval '"+by+"', published_until = published_until - interval '"+by+"'")
}

// TestRotation: several gateways make one key when it is due, which is public before it signs; the old one is public until
// its last token has expired.
func TestRotation(t *testing.T) {
	dsn := prepared(t)
	var all []*Authority
	for range 3 {
		all = append(all, opened(t, config(dsn)))
	}
	refresh := func() {
		t.Helper()
		var wg sync.WaitGroup
		for _, a := range all {
			wg.Go(func() {
				if err := a.refreshKeys(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	signer := func() string {
		t.Helper()
		kids := map[string]bool{}
		for _, a := range all {
			set := a.keys.Load()
			k, ok := set.signer(set.now(), time.Minute)
			if !ok {
				t.Fatal("nobody can sign")
			}
			kids[k.kid] = true
			var public struct{ Keys []struct{ Kid string } }
			if err := json.Unmarshal(set.public, &public); err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(public.Keys, func(p struct{ Kid string }) bool { return p.Kid == k.kid }) {
				t.Errorf("%s signs and is not public", k.kid)
			}
		}
		if len(kids) != 1 {
			t.Fatalf("gateways sign with %v", kids)
		}
		for k := range kids {
			return k
		}
		return ""
	}
	count := func() int { return len(all[0].keys.Load().keys) }
	refresh()
	first := signer()
	if count() != 1 {
		t.Fatalf("%d keys at the start", count())
	}
	moved(t, dsn, "23 hours 50 minutes")
	refresh()
	if count() != 2 || signer() != first {
		t.Fatalf("%d keys ten minutes before it is due, %s signs", count(), signer())
	}
	moved(t, dsn, "9 minutes")
	refresh()
	if count() != 2 || signer() != first {
		t.Fatalf("the new key signs too early")
	}
	moved(t, dsn, "2 minutes")
	refresh()
	second := signer()
	if count() != 2 || second == first {
		t.Fatalf("%d keys, %s signs when the first has ended", count(), second)
	}
	moved(t, dsn, "15 minutes")
	refresh()
	if count() != 1 || signer() != second {
		t.Fatalf("the old key is still public: %d", count())
	}
	// All gateways were off for a week.
	moved(t, dsn, "7 days")
	refresh()
	if count() != 1 || signer() == second {
		t.Fatalf("%d keys after a week", count())
	}
	// By hand.
	third := signer()
	if err := all[0].Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	refresh()
	if count() != 2 || signer() != third {
		t.Fatalf("%d keys after Rotate", count())
	}
	if err := all[0].Withdraw(t.Context(), third); err != nil {
		t.Fatal(err)
	}
	refresh()
	if signer() == third || strings.Contains(string(all[1].keys.Load().public), third) {
		t.Fatal("a withdrawn key is used")
	}
	if err := all[0].Withdraw(t.Context(), "x"); err == nil {
		t.Error("what does not exist was withdrawn")
	}
}

// TestSealed: a private key cannot be read in the database, nor be put under another name.
func TestSealed(t *testing.T) {
	dsn := prepared(t)
	cfg := config(dsn)
	one, two := []byte(strings.Repeat("1", 32)), []byte(strings.Repeat("2", 32))
	cfg.SealKeys = [][]byte{one}
	a := opened(t, cfg)
	stored := pgtest.Value[[]byte](t, dsn, "SELECT private FROM replank.signing_key")
	seed := a.keys.Load().keys[0].private.Seed()
	if strings.Contains(string(stored), string(seed)) || len(stored) <= len(seed) {
		t.Fatal("the private key is there to be read")
	}
	cfg.SealKeys = [][]byte{two, one}
	opened(t, cfg)
	for _, keys := range [][][]byte{nil, {two}} {
		cfg.SealKeys = keys
		if _, err := Open(t.Context(), cfg); err == nil || pg.HintOf(err) == "" {
			t.Errorf("opened without the key: %v", err)
		}
	}
	pgtest.Exec(t, dsn, "UPDATE replank.signing_key SET kid = 'other'")
	cfg.SealKeys = [][]byte{one}
	if _, err := Open(t.Context(), cfg); err == nil {
		t.Error("a key under another name is used")
	}
}

func TestJWKS(t *testing.T) {
	a := opened(t, config(prepared(t)))
	for method, status := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405} {
		w := httptest.NewRecorder()
		a.JWKS().ServeHTTP(w, httptest.NewRequest(method, "/", nil))
		if w.Code != status {
			t.Errorf("%s: %d", method, w.Code)
		}
		if method == "GET" && (w.Header().Get("Cache-Control") != "public, max-age=60" || strings.Contains(w.Body.String(), `"d"`)) {
			t.Errorf("%v %s", w.Header(), w.Body)
		}
	}
}

// TestIntrospectFails: an application that does not answer as it should is an error, in bounded time and memory.
func TestIntrospectFails(t *testing.T) {
	var answer http.HandlerFunc
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	defer app.Close()
	cfg := config(prepared(t))
	cfg.Sources = []Source{Introspect{URL: app.URL, Cookies: []string{"c"}, Timeout: 200 * time.Millisecond, Secret: "x"}}
	a := opened(t, cfg)
	gone := make(chan struct{})
	defer close(gone)
	for name, f := range map[string]http.HandlerFunc{
		"an error":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"a page":        func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"a redirection": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
		"silence": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-gone:
			}
		},
		"endless": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"active": true, "sub": "`))
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
		"no session": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"active": true, "sub": "1"}`))
		},
	} {
		answer = f
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: "c", Value: strings.ReplaceAll(name, " ", "")})
		var e *Error
		if who, err := a.Identify(t.Context(), r); !errors.As(err, &e) || e.Hint() == "" {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		if r.Header.Get("Cookie") != "c=1" || r.Header.Get("Authorization") != "Bearer x" || r.Header.Get("X-Other") != "" {
			t.Errorf("asked with %v", r.Header)
		}
		_, _ = w.Write([]byte(`{"active": true, "sub": "` + personA + `", "sid": "s"}`))
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "c=1; other=2")
	r.Header.Set("X-Other", "1")
	if who := identify(t, a, r); who.Subject != personA {
		t.Errorf("%+v", who)
	}
}

// TestMistakes: all of them are told at once.
func TestMistakes(t *testing.T) {
	_, err := Open(t.Context(), Config{Recheck: time.Minute, TokenLife: time.Hour, Publish: time.Second, SealKeys: [][]byte{{1}}, KeepRevoked: time.Hour,
		Sources: []Source{Django{}, Flask{Secrets: []string{""}, Digest: "md5"}, Bearer{Algorithms: []string{"none", "HS256"}, JWKS: "ftp://x"}, Introspect{URL: "x"}}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"no control database", "recheck", "token life", "publish", "seal key 1", "source 1 (django): no SECRET_KEY",
		"source 2 (flask): no SECRET_KEY", `digest "md5"`, "issuer and audience", `algorithm "none"`, `algorithm "HS256"`, "JWKS is no http URL",
		"is no http URL", "no cookie is named", "revocations are forgotten"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in:\n%v", want, err)
		}
	}
	dsn := prepared(t)
	for want, change := range map[string]func(*Config){
		`no column "nick"`:       func(c *Config) { c.Users.ID = "nick" },
		"look for table":         func(c *Config) { c.Users.Table = "nobody" },
		"try the query":          func(c *Config) { c.Users.Claims = "SELECT 1 AS one WHERE 'x' = $1" },
		"no column \"password\"": func(c *Config) { c.Sources = []Source{Django{Secrets: []string{"x"}, SignedCookies: true}} },
		"does not take one":      func(c *Config) { c.Users.Claims = "SELECT 'x' AS tenant" },
	} {
		cfg := config(dsn)
		change(&cfg)
		if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) || pg.HintOf(err) == "" {
			t.Errorf("%v (%s), want %q", err, pg.HintOf(err), want)
		}
	}
}

func TestStrip(t *testing.T) {
	keep := http.Header{"Cookie": {"x"}, "Authorization": {"y"}, "X-Replank": {"z"}, "Replanker": {"z"}, "User-Agent": {"a"}}
	h := keep.Clone()
	for _, name := range []string{"Replank-Identity", "replank_identity", "REPLANK-identity", "rEpLaNk_TrIaL", "Replank.Identity", "_replank-identity", "Replank",
		"Remote-User", "REMOTE_USER", "x-forwarded_user", "X-Mine", "x_mine"} {
		h[name] = []string{"1", "2"}
	}
	Strip(h, "X-Mine")
	if len(h) != len(keep) {
		t.Errorf("left: %v", h)
	}
}

// TestClockStep: tokens follow the database's clock when it is set, forward and back, and nothing else that a gateway
// believes has to do with a clock that can be set.
func TestClockStep(t *testing.T) {
	a := opened(t, config(prepared(t)))
	who, err := a.Identify(t.Context(), bearer(t, jwt.SigningMethodHS256, secret, "", claimsOf(personA)))
	if err != nil || who.Nobody() {
		t.Fatalf("%+v %v", who, err)
	}
	read := *a.keys.Load()
	last := ""
	for _, step := range []time.Duration{0, time.Hour, 0, -time.Hour, -24 * time.Hour, 0} {
		set := read
		set.read = set.read.Add(step) // as the next look at the database would find it
		a.keys.Store(&set)
		h := http.Header{}
		if err := a.Apply(h, who, "modern"); err != nil {
			t.Fatal(err)
		}
		text := h.Get(TokenHeader)
		if text == last {
			t.Errorf("%v: the token of another time is handed out", step)
		}
		last = text
		var claims jwt.RegisteredClaims
		if _, _, err := jwt.NewParser().ParseUnverified(text, &claims); err != nil {
			t.Fatal(err)
		}
		if err := jwt.NewValidator(jwt.WithTimeFunc(a.now), jwt.WithIssuedAt(), jwt.WithExpirationRequired()).Validate(claims); err != nil {
			t.Errorf("%v: an application whose clock is the database's refuses it: %v", step, err)
		}
	}
	for _, f := range a.known.present {
		for _, at := range []time.Time{f.at, f.claims, a.known.turned, read.local} {
			if !strings.Contains(at.String(), " m=") {
				t.Errorf("%v can be set", at)
			}
		}
	}
	if len(a.known.present) != 1 {
		t.Errorf("%d findings", len(a.known.present))
	}
}
