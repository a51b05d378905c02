package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/replank/replank/internal/identity"
)

// identitySettings say whose sessions the gateway believes: the table [identity] of replank.toml.
type identitySettings struct {
	Sources                        []string
	SharedDB                       string
	SealKeys                       []string
	Users, UsersID, UsersActive    string
	Claims                         string
	DjangoSecrets, FlaskSecrets    []string
	DjangoCookie, FlaskCookie      string
	DjangoSigned                   bool
	BearerIssuer, BearerAudience   string
	BearerAlgorithms               []string
	BearerJWKS                     string
	IntrospectURL, IntrospectToken string
	IntrospectCookies              []string
}

// identitySources are the kinds of sessions.
var identitySources = []string{"django", "flask", "bearer", "introspect"}

// identityOptions may hold secrets, so none of them is a flag: the command line of a process is no secret.
var identityOptions = []option{
	identityList("sources", "where sessions come from, the most trusted first: "+strings.Join(identitySources, ", "), func(s *identitySettings) *[]string { return &s.Sources },
		func(s *settings) bool {
			return !slices.ContainsFunc(s.Identity.Sources, func(n string) bool { return !slices.Contains(identitySources, strings.TrimSpace(n)) })
		}),
	identityText("shared-db", "", "the database with the users and Django's sessions (default: --db)", func(s *identitySettings) *string { return &s.SharedDB }),
	identityList("seal-keys", "keys that encrypt the private keys in the database, 64 hexadecimal digits each; the first seals, all open", func(s *identitySettings) *[]string { return &s.SealKeys }, nil),
	identityText("users", "auth_user", "table of the users that both applications share", func(s *identitySettings) *string { return &s.Users }),
	identityText("users-id", "id", "its column that both applications call a user by", func(s *identitySettings) *string { return &s.UsersID }),
	identityText("users-active", "is_active", "its boolean column; - if there is none", func(s *identitySettings) *string { return &s.UsersActive }),
	identityText("claims", "", "query for the columns roles and tenant; $1 is the user", func(s *identitySettings) *string { return &s.Claims }),
	identityList("django-secrets", "SECRET_KEY and SECRET_KEY_FALLBACKS", func(s *identitySettings) *[]string { return &s.DjangoSecrets }, nil),
	identityText("django-cookie", "sessionid", "SESSION_COOKIE_NAME of Django", func(s *identitySettings) *string { return &s.DjangoCookie }),
	{name: "django-signed-cookies", table: "identity", scope: nowhere, add: func(fs *pflag.FlagSet, s *settings) {
		fs.BoolVar(&s.Identity.DjangoSigned, "django-signed-cookies", false, "Django's sessions are signed cookies, not rows")
	}},
	identityList("flask-secrets", "SECRET_KEY and SECRET_KEY_FALLBACKS of Flask", func(s *identitySettings) *[]string { return &s.FlaskSecrets }, nil),
	identityText("flask-cookie", "session", "SESSION_COOKIE_NAME of Flask", func(s *identitySettings) *string { return &s.FlaskCookie }),
	identityText("bearer-issuer", "", "iss of the tokens that are believed", func(s *identitySettings) *string { return &s.BearerIssuer }),
	identityText("bearer-audience", "", "aud of the tokens that are believed", func(s *identitySettings) *string { return &s.BearerAudience }),
	identityList("bearer-algorithms", "algorithms of the tokens that are believed", func(s *identitySettings) *[]string { return &s.BearerAlgorithms }, nil),
	identityText("bearer-jwks", "", "URL of the issuer's keys", func(s *identitySettings) *string { return &s.BearerJWKS }),
	identityText("introspect-url", "", "address of the application that is asked whose session it is", func(s *identitySettings) *string { return &s.IntrospectURL }),
	identityList("introspect-cookies", "cookies that are sent with the question", func(s *identitySettings) *[]string { return &s.IntrospectCookies }, nil),
	identityText("introspect-secret", "", "sent as a bearer token with the question", func(s *identitySettings) *string { return &s.IntrospectToken }),
}

func identityText(name, otherwise, usage string, to func(*identitySettings) *string) option {
	return option{name: name, table: "identity", scope: nowhere, secret: strings.Contains(name, "secret") || name == "shared-db",
		add: func(fs *pflag.FlagSet, s *settings) { fs.StringVar(to(&s.Identity), name, otherwise, usage) }}
}

func identityList(name, usage string, to func(*identitySettings) *[]string, ok func(*settings) bool) option {
	o := option{name: name, table: "identity", scope: nowhere, secret: name != "sources", ok: ok,
		add: func(fs *pflag.FlagSet, s *settings) { fs.StringSliceVar(to(&s.Identity), name, nil, usage) }}
	if name == "sources" {
		o.want = "any of " + strings.Join(identitySources, ", ")
	}
	return o
}

// config is what package identity wants; false: nobody's session is believed.
func (s *identitySettings) config() (cfg identity.Config, wanted bool, err error) {
	var wrong []error
	for _, name := range s.Sources {
		switch strings.TrimSpace(name) {
		case "django":
			cfg.Sources = append(cfg.Sources, identity.Django{Secrets: s.DjangoSecrets, Cookie: s.DjangoCookie, SignedCookies: s.DjangoSigned})
		case "flask":
			cfg.Sources = append(cfg.Sources, identity.Flask{Secrets: s.FlaskSecrets, Cookie: s.FlaskCookie})
		case "bearer":
			cfg.Sources = append(cfg.Sources, identity.Bearer{Issuer: s.BearerIssuer, Audience: s.BearerAudience, Algorithms: s.BearerAlgorithms, JWKS: s.BearerJWKS})
		case "introspect":
			cfg.Sources = append(cfg.Sources, identity.Introspect{URL: s.IntrospectURL, Cookies: s.IntrospectCookies, Secret: s.IntrospectToken})
		}
	}
	for i, text := range s.SealKeys {
		key, err := hex.DecodeString(strings.TrimSpace(text))
		if err != nil || len(key) != 32 {
			wrong = append(wrong, fmt.Errorf("identity.seal_keys: number %d is not 64 hexadecimal digits", i+1))
			continue
		}
		cfg.SealKeys = append(cfg.SealKeys, key)
	}
	if len(wrong) > 0 {
		return cfg, false, &usageError{err: errors.Join(wrong...), hint: "openssl rand -hex 32 makes one"}
	}
	cfg.Shared = ordinaryURL(s.SharedDB)
	cfg.Users = identity.Users{Table: s.Users, ID: s.UsersID, Active: s.UsersActive, Claims: s.Claims}
	return cfg, len(cfg.Sources) > 0, nil
}
