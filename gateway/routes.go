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
	g    *Gateway
	docs [2]*document

	mu     sync.Mutex // of what follows, and of what each document has; requests read g.table
	chosen []route.Decision
	latest *int64 // their version; nil: none was read
	number int64
}

// source is where an application's routes are read from.
type source interface {
	// read returns all of the document. One at a time calls it.
	read(context.Context) ([]byte, error)
	String() string
}

// file is a source.
type file string

func (f file) read(context.Context) ([]byte, error) { return os.ReadFile(string(f)) }
func (f file) String() string                       { return string(f) }

// document is what an application says of its routes.
type document struct {
	app  route.App
	from source        // nil: nothing is known
	now  chan struct{} // filled when there may be another one

	reading sync.Mutex // of seen and refused
	seen    []byte     // as it was read last, whether it was good or not
	refused error      // what is wrong with it

	used        // under routes.mu
	wrong error // why that is not what the source has now; nil: it is
}

// used is what can be used of a document, and what cannot.
type used struct {
	doc *route.Document // nil: nothing is known
	bad []route.Bad
}

// read returns nil where there is nothing new, good or bad.
func (d *document) read(ctx context.Context) (*used, error) {
	text, err := d.from.read(ctx)
	if err != nil {
		return nil, fmt.Errorf("routes of the %s application: %w", d.app, err)
	}
	if d.seen != nil && bytes.Equal(text, d.seen) {
		return nil, d.refused
	}
	doc, bad, err := route.ReadUsable(text)
	if err != nil {
		err = fmt.Errorf("routes of the %s application, %s: %w", d.app, d.from, err)
	}
	d.seen, d.refused = text, err
	if err != nil {
		return nil, err
	}
	return &used{doc, bad}, nil
}

// start reads all documents for the first time, and says all that is wrong at once. An application that does not say
// its routes may not be there yet: its routes are tried until it does.
func (r *routes) start(ctx context.Context) error {
	var wrong []error
	for _, d := range r.docs {
		if d.from == nil {
			continue
		}
		u, err := d.read(ctx)
		if _, asked := d.from.(*companion); asked && err != nil && !errors.As(err, new(*secretError)) {
			r.g.log.Error("the routes are not known; all of them are tried", "error", err, "hint", hintOf(err))
			d.wrong = err
			continue
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		r.take(d, *u)
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	return r.swap()
}

// look reads a document again, and uses it if it is one. told: the error is the same as the last time.
func (r *routes) look(ctx context.Context, d *document) (told bool, err error) {
	d.reading.Lock()
	defer d.reading.Unlock()
	before := d.refused
	u, err := d.read(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if u != nil {
		last := d.used
		r.take(d, *u)
		if err = r.swap(); err != nil {
			d.used, d.refused = last, err
		}
	}
	// The text of an error may hold a port that is another one each time.
	told = err != nil && d.wrong != nil && d.refused == before
	if err == nil && d.wrong != nil {
		r.g.log.Warn("the routes can be used again", "app", d.app, "from", d.from.String())
	}
	d.wrong = err
	return told, err
}

// mostTold bounds the lines about one document.
const mostTold = 20

// take uses a document from the next swap on, and names the routes that cannot be used.
func (r *routes) take(d *document, u used) {
	d.used = u
	for i, b := range u.bad {
		if i == mostTold {
			r.g.log.Error("more routes cannot be used", "app", d.app, "from", d.from.String(), "routes", len(u.bad)-i)
			break
		}
		r.g.log.Error("a route cannot be used; the paths that may be its own are tried", "app", d.app, "from", d.from.String(), "route", b)
	}
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

// Reload reads the route documents again. One that is none changes nothing: the last good one holds.
func (g *Gateway) Reload() error {
	var wrong []error
	for _, d := range g.routes.docs {
		if d.from != nil {
			_, err := g.routes.look(context.Background(), d)
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}

// watch looks at a document now and then, until ctx ends.
func (r *routes) watch(ctx context.Context, d *document) {
	looks := time.NewTicker(r.g.cfg.Look)
	defer looks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-looks.C:
		case <-d.now:
		}
		if told, err := r.look(ctx, d); err != nil && !told && ctx.Err() == nil {
			r.g.log.Error("the routes cannot be used; the last ones hold", "error", err, "hint", hintOf(err))
		}
	}
}

// hintOf is what an error says about what to do, "" if nothing.
func hintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}

// soon lets watch look at once.
func (d *document) soon() {
	select {
	case d.now <- struct{}{}:
	default: // it will
	}
}

// decided takes the decisions of the database.
func (r *routes) decided(snap decisions.Snapshot) error {
	r.g.wrongWays.allowed.Store(&snap.Allowances)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.latest != nil && *r.latest == snap.Version {
		return nil
	}
	before := r.chosen
	r.chosen = snap.Decisions()
	if err := r.swap(); err != nil {
		r.chosen = before
		return err
	}
	r.latest = &snap.Version
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
	for _, d := range g.routes.docs {
		if d.from != nil {
			done.Go(func() { g.routes.watch(ctx, d) })
		}
	}
	done.Wait()
	<-ctx.Done()
	return ctx.Err()
}
