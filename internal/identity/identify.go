package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Who sends a request. The zero Who is nobody.
type Who struct {
	Subject string   // the user's id in the shared table, as text
	Session string   // names the login; it is not the session's secret
	Source  string   // the kind of source that proved it
	Roles   []string // of the configured query
	Tenant  string   // of the configured query
	// Ended: nobody, because the session that the request shows was revoked.
	Ended bool

	found  time.Time // by the database's clock: what has happened since is not known
	tokens *tokens
}

// Nobody says that nobody is logged in.
func (w Who) Nobody() bool { return w.Subject == "" }

func (w Who) same(o Who) bool {
	return w.Subject == o.Subject && w.Session == o.Session && w.Source == o.Source && w.Tenant == o.Tenant &&
		slices.Equal(w.Roles, o.Roles)
}

// claimsFor is how long roles and tenant are believed.
const claimsFor = 5 * time.Second

// finding is what was found out about a set of credentials.
type finding struct {
	Who
	at     time.Time // when it began to be found out
	claims time.Time // when roles and tenant were asked for
}

// shown is what a request shows to one source.
type shown struct {
	source     verifier
	credential string
}

// Identify finds out who sends a request. An error says that it could not be found out: then the request belongs to
// nobody's and to somebody's session as far as we know, and must not be handed on (503).
func (a *Authority) Identify(ctx context.Context, r *http.Request) (Who, error) {
	var all []shown
	sum := sha256.New()
	for _, s := range a.sources {
		c := s.credential(r)
		if c != "" {
			all = append(all, shown{s, c})
		}
		// The end of each is marked by a byte that stands in no header.
		sum.Write([]byte(c))
		sum.Write([]byte{0})
	}
	if len(all) == 0 {
		return Who{}, nil
	}
	key := fingerprint(sum.Sum(nil))
	for range 3 {
		old, fresh := a.known.get(key)
		if fresh {
			return old.Who, nil
		}
		// Requests of one session wait for one answer. It is found out for all of them, so one that goes away does not end it.
		answers := a.flight.DoChan(string(key[:]), func() (any, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.Timeout)
			defer cancel()
			f, err := a.find(ctx, all, old)
			if err == nil {
				a.known.put(key, f)
			}
			return f, err
		})
		select {
		case answer := <-answers:
			if answer.Err != nil {
				return Who{}, unknown(answer.Err)
			}
			// A session may have been revoked after it was asked about and before the answer: then it is asked again.
			if f := answer.Val.(finding); a.known.holds(f) {
				return f.Who, nil
			}
		case <-ctx.Done():
			return Who{}, ctx.Err()
		}
	}
	return Who{}, unknown(errors.New("its session was revoked again and again meanwhile"))
}

func unknown(err error) error {
	return &Error{Op: "find out who sends a request", Err: err, Note: "answer 503: whoever it is may be logged in"}
}

// find asks the sources in their order.
func (a *Authority) find(ctx context.Context, all []shown, old finding) (finding, error) {
	f, found := finding{at: time.Now()}, a.now()
	sawEnded := false
	for _, s := range all {
		p, err := s.source.verify(ctx, s.credential)
		var subject string
		if err == nil {
			subject, err = a.users.find(ctx, p)
		}
		if err == nil {
			var is bool
			if is, err = a.revoked(ctx, p, subject); is {
				err = ended
			}
		}
		if refused(err) {
			sawEnded = sawEnded || err == error(ended)
			a.cfg.Logger.Debug("a session proves nobody", "source", s.source.kind(), "reason", err)
			continue
		}
		if err != nil {
			return f, err
		}
		f.Who = Who{Subject: subject, Session: p.sid, Source: s.source.kind(), found: found, tokens: new(tokens)}
		break
	}
	if f.Nobody() {
		f.Ended = sawEnded
		return f, nil
	}
	if old.Subject == f.Subject && f.at.Sub(old.claims) < claimsFor {
		f.Roles, f.Tenant, f.claims = old.Roles, old.Tenant, old.claims
	} else {
		var err error
		if f.Roles, f.Tenant, err = a.users.claims(ctx, f.Subject); err != nil {
			return f, err
		}
		f.claims = f.at
	}
	if old.same(f.Who) {
		f.tokens = old.tokens // still true, so they may be used on
	}
	return f, nil
}

type fingerprint [sha256.Size]byte

// half bounds what is remembered: two times this many findings.
const half = 1 << 15

// known remembers findings for a moment. Those of the last generation are given up together when the present one is full
// or has got old, which needs no bookkeeping on the way of a request.
type known struct {
	recheck time.Duration
	mu      sync.Mutex
	present map[fingerprint]finding
	last    map[fingerprint]finding
	turned  time.Time
	// What was revoked in the last moments: what was found out before is not believed.
	revoked map[string]time.Time
	all     time.Time // everything found out before is not believed
}

func newKnown(recheck time.Duration) *known {
	return &known{recheck: recheck, present: map[fingerprint]finding{}, revoked: map[string]time.Time{}, turned: time.Now()}
}

// get returns what is known, and whether it may still be believed. What may not is good for comparing.
func (k *known) get(key fingerprint) (finding, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f, ok := k.present[key]
	if !ok {
		if f, ok = k.last[key]; !ok {
			return finding{}, false
		}
	}
	// time.Now has the monotonic clock in it: a step of the clock makes nothing younger.
	return f, time.Since(f.at) < k.recheck && k.stands(f)
}

// holds says whether nothing was revoked since that a finding says.
func (k *known) holds(f finding) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stands(f)
}

func (k *known) stands(f finding) bool {
	return f.at.After(k.all) && !k.revoked["sid:"+f.Session].After(f.at) && !k.revoked["sub:"+f.Subject].After(f.at)
}

func (k *known) put(key fingerprint, f finding) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); len(k.present) >= half || now.Sub(k.turned) > maxLife/2 {
		k.last, k.present, k.turned = k.present, make(map[fingerprint]finding), now
		for name, at := range k.revoked {
			if now.Sub(at) > 2*time.Second { // nothing from before it is believed any longer
				delete(k.revoked, name)
			}
		}
	}
	k.present[key] = f
}

// revoke makes everything that was found out about a session or a subject until now be asked again.
func (k *known) revoke(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.revoked[name] = time.Now()
	if len(k.revoked) > half {
		k.forget()
	}
}

// distrust makes everything be asked again.
func (k *known) distrust() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget()
}

func (k *known) forget() {
	k.all = time.Now()
	clear(k.revoked)
}
