package gateway

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// Health is a check that asks an application by itself, whether or not there are requests for it.
type Health struct {
	// Path is what is asked for; an answer below 400 is good. Default: none, nothing is asked.
	Path string
	// Every is the time between two questions. Default: 5s.
	Every time.Duration
	// Timeout bounds an answer. Default: 2s.
	Timeout time.Duration
	// Down is how many bad answers one after another make the application down, Up how many good ones bring it back.
	// Default: 3 and 2.
	Down, Up int
}

// checked is what the check knows. An application that is not checked is up.
type checked struct {
	Health
	side   Side
	every  time.Duration
	client *http.Client
	url    string
	log    *slog.Logger
	down   atomic.Bool
	row    int // answers of one kind one after another: good above zero, bad below
}

func newChecked(a *app, h Health, log *slog.Logger) *checked {
	h.Down, h.Up = orDefault(h.Down, 3), orDefault(h.Up, 2)
	return &checked{Health: h, side: a.side, every: orDefault(h.Every, 5*time.Second), url: a.url.Scheme + "://" + a.url.Host + h.Path, log: log,
		client: &http.Client{
			// A connection of its own each time: a process that no longer accepts any is down.
			Transport:     &http.Transport{DisableKeepAlives: true},
			Timeout:       orDefault(h.Timeout, 2*time.Second),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
}

func (c *checked) up() bool { return !c.down.Load() }

// run asks until ctx ends.
func (c *checked) run(ctx context.Context) {
	if c.Path == "" {
		return
	}
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		c.heard(c.ask(ctx))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (c *checked) ask(ctx context.Context) (good bool, why string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return false, err.Error()
	}
	r.Header.Set("User-Agent", "replank-health")
	res, err := c.client.Do(r)
	if err != nil {
		return ctx.Err() != nil, err.Error() // the end of the gateway says nothing
	}
	defer res.Body.Close()
	io.CopyN(io.Discard, res.Body, mostDiscarded)
	return res.StatusCode < 400, res.Status
}

// heard counts an answer.
func (c *checked) heard(good bool, why string) {
	switch {
	case good && c.row < 0, !good && c.row > 0:
		c.row = 0
	}
	if good {
		c.row++
	} else {
		c.row--
	}
	switch {
	case c.row >= c.Up && c.down.CompareAndSwap(true, false):
		c.log.Warn("health check: the application is up again", "app", c.side)
	case -c.row >= c.Down && c.down.CompareAndSwap(false, true):
		c.log.Error("health check: the application is down", "app", c.side, "url", c.url, "answer", why)
	}
}
