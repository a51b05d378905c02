package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// guardFor is how long a check holds that nothing stays of what shadow requests write.
const guardFor = time.Minute

// The ways in which the companion says that it has guarded a shadow request.
const (
	guardReadOnly = "read-only"   // it could not write
	guardRefused  = "refused"     // it wanted to, and the server refused
	guardUndone   = "rolled-back" // it could, and all was taken back
)

// errRefusedWrite is a shadow request that wanted to write.
var errRefusedWrite = errors.New("the modern application wanted to write, and its database refused")

// guard knows whether the modern application's shadow requests leave nothing behind.
type guard struct {
	app *app

	mu   sync.Mutex
	err  error
	at   time.Time // of the last check; zero: none
	told bool      // that it does not hold
}

// stands asks the companion, which tries to write, where that was not done within a minute.
func (g *guard) stands(ctx context.Context, say func(error)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.at.IsZero() || time.Since(g.at) > guardFor {
		g.err, g.at = g.app.leavesNothing(ctx), time.Now()
		if ctx.Err() != nil {
			g.at = time.Time{} // nobody knows
		}
		if g.err != nil && !g.told {
			say(g.err)
		}
		g.told = g.err != nil
	}
	return g.err
}

// heard judges an answer: each says how it was guarded. One that does not is the last.
func (g *guard) heard(h http.Header, writes bool) error {
	switch said := h.Get(headerGuard); {
	case said == guardReadOnly && !writes, said == guardUndone && writes:
		return nil
	case said == guardRefused && !writes:
		return errRefusedWrite
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at = time.Time{}
	return errors.New("the modern application does not say that nothing stays of this request")
}

// leavesNothing lets the companion write as a shadow request would.
func (a *app) leavesNothing(ctx context.Context) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url.Scheme+"://"+a.url.Host+ownPrefix+"/shadow", nil)
	if err != nil {
		return err
	}
	res, err := a.RoundTrip(q)
	if err != nil {
		return fmt.Errorf("ask what stays of shadow requests: %w", err)
	}
	discard(res)
	if res.StatusCode != http.StatusNoContent || res.Header.Get(headerGuard) != guardRefused {
		return fmt.Errorf("%s answers %s/shadow with %s: shadow requests could write there, and are not sent; put replank.django.shadow.ReadOnly behind replank.django.middleware.Gateway in MIDDLEWARE",
			a.url.Host, ownPrefix, res.Status)
	}
	return nil
}
