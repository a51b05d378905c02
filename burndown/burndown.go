// Package burndown says how much of the legacy application is ported: its routes, the traffic and the writes that the
// modern application answers, who owns what is left, what nobody calls, and how it went over the weeks.
//
// New computes a Report from plain values. A route counts as ported when the gateway would let the modern application
// answer it: the same route.Table that answers requests is asked about example paths of each route, so nobody keeps a
// list. The Report is written as text, JSON (docs/burndown.schema.json) and one page of HTML, and a Gate holds it
// against limits.
//
// What is not known is never counted as good or bad: it has a number of its own everywhere.
package burndown

import (
	"errors"
	"fmt"
	"time"

	"github.com/replank/replank/internal/route"
)

// Config is what a Report is made of.
type Config struct {
	// Legacy and Modern are the route documents. Legacy is needed. Default of Modern: nothing is known of its routes.
	Legacy, Modern *route.Document
	// Decisions about templates. Default: none.
	Decisions []Decision
	// CountedSince is the first day of which requests were counted. Default: nothing was counted.
	CountedSince time.Time
	// Counts of requests, in any order; several of the same kind are added. Default: nobody has called.
	Counts []Count
	// HopsSince is the first day since when requests from the legacy to the modern application are noticed. Default: they
	// are not.
	HopsSince time.Time
	// Hops are requests from the legacy application to the modern one. Default: there were none.
	Hops []Hop
	// Touched are the last commits of files, by their path from the folder that the sources of the legacy application's
	// routes are relative to. Default (nil): not known.
	Touched map[string]time.Time
	// Now is the day of the report. Needed.
	Now time.Time
	// Days is how far back calls and commits count. Default: 30.
	Days int
	// Weeks is how many weeks the trend has at most. Default: 26.
	Weeks int
}

// Decision is what people have decided about a template.
type Decision struct {
	App      route.App
	Template string
	// Phase. Default: none was decided.
	Phase route.Phase
	// Owner is who ports the route. Default: nobody.
	Owner string
	// WaivedBecause is why the route will not be ported. Default: it is to be ported.
	WaivedBecause string
	// WaivedUntil is the last day of the waiver. Default: it has no end.
	WaivedUntil time.Time
}

// Count is how many requests of one kind one application has answered on a day.
type Count struct {
	Day    time.Time // its date in UTC counts
	Method string
	// Template of the legacy application's route for the path, where it has one; else of the modern one's; else empty.
	Template string
	By       route.App // or Nobody
	Requests int64
	// Errors are those that were answered with 5xx.
	Errors int64
}

// Nobody is who answers where no application did: the gateway refused, or reached none. Such requests are calls, and
// nobody's share.
const Nobody route.App = "nobody"

// Hop is a caller in the legacy application, and the modern application's route that it has called.
type Hop struct {
	Caller, Template string
	Requests         int64
	Last             time.Time
	// WaivedUntil is the last day on which it is allowed. Default: it is not.
	WaivedUntil time.Time
}

const (
	defaultDays  = 30
	defaultWeeks = 26
)

// New makes the report.
func New(c Config) (*Report, error) {
	if c.Days == 0 {
		c.Days = defaultDays
	}
	if c.Weeks == 0 {
		c.Weeks = defaultWeeks
	}
	var wrong []error
	if c.Legacy == nil {
		wrong = append(wrong, errors.New("there is no route document of the legacy application: write one with python -m replank.flask routes or replank.django routes"))
	}
	if c.Now.IsZero() || c.Days < 1 || c.Weeks < 1 {
		wrong = append(wrong, fmt.Errorf("a report needs a day, and a number of days (%d) and of weeks (%d) above 0", c.Days, c.Weeks))
	}
	for _, n := range c.Counts {
		if n.By != route.Modern && n.By != route.Legacy && n.By != Nobody || n.Requests < 0 || n.Errors < 0 || n.Errors > n.Requests {
			wrong = append(wrong, fmt.Errorf("the count of %s %s on %s: %d requests with %d errors by %q make no sense", n.Method, n.Template, date(n.Day), n.Requests, n.Errors, n.By))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("reporting what is ported: %w", err)
	}
	b := &builder{Config: c, today: day(c.Now)}
	b.from = b.today.AddDate(0, 0, 1-c.Days)
	if !day(c.CountedSince).After(b.today) && !c.CountedSince.IsZero() {
		b.since = day(c.CountedSince)
	}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("reporting what is ported: %w", err)
	}
	return &b.report, nil
}

// day is the start of a day in UTC.
func day(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// date writes a day, and nothing for none.
func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}
