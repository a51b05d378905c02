package identity

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"io"
	"math"
	"strings"
	"time"
)

const (
	// maxCookie bounds what is looked at of a request: browsers keep 4 KiB for a cookie.
	maxCookie = 16 << 10
	// maxSession bounds what a session may grow to when it is decompressed.
	maxSession = 1 << 20
)

// django verifies text as django.core.signing.loads does and returns the session in it and when it was signed.
func unsignDjango(text, salt string, secrets []string) (map[string]json.RawMessage, time.Time, error) {
	value, signature, ok := cutLast(text, ":")
	payload, stamp, ok2 := cutLast(value, ":")
	if !ok || !ok2 {
		return nil, time.Time{}, refusal("it has no signature")
	}
	if !signed(value, signature, secrets, func(secret string) hash.Hash {
		key := sha256.Sum256([]byte(salt + "signer" + secret))
		return hmac.New(sha256.New, key[:])
	}) {
		return nil, time.Time{}, refusal("its signature is not by our SECRET_KEY")
	}
	seconds, ok := base62(stamp)
	if !ok {
		return nil, time.Time{}, refusal("its time cannot be read")
	}
	session, err := unpack(payload)
	return session, time.Unix(seconds, 0), err
}

// digests are those that Flask applications sign with.
var digests = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

// unsignFlask verifies text as itsdangerous.URLSafeTimedSerializer does with the key derivation hmac.
func unsignFlask(text, salt string, digest func() hash.Hash, secrets []string) (map[string]json.RawMessage, time.Time, error) {
	value, signature, ok := cutLast(text, ".")
	payload, stamp, ok2 := cutLast(value, ".")
	if !ok || !ok2 {
		return nil, time.Time{}, refusal("it has no signature")
	}
	if !signed(value, signature, secrets, func(secret string) hash.Hash {
		derived := hmac.New(digest, []byte(secret))
		derived.Write([]byte(salt))
		return hmac.New(digest, derived.Sum(nil))
	}) {
		return nil, time.Time{}, refusal("its signature is not by our SECRET_KEY")
	}
	raw, err := base64.RawURLEncoding.DecodeString(stamp)
	if err != nil || len(raw) > 8 {
		return nil, time.Time{}, refusal("its time cannot be read")
	}
	var seconds uint64
	for _, b := range raw {
		seconds = seconds<<8 | uint64(b)
	}
	session, err := unpack(payload)
	return session, time.Unix(int64(min(seconds, math.MaxInt32*2)), 0), err
}

// signed compares in constant time, and with every secret.
func signed(value, signature string, secrets []string, mac func(secret string) hash.Hash) bool {
	got, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	good := false
	for _, secret := range secrets {
		h := mac(secret)
		h.Write([]byte(value))
		good = hmac.Equal(got, h.Sum(nil)) || good
	}
	return good
}

// unpack reads what was signed: JSON in base64, compressed where a dot stands before it.
func unpack(payload string) (map[string]json.RawMessage, error) {
	payload, compressed := strings.CutPrefix(payload, ".")
	data, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return nil, refusal("it is not base64")
	}
	if compressed {
		if data, err = inflate(data); err != nil {
			return nil, err
		}
	}
	var session map[string]json.RawMessage
	if err := json.Unmarshal(data, &session); err != nil {
		return nil, refusal("it is not a JSON object")
	}
	return session, nil
}

func inflate(data []byte) ([]byte, error) {
	r, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, refusal("it cannot be decompressed")
	}
	// A thousand bytes may hold a million: no more than allowed is ever made.
	out, err := io.ReadAll(io.LimitReader(r, maxSession+1))
	if err != nil {
		return nil, refusal("it cannot be decompressed")
	}
	if len(out) > maxSession {
		return nil, refusal("it is too long")
	}
	return out, nil
}

// base62 reads Django's time: digits, capital and small letters.
func base62(s string) (int64, bool) {
	if s == "" || len(s) > 8 {
		return 0, false
	}
	var n int64
	for _, c := range []byte(s) {
		switch {
		case '0' <= c && c <= '9':
			n = n*62 + int64(c-'0')
		case 'A' <= c && c <= 'Z':
			n = n*62 + int64(c-'A') + 10
		case 'a' <= c && c <= 'z':
			n = n*62 + int64(c-'a') + 36
		default:
			return 0, false
		}
	}
	return n, true
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// text reads a user's id: a string, a number, or a UUID as Flask's sessions write it.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	var tagged struct {
		UUID string `json:" u"`
	}
	if json.Unmarshal(raw, &tagged) == nil && len(tagged.UUID) == 32 {
		// As Python's str writes it: the companion names unmarked sessions by that.
		u := tagged.UUID
		return u[:8] + "-" + u[8:12] + "-" + u[12:16] + "-" + u[16:20] + "-" + u[20:]
	}
	return ""
}
