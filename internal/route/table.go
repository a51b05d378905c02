package route

import (
	"errors"
	"fmt"
	"strings"
)

// App is one of the two applications.
type App string

// The applications.
const (
	Modern App = "modern"
	Legacy App = "legacy"
)

// Kind is what an application does with a request, as far as its document says.
type Kind uint8

// The kinds.
const (
	Missing Kind = iota // it has no route for the path
	Found               // it has one
	Slash               // it redirects to the path with a slash more, or with fewer
	Method              // it has a route for the path, but not for the method (405), or not for WebSockets (400)
	Opaque              // its document cannot say
)

func (k Kind) String() string { return [...]string{"missing", "found", "slash", "method", "opaque"}[k] }

// Outcome is what one application does.
type Outcome struct {
	Kind Kind
	// Route is nil where the kind is Missing, and may be where it is Opaque.
	Route *Route
	// Why it is opaque.
	Why string
}

// Verdict says which application has a request's route, decisions aside.
type Verdict uint8

// The verdicts.
const (
	Unknown Verdict = iota // a trial is needed
	VerdictModern
	VerdictLegacy
)

func (v Verdict) String() string { return [...]string{"unknown", "modern", "legacy"}[v] }

// Request is what routes are matched with.
type Request struct {
	Method string
	// Path after one decoding of its percents, and nothing else: url.URL's Path.
	Path string
	// WebSocket: it asks for an upgrade to one.
	WebSocket bool
}

// Match is what the Table knows of a request.
type Match struct {
	Modern, Legacy Outcome
	Verdict        Verdict
	// Why a trial is needed, or why it is not although a route is opaque.
	Why string
	// Decision about the template of one of the routes, or nil.
	Decision *Decision

	modernMay bool // the modern application may have the route, whatever its document says
}

// Config is what a Table is made of.
type Config struct {
	// Modern and Legacy are the documents. Default: nothing is known of that application.
	Modern, Legacy *Document
	// Decisions about templates. Default: none.
	Decisions []Decision
}

// Table answers for requests. It never changes.
type Table struct {
	modern, legacy side
	// Orphans are the decisions about templates that are in no document.
	Orphans []Decision
}

// side is one application.
type side struct {
	matcher   matcher // nil: nothing is known
	complete  bool
	because   string
	decisions map[*Route]*Decision
}

// matcher is what one kind of matching does. slash is asked for what match has not found.
type matcher interface {
	match(method, path string, websocket bool) Outcome
	slash(path string) Outcome
}

// maxPath is the longest path that is matched: frameworks have limits of their own for longer ones (int() takes 4300
// digits), and servers for lines.
const maxPath = 4096

// Compile makes a Table. It says all that is wrong at once, and makes none then.
func Compile(c Config) (*Table, error) {
	t := &Table{}
	var wrong []error
	for _, one := range []struct {
		app App
		doc *Document
		to  *side
	}{{Modern, c.Modern, &t.modern}, {Legacy, c.Legacy, &t.legacy}} {
		one.to.because = "there is no route document of the " + string(one.app) + " application"
		if one.doc == nil {
			continue
		}
		if err := one.to.compile(one.doc); err != nil {
			wrong = append(wrong, fmt.Errorf("routes of the %s application:\n%w", one.app, err))
		}
	}
	for i := range c.Decisions {
		d := &c.Decisions[i]
		if !d.Phase.known() {
			wrong = append(wrong, fmt.Errorf("the decision about %s of the %s application has the unknown phase %q", d.Template, d.App, d.Phase))
			continue
		}
		of, doc := &t.modern, c.Modern
		if d.App == Legacy {
			of, doc = &t.legacy, c.Legacy
		}
		if !of.decide(d, doc) {
			t.Orphans = append(t.Orphans, *d)
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return t, nil
}

func (s *side) compile(d *Document) error {
	if err := d.check(); err != nil {
		return err
	}
	s.complete, s.because = d.Complete, strings.Join(d.IncompleteBecause, "; ")
	s.decisions = map[*Route]*Decision{}
	var wrong []error
	if d.Matching == Ordered {
		s.matcher, wrong = compileOrdered(d)
	} else {
		s.matcher, wrong = compileSegments(d)
	}
	return errors.Join(wrong...)
}

// decide notes a decision for the routes of its template; false: there are none.
func (s *side) decide(d *Decision, doc *Document) bool {
	if doc == nil {
		return false
	}
	some := false
	for _, r := range doc.Routes {
		if r != nil && r.Template == d.Template && s.decisions != nil {
			s.decisions[r] = d
			some = true
		}
	}
	return some
}

func (s *side) match(r *Request) Outcome {
	if s.matcher == nil {
		return Outcome{Kind: Opaque, Why: s.because}
	}
	return s.matcher.match(r.Method, r.Path, r.WebSocket)
}

func (s *side) slash(path string) Outcome {
	if s.matcher == nil {
		return Outcome{}
	}
	return s.matcher.slash(path)
}

func (s *side) decision(o *Outcome) *Decision {
	if len(s.decisions) == 0 || o.Route == nil {
		return nil
	}
	return s.decisions[o.Route]
}

// Match says which application has the route of a request.
func (t *Table) Match(r Request) Match {
	if len(r.Path) > maxPath {
		why := "the path is longer than 4 KiB"
		return Match{Modern: Outcome{Kind: Opaque, Why: why}, Legacy: Outcome{Kind: Opaque, Why: why}, Why: why, modernMay: true}
	}
	r.Method = strings.ToUpper(r.Method) // as both frameworks do
	m := Match{Modern: t.modern.match(&r), Legacy: t.legacy.match(&r)}
	if m.Modern.Kind != Found && m.Legacy.Kind != Found {
		// Redirects to the path with a slash count only where nobody has the path itself.
		if m.Modern.Kind == Missing {
			m.Modern = t.modern.slash(r.Path)
		}
		if m.Legacy.Kind == Missing {
			m.Legacy = t.legacy.slash(r.Path)
		}
	}
	m.modernMay = m.Modern.Kind == Opaque || !t.modern.complete
	m.Verdict, m.Why = t.verdict(&m)
	m.Decision = back(t.legacy.decision(&m.Legacy), t.modern.decision(&m.Modern))
	return m
}

// verdict weighs the two: who has the path and the method comes first, the modern application before the legacy one;
// then who knows the path at all.
func (t *Table) verdict(m *Match) (Verdict, string) {
	switch {
	case m.Modern.Kind == Found:
		return VerdictModern, ""
	case m.Modern.Kind == Opaque:
		return Unknown, m.Modern.Why
	case m.Legacy.Kind == Found:
		return VerdictLegacy, ""
	case m.Legacy.Kind == Opaque && t.legacy.matcher != nil:
		return VerdictLegacy, m.Legacy.Why
	case m.Modern.Kind == Slash, m.Modern.Kind == Method:
		return VerdictModern, ""
	case m.Legacy.Kind != Missing && m.Legacy.Kind != Opaque:
		return VerdictLegacy, ""
	case !t.modern.complete:
		return Unknown, t.modern.because
	}
	return VerdictLegacy, ""
}
