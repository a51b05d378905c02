package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/replank/replank/internal/decisions"
	"github.com/replank/replank/internal/route"
)

// table is what is known about routes at one time. Requests that have begun with it end with it.
type table struct {
	routes *route.Table
	// number is how often the table was changed since the gateway was started: it is in every line of the log.
	number int64
}

// routes keeps the table up to date.
type routes struct {
	g *Gateway

	mu     sync.Mutex // of what follows; requests read g.table
	docs   [2]*document
	chosen []route.Decision
	number int64
}

// document is the file in which an application's routes are.
type document struct {
	app  route.App
	path string
	seen []byte // as it was read last, whether it was good or not
	doc  *route.Document
}

// load reads what has changed. It says all that is wrong at once, and whether there is something new.
func (r *routes) load() (changed bool, err error) {
	var wrong []error
	for _, d := range r.docs {
		if d.path == "" {
			continue
		}
		data, err := os.ReadFile(d.path)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("routes of the %s application: %w", d.app, err))
			continue
		}
		if d.seen != nil && bytes.Equal(data, d.seen) {
			continue
		}
		d.seen = data
		doc, err := route.ReadAny(data)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("routes of the %s application, %s: %w", d.app, d.path, err))
			continue
		}
		d.doc, changed = doc, true
	}
	return changed, errors.Join(wrong...)
}

// swap compiles a table and puts it in the place of the last one. When it cannot be compiled, the last one stays.
func (r *routes) swap() error {
	t, err := route.Compile(route.Config{Modern: r.docs[0].doc, Legacy: r.docs[1].doc, Decisions: r.chosen})
	if err != nil {
		return err
	}
	r.number++
	r.g.table.Store(&table{t, r.number})
	for _, d := range t.Orphans {
		r.g.log.Warn("a decision is about a template that no route has", "app", d.App, "template", d.Template, "phase", d.Phase)
	}
	r.g.log.Info("routes", "table", r.number, "modern", countOf(r.docs[0].doc), "legacy", countOf(r.docs[1].doc), "decisions", len(r.chosen))
	return nil
}

func countOf(d *route.Document) int {
	if d == nil {
		return 0
	}
	return len(d.Routes)
}

// Reload reads the route documents again, and uses them if all of them are good.
func (g *Gateway) Reload() error { return g.routes.reload() }

func (r *routes) reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := [2]*route.Document{r.docs[0].doc, r.docs[1].doc}
	changed, err := r.load()
	if err == nil && changed {
		err = r.swap()
	}
	if err != nil {
		r.docs[0].doc, r.docs[1].doc = before[0], before[1]
	}
	return err
}

// decided takes the decisions of the database.
func (r *routes) decided(snap decisions.Snapshot) error {
	r.g.wrongWays.allowed.Store(&snap.Allowances)
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.chosen
	r.chosen = snap.Decisions()
	if err := r.swap(); err != nil {
		r.chosen = before
		return err
	}
	return nil
}

// Run keeps the table of routes and the placements of tenants up to date, and writes down who answers how often, until ctx ends.
func (g *Gateway) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var done sync.WaitGroup
	if s := g.cfg.Decisions; s != nil {
		done.Go(func() {
			_ = s.Watch(ctx, func(snap decisions.Snapshot) { // it ends with ctx
				if err := g.routes.decided(snap); err != nil {
					g.log.Error("the decisions about routes cannot be used; the last ones hold", "version", snap.Version, "error", err)
				}
			})
		})
		done.Go(func() {
			_ = s.Follow(ctx, decisions.Follower{Name: g.cfg.Name, Tenants: g.tenants.known, Apply: g.tenants.apply, InFlight: g.tenants.inFlight}) // it ends with ctx
		})
		compared := make(chan struct{})
		done.Go(func() { defer close(compared); g.shadow.run(ctx) })
		done.Go(func() { g.write(ctx, compared) })
	}
	if g.cfg.Identity != nil {
		done.Go(func() { _ = g.cfg.Identity.Run(ctx) }) // it ends with ctx
	}
	looks := time.NewTicker(g.cfg.Look)
	defer looks.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-looks.C:
			if err := g.routes.reload(); err != nil {
				g.log.Error("the routes cannot be used; the last ones hold", "error", err)
			}
		}
	}
	done.Wait()
	return ctx.Err()
}
