package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/replank/replank/internal/decisions"
)

// writeEvery is how often counts are added to those in the database: what is counted meanwhile is lost when the gateway
// is killed.
const writeEvery = 10 * time.Second

// traffic counts who answers what.
type traffic struct {
	mu     sync.Mutex
	counts map[called]*[2]int64 // requests, errors
}

// called is what is counted together.
type called struct {
	day        time.Time
	template   string
	method     string
	answeredBy string
}

// methods that are counted by their name: clients may send any other.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

func countedMethod(method string) string {
	if method = strings.ToUpper(method); slices.Contains(methods, method) {
		return method
	}
	return "other"
}

func (t *traffic) count(template, method string, by Side, status int) {
	c := called{today(), template, countedMethod(method), string(by)}
	if by == "" {
		c.answeredBy = "nobody"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.counts[c]
	if n == nil {
		if t.counts == nil {
			t.counts = map[called]*[2]int64{}
		}
		n = new([2]int64)
		t.counts[c] = n
	}
	n[0]++
	if status >= http.StatusInternalServerError {
		n[1]++
	}
}

// today is the day that is counted for.
func today() time.Time { return time.Now().UTC().Truncate(24 * time.Hour) }

// take returns what was counted, and begins anew.
func (t *traffic) take() []decisions.Count {
	t.mu.Lock()
	counts := t.counts
	t.counts = nil
	t.mu.Unlock()
	list := make([]decisions.Count, 0, len(counts))
	for c, n := range counts {
		list = append(list, decisions.Count{Day: c.day, Template: c.template, Method: c.method, AnsweredBy: c.answeredBy, Requests: n[0], Errors: n[1]})
	}
	return list
}

// give puts counts back that could not be written.
func (t *traffic) give(list []decisions.Count) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[called]*[2]int64{}
	}
	for _, c := range list {
		k := called{c.Day, c.Template, c.Method, c.AnsweredBy}
		n := t.counts[k]
		if n == nil {
			n = new([2]int64)
			t.counts[k] = n
		}
		n[0] += c.Requests
		n[1] += c.Errors
	}
}

// write writes down now and then, and at the end, what was counted and compared.
func (g *Gateway) write(ctx context.Context, compared <-chan struct{}) {
	ticks := time.NewTicker(writeEvery)
	defer ticks.Stop()
	for ended := false; !ended; {
		select {
		case <-compared: // nothing is compared any more, because ctx has ended
			ended = true
		case <-ticks.C:
		}
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		g.demote(bound)
		err := g.writeTraffic(bound)
		if err != nil && ended {
			// The last chance. The connection may have broken long ago: this one is made anew.
			err = g.writeTraffic(bound)
		}
		if err != nil {
			g.log.Warn("who has answered how often could not be written down; it is counted on", "error", err)
		}
		wrong := g.wrongWays.take()
		if err := g.cfg.Decisions.AddWrongWays(bound, wrong); err != nil {
			g.wrongWays.give(wrong)
			g.log.Warn("requests in the wrong direction could not be written down; they are counted on", "error", err)
		}
		found, samples := g.shadow.take()
		if err := g.cfg.Decisions.AddShadow(bound, found, samples); err != nil {
			g.log.Warn("what comparing answers has found could not be written down, and is lost", "error", err)
		}
		cancel()
	}
}

func (g *Gateway) writeTraffic(ctx context.Context) error {
	list := g.traffic.take()
	err := g.cfg.Decisions.Add(ctx, list)
	if err != nil {
		g.traffic.give(list)
	}
	return err
}
