package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/migrate"
)

// eventView shows what happens while it happens.
type eventView interface {
	event(migrate.Event)
	close()
}

// watch picks the view: data, bars on a terminal, or lines.
func (a *app) watch() eventView {
	switch {
	case a.set.JSON:
		return &jsonEvents{a: a}
	case a.set.Quiet:
		return silence{}
	case isTerminal(a.process.out, a.getenv):
		return newBarEvents(a.out)
	}
	return &lineEvents{p: a.out}
}

type silence struct{}

func (silence) event(migrate.Event) {}
func (silence) close()              {}

// How often progress is told where every telling stays.
const (
	progressLineEvery = 10 * time.Second
	progressJSONEvery = time.Second
	slowStep          = 2 * time.Second // a step that takes longer is announced
)

// lineEvents writes one line for everything that is worth it: for logs and pipes.
type lineEvents struct {
	p *printer

	mu   sync.Mutex
	run  string
	last time.Time   // of the last line of progress
	idle string      // signal told last
	slow *time.Timer // announces the step under way
}

func (v *lineEvents) event(e migrate.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.p.runHead(&v.run, e)
	switch e.Kind {
	case migrate.EventStep:
		v.settle()
		v.last, v.idle = time.Now(), ""
		v.slow = time.AfterFunc(slowStep, func() {
			v.mu.Lock()
			defer v.mu.Unlock()
			if v.slow != nil {
				v.p.line("  …     %s", pg.HideSecrets(e.Title))
			}
		})
	case migrate.EventProgress:
		reason, _, _ := strings.Cut(e.Idle, ":") // the numbers after it change all the time
		if time.Since(v.last) < progressLineEvery && (reason == v.idle || time.Since(v.last) < progressJSONEvery) {
			return
		}
		v.last, v.idle = time.Now(), reason
		v.p.line("  …     %s", progressText(e))
	default:
		v.settle()
		v.p.milestone(e)
	}
}

// settle calls off the announcement of the step under way.
func (v *lineEvents) settle() {
	if v.slow != nil {
		v.slow.Stop()
		v.slow = nil
	}
}

func (v *lineEvents) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.settle()
}

// runHead names the migration when another one begins.
func (p *printer) runHead(run *string, e migrate.Event) {
	if e.Run != "" && e.Run != *run {
		*run = e.Run
		p.line("%s", p.paint(bold, e.Run))
	}
}

// milestone writes the events that stay on the page.
func (p *printer) milestone(e migrate.Event) {
	switch e.Kind {
	case migrate.EventDone:
		note := ""
		if e.Rows > 0 {
			note = ", " + number(e.Rows) + " rows"
		}
		p.line("  %s  %s%s", p.paint(green, "done"), pg.HideSecrets(e.Title), p.paint(dim, "  "+span(e.Took)+note))
	case migrate.EventUndone:
		p.line("  %s  %s", p.paint(yellow, "undone"), pg.HideSecrets(e.Title))
	case migrate.EventWaiting:
		p.wrapped("  "+p.paint(yellow, "waits")+" ", "", waitingText(e))
		if e.Waiting != nil {
			for _, b := range e.Waiting.Blockers {
				p.wrapped("          ", "", blockerText(b))
			}
		}
	case migrate.EventState:
		if s := stateText(e); s != "" {
			p.line("  %s", s)
		}
	case migrate.EventNote:
		p.wrapped("  ", "", hideSecretsInProse(e.Text))
	}
}

// stateText says what entering a state means; "" for those that the steps tell.
func stateText(e migrate.Event) string {
	switch e.State {
	case migrate.Ready:
		return "ready: complete or revert comes next"
	case migrate.Done:
		return "done"
	case migrate.Reverting:
		return "taking it back"
	case migrate.Reverted:
		return "taken back: as it was before"
	case migrate.Failed:
		return "failed: a person must look"
	}
	return ""
}

func waitingText(e migrate.Event) string {
	s := pg.HideSecrets(e.Title)
	if s == "" {
		s = hideSecretsInProse(e.Text)
	}
	if w := e.Waiting; w != nil && w.Note != "" {
		s += ": " + w.Note
	}
	return s
}

// blockerText names who is waited for, so that somebody can go and ask.
func blockerText(b pg.Blocker) string { return b.String() }

// progressText is how far a step is: 540,000 of about 1,240,000 rows (43 %), 83k/s, 8s left; idle: …
func progressText(e migrate.Event) string {
	s := pg.HideSecrets(e.Title)
	if e.Text != "" {
		s += " (" + e.Text + ")"
	}
	if amount := amountText(e); amount != "" {
		s += ": " + amount
	}
	if e.Idle != "" {
		s += "; idle: " + e.Idle
	}
	return s
}

func amountText(e migrate.Event) string {
	s := ""
	add := func(format string, args ...any) {
		if s != "" {
			s += ", "
		}
		s += fmt.Sprintf(format, args...)
	}
	switch p := e.Progress; {
	case p != nil:
		if p.Phase != "" {
			add("%s", p.Phase)
		}
		if f := fraction(e); f > 0 {
			add("%.0f %%", 100*f)
		}
		if p.LockersTotal > 0 {
			add("waits for %d of %d older transactions", p.LockersTotal-p.LockersDone, p.LockersTotal)
		}
		for _, b := range p.Blockers {
			add("%s", blockerText(b))
		}
	case e.Total > 0:
		add("%s of about %s rows (%.0f %%)", number(e.Rows), number(max(e.Rows, e.Total)), 100*e.Fraction)
	case e.Rows > 0:
		add("%s rows", number(e.Rows))
	}
	if e.Rate > 0 {
		add("%s/s", about(e.Rate))
	}
	if left := e.ETA.Round(time.Second); left > 0 {
		add("%s left", left)
	}
	return s
}

// fraction is how far a step is, from 0 to 1; 0 when nobody knows.
func fraction(e migrate.Event) float64 {
	p := e.Progress
	switch {
	case p == nil:
		return e.Fraction
	case p.TuplesTotal > 0:
		return min(1, float64(p.TuplesDone)/float64(p.TuplesTotal))
	case p.BlocksTotal > 0:
		return min(1, float64(p.BlocksDone)/float64(p.BlocksTotal))
	}
	return 0
}

// barEvents keeps one live line at the bottom of a terminal; what stays is written above it.
type barEvents struct {
	p     *printer // writes above the live line
	bars  *mpb.Progress
	bar   *mpb.Bar
	width int

	mu    sync.Mutex
	run   string
	now   migrate.Event // of the step under way; Kind "" when there is none
	since time.Time
}

func newBarEvents(out *printer) *barEvents {
	v := &barEvents{width: out.width}
	v.bars = mpb.New(mpb.WithOutput(out.w), mpb.WithWidth(out.width), mpb.WithRefreshRate(120*time.Millisecond))
	above := *out
	above.w = v.bars
	v.p = &above
	v.bar = v.bars.MustAdd(0, mpb.BarFillerFunc(func(w io.Writer, _ decor.Statistics) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		_, err := io.WriteString(w, v.live())
		return err
	}), mpb.BarFillerTrim())
	return v
}

func (v *barEvents) event(e migrate.Event) {
	v.mu.Lock()
	if e.Kind == migrate.EventStep {
		v.since = time.Now()
	}
	switch e.Kind {
	case migrate.EventStep, migrate.EventProgress:
		v.now = e
	case migrate.EventDone, migrate.EventUndone, migrate.EventState:
		v.now = migrate.Event{}
	}
	v.mu.Unlock()
	// Not under the lock: writing may wait for the line that is being drawn.
	v.p.runHead(&v.run, e)
	switch e.Kind {
	case migrate.EventStep, migrate.EventProgress:
	default:
		v.p.milestone(e)
	}
}

var turning = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// live is the line of the step under way.
func (v *barEvents) live() string {
	if v.now.Kind == "" {
		return ""
	}
	took := time.Since(v.since)
	wheel := string(turning[int(took/(120*time.Millisecond))%len(turning)])
	if f := fraction(v.now); f > 0 {
		return cut(fmt.Sprintf("  %s %s %s%s", wheel, bar(f, 20), amountText(v.now), idleText(v.now)), v.width-1)
	}
	s := fmt.Sprintf("  %s %s  %s", wheel, pg.HideSecrets(v.now.Title), span(took))
	if amount := amountText(v.now); amount != "" {
		s += "  " + amount
	}
	return cut(s+idleText(v.now), v.width-1)
}

func idleText(e migrate.Event) string {
	if e.Idle == "" {
		return ""
	}
	return "  idle: " + e.Idle
}

func bar(f float64, width int) string {
	full := int(f * float64(width))
	b := make([]rune, width)
	for i := range b {
		b[i] = '░'
		if i < full {
			b[i] = '█'
		}
	}
	return string(b)
}

func (v *barEvents) close() {
	v.mu.Lock()
	v.now = migrate.Event{}
	v.mu.Unlock()
	v.bar.Abort(true)
	v.bars.Wait()
}

// jsonEvents writes one object a line.
type jsonEvents struct {
	a    *app
	last time.Time
	idle string
}

// eventJSON is the form of an event in JSON; docs/guide-cli.md describes it.
type eventJSON struct {
	Kind     migrate.EventKind `json:"kind"`
	Time     time.Time         `json:"time"`
	Run      string            `json:"migration,omitempty"`
	State    migrate.State     `json:"state,omitempty"`
	Step     string            `json:"step,omitempty"`
	Title    string            `json:"title,omitempty"`
	N        int               `json:"n,omitempty"`
	Of       int               `json:"of,omitempty"`
	Text     string            `json:"text,omitempty"`
	Rows     int64             `json:"rows,omitempty"`
	Total    int64             `json:"rows_estimate,omitempty"`
	Fraction float64           `json:"fraction,omitempty"`
	Rate     float64           `json:"rows_per_second,omitempty"`
	ETA      float64           `json:"eta_seconds,omitempty"`
	Idle     string            `json:"idle,omitempty"`
	Took     float64           `json:"took_seconds,omitempty"`
	Waiting  *waitingJSON      `json:"waiting,omitempty"`
}

type waitingJSON struct {
	Since    float64       `json:"since_seconds"`
	Tries    int           `json:"tries"`
	Note     string        `json:"note,omitempty"`
	Blockers []blockerJSON `json:"blockers,omitempty"`
}

type blockerJSON struct {
	PID         int32   `json:"pid,omitempty"`
	GID         string  `json:"gid,omitempty"`
	Application string  `json:"application,omitempty"`
	User        string  `json:"user,omitempty"`
	State       string  `json:"state,omitempty"`
	Age         float64 `json:"xact_age_seconds,omitempty"`
	Relation    string  `json:"relation,omitempty"`
	Mode        string  `json:"mode,omitempty"`
	Query       string  `json:"query,omitempty"`
}

func (v *jsonEvents) event(e migrate.Event) {
	if e.Kind == migrate.EventProgress {
		if time.Since(v.last) < progressJSONEvery && e.Idle == v.idle {
			return
		}
		v.last, v.idle = time.Now(), e.Idle
	}
	out := eventJSON{Kind: e.Kind, Time: time.Now().UTC(), Run: e.Run, State: e.State, Step: e.Step, Title: pg.Redact(e.Title),
		N: e.N, Of: e.Of, Text: redactProse(e.Text), Rows: e.Rows, Total: e.Total, Fraction: fraction(e), Rate: e.Rate,
		ETA: e.ETA.Seconds(), Idle: e.Idle, Took: e.Took.Seconds()}
	if e.Progress != nil && out.Text == "" {
		out.Text = e.Progress.Phase
	}
	if w := e.Waiting; w != nil {
		out.Waiting = &waitingJSON{Since: w.Since.Seconds(), Tries: w.Tries, Note: w.Note}
		for _, b := range w.Blockers {
			out.Waiting.Blockers = append(out.Waiting.Blockers, blockerJSON{PID: b.PID, GID: b.GID, Application: b.ApplicationName,
				User: b.User, State: b.State, Age: max(0, b.XactAge.Seconds()), Relation: b.Relation, Mode: b.Mode, Query: b.Query})
		}
	}
	_ = v.a.printJSON(out)
}

func (v *jsonEvents) close() {}
