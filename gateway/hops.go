package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"hash"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A hop token goes with each request to an application. The application's companion sends it along with the requests that
// the application makes meanwhile, so that the gateway knows whom such a request comes from, and what it has passed.
//
// It gives no right: a request that shows one is refused where the same request without it might not be. (Where a tenant
// is just being fenced it passes a little longer: admit.) So it is enough that gateways recognise their own, and a token may
// live for longer than one that says who somebody is.
const (
	headerHop   = "Replank-Hop"    // to both applications, and from them with their own requests
	headerHopBy = "Replank-Hop-By" // from them: which of the two sends it
)

// hopLife is how long a token is good: longer than an application may take for an answer.
const hopLife = 10 * time.Minute

// mostPassed bounds a chain of requests; the next one counts as a loop.
const mostPassed = 16

// hop is what a token says.
type hop struct {
	ID      string   `json:"id"`     // of the whole chain
	Expires int64    `json:"exp"`    // Unix time
	Side    Side     `json:"side"`   // who serves the request
	Route   string   `json:"route"`  // its template; "": nobody knows
	Passed  []string `json:"passed"` // the requests of the chain until here, as passage writes them
}

// passage names a request on its way. A query does not tell requests apart.
func passage(to Side, r *http.Request) string {
	sum := sha256.Sum256([]byte(r.Method + " " + r.URL.EscapedPath()))
	return string(to) + ":" + base64.RawURLEncoding.EncodeToString(sum[:9])
}

// unseen is the passage of a request that did not come through a gateway.
func unseen(to Side) string { return string(to) + ":" }

// loops reports whether a request goes round: to an application that was left before, or as the same request to the
// application that sends it.
func (h *hop) loops(to Side, as string) bool {
	if len(h.Passed) >= mostPassed {
		return true
	}
	if to == h.Side {
		return slices.Contains(h.Passed, as)
	}
	return slices.ContainsFunc(h.Passed, func(p string) bool { return strings.HasPrefix(p, unseen(to)) })
}

// from reports whether an application sends the request; nil is no application's.
func (h *hop) from(side Side) bool { return h != nil && h.Side == side }

// hops makes and recognises tokens.
type hops struct{ macs sync.Pool }

func newHops(secret []byte) *hops {
	if len(secret) == 0 {
		secret = make([]byte, 32)
		rand.Read(secret)
	}
	return &hops{sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
}

// chainOf names the chain that a request belongs to.
func chainOf(came *hop) string {
	if came == nil || came.ID == "" {
		return rand.Text()
	}
	return came.ID
}

// mark tells an application of its place in a chain; before is nil where the chain begins.
func (s *hops) mark(out *http.Request, before *hop, chain, route string, to Side) {
	h := hop{ID: chain, Expires: time.Now().Add(hopLife).Unix(), Side: to, Route: route}
	if before != nil {
		h.Passed = before.Passed
	}
	h.Passed = append(slices.Clip(h.Passed), passage(to, out))
	out.Header[headerHop] = []string{s.sign(h)}
}

var hopText = base64.RawURLEncoding

func (s *hops) sign(h hop) string {
	text, err := json.Marshal(h)
	if err != nil {
		panic(err) // texts and a number
	}
	claims := hopText.EncodeToString(text)
	return claims + "." + hopText.EncodeToString(s.sum(claims))
}

func (s *hops) sum(claims string) []byte {
	mac := s.macs.Get().(hash.Hash)
	defer s.macs.Put(mac)
	mac.Reset()
	mac.Write([]byte(claims))
	return mac.Sum(nil)
}

// read returns what a request's token says, nil if it shows none that is good.
func (s *hops) read(header http.Header) *hop {
	values := header[headerHop]
	if len(values) == 0 {
		return nil
	}
	token, _, _ := strings.Cut(values[0], ",") // by hand and by a hook: it may be there twice, and be folded
	claims, sum, _ := strings.Cut(strings.TrimSpace(token), ".")
	given, err := hopText.DecodeString(sum)
	if err != nil || !hmac.Equal(given, s.sum(claims)) {
		return nil
	}
	// From here on it is one of ours.
	text, err := hopText.DecodeString(claims)
	var h hop
	if err != nil || json.Unmarshal(text, &h) != nil || h.Expires <= time.Now().Unix() {
		return nil
	}
	// An application that got a token from the other one, and not from a gateway, says so.
	if by := Side(header.Get(headerHopBy)); by != h.Side && (by == Modern || by == Legacy) {
		h.Passed, h.Side, h.Route = append(h.Passed, unseen(by)), by, ""
	}
	return &h
}
