package identity

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// bomb is a little zlib that grows to size.
func bomb(t testing.TB, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for range size >> 20 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// signDjango signs a payload as django.core.signing does, so that what is behind the signature can be tried.
func signDjango(payload, salt, secret string) string {
	value := payload + ":1tAbCd"
	key := sha256.Sum256([]byte(salt + "signer" + secret))
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte(value))
	return value + ":" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// TestBomb: even who has the key cannot make the gateway swell.
func TestBomb(t *testing.T) {
	text := signDjango("."+base64.RawURLEncoding.EncodeToString(bomb(t, 256<<20)), "salt", "k")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := unsignDjango(text, "salt", []string{"k"})
	runtime.ReadMemStats(&after)
	if err == nil || err.Error() != "it is too long" {
		t.Errorf("%v", err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
		t.Errorf("%d MiB were allocated", grown>>20)
	}
	if _, _, err := unsignDjango(text, "salt", []string{"x"}); err == nil || !strings.Contains(err.Error(), "signature") {
		t.Errorf("decompressed before the signature is right: %v", err)
	}
}

func FuzzDjangoCookie(f *testing.F) {
	for _, s := range []string{"", ":", "::", ".:1:x", "e30:1:x", signDjango("e30", "salt", "k"), signDjango(".eA", "salt", "k")} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if session, _, err := unsignDjango(s, "salt", []string{"other"}); err == nil || session != nil && !refused(err) {
			t.Fatalf("%q is believed", s)
		}
		// What is behind a good signature may be anything as well.
		session, _, err := unsignDjango(signDjango(s, "salt", "k"), "salt", []string{"k"})
		if err != nil && !refused(err) {
			t.Fatal(err)
		}
		if p, err := read(session, djangoUser, "x", true, time.Time{}); err == nil && (p.user == "" || p.sid == "" || len(p.sid) > maxSID || len(p.user) > maxUser) {
			t.Fatalf("%+v", p)
		}
	})
}

func FuzzFlaskCookie(f *testing.F) {
	for _, s := range []string{"", ".", "..", "...", "e30.aaaa.x", ".eA.aaaa.x", "e30.AAAAAAAAAAAAAAAA.x"} {
		f.Add(s, []byte(s))
	}
	f.Fuzz(func(t *testing.T, s string, inner []byte) {
		if _, _, err := unsignFlask(s, "salt", digests["sha1"], []string{"k"}); err == nil || !refused(err) {
			t.Fatalf("%q: %v", s, err)
		}
		if out, err := inflate(inner); len(out) > maxSession || err != nil && !refused(err) {
			t.Fatalf("%d bytes, %v", len(out), err)
		}
		if _, err := unpack(s); err != nil && !refused(err) {
			t.Fatal(err)
		}
	})
}

func FuzzBearer(f *testing.F) {
	v := &bearerTokens{Bearer: Bearer{Issuer: "i", Claim: "sub"}, key: func(*jwt.Token) (any, error) { return secret, nil },
		parser: jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer("i"), jwt.WithAudience("a"), jwt.WithExpirationRequired(), jwt.WithJSONNumber())}
	good := bearer(f, jwt.SigningMethodHS256, secret, "", claimsOf("x")).Header.Get("Authorization")
	for _, s := range []string{"", "Bearer ..", "bearer e30.e30.", "Bearer " + strings.Repeat("W", 9000) + ".e30.x", good[:len(good)-4]} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", s)
		c := v.credential(r)
		if len(c) > maxCookie {
			t.Fatal("too long")
		}
		if p, err := v.verify(t.Context(), c); !refused(err) && s != good {
			t.Fatalf("%q: %+v, %v", s, p, err)
		}
	})
}

func FuzzStrip(f *testing.F) {
	f.Add("Replank-Identity")
	f.Add("REPLANK_identity")
	f.Fuzz(func(t *testing.T, name string) {
		h := http.Header{name: {"x"}}
		Strip(h)
		// As the most careless WSGI server would name it.
		folded := strings.NewReplacer("-", "_", ".", "_", " ", "_").Replace(strings.ToUpper(name))
		if strings.HasPrefix(folded, "REPLANK_") && len(h) > 0 {
			t.Fatalf("%q is left", name)
		}
	})
}

func BenchmarkIdentify(b *testing.B) {
	a := opened(b, config(prepared(b)))
	r := bearer(b, jwt.SigningMethodHS256, secret, "", claimsOf(personA))
	h := http.Header{}
	for b.Loop() {
		who, err := a.Identify(b.Context(), r)
		if err != nil || who.Nobody() {
			b.Fatal(err)
		}
		if err := a.Apply(h, who, "modern"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStrip: every request of the gateway pays for it.
func BenchmarkStrip(b *testing.B) {
	h := http.Header{}
	for _, name := range []string{"User-Agent", "Accept", "Accept-Language", "Accept-Encoding", "Cookie", "Referer", "Sec-Fetch-Mode", "X-Request-Id"} {
		h[name] = []string{"x"}
	}
	b.ReportAllocs()
	for b.Loop() {
		Strip(h)
	}
}
