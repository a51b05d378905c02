package identity

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// Bearer believes in JSON web tokens of an issuer, sent as Authorization: Bearer.
type Bearer struct {
	// Issuer that must be in iss. Default: none, it has to be given.
	Issuer string
	// Audience that must be in aud. Default: none, it has to be given.
	Audience string
	// Algorithms that are accepted, whatever a token says. Default: none, at least one has to be given.
	Algorithms []string
	// JWKS is the URL of the issuer's keys. Default: none; JWKS, Key or Secret has to be given.
	JWKS string
	// Key is the issuer's public key. Default: none.
	Key crypto.PublicKey
	// Secret is shared with the issuer, for HS256 and its like. Default: none.
	Secret []byte
	// Leeway for clocks that differ. Default: 30s.
	Leeway time.Duration
	// Claim that names the user. Default: "sub".
	Claim string
	// Column of the users' table that holds what tokens call a user. Default: the one of the subject.
	Column string
}

func (b Bearer) kind() string { return "bearer" }

func (b Bearer) longest() time.Duration { return 0 }

func (b Bearer) check() error {
	var wrong []error
	if b.Issuer == "" || b.Audience == "" {
		wrong = append(wrong, errors.New("issuer and audience have to be given: a token for somebody else would be good here"))
	}
	given := 0
	for _, is := range []bool{b.JWKS != "", b.Key != nil, len(b.Secret) > 0} {
		if is {
			given++
		}
	}
	if given != 1 {
		wrong = append(wrong, errors.New("give one of JWKS, key and secret"))
	}
	if len(b.Secret) > 0 && len(b.Secret) < 32 {
		wrong = append(wrong, errors.New("the secret is shorter than 32 bytes: it can be guessed"))
	}
	if u, err := url.Parse(b.JWKS); b.JWKS != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
		wrong = append(wrong, errors.New("JWKS is no http URL"))
	}
	if len(b.Algorithms) == 0 {
		wrong = append(wrong, errors.New("no algorithm is given"))
	}
	for _, alg := range b.Algorithms {
		// A public key must never be taken for a shared secret, so the two kinds of algorithms are kept apart here already.
		if jwt.GetSigningMethod(alg) == nil || alg == "none" || strings.HasPrefix(alg, "HS") != (len(b.Secret) > 0) {
			wrong = append(wrong, fmt.Errorf("algorithm %q is not one for such a key", alg))
		}
	}
	return errors.Join(wrong...)
}

func (b Bearer) open(ctx context.Context, a *Authority) (verifier, error) {
	if err := a.users.needs(ctx, b.Column); err != nil {
		return nil, err
	}
	if b.Leeway == 0 {
		b.Leeway = 30 * time.Second
	}
	if b.Claim == "" {
		b.Claim = "sub"
	}
	v := &bearerTokens{Bearer: b, stop: func() {}, parser: jwt.NewParser(
		jwt.WithValidMethods(b.Algorithms), jwt.WithIssuer(b.Issuer), jwt.WithAudience(b.Audience),
		jwt.WithExpirationRequired(), jwt.WithLeeway(b.Leeway), jwt.WithTimeFunc(a.now), jwt.WithJSONNumber())}
	switch {
	case b.Key != nil:
		v.key = func(*jwt.Token) (any, error) { return b.Key, nil }
	case len(b.Secret) > 0:
		v.key = func(*jwt.Token) (any, error) { return b.Secret, nil }
	default:
		// The keys' life is the authority's, not that of the call that opens it.
		life, stop := context.WithCancel(context.WithoutCancel(ctx))
		v.stop = stop
		late := true
		keys, err := keyfunc.NewDefaultOverrideCtx(life, []string{b.JWKS}, keyfunc.Override{
			Client: a.cfg.Client, HTTPTimeout: a.cfg.Timeout, RefreshInterval: 5 * time.Minute,
			NoErrorReturnFirstHTTPReq: &late,
			// Unknown kids cost the issuer at most a question every ten seconds, and us no waiting.
			RefreshUnknownKID: rate.NewLimiter(rate.Every(10*time.Second), 1), RateLimitWaitMax: time.Millisecond,
			RefreshErrorHandlerFunc: func(u string) func(context.Context, error) {
				return func(_ context.Context, err error) {
					a.cfg.Logger.Warn("the keys of the issuer cannot be read", "url", u, "error", err)
				}
			},
		})
		if err != nil {
			stop()
			return nil, fmt.Errorf("read the keys at %s: %w", b.JWKS, err)
		}
		v.key = keys.Keyfunc
	}
	return v, nil
}

type bearerTokens struct {
	Bearer
	parser *jwt.Parser
	key    jwt.Keyfunc
	stop   func()
}

func (v *bearerTokens) close() { v.stop() }

func (v *bearerTokens) credential(r *http.Request) string {
	values := r.Header.Values("Authorization")
	if len(values) != 1 || len(values[0]) > maxCookie {
		return ""
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "bearer") || strings.Count(token, ".") != 2 {
		return "" // an opaque token is the application's own affair
	}
	return strings.TrimSpace(token)
}

func (v *bearerTokens) verify(_ context.Context, credential string) (proof, error) {
	claims := jwt.MapClaims{}
	if _, err := v.parser.ParseWithClaims(credential, claims, v.key); err != nil {
		return proof{}, refusal(err.Error())
	}
	p := proof{column: v.Column, user: claim(claims, v.Claim), sid: claim(claims, "sid")}
	if p.user == "" || len(p.user) > maxUser {
		return proof{}, refusal("it names nobody")
	}
	if p.sid == "" {
		p.sid, p.unique = digest(credential), true
	} else {
		p.sid = digest(v.Issuer + "\x00" + p.sid) // not to be mixed up with a session of ours
		p.unique = true
	}
	if at, err := claims.GetIssuedAt(); err == nil && at != nil {
		p.started = at.Add(-skew)
	}
	return p, nil
}

func claim(claims jwt.MapClaims, name string) string {
	switch v := claims[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}
