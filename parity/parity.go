// Package parity tells whether what exists twice, in a legacy application and in the modern one that replaces it, gives the
// same answers: endpoints, and programs.
//
// [Record] asks the legacy side, twice, because what it does not answer the same way twice says nothing. [Run] asks the
// modern side, perhaps months later, and compares.
//
// A recording holds no secrets: neither what was sent (a case is known by its hash), nor what internal/compare takes out of
// answers.
package parity

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/replank/replank/internal/compare"
)

// Config says whom to ask, and how.
type Config struct {
	// App is where the application listens, without a path. Needed for cases that have a path.
	App *url.URL
	// Host is the Host header that requests have, so that both applications write the same addresses into their answers.
	// Default: of Record that of App, of Run the one of the recording.
	Host string
	// Writes sends requests that may change something, too: once each, one after another, in the order of the file.
	// Default: false.
	Writes bool
	// Workers is how many cases are asked at the same time. Default: 4.
	Workers int
	// Timeout is how long one answer may take, its body included. Default: 30s.
	Timeout time.Duration
	// Environ is what programs get as their environment, and what ${NAME} in cases is looked up in. Default: nothing.
	Environ []string
	// Route names the route that a request is counted with. Default: the path with numbers replaced.
	Route func(method, path string) string
	// Compare says how answers are compared. Default: its own defaults.
	Compare compare.Config
	// Logger hears of each case. Default: slog.DiscardHandler.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.App != nil {
		c.Host = cmp.Or(c.Host, c.App.Host)
	}
	c.Workers = cmp.Or(c.Workers, 4)
	if c.Writes {
		c.Workers = 1
	}
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	if c.Route == nil {
		c.Route = func(_, path string) string { return withoutNumbers(path) }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Failure is a case that has no answer.
type Failure struct {
	Line  int    `json:"line"`
	Case  string `json:"case"`
	Error string `json:"error"`
}

// Record asks the legacy application. What could not be asked is in the recording's Failures, what may not be in Skipped;
// the error is that of ctx.
func Record(ctx context.Context, cfg Config, cases []Case) (*Recording, error) {
	cfg = cfg.withDefaults()
	rec := &Recording{Host: cfg.Host, RecordedAt: time.Now().UTC().Truncate(time.Second)}
	if cfg.App != nil {
		rec.App = cfg.App.Redacted()
	}
	recorded := make([]*Recorded, len(cases))
	var mu sync.Mutex
	err := each(ctx, cfg, cases, func(ctx context.Context, a *asker, i int) error {
		c := &cases[i]
		if c.writes() && !cfg.Writes {
			mu.Lock()
			defer mu.Unlock()
			rec.Skipped++
			return nil
		}
		one := &Recorded{Key: c.key, Case: c.title()}
		var err error
		if one.Answer, err = a.ask(ctx, *c, c.Argv); err == nil && !c.writes() { // what writes is never done twice
			var again *compare.Answer
			if again, err = a.ask(ctx, *c, c.Argv); err == nil {
				one.Noise = cfg.Compare.Noise(one.Answer, again)
			}
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			mu.Lock()
			defer mu.Unlock()
			rec.Failures = append(rec.Failures, Failure{Line: c.Line, Case: c.title(), Error: compare.Redact(err.Error())})
			return nil
		}
		cfg.Logger.Info("recorded", "line", c.Line, "case", one.Case, "status", one.Answer.Status, "noise", len(one.Noise))
		recorded[i] = one
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, one := range recorded {
		if one != nil {
			rec.Answers = append(rec.Answers, *one)
		}
	}
	slices.SortFunc(rec.Failures, func(a, b Failure) int { return a.Line - b.Line })
	return rec, nil
}

// Verdict is how a case ended.
type Verdict string

const (
	Same      Verdict = "same"
	Different Verdict = "different"
	Failed    Verdict = "failed"  // there is no answer, or none was recorded
	Skipped   Verdict = "skipped" // it may change something, and nobody has allowed that
)

// CaseReport is what became of a case.
type CaseReport struct {
	Line    int     `json:"line"`
	Case    string  `json:"case"`
	Route   string  `json:"route"`
	Verdict Verdict `json:"verdict"`
	Error   string  `json:"error,omitempty"`

	Differences []compare.Difference `json:"differences,omitempty"`
	// Total counts all differences, those that are not listed too.
	Total  int    `json:"total,omitempty"`
	ByHash string `json:"by_hash,omitempty"`
	// Noise are the places where the legacy side differs with itself: they were not compared.
	Noise compare.Noise `json:"noise,omitempty"`
	// Secrets is how many values of the recorded body were not compared because they are secrets.
	Secrets int `json:"secrets,omitempty"`
}

// Counts are cases by their verdict.
type Counts struct {
	Cases     int `json:"cases"`
	Same      int `json:"same"`
	Different int `json:"different"`
	Failed    int `json:"failed"`
	Skipped   int `json:"skipped"`
}

func (c *Counts) add(v Verdict) {
	c.Cases++
	switch v {
	case Same:
		c.Same++
	case Different:
		c.Different++
	case Failed:
		c.Failed++
	case Skipped:
		c.Skipped++
	}
}

// RouteReport is what became of a route's cases.
type RouteReport struct {
	Route string `json:"route"`
	Counts
}

// Report is what Run has found.
type Report struct {
	Counts
	Routes []RouteReport `json:"routes"`
	Cases  []CaseReport  `json:"results"`
}

// Run asks the modern application, and compares its answers with those of a recording. The error is that of ctx.
func Run(ctx context.Context, cfg Config, cases []Case, rec *Recording) (*Report, error) {
	cfg.Host = cmp.Or(cfg.Host, rec.Host)
	cfg = cfg.withDefaults()
	old := map[string]*Recorded{}
	for i := range rec.Answers {
		old[rec.Answers[i].Key] = &rec.Answers[i]
	}
	r := &Report{Cases: make([]CaseReport, len(cases))}
	err := each(ctx, cfg, cases, func(ctx context.Context, a *asker, i int) error {
		c, to := &cases[i], &r.Cases[i]
		*to = CaseReport{Line: c.Line, Case: c.title(), Route: c.route(cfg.Route)}
		recorded := old[c.key]
		switch {
		case c.writes() && !cfg.Writes:
			to.Verdict = Skipped
			return nil
		case recorded == nil:
			to.Verdict, to.Error = Failed, "there is no recorded answer"
			return nil
		}
		argv := c.Argv
		if c.ModernArgv != nil {
			argv = c.ModernArgv
		}
		answer, err := a.ask(ctx, *c, argv)
		if err != nil {
			to.Verdict, to.Error = Failed, compare.Redact(err.Error())
			return ctx.Err()
		}
		result := cfg.Compare.Diff(recorded.Answer, answer, recorded.Noise)
		to.Differences, to.Total, to.ByHash = result.Differences, result.Total, result.ByHash
		to.Noise, to.Secrets = recorded.Noise, recorded.Answer.Secrets
		to.Verdict = Same
		if !result.Same() {
			to.Verdict = Different
		}
		cfg.Logger.Info("compared", "line", c.Line, "case", to.Case, "status", answer.Status, "verdict", string(to.Verdict))
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.count()
	return r, nil
}

// count sums the cases up, route by route in the order of their names.
func (r *Report) count() {
	routes := map[string]*RouteReport{}
	for _, c := range r.Cases {
		r.add(c.Verdict)
		if routes[c.Route] == nil {
			routes[c.Route] = &RouteReport{Route: c.Route}
		}
		routes[c.Route].add(c.Verdict)
	}
	r.Routes = []RouteReport{}
	for _, route := range routes {
		r.Routes = append(r.Routes, *route)
	}
	slices.SortFunc(r.Routes, func(a, b RouteReport) int { return strings.Compare(a.Route, b.Route) })
}

// route is what a case is counted with.
func (c *Case) route(named func(method, path string) string) string {
	if c.Argv != nil {
		return cmp.Or(c.Name, c.Argv[0])
	}
	path, _, _ := strings.Cut(c.Path, "?")
	return c.Method + " " + named(c.Method, path)
}

var (
	isNumber = regexp.MustCompile(`^[0-9]+$`)
	isID     = regexp.MustCompile(`(?i)^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,})$`)
)

// withoutNumbers is a path whose segments that are numbers or long identifiers stand for all of their kind. Others may
// hold a secret.
func withoutNumbers(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		switch {
		case isNumber.MatchString(s):
			segments[i] = "{n}"
		case isID.MatchString(s):
			segments[i] = "{id}"
		default:
			segments[i] = compare.Redact(s)
		}
	}
	return strings.Join(segments, "/")
}

// each asks for all cases, some at a time; the first error, which is that of ctx, ends it.
func each(ctx context.Context, cfg Config, cases []Case, do func(ctx context.Context, a *asker, i int) error) error {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: cfg.Workers, MaxResponseHeaderBytes: 1 << 20}
	defer transport.CloseIdleConnections()
	a := &asker{Config: cfg, transport: transport, environ: map[string]string{}}
	for _, variable := range cfg.Environ {
		name, value, _ := strings.Cut(variable, "=")
		a.environ[name] = value
	}
	group, one := errgroup.WithContext(ctx)
	group.SetLimit(cfg.Workers)
	for i := range cases {
		if one.Err() != nil {
			break
		}
		group.Go(func() error { return do(one, a, i) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
