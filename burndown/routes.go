package burndown

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/replank/replank/internal/route"
)

// builder makes one report.
type builder struct {
	Config
	today, from, since time.Time // days; since is zero where nothing is counted
	report             Report

	table *route.Table
	usage map[string]*usage // by template
	// leads are the templates of the legacy application whose paths a template of the modern one answers.
	leads map[string]map[string]bool
}

// usage is what was counted of a template.
type usage struct {
	first   map[route.App]time.Time // the first day that an application has answered
	last    time.Time
	traffic Share // of the last days
	methods map[string]bool
}

func (b *builder) build() error {
	known := route.Config{Legacy: b.Legacy, Modern: b.Modern}
	for _, d := range b.Decisions {
		if d.Phase != "" {
			known.Decisions = append(known.Decisions, route.Decision{App: d.App, Template: d.Template, Phase: d.Phase})
		}
	}
	var err error
	if b.table, err = route.Compile(known); err != nil {
		return err
	}
	b.report = Report{FormatVersion: 1, Date: date(b.today), Days: b.Days, Counted: date(b.since), Owners: []Owner{}, Trend: []Week{}, List: []Route{}}
	b.count()
	b.routes()
	b.owners()
	b.hops()
	b.trend()
	return nil
}

// count adds the counts up by template.
func (b *builder) count() {
	b.Counts = slices.DeleteFunc(slices.Clone(b.Counts), func(n Count) bool { return n.Requests == 0 || day(n.Day).After(b.today) })
	b.usage = map[string]*usage{}
	for _, n := range b.Counts {
		u := b.usage[n.Template]
		if u == nil {
			u = &usage{first: map[route.App]time.Time{}, methods: map[string]bool{}}
			b.usage[n.Template] = u
		}
		on := day(n.Day)
		if first, ok := u.first[n.By]; !ok || on.Before(first) {
			u.first[n.By] = on
		}
		u.last = later(u.last, on)
		u.methods[n.Method] = true
		if b.recent(on) {
			u.traffic.add(n)
		}
	}
	if b.since.IsZero() {
		return
	}
	t := &Traffic{Days: int(b.today.Sub(later(b.since, b.from)).Hours()/24) + 1}
	for _, n := range b.Counts {
		if !b.recent(day(n.Day)) {
			continue
		}
		t.All.add(n)
		if writes(n.Method) {
			t.Writes.add(n)
		}
		switch n.By {
		case route.Modern:
			t.ModernErrors += n.Errors
		case route.Legacy:
			t.LegacyErrors += n.Errors
		default:
			t.Unanswered += n.Requests
		}
	}
	b.report.Traffic = t
}

// recent says whether a day is one of the last ones. Clocks differ, so one that has not come yet is.
func (b *builder) recent(on time.Time) bool { return !on.Before(b.from) }

// add counts what an application has answered.
func (s *Share) add(n Count) {
	if n.By == Nobody {
		return
	}
	s.Of += n.Requests
	if n.By == route.Modern {
		s.Part += n.Requests
	}
}

// writes says whether requests of a method change something.
func writes(method string) bool {
	return slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE"}, method)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// routes fills the list and what is counted from it.
func (b *builder) routes() {
	decisions := map[string]*Decision{} // of the legacy application's templates
	ofModern := map[string]*Decision{}
	for i := range b.Decisions {
		d := &b.Decisions[i]
		if d.App == route.Legacy {
			decisions[d.Template] = d
		} else {
			ofModern[d.Template] = d
		}
	}
	groups := map[string][]*route.Route{}
	for _, r := range b.Legacy.Routes {
		groups[r.Template] = append(groups[r.Template], r)
	}
	b.leads = map[string]map[string]bool{}
	reached := map[string]map[string]bool{} // templates of the modern application, by the legacy one's
	for _, template := range slices.Sorted(maps.Keys(groups)) {
		row, modern := b.judge(template, groups[template])
		reached[template] = modern
		for m := range modern {
			if b.leads[m] == nil {
				b.leads[m] = map[string]bool{}
			}
			b.leads[m][template] = true
		}
		b.report.List = append(b.report.List, row)
	}
	if b.Modern != nil {
		fresh := map[string]bool{}
		for _, r := range b.Modern.Routes {
			fresh[r.Template] = b.leads[r.Template] == nil
		}
		for _, is := range fresh {
			if is {
				b.report.New++
			}
		}
	}
	for i := range b.report.List {
		row := &b.report.List[i]
		all := []*Decision{decisions[row.Template]}
		for _, m := range slices.Sorted(maps.Keys(reached[row.Template])) {
			all = append(all, ofModern[m])
		}
		b.decide(row, all)
		b.used(row, reached[row.Template])
	}
	b.gone(groups, decisions)
	slices.SortFunc(b.report.List, func(x, y Route) int { return cmp.Compare(x.Template, y.Template) })
	for i := range b.report.List {
		b.finish(&b.report.List[i])
	}
}

// judge asks the table who would answer examples of a template, and returns the modern application's templates for them.
func (b *builder) judge(template string, routes []*route.Route) (Route, map[string]bool) {
	row := Route{Template: template, Methods: methods(routes)}
	modern := map[string]bool{}
	answered := map[route.App][]route.Request{}
	var trials, ready []string // why, and phases that hold back what the modern application has
	for _, r := range routes {
		if r.Source != "" && !slices.Contains(row.Source, r.Source) {
			row.Source = append(row.Source, r.Source)
		}
	}
	asked := b.ask(template, routes)
	retired := true
	for _, q := range asked {
		m := q.match
		if m.Modern.Route != nil && (m.Modern.Kind == route.Found || m.Modern.Kind == route.Opaque) {
			modern[m.Modern.Route.Template] = true
		}
		retired = retired && m.Decision != nil && m.Decision.Phase == route.PhaseRetired
		if m.Decision != nil {
			row.Phase = string(m.Decision.Phase)
		}
		a := route.Decide(m, m.Decision)
		if a.Trial {
			trials = append(trials, m.Why)
			continue
		}
		answered[a.By] = append(answered[a.By], q.request)
		if a.By == route.Legacy && m.Verdict == route.VerdictModern {
			ready = append(ready, row.Phase)
		}
	}
	switch legacy := answered[route.Legacy]; {
	case len(asked) == 0:
		row.Status, row.Why = Unknown, "other routes of the legacy application have all of its example paths"
	case retired:
		row.Status = Retired
	case len(legacy) > 0:
		row.Status, row.Why = Left, partly(legacy, answered[route.Modern])
		if len(ready) == len(legacy) {
			row.Why = fmt.Sprintf("the modern application has it, and the decision is %s", ready[0])
		} else if row.Phase == string(route.PhaseModern) && len(answered[route.Modern]) == 0 {
			row.Why = "decided modern, and the modern application has no such route"
		}
	case len(trials) > 0:
		row.Status, row.Why = Unknown, trials[0]
	default:
		row.Status = Ported
	}
	return row, modern
}

// question is an example of a route's requests, and what the table knows of it.
type question struct {
	request route.Request
	match   route.Match
}

// ask makes the questions about a template: paths that another route of the legacy application has are none. Only if
// there are no others, paths count that an opaque route before it may have.
func (b *builder) ask(template string, routes []*route.Route) []question {
	var sure, doubtful []question
	for _, r := range routes {
		for _, path := range r.Examples() {
			for _, method := range b.methods(r) {
				q := question{request: route.Request{Method: method, Path: path, WebSocket: r.WebSocket}}
				q.match = b.table.Match(q.request)
				legacy := q.match.Legacy
				switch own := legacy.Route != nil && legacy.Route.Template == template; {
				case own && (legacy.Kind == route.Found || legacy.Kind == route.Opaque):
					sure = append(sure, q)
				case legacy.Kind == route.Opaque:
					doubtful = append(doubtful, q)
				}
			}
		}
	}
	if len(sure) == 0 {
		return doubtful
	}
	return sure
}

// methods are those to ask for: HEAD and OPTIONS come with the others.
func (b *builder) methods(r *route.Route) []string {
	if r.Methods == nil {
		// Only the view knows. What it has been called with counts.
		all := []string{"GET", "POST"}
		if u := b.usage[r.Template]; u != nil {
			for _, m := range slices.Sorted(maps.Keys(u.methods)) {
				if writes(m) && m != "POST" {
					all = append(all, m)
				}
			}
		}
		return all
	}
	few := slices.DeleteFunc(slices.Clone(r.Methods), func(m string) bool { return m == "HEAD" || m == "OPTIONS" })
	if len(few) == 0 {
		return r.Methods
	}
	return few
}

// methods of all routes of a template, nil for any.
func methods(routes []*route.Route) []string {
	all := []string{}
	for _, r := range routes {
		if r.Methods == nil {
			return nil
		}
		all = append(all, r.Methods...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// partly says what is left of a route of which the modern application has something.
func partly(legacy, modern []route.Request) string {
	if len(modern) == 0 {
		return ""
	}
	var left []string
	for _, r := range legacy {
		if slices.ContainsFunc(modern, func(m route.Request) bool { return m.Method == r.Method }) {
			return fmt.Sprintf("legacy still answers some of its paths, %s %s for one", r.Method, r.Path)
		}
		if !slices.Contains(left, r.Method) {
			left = append(left, r.Method)
		}
	}
	return "legacy still answers " + strings.Join(left, ", ")
}

// decide notes owner and waiver: what was said of the legacy application's template, else of the modern one's.
func (b *builder) decide(row *Route, decisions []*Decision) {
	for _, d := range decisions {
		if d == nil {
			continue
		}
		row.Owner = cmp.Or(row.Owner, d.Owner)
		if d.WaivedBecause == "" || row.WaivedUntil != "" || row.Status != Left && row.Status != Unknown {
			continue
		}
		row.WaivedUntil = date(d.WaivedUntil)
		if !d.WaivedUntil.IsZero() && day(d.WaivedUntil).Before(b.today) {
			row.Why = fmt.Sprintf("its waiver ended on %s: %s", row.WaivedUntil, d.WaivedBecause)
			continue
		}
		row.Status, row.Why = Waived, d.WaivedBecause
	}
}

// used notes the traffic of a route: what was counted under its template, or under one of the modern application that
// leads to no other route.
func (b *builder) used(row *Route, modern map[string]bool) {
	all := []*usage{b.usage[row.Template]}
	for m := range modern {
		if m != row.Template && len(b.leads[m]) == 1 {
			all = append(all, b.usage[m])
		}
	}
	var first, last time.Time
	for _, u := range all {
		if u == nil {
			continue
		}
		row.Traffic.Part += u.traffic.Part
		row.Traffic.Of += u.traffic.Of
		last = later(last, u.last)
		if on, ok := u.first[route.Modern]; ok && (first.IsZero() || on.Before(first)) {
			first = on
		}
	}
	row.FirstModern, row.LastCall = date(first), date(last)
}

// gone adds the routes that the legacy application had once: it has answered for them before the modern application
// did, or it was decided to let them go.
func (b *builder) gone(groups map[string][]*route.Route, decisions map[string]*Decision) {
	had := map[string]bool{}
	for template, u := range b.usage {
		legacy, answered := u.first[route.Legacy]
		modern, both := u.first[route.Modern]
		if template != "" && answered && (!both || legacy.Before(modern)) {
			had[template] = true
		}
	}
	for template, d := range decisions {
		if d.Phase == route.PhaseModern || d.Phase == route.PhaseRetired {
			had[template] = true
		}
	}
	for template := range had {
		// Counts of a template that only leads to a route are that route's.
		if groups[template] != nil || len(b.leads[template]) > 0 {
			continue
		}
		row := Route{Template: template, Status: Retired, Why: "the legacy application does not have it any more"}
		if d := decisions[template]; d != nil {
			row.Phase, row.Owner = string(d.Phase), d.Owner
		}
		b.used(&row, nil)
		if row.Methods = []string{}; b.usage[template] != nil {
			row.Methods = slices.Sorted(maps.Keys(b.usage[template].methods))
		}
		b.report.List = append(b.report.List, row)
		if b.Modern != nil && slices.ContainsFunc(b.Modern.Routes, func(r *route.Route) bool { return r.Template == template }) {
			b.report.New-- // it replaces this one
		}
	}
}

// finish says of a route that is left whether somebody calls it or works on it, and counts it.
func (b *builder) finish(row *Route) {
	b.report.Routes.All++
	*b.report.Routes.of(row.Status)++
	if b.Touched != nil && b.report.Touched == nil {
		b.report.Touched = new(int)
	}
	if row.Status != Left && row.Status != Unknown {
		return
	}
	if row.Status == Left {
		row.Stale = b.stale(row)
		switch row.Stale {
		case "yes":
			b.report.Stale.Routes++
		case "unknown":
			b.report.Stale.Unknown++
		}
	}
	var touched time.Time
	for _, source := range row.Source {
		path, _, _ := strings.Cut(source, ":")
		touched = later(touched, b.Touched[path])
	}
	if !touched.IsZero() && b.recent(day(touched)) {
		row.Touched = date(touched)
		*b.report.Touched++
	}
}

func (b *builder) stale(row *Route) string {
	switch {
	case row.LastCall >= date(b.from):
		return "no"
	case b.since.IsZero() || b.since.After(b.from):
		return "unknown"
	}
	return "yes"
}

// owners adds up by owner, who has most left first.
func (b *builder) owners() {
	by := map[string]*Owner{}
	for _, row := range b.report.List {
		o := by[row.Owner]
		if o == nil {
			o = &Owner{Name: row.Owner}
			by[row.Owner] = o
		}
		o.Routes.All++
		*o.Routes.of(row.Status)++
		o.Traffic.Part += row.Traffic.Part
		o.Traffic.Of += row.Traffic.Of
	}
	for _, o := range by {
		b.report.Owners = append(b.report.Owners, *o)
	}
	slices.SortFunc(b.report.Owners, func(x, y Owner) int {
		return cmp.Or(cmp.Compare(y.Routes.Left, x.Routes.Left), cmp.Compare(x.Name, y.Name))
	})
}

// hops lists the ways from the legacy application to the modern one of the last days.
func (b *builder) hops() {
	if b.HopsSince.IsZero() {
		return
	}
	w := &WrongWay{Since: date(b.HopsSince), List: []HopLine{}}
	for _, h := range b.Hops {
		if !b.recent(day(h.Last)) {
			continue
		}
		if h.WaivedUntil.IsZero() || day(h.WaivedUntil).Before(b.today) {
			w.Ways++
		}
		w.List = append(w.List, HopLine{h.Caller, h.Template, h.Requests, date(h.Last), date(h.WaivedUntil)})
	}
	slices.SortFunc(w.List, func(x, y HopLine) int {
		return cmp.Or(cmp.Compare(y.Requests, x.Requests), cmp.Compare(x.Caller, y.Caller), cmp.Compare(x.Template, y.Template))
	})
	b.report.WrongWay = w
}

// trend adds up by week. A route counts from the first day on that modern has answered it.
func (b *builder) trend() {
	done := func(row Route) bool { return row.Status == Ported || row.Status == Retired }
	for _, row := range b.report.List {
		if done(row) && row.FirstModern == "" {
			b.report.Undated++
		}
	}
	if b.since.IsZero() {
		return
	}
	from := later(monday(b.since), monday(b.today).AddDate(0, 0, -7*(b.Weeks-1)))
	for at := from; !at.After(b.today); at = at.AddDate(0, 0, 7) {
		week := Week{From: date(at)}
		next := date(at.AddDate(0, 0, 7))
		for _, row := range b.report.List {
			if done(row) && row.FirstModern != "" && row.FirstModern < next {
				week.Ported++
			}
		}
		b.report.Trend = append(b.report.Trend, week)
	}
	for _, n := range b.Counts {
		on := day(n.Day)
		if i := int(on.Sub(from).Hours() / 24 / 7); !on.Before(from) && i < len(b.report.Trend) {
			week := &b.report.Trend[i]
			week.All.add(n)
			if writes(n.Method) {
				week.Writes.add(n)
			}
		}
	}
}

// monday is the first day of a day's week.
func monday(t time.Time) time.Time { return t.AddDate(0, 0, -(int(t.Weekday())+6)%7) }
