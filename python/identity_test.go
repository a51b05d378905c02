package python_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/replank/replank/internal/identity"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/internal/pyenv"
)

// TestIdentity: a real Django and a real Flask application behind a gateway have one identity.
func TestIdentity(t *testing.T) {
	pgtest.Share(t, 2)
	t.Parallel()
	for _, e := range environments(t) {
		t.Run(e.Name, func(t *testing.T) { t.Parallel(); identities(t, e) })
	}
}

func identities(t *testing.T, e pyenv.Environment) {
	template := twinsDB(t, e)
	for _, c := range []struct {
		name   string
		change func(*identity.Config)
		env    []string
	}{
		{name: "required"},
		{name: "optional", env: []string{"MODE=optional"}},
		{name: "signed cookies and no Flask-Login", env: []string{"MODERN_SESSIONS=signed_cookies", "LEGACY_PLAIN=1"}, change: func(cfg *identity.Config) {
			cfg.Sources[0] = identity.Django{Secrets: []string{modernSecret}, SignedCookies: true}
			cfg.Sources[1] = identity.Flask{Secrets: []string{legacySecret}, Key: "uid"}
		}},
		{name: "introspection", change: func(cfg *identity.Config) {
			cfg.Sources[0] = identity.Introspect{URL: "http://modern/any", Cookies: []string{"sessionid"}}
			cfg.Sources[1] = identity.Introspect{URL: "http://legacy/any", Cookies: []string{"session"}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := startTwins(t, e, template, c.change, c.env...)
			if c.name == "required" {
				// First: a session that has only its application's time counts as 5 s older, so one that is made soon after
				// users has ended all of alice's sessions is ended as well.
				t.Run("unmarked", w.sub((*twins).unmarked))
			}
			t.Run("login", w.sub((*twins).login))
			t.Run("logout", w.sub((*twins).logout))
			t.Run("again", w.sub((*twins).again))
			t.Run("users", w.sub((*twins).users))
			t.Run("tampered", w.sub((*twins).tampered))
			switch c.name {
			case "required":
				t.Run("spoofed", w.sub((*twins).spoofed))
				t.Run("forged", w.sub((*twins).forged))
				t.Run("gateways", w.sub((*twins).gateways))
				t.Run("direct", w.sub(func(w *twins) { w.direct("") }))
				t.Run("remembered", w.sub((*twins).remembered))
			case "optional":
				t.Run("direct", w.sub(func(w *twins) { w.direct("alice") }))
			}
		})
	}
}

func (w *twins) sub(f func(*twins)) func(*testing.T) {
	return func(t *testing.T) {
		one := *w
		one.T = t
		f(&one)
	}
}

var logins = []string{"/modern/login?user=alice&password=pw", "/legacy/login?user=alice"}

// login: who logs in on one side is logged in on the other, with a session of its own there.
func (w *twins) login() {
	for i, login := range logins {
		b := w.browser()
		b.is("")
		b.get("/modern/cart?cart=m")
		b.get("/legacy/cart?cart=l")
		b.get(login)
		b.is("alice")
		m, l := b.who("modern"), b.who("legacy")
		if m.Session == "" || m.Session != l.Session || m.Local != "41" || l.Local == "" && !strings.Contains(w.Name(), "no_Flask-Login") {
			w.Errorf("after %s: %+v, %+v", login, m, l)
		}
		if m.Cart != "m" || l.Cart != "l" {
			w.Errorf("what a visitor had is lost by %s: %q, %q", login, m.Cart, l.Cart)
		}
		for _, s := range []seen{m, l} {
			if !slices.Equal(s.Roles, []string{"billing", "editors"}) || s.Tenant == nil || *s.Tenant != "acme" {
				w.Errorf("roles %v, tenant %v", s.Roles, s.Tenant)
			}
		}
		// Somebody else logs in on the other side: the last login counts, on both.
		b.get(strings.Replace(logins[1-i], "alice", "bob", 1))
		b.becomes("bob")
		if s := b.who("modern"); s.Session == m.Session || s.Cart == "m" {
			w.Errorf("bob goes on with the session of alice: %+v", s)
		}
		// The same again where the first came from.
		b.get(login)
		b.becomes("alice")
	}
}

// logout: who logs out on one side is logged out on both, and a copy of his cookies does not help.
func (w *twins) logout() {
	for _, login := range logins {
		for _, logout := range []string{"/modern/logout", "/legacy/logout", "/legacy/logout?how=clear", "/legacy/logout?how=flask-login"} {
			if strings.HasSuffix(logout, "flask-login") && strings.Contains(w.Name(), "no_Flask-Login") {
				continue
			}
			b := w.browser()
			b.get(login)
			b.is("alice")
			thief := w.browser()
			thief.set("sessionid", b.cookie("sessionid"))
			thief.set("session", b.cookie("session"))
			thief.is("alice")
			b.get(logout)
			b.becomes("")
			thief.becomes("")
			// And again, now that the applications have answered.
			thief.set("sessionid", b.cookie("sessionid"))
			thief.becomes("")
			b.get(login)
			b.becomes("alice")
			if w.Failed() {
				w.Fatalf("%s, then %s", login, logout)
			}
		}
	}
}

// again: a login on top of another counts at once, also behind a gateway that has not heard of it: what it says is about
// the login before.
func (w *twins) again() {
	deaf, err := identity.Open(w.Context(), w.cfg)
	if err != nil {
		w.Fatal(err)
	}
	defer deaf.Close()
	front := httptest.NewServer(w.through(deaf))
	defer front.Close()
	for _, login := range logins {
		b := w.browser()
		b.base = front.URL
		side := login[1:7]
		for _, user := range []string{"alice", "alice", "bob", "alice"} {
			b.get(strings.Replace(login, "alice", user, 1))
			// Until the gateway looks again, and after it.
			for began := time.Now(); time.Since(began) < 700*time.Millisecond; {
				if s := b.who(side); s.User != user || s.Status != http.StatusOK {
					w.Fatalf("after %s: %+v, want %s", login, s, user)
				}
			}
			b.becomes(user)
		}
	}
}

// users: the shared table decides.
func (w *twins) users() {
	for _, login := range logins {
		b := w.browser()
		b.get(login)
		b.is("alice")
		pgtest.Exec(w, w.dsn, "UPDATE auth_user SET is_active = false WHERE id = 41")
		b.becomes("")
		pgtest.Exec(w, w.dsn, "UPDATE auth_user SET is_active = true WHERE id = 41")
		if s := b.who("modern"); s.Status != http.StatusOK {
			w.Errorf("after all that: %+v", s)
		}
		b.get(login)
		b.becomes("alice")
		// Every session ends.
		if err := w.authority.Revoke(w.Context(), "", "41"); err != nil {
			w.Fatal(err)
		}
		b.becomes("")
		b.get(login)
		b.becomes("alice")
	}
	b := w.browser()
	b.get(logins[0])
	b.is("alice")
	pgtest.Exec(w, w.dsn, "UPDATE auth_user SET password = '"+password("other")+"' WHERE id = 41")
	b.becomes("")
	pgtest.Exec(w, w.dsn, "UPDATE auth_user SET password = '"+password("pw")+"' WHERE id = 41")
}

// tampered: a cookie that was changed proves nothing, wherever it was changed.
func (w *twins) tampered() {
	for i, login := range logins {
		b := w.browser()
		b.get(login)
		name := []string{"sessionid", "session"}[i]
		good := b.cookie(name)
		for _, at := range []int{0, len(good) / 2, len(good) - 2} {
			bad := []byte(good)
			bad[at] ^= 1
			thief := w.browser()
			thief.set(name, string(bad))
			if s := thief.who("modern"); s.User != "" || s.Status != http.StatusOK {
				w.Errorf("%s changed at %d: %+v", name, at, s)
			}
		}
		thief := w.browser()
		thief.set(name, good)
		thief.is("alice")
	}
}

// spoofed: nothing that a client sends is taken for the gateway's word.
func (w *twins) spoofed() {
	b := w.browser()
	b.get(logins[0])
	s := b.who("modern")
	direct := w.browser()
	for _, name := range []string{
		"Replank-Identity", "replank-identity", "REPLANK-IDENTITY", "Replank_Identity", "REPLANK_IDENTITY", "replank.identity", "Replank-Session-Ended",
		"Replank-Session_Ended", "REMOTE_USER", "Remote-User", "X-Forwarded-User", "x_forwarded_user", "X-Remote-User", "-Replank-Identity", "_Replank_Identity",
	} {
		for _, side := range []string{"modern", "legacy"} {
			if got := direct.who(side, name, "x", "Connection", name); got.Status != http.StatusOK || got.User != "" || len(got.Headers) > 0 {
				w.Errorf("%s with %s from outside: %+v", side, name, got)
			}
			// Nor does it harm who is logged in, also when it is named hop by hop.
			if got := b.who(side, name, "x", name, "y", "Connection", "close, "+name); got.User != "alice" || got.Session != s.Session || !slices.Equal(got.Headers, []string{"HTTP_REPLANK_IDENTITY"}) {
				w.Errorf("%s with %s from outside, logged in: %+v", side, name, got)
			}
		}
	}
}

// gateways: every gateway knows of a logout, and so does one that is not notified.
func (w *twins) gateways() {
	deaf, err := identity.Open(w.Context(), w.cfg)
	if err != nil {
		w.Fatal(err)
	}
	defer deaf.Close()
	for _, a := range []*identity.Authority{w.open(), deaf} {
		other := *w
		other.authority, other.front = a, w.through(a)
		b, there := w.browser(), other.browser()
		b.get(logins[1])
		b.is("alice")
		ask := func() identity.Who {
			r, _ := http.NewRequestWithContext(w.Context(), http.MethodGet, there.base, nil)
			for _, name := range []string{"session", "sessionid"} {
				r.AddCookie(&http.Cookie{Name: name, Value: b.cookie(name)})
			}
			who, err := a.Identify(w.Context(), r)
			if err != nil {
				w.Fatal(err)
			}
			return who
		}
		session, copied := b.cookie("session"), b.cookie("sessionid")
		if who := ask(); who.Subject != "41" || who.Source != "flask" {
			w.Fatalf("%+v", who)
		}
		b.get("/modern/logout")
		b.set("session", session)
		b.set("sessionid", copied)
		for {
			who := ask()
			if who.Nobody() {
				if !who.Ended {
					w.Errorf("the applications are not told: %+v", who)
				}
				break
			}
			if w.Context().Err() != nil {
				w.Fatal("the logout is not seen")
			}
		}
	}
}

// direct: a request that goes round the gateway.
func (w *twins) direct(want string) {
	for i, login := range logins {
		b := w.browser()
		b.get(login)
		name, side, app := "sessionid", "modern", w.modern
		if i == 1 {
			name, side, app = "session", "legacy", w.legacy
		}
		d := w.browser()
		d.base = app.String()
		session := b.cookie(name)
		d.set(name, session)
		if got := d.who(side); got.User != want || got.Status != http.StatusOK {
			w.Errorf("%s, asked directly, sees %+v, want %q", side, got, want)
		}
		if session == "" || d.cookie(name) != session {
			w.Errorf("%s has made %q of the session %q", side, d.cookie(name), session)
		}
		// Nobody was logged out by that.
		d.base = w.gateway.URL
		d.is("alice")
		// But by a logout there.
		for _, how := range []string{"", "?how=clear"} {
			b.get(login)
			b.becomes("alice")
			d.base = app.String()
			d.set(name, b.cookie(name))
			d.get("/" + side + "/logout" + how)
			b.becomes("")
		}
	}
}

// remembered: Flask-Login's other cookie does not bring back who logged out on the other side.
func (w *twins) remembered() {
	b := w.browser()
	b.get(logins[1] + "&remember=1")
	b.is("alice")
	if b.cookie("remember_token") == "" {
		w.Fatal("Flask-Login sets no cookie")
	}
	b.get("/modern/logout")
	b.becomes("")
	if c := b.cookie("remember_token"); c != "" {
		w.Errorf("the cookie is still there: %s", c)
	}
	b.is("")
	// While it is there, it logs in, on both sides.
	b.get(logins[1] + "&remember=1")
	b.set("session", "")
	b.set("sessionid", "")
	if s := b.who("legacy"); s.User != "alice" {
		w.Errorf("%+v", s)
	}
	b.is("alice")
}

// unmarked: sessions that were there before the companion go on, and end everywhere.
func (w *twins) unmarked() {
	for name, args := range map[string][]string{"sessionid": {"modern.py", "golden"}, "session": {"legacy.py", "golden", "41"}} {
		var made []struct {
			Cookie string
			Signed bool
		}
		out := mustIn(w.T, filepath.Join("testdata", "twins"), w.env, w.python, append([]string{"-B"}, args...)...)
		if err := json.Unmarshal([]byte(out), &made); err != nil {
			w.Fatal(err)
		}
		logouts := []string{"/modern/logout", "/legacy/logout"}
		for _, m := range made {
			if m.Signed || len(m.Cookie) > 2000 || len(logouts) == 0 {
				continue
			}
			// Sessions of the other kind that share a name end together, so only one of them is tried with each logout.
			b := w.browser()
			b.set(name, m.Cookie)
			if name == "session" && len(logouts) == 1 {
				break
			}
			b.is("alice")
			b.is("alice")
			b.get(logouts[0])
			b.becomes("")
			b.set(name, m.Cookie)
			b.becomes("")
			logouts = logouts[1:]
		}
		if len(logouts) == 2 {
			w.Errorf("no %s was tried", name)
		}
	}
}

// TestIdentityGolden: the gateway reads what the frameworks themselves write, and nothing of another key.
func TestIdentityGolden(t *testing.T) {
	pgtest.Share(t, 2)
	t.Parallel()
	for _, e := range environments(t) {
		t.Run(e.Name, func(t *testing.T) { golden(t, e) })
	}
}

func golden(t *testing.T, e pyenv.Environment) {
	template := twinsDB(t, e)
	dsn := pgtest.DB(t, pgtest.From(template))
	env := append(connection(t, dsn), pythonPath(t), "JWKS=http://127.0.0.1:1/", "MODERN_SECRETS=m", "LEGACY_SECRETS=l")
	dir := filepath.Join("testdata", "twins")
	type session struct {
		Cookie string
		Signed bool
	}
	made := func(sessions string, args ...string) (found []session) {
		out := mustIn(t, dir, append(env, "MODERN_SESSIONS="+sessions), e.Python(t), append([]string{"-B"}, args...)...)
		if err := json.Unmarshal([]byte(out), &found); err != nil || len(found) < 100 {
			t.Fatalf("%v: %.500s", err, out)
		}
		return found
	}
	open := func(sources ...identity.Source) *identity.Authority {
		a, err := identity.Open(t.Context(), identity.Config{Control: dsn, Sources: sources})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Close)
		return a
	}
	compressed := 0
	check := func(a *identity.Authority, cookie, value, want string) {
		t.Helper()
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://x/", nil)
		r.AddCookie(&http.Cookie{Name: cookie, Value: value})
		who, err := a.Identify(t.Context(), r)
		if err != nil || who.Subject != want {
			t.Errorf("%.80s (%d bytes): %+v, %v, want %q", value, len(value), who, err, want)
		}
		if strings.HasPrefix(value, ".") {
			compressed++
		}
	}
	rows := open(identity.Django{Secrets: []string{"other", "m"}})
	cookies := open(identity.Django{Secrets: []string{"m"}, SignedCookies: true})
	strange := open(identity.Django{Secrets: []string{"other"}, SignedCookies: true}, identity.Django{Secrets: []string{"other"}}, identity.Flask{Secrets: []string{"other"}})
	for _, s := range made("db", "modern.py", "golden") {
		if len(s.Cookie) > 16<<10 {
			continue // no browser keeps it
		}
		if s.Signed {
			check(cookies, "sessionid", s.Cookie, "41")
		} else {
			check(rows, "sessionid", s.Cookie, "41")
		}
		check(strange, "sessionid", s.Cookie, "")
	}
	flask := open(identity.Flask{Secrets: []string{"other", "l"}})
	for _, s := range made("db", "legacy.py", "golden", "41") {
		if len(s.Cookie) > 16<<10 {
			continue
		}
		check(flask, "session", s.Cookie, "41")
		check(strange, "session", s.Cookie, "")
	}
	if compressed < 20 {
		t.Errorf("only %d of the cookies are compressed", compressed)
	}
}

// TestIdentityWithoutDatabase: what cannot be found out is an error, not nobody.
func TestIdentityWithoutDatabase(t *testing.T) {
	t.Parallel()
	template := twinsDB(t, lts)
	proxy := make(chan *pgtest.FaultyConn, 1)
	w := startTwins(t, lts, template, func(cfg *identity.Config) {
		p := pgtest.Proxy(t, cfg.Control)
		proxy <- p
		cfg.Control = p.DSN()
	})
	p := <-proxy
	b := w.browser()
	b.get(logins[0])
	b.is("alice")
	p.Refuse(true)
	for b.who("modern").Status == http.StatusOK {
		if t.Context().Err() != nil {
			t.Fatal("the gateway goes on without its database")
		}
	}
	if s := b.who("legacy"); s.Status != http.StatusServiceUnavailable {
		t.Errorf("%+v", s)
	}
	if s := w.browser().who("legacy"); s.Status != http.StatusOK || s.User != "" {
		t.Errorf("a visitor without any session is refused: %+v", s)
	}
	p.Refuse(false)
	for b.who("modern").Status != http.StatusOK {
		if t.Context().Err() != nil {
			t.Fatal("the gateway does not come back")
		}
	}
	b.is("alice")
}

// segment is a part of a token.
func segment(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}
