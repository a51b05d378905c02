package route

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// The kinds of matching.
const (
	Ordered  = "ordered"  // Django: the first route that matches
	Segments = "segments" // werkzeug: a machine of path segments
)

const (
	format  = "replank-routes"
	version = 1
	// maxPattern bounds one regular expression, and so the work of compiling it.
	maxPattern = 16 << 10
)

// Document is what one application matches (docs/routes.schema.json).
type Document struct {
	Format       string `json:"format"`
	Version      int    `json:"version"`
	Generator    string `json:"generator,omitempty"`
	Framework    string `json:"framework"`
	Build        string `json:"build"`
	Matching     string `json:"matching"`
	AppendSlash  bool   `json:"append_slash,omitempty"`
	MergeSlashes bool   `json:"merge_slashes,omitempty"`
	// Complete: what matches no route is not answered by the application.
	Complete          bool     `json:"complete"`
	IncompleteBecause []string `json:"incomplete_because"`
	Routes            []*Route `json:"routes"`

	given int // routes, before those that cannot be used were replaced (ReadUsable)
}

// Route is one route of an application. Pointers to routes are the same in every Match of a Table.
type Route struct {
	// Template is the route for people, "/invoices/{id}/", and what decisions are made about.
	Template string `json:"template"`
	// Methods that the view has something for; it refuses others. nil: all, or only the view knows.
	Methods  []string `json:"methods"`
	Endpoint string   `json:"endpoint,omitempty"`
	Name     string   `json:"name,omitempty"`
	Source   string   `json:"source,omitempty"`
	// Opaque says why a path that matches the route may not match in the application.
	Opaque string `json:"opaque,omitempty"`

	// Of ordered documents: matched one after another, each on what the one before has left.
	Stages []Stage `json:"stages,omitempty"`
	// AppendSlash false: the application does not redirect to this route from the path without its slash. Default: true.
	AppendSlash *bool `json:"append_slash,omitempty"`

	// Of documents of segments.
	Segments      []Segment `json:"segments,omitempty"`
	StrictSlashes bool      `json:"strict_slashes,omitempty"`
	MergeSlashes  bool      `json:"merge_slashes,omitempty"`
	WebSocket     bool      `json:"websocket,omitempty"`
	Limits        []Limit   `json:"limits,omitempty"`
}

// Stage is a regular expression, in the syntax of RE2 and anchored at the start.
type Stage struct {
	RE string `json:"re"`
	// Search: not anchored at the start.
	Search bool `json:"search,omitempty"`
	// End: nothing may be left behind it.
	End bool `json:"end,omitempty"`
	// ASCII: exact for texts in ASCII only. Newline: exact only for texts that do not end in a newline.
	ASCII   bool `json:"ascii,omitempty"`
	Newline bool `json:"newline,omitempty"`
}

// Segment is what stands between two slashes: a text, or a regular expression for the whole of it.
type Segment struct {
	Text *string `json:"text,omitempty"`
	RE   string  `json:"re,omitempty"`
	// Final: it takes all that is left of the path. Suffixed: without one slash at its end.
	Final    bool `json:"final,omitempty"`
	Suffixed bool `json:"suffixed,omitempty"`
	ASCII    bool `json:"ascii,omitempty"`
	Newline  bool `json:"newline,omitempty"`
	// Branch tells segments at the same place apart that have the same regular expression.
	Branch int `json:"branch,omitempty"`
}

// Limit is what a number that a route takes from the path must satisfy beside its regular expression.
type Limit struct {
	Param  string       `json:"param"`
	Kind   string       `json:"kind"` // int or float
	Digits int          `json:"digits,omitempty"`
	Min    *json.Number `json:"min,omitempty"`
	Max    *json.Number `json:"max,omitempty"`
}

// Read reads a document and says all that is wrong with it at once.
func Read(data []byte) (*Document, error) {
	var d Document
	if err := decode(data, &d); err != nil {
		return nil, fmt.Errorf("reading the route document: %w", err)
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	return &d, nil
}

// decode reads one value of JSON that has nothing unknown in it.
func decode(data []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return err
	}
	if dec.More() {
		return errors.New("there is more behind its end")
	}
	return nil
}

// ReadAny reads a document of the companions, or an OpenAPI description.
func ReadAny(data []byte) (*Document, error) {
	if ours(data) {
		return Read(data)
	}
	return ReadOpenAPI(data)
}

// ours reports whether it is a document of the companions.
func ours(data []byte) bool {
	var kind struct {
		Format *string `json:"format"`
	}
	return json.Unmarshal(data, &kind) == nil && kind.Format != nil
}

// check returns every mistake of the document, each with the route it is in.
func (d *Document) check() error {
	wrong := []error{d.checkItself()}
	if d.Format != format || d.Version != version {
		return wrong[0] // the routes mean something else
	}
	patterns := patterns{}
	for i, r := range d.Routes {
		if r == nil {
			wrong = append(wrong, fmt.Errorf("route %d is null", i+1))
			continue
		}
		for _, err := range r.check(d.Matching, patterns) {
			wrong = append(wrong, fmt.Errorf("route %d, %s: %w", i+1, r.Label(), err))
		}
	}
	return errors.Join(wrong...)
}

// checkItself returns the mistakes that are in no route.
func (d *Document) checkItself() error {
	if d.Format != format || d.Version != version {
		return fmt.Errorf("the route document is %q, version %d, and not %q, version %d: write it again with the companion package of this release",
			d.Format, d.Version, format, version)
	}
	var wrong []error
	if d.Matching != Ordered && d.Matching != Segments {
		wrong = append(wrong, fmt.Errorf("matching %q is neither %q nor %q", d.Matching, Ordered, Segments))
	}
	if d.Build == "" {
		wrong = append(wrong, errors.New("the document has no build"))
	}
	if !d.Complete && len(d.IncompleteBecause) == 0 {
		wrong = append(wrong, errors.New("the document is not complete and does not say why (incomplete_because)"))
	}
	return errors.Join(wrong...)
}

// Label names the route in messages.
func (r *Route) Label() string {
	if r.Name != "" {
		return fmt.Sprintf("%q (%s)", r.Template, r.Name)
	}
	return fmt.Sprintf("%q (%s)", r.Template, r.Endpoint)
}

func (r *Route) check(matching string, patterns patterns) []error {
	var wrong []error
	if r.Template == "" {
		wrong = append(wrong, errors.New("it has no template"))
	}
	for _, m := range r.Methods {
		if m == "" || m != strings.ToUpper(m) || strings.ContainsAny(m, " \t\r\n") {
			wrong = append(wrong, fmt.Errorf("method %q is not a name in capitals", m))
		}
	}
	pattern := func(where, re string) {
		if err := patterns.check(re); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", where, err))
		}
	}
	if matching == Ordered {
		if len(r.Stages) == 0 || len(r.Segments) > 0 {
			wrong = append(wrong, errors.New("a route of an ordered document has stages, and no segments"))
		}
		for i, s := range r.Stages {
			pattern(fmt.Sprintf("stage %d", i+1), s.RE)
		}
	}
	if matching == Segments {
		if len(r.Segments) == 0 || len(r.Stages) > 0 {
			wrong = append(wrong, errors.New("a route of a document of segments has segments, and no stages"))
		}
		params := map[string]bool{}
		for i, s := range r.Segments {
			where := fmt.Sprintf("segment %d", i+1)
			if s.Text == nil {
				pattern(where, s.RE)
				if s.Final && len(r.Segments) > i+1 && !(s.Suffixed && len(r.Segments) == i+2) {
					wrong = append(wrong, fmt.Errorf("%s is final, and others follow it", where))
				}
				if len(r.Limits) > 0 {
					for _, name := range groupNames(s.RE) {
						params[name] = true
					}
				}
			} else if s.RE != "" || strings.Contains(*s.Text, "/") {
				wrong = append(wrong, fmt.Errorf("%s is a text without slashes or a regular expression", where))
			}
		}
		for _, l := range r.Limits {
			if err := l.check(params); err != nil {
				wrong = append(wrong, err)
			}
		}
	}
	return wrong
}

// parsePattern reads a regular expression as the Table compiles it.
func parsePattern(re string) (*syntax.Regexp, error) {
	if len(re) > maxPattern {
		return nil, fmt.Errorf("a regular expression of %d bytes is longer than %d", len(re), maxPattern)
	}
	return syntax.Parse(re, syntax.Perl)
}

// anchored is a regular expression for the whole of a text, as all of them are compiled at most.
func anchored(re string) string { return `\A(?:` + re + `)\z` }

// patterns remembers the regular expressions that have been read: most stand in many routes.
type patterns map[string]error

func (p patterns) check(re string) error {
	err, known := p[re]
	if !known {
		if _, err = parsePattern(re); err == nil {
			_, err = syntax.Parse(anchored(re), syntax.Perl) // deeper by one: it may be too deep
		}
		p[re] = err
	}
	return err
}

func groupNames(re string) []string {
	compiled, err := regexp.Compile(re)
	if err != nil {
		return nil // check says it
	}
	return compiled.SubexpNames()
}

// allows: nil allows every method.
func (r *Route) allows(method string) bool {
	return r.Methods == nil || slices.Contains(r.Methods, method)
}
