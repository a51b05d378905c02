package python_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/replank/replank/internal/pgtest"
)

// forged: tokens that the gateway did not make for this application, now, are refused by it.
func (w *twins) forged() {
	seed := pgtest.Value[[]byte](w, w.dsn, "SELECT private FROM replank.signing_key ORDER BY signs_from LIMIT 1")
	kid := pgtest.Value[string](w, w.dsn, "SELECT kid FROM replank.signing_key ORDER BY signs_from LIMIT 1")
	key := ed25519.NewKeyFromSeed(seed)
	public := key.Public().(ed25519.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		w.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		w.Fatal(err)
	}
	now := time.Now().Unix()
	header := map[string]any{"alg": "EdDSA", "typ": "JWT", "kid": kid}
	claims := map[string]any{"iss": "replank", "aud": []string{"modern"}, "sub": "41", "sid": "s", "roles": []string{}, "src": "bearer",
		"iat": now, "nbf": now, "exp": now + 60, "jti": "j"}
	with := func(m map[string]any, name string, value any) map[string]any {
		c := maps.Clone(m)
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return c
	}
	ed := func(key ed25519.PrivateKey) func(string) []byte {
		return func(text string) []byte { return ed25519.Sign(key, []byte(text)) }
	}
	mac := func(secret []byte) func(string) []byte {
		return func(text string) []byte {
			h := hmac.New(sha256.New, secret)
			h.Write([]byte(text))
			return h.Sum(nil)
		}
	}
	token := func(header, claims map[string]any, sign func(string) []byte) string {
		text := segment(header) + "." + segment(claims)
		return text + "." + base64.RawURLEncoding.EncodeToString(sign(text))
	}
	none := func(string) []byte { return nil }
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	good := token(header, claims, ed(key))

	d := w.browser()
	d.base = w.modern.String()
	if s := d.who("modern", "Replank-Identity", good); s.User != "alice" {
		w.Fatalf("the token that the others are made of is not good: %+v", s)
	}
	for name, text := range map[string]string{
		"expired":                   token(header, with(with(with(claims, "exp", now-30), "iat", now-90), "nbf", now-90), ed(key)),
		"not yet":                   token(header, with(with(claims, "nbf", now+40), "iat", now+40), ed(key)),
		"without end":               token(header, with(claims, "exp", nil), ed(key)),
		"for too long":              token(header, with(claims, "exp", now+3600), ed(key)),
		"for the other":             token(header, with(claims, "aud", []string{"legacy"}), ed(key)),
		"for both":                  token(header, with(claims, "aud", []string{"modern", "legacy"}), ed(key)),
		"for nobody":                token(header, with(claims, "aud", nil), ed(key)),
		"of another issuer":         token(header, with(claims, "iss", "x"), ed(key)),
		"no subject":                token(header, with(claims, "sub", nil), ed(key)),
		"a number as subject":       token(header, with(claims, "sub", 41), ed(key)),
		"no session":                token(header, with(claims, "sid", ""), ed(key)),
		"roles that are none":       token(header, with(claims, "roles", "admin"), ed(key)),
		"alg none":                  token(with(header, "alg", "none"), claims, none),
		"alg None":                  token(with(header, "alg", "None"), claims, none),
		"no alg":                    token(with(header, "alg", nil), claims, ed(key)),
		"EdDSA without a signature": token(header, claims, none),
		"HS256 with the raw key":    token(with(header, "alg", "HS256"), claims, mac(public)),
		"HS256 with the PEM":        token(with(header, "alg", "HS256"), claims, mac(pemKey)),
		"HS256 with the DER":        token(with(header, "alg", "HS256"), claims, mac(der)),
		"unknown kid":               token(with(header, "kid", "x"), claims, ed(stranger)),
		"no kid":                    token(with(header, "kid", nil), claims, ed(key)),
		"a path as kid":             token(with(header, "kid", "../../dev/null"), claims, mac(nil)),
		"a list as kid":             token(with(header, "kid", []string{kid}), claims, ed(key)),
		"a key of its own":          token(with(header, "jwk", map[string]any{"kty": "OKP"}), claims, ed(stranger)),
		"somebody else's key":       token(header, claims, ed(stranger)),
		"crit":                      token(with(header, "crit", []string{"x"}), claims, ed(key)),
		"cut":                       good[:len(good)-5],
		"other claims":              segment(header) + "." + segment(with(claims, "sub", "42")) + "." + good[strings.LastIndex(good, ".")+1:],
		"no token":                  "x",
		"dots":                      "..",
		"empty":                     "",
		"bytes":                     "\xff.\xfe.\xfd",
		"deep":                      base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("[", 4000))) + ".e30.x",
	} {
		if s := d.who("modern", "Replank-Identity", text); s.Status != http.StatusUnauthorized {
			w.Errorf("%s: %+v, want 401", name, s)
		}
	}
	l := w.browser()
	l.base = w.legacy.String()
	if s := l.who("legacy", "Replank-Identity", good); s.Status != http.StatusUnauthorized {
		w.Errorf("a token for the modern application at the legacy one: %+v", s)
	}
	if s := l.who("legacy", "Replank-Identity", token(header, with(claims, "aud", "legacy"), ed(key))); s.User != "alice" || s.Local != "" {
		w.Errorf("a good one: %+v", s)
	}
}
