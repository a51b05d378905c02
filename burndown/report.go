package burndown

import (
	"encoding/json"
	"io"
)

// Status is how far a route of the legacy application has come.
type Status string

// The statuses.
const (
	Ported  Status = "ported"  // the modern application answers all of it
	Left    Status = "legacy"  // the legacy application answers it, or some of it
	Unknown Status = "unknown" // only a trial of each request can tell
	Waived  Status = "waived"  // it will not be ported
	Retired Status = "retired" // the legacy application is not asked any more, or does not have it any more
)

// Statuses lists them as they are shown.
var Statuses = []struct {
	Name Status
	Doc  string
}{
	{Ported, "the modern application answers it"},
	{Retired, "the legacy application is not asked any more, or does not have it any more"},
	{Waived, "it will not be ported, for a reason and until a day"},
	{Unknown, "only a trial of each request can tell who has it"},
	{Left, "the legacy application answers it, or some of it"},
}

// Report is how much of the legacy application is ported (docs/burndown.schema.json).
type Report struct {
	FormatVersion int    `json:"format_version"`
	Date          string `json:"date"`
	Days          int    `json:"days"`
	// Counted is since when requests are counted. Empty: they are not.
	Counted string `json:"counted_since,omitempty"`
	Routes  Tally  `json:"routes"`
	// New are templates of the modern application that replace nothing.
	New int `json:"new"`
	// Traffic of the last Days. nil: not known.
	Traffic *Traffic `json:"traffic,omitempty"`
	Owners  []Owner  `json:"owners"`
	Stale   Stale    `json:"stale"`
	// Touched are routes that are left and whose source was changed in the last Days. nil: not known.
	Touched *int `json:"touched,omitempty"`
	// WrongWay are the ways from the legacy application to the modern one that are not waived. nil: not known.
	WrongWay *WrongWay `json:"wrong_way,omitempty"`
	Trend    []Week    `json:"trend"`
	// Undated routes are ported, but modern has not answered a request for them yet: the trend does not have them.
	Undated int     `json:"undated"`
	List    []Route `json:"list"`
}

// Tally counts routes: templates of the legacy application.
type Tally struct {
	All     int `json:"all"`
	Ported  int `json:"ported"`
	Retired int `json:"retired"`
	Waived  int `json:"waived"`
	Unknown int `json:"unknown"`
	Left    int `json:"legacy"`
}

// Of returns the number of one status.
func (t Tally) Of(s Status) int { return *t.of(s) }

func (t *Tally) of(s Status) *int {
	return map[Status]*int{Ported: &t.Ported, Retired: &t.Retired, Waived: &t.Waived, Unknown: &t.Unknown, Left: &t.Left}[s]
}

// Done is what is ported or retired, of what is to be ported.
func (t Tally) Done() Share { return Share{int64(t.Ported + t.Retired), int64(t.All - t.Waived)} }

// Share is a part of a whole.
type Share struct {
	Part int64 `json:"modern"`
	Of   int64 `json:"requests"`
}

// Percent is the share, nil of nothing.
func (s Share) Percent() *float64 {
	if s.Of == 0 {
		return nil
	}
	p := 100 * float64(s.Part) / float64(s.Of)
	return &p
}

// Traffic is what the applications have answered.
type Traffic struct {
	// Days that were counted of those that were asked for.
	Days         int   `json:"days"`
	All          Share `json:"all"`
	Writes       Share `json:"writes"`
	ModernErrors int64 `json:"modern_errors"`
	LegacyErrors int64 `json:"legacy_errors"`
	// Unanswered requests got no answer of an application. They are not in the shares.
	Unanswered int64 `json:"unanswered"`
}

// Owner is who ports routes. The name is empty for the routes that nobody owns.
type Owner struct {
	Name    string `json:"name"`
	Routes  Tally  `json:"routes"`
	Traffic Share  `json:"traffic"`
}

// Stale counts routes that are left and that nobody has called for as many days as the report looks back. Unknown are
// those that nobody has called either, but counting has not run that long.
type Stale struct {
	Routes  int `json:"routes"`
	Unknown int `json:"unknown"`
}

// WrongWay is what the legacy application calls of the modern one.
type WrongWay struct {
	Since string `json:"since"`
	// Ways that are not waived.
	Ways int       `json:"ways"`
	List []HopLine `json:"list"`
}

// HopLine is one way.
type HopLine struct {
	Caller      string `json:"caller"`
	Template    string `json:"template"`
	Requests    int64  `json:"requests"`
	Last        string `json:"last"`
	WaivedUntil string `json:"waived_until,omitempty"`
}

// Week of the trend, from a Monday on.
type Week struct {
	From string `json:"from"`
	// Ported are the routes, of those that are ported or retired now, that modern had first answered when it ended.
	Ported int   `json:"ported"`
	All    Share `json:"all"`
	Writes Share `json:"writes"`
}

// Route is one template of the legacy application.
type Route struct {
	Template string   `json:"template"`
	Methods  []string `json:"methods"` // null: any
	Status   Status   `json:"status"`
	// Phase that was decided.
	Phase string `json:"phase,omitempty"`
	Owner string `json:"owner,omitempty"`
	// Why it has this status, where that is not plain.
	Why    string   `json:"why,omitempty"`
	Source []string `json:"source,omitempty"`
	// Traffic of the last Days.
	Traffic     Share  `json:"traffic"`
	LastCall    string `json:"last_call,omitempty"`
	FirstModern string `json:"first_modern,omitempty"`
	// Stale is "yes", "no" or "unknown" for a route that is left.
	Stale string `json:"stale,omitempty"`
	// Touched is when its source was last changed, if that is not longer ago than Days and the route is left.
	Touched     string `json:"touched,omitempty"`
	WaivedUntil string `json:"waived_until,omitempty"`
}

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
