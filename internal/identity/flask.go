package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Flask believes in the signed cookies of a Flask application, as Flask itself writes them. Sessions that are kept on the
// server (Flask-Session) are asked for by [Introspect].
type Flask struct {
	// Secrets are SECRET_KEY and after it SECRET_KEY_FALLBACKS. Default: none, one has to be given.
	Secrets []string
	// Cookie is SESSION_COOKIE_NAME. Default: "session".
	Cookie string
	// Key of the session that holds the user. Default: "_user_id", that of Flask-Login.
	Key string
	// Salt is that of the application's session interface. Default: "cookie-session".
	Salt string
	// Digest is that of the session interface: "sha1", "sha256" or "sha512". Default: "sha1".
	Digest string
	// MaxAge is PERMANENT_SESSION_LIFETIME. Default: 31 days.
	MaxAge time.Duration
	// Column of the users' table that holds what sessions call a user. Default: the one of the subject.
	Column string
}

func (f Flask) kind() string { return "flask" }

func (f Flask) longest() time.Duration { return f.withDefaults().MaxAge }

func (f Flask) check() error {
	f = f.withDefaults()
	var wrong []error
	if blank(f.Secrets) {
		wrong = append(wrong, errors.New("no SECRET_KEY is given, or an empty one"))
	}
	if digests[f.Digest] == nil {
		wrong = append(wrong, fmt.Errorf("digest %q: want sha1, sha256 or sha512", f.Digest))
	}
	return errors.Join(wrong...)
}

func (f Flask) withDefaults() Flask {
	for field, value := range map[*string]string{
		&f.Cookie: "session", &f.Key: "_user_id", &f.Salt: "cookie-session", &f.Digest: "sha1",
	} {
		if *field == "" {
			*field = value
		}
	}
	if f.MaxAge == 0 {
		f.MaxAge = 31 * 24 * time.Hour
	}
	return f
}

func (f Flask) open(ctx context.Context, a *Authority) (verifier, error) {
	return &flaskSessions{Flask: f.withDefaults(), a: a}, a.users.needs(ctx, f.Column)
}

type flaskSessions struct {
	Flask
	a *Authority
}

func (v *flaskSessions) close() {}

func (v *flaskSessions) credential(r *http.Request) string { return cookie(r, v.Cookie, false) }

func (v *flaskSessions) verify(_ context.Context, credential string) (proof, error) {
	data, at, err := unsignFlask(credential, v.Salt, digests[v.Digest], v.Secrets)
	if err != nil {
		return proof{}, err
	}
	if at.Add(v.MaxAge).Before(v.a.now()) {
		return proof{}, refusal("it has expired")
	}
	// Flask-Login's _id is of the browser, not of the login: such sessions are told apart by their time.
	p, err := read(data, v.Key, text(data[v.Key])+"\x00"+text(data["_id"]), false, at)
	p.column = v.Column
	return p, err
}
