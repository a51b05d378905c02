package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
)

// Django believes in the sessions of a Django project: those of django.contrib.sessions in the shared database (backends
// db and cached_db), or in signed cookies. Other backends are asked for by [Introspect].
type Django struct {
	// Secrets are SECRET_KEY and after it SECRET_KEY_FALLBACKS. Default: none, one has to be given.
	Secrets []string
	// SignedCookies: the project uses the backend signed_cookies. Default: false, sessions are rows.
	SignedCookies bool
	// Cookie is SESSION_COOKIE_NAME. Default: "sessionid".
	Cookie string
	// Table holds the sessions, as SQL names it. Default: "django_session".
	Table string
	// MaxAge is SESSION_COOKIE_AGE. Default: 14 days.
	MaxAge time.Duration
	// Column of the users' table that holds what sessions call a user. Default: the one of the subject.
	Column string
}

func (d Django) kind() string { return "django" }

func (d Django) longest() time.Duration { return d.withDefaults().MaxAge }

func (d Django) check() error {
	if blank(d.Secrets) {
		return errors.New("no SECRET_KEY is given, or an empty one")
	}
	return nil
}

func (d Django) withDefaults() Django {
	if d.Cookie == "" {
		d.Cookie = "sessionid"
	}
	if d.Table == "" {
		d.Table = "django_session"
	}
	if d.MaxAge == 0 {
		d.MaxAge = 14 * 24 * time.Hour
	}
	return d
}

const (
	djangoUser = "_auth_user_id"
	djangoHash = "_auth_user_hash"
)

func (d Django) open(ctx context.Context, a *Authority) (verifier, error) {
	v := &djangoSessions{Django: d.withDefaults(), a: a}
	if err := a.users.needs(ctx, d.Column); err != nil {
		return nil, err
	}
	if !a.users.passwords {
		return nil, &Error{Op: "look at " + a.users.Table, Err: fmt.Errorf("it has no column %q", a.users.Password),
			Note: "name the column of the passwords: Django's sessions end when it changes"}
	}
	if d.SignedCookies {
		return v, nil
	}
	table, err := relation(ctx, a.shared, v.Table)
	if err != nil {
		return nil, err
	}
	v.sql = "SELECT session_data FROM " + table + " WHERE session_key = $1 AND expire_date > clock_timestamp()"
	return v, nil
}

type djangoSessions struct {
	Django
	a   *Authority
	sql string
}

func (v *djangoSessions) close() {}

func (v *djangoSessions) credential(r *http.Request) string { return cookie(r, v.Cookie, true) }

func (v *djangoSessions) verify(ctx context.Context, credential string) (proof, error) {
	var (
		data map[string]json.RawMessage
		at   time.Time
		err  error
	)
	if v.SignedCookies {
		data, at, err = unsignDjango(credential, "django.contrib.sessions.backends.signed_cookies", v.Secrets)
		if err == nil && at.Add(v.MaxAge).Before(v.a.now()) {
			err = refusal("it has expired")
		}
	} else {
		data, at, err = v.row(ctx, credential) // at: when it was saved for the last time
	}
	if err != nil {
		return proof{}, err
	}
	// A signed cookie has no name of its own: all of one user with one password share one, told apart by their time.
	name, hash := credential, text(data[djangoHash])
	if v.SignedCookies {
		name = text(data[djangoUser]) + "\x00" + hash
	}
	p, err := read(data, djangoUser, name, !v.SignedCookies, at)
	p.column = v.Column
	// A session without a hash is one of a user model without passwords; with a password in the table it proves nothing.
	p.matches = func(password string) bool { return hash != "" && v.matches(password, hash) }
	return p, err
}

func (v *djangoSessions) row(ctx context.Context, key string) (map[string]json.RawMessage, time.Time, error) {
	if !sessionKey(key) {
		return nil, time.Time{}, refusal("it is no session key")
	}
	var data string
	err := v.a.shared.QueryRow(ctx, v.sql, key).Scan(&data)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, time.Time{}, refusal("there is no such session, or it has expired")
	case err != nil:
		return nil, time.Time{}, fmt.Errorf("read a session from %s: %w", v.Table, err)
	}
	session, at, err := unsignDjango(data, "django.contrib.sessions.SessionStore", v.Secrets)
	if err != nil {
		// Nobody outside wrote this row.
		v.a.cfg.Logger.Warn("a session in the database cannot be read", "table", v.Table, "reason", err,
			"hint", "are SECRET_KEY and SECRET_KEY_FALLBACKS those of the application?")
	}
	return session, at, err
}

// matches compares as AbstractBaseUser.get_session_auth_hash and its fallbacks do.
func (v *djangoSessions) matches(password, hash string) bool {
	want, err := hex.DecodeString(hash)
	if err != nil {
		return false
	}
	good := false
	for _, secret := range v.Secrets {
		key := sha256.Sum256([]byte("django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash" + secret))
		h := hmac.New(sha256.New, key[:])
		h.Write([]byte(password))
		good = hmac.Equal(want, h.Sum(nil)) || good
	}
	return good
}

// sessionKey says whether Django may have made a key: the column has 40 places.
func sessionKey(key string) bool {
	if len(key) < 8 || len(key) > 40 {
		return false
	}
	for _, c := range []byte(key) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
