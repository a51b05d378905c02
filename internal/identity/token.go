package identity

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// jwksMaxAge is for how long applications and caches may keep the keys.
const jwksMaxAge = time.Minute

// token is what an application gets.
type token struct {
	jwt.RegisteredClaims
	Session string   `json:"sid"`
	Roles   []string `json:"roles"`
	Tenant  string   `json:"tenant,omitempty"`
	Source  string   `json:"src"`
	// Found is when that began to be found out, by the clock that logins are timed with: an application knows by it which
	// of its own logins the gateway has not heard of yet.
	Found float64 `json:"fnd"`
}

// tokens are those in use for one finding, by audience: to sign takes longer than all the rest of a request.
type tokens struct {
	mu sync.Mutex
	of map[string]minted
}

type minted struct {
	text string
	kid  string
	at   time.Time
}

// Apply puts what an application has to know of who into the headers of the request to it: the token, made for audience
// alone, or that the session has been revoked. Strip has to have been called before. With httputil.ReverseProxy, call it
// in Rewrite: by then a client's "Connection: Replank-Identity" has had its effect.
func (a *Authority) Apply(h http.Header, who Who, audience string) error {
	h.Del(TokenHeader)
	h.Del(EndedHeader)
	if who.Nobody() {
		if who.Ended {
			h.Set(EndedHeader, "1")
		}
		return nil
	}
	text, err := a.mint(who, audience)
	if err == nil {
		h.Set(TokenHeader, text)
	}
	return err
}

func (a *Authority) mint(who Who, audience string) (string, error) {
	set := a.keys.Load()
	now := set.now()
	key, ok := set.signer(now, a.cfg.TokenLife)
	if !ok {
		return "", &Error{Op: "sign an identity", Err: errors.New("all signing keys have expired"),
			Note: "the control database cannot be reached for new ones, or Run does not run"}
	}
	if who.tokens == nil {
		who.tokens = new(tokens)
	}
	who.tokens.mu.Lock()
	defer who.tokens.mu.Unlock()
	// Below 0 the database's clock was set back since: the applications' were, too, and refuse what begins later.
	if m, ok := who.tokens.of[audience]; ok && m.kid == key.kid && now.Sub(m.at) >= 0 && now.Sub(m.at) < a.cfg.TokenLife/2 {
		return m.text, nil
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", err
	}
	at := jwt.NewNumericDate(now)
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, token{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: a.cfg.Issuer, Subject: who.Subject, Audience: jwt.ClaimStrings{audience},
			IssuedAt: at, NotBefore: at, ExpiresAt: jwt.NewNumericDate(now.Truncate(time.Second).Add(a.cfg.TokenLife)),
			ID: base64.RawURLEncoding.EncodeToString(id[:]),
		},
		Session: who.Session, Roles: append([]string{}, who.Roles...), Tenant: who.Tenant, Source: who.Source, Found: float64(who.found.UnixMicro()) / 1e6,
	})
	t.Header["kid"] = key.kid
	text, err := t.SignedString(key.private)
	if err != nil {
		return "", &Error{Op: "sign an identity", Err: err}
	}
	if who.tokens.of == nil {
		who.tokens.of = map[string]minted{}
	}
	who.tokens.of[audience] = minted{text: text, kid: key.kid, at: now}
	return text, nil
}

// jwks writes the public halves (RFC 8037).
func jwks(keys []signingKey) ([]byte, error) {
	type jwk struct {
		Type      string `json:"kty"`
		Curve     string `json:"crv"`
		Key       string `json:"x"`
		ID        string `json:"kid"`
		Use       string `json:"use"`
		Algorithm string `json:"alg"`
	}
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range keys {
		set.Keys = append(set.Keys, jwk{"OKP", "Ed25519", base64.RawURLEncoding.EncodeToString(k.public), k.kid, "sig", "EdDSA"})
	}
	return json.Marshal(set)
}

// JWKS serves the public keys.
func (a *Authority) JWKS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the keys are only read", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(int(jwksMaxAge.Seconds())))
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(a.keys.Load().public) // whoever went away does not need them
	})
}
