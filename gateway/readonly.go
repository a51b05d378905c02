package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// guardFor is how long a check holds that shadow requests cannot write.
const guardFor = time.Minute

// errRefusedWrite is a shadow request that wanted to write.
var errRefusedWrite = errors.New("the modern application wanted to write, and its database refused")

// guard knows whether the modern application's shadow requests run in transactions that cannot write.
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
		g.err, g.at = g.app.cannotWrite(ctx), time.Now()
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

// heard judges an answer: each says whether it came from such a transaction. One that does not is the last.
func (g *guard) heard(h http.Header) error {
	switch h.Get(headerReadOnly) {
	case "on":
		return nil
	case "refused":
		return errRefusedWrite
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at = time.Time{}
	return errors.New("the modern application does not say that this request could not write")
}

// cannotWrite lets the companion try to write as a shadow request would.
func (a *app) cannotWrite(ctx context.Context) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url.Scheme+"://"+a.url.Host+ownPrefix+"/shadow", nil)
	if err != nil {
		return err
	}
	res, err := a.RoundTrip(q)
	if err != nil {
		return fmt.Errorf("ask whether shadow requests can write: %w", err)
	}
	discard(res)
	if res.StatusCode != http.StatusNoContent || res.Header.Get(headerReadOnly) != "refused" {
		return fmt.Errorf("%s answers %s/shadow with %s: shadow requests could write there, and are not sent; put replank.django.shadow.ReadOnly behind replank.django.middleware.Gateway in MIDDLEWARE",
			a.url.Host, ownPrefix, res.Status)
	}
	return nil
}
