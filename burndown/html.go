package burndown

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page.gohtml
var pageText string

//go:embed page.css
var pageStyle string

// ContentSecurityPolicy is what the page needs, as a header for who serves it: its own style, and nothing else. The page
// says the same in itself, for who opens it as a file.
func ContentSecurityPolicy() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"statuses": func() any { return Statuses },
	"number":   number,
	"plural":   plural,
	"share":    Share.text,
	"percent":  func(of, n int) string { return Share{int64(n), int64(of)}.text() },
	"bars":     bars,
	"int":      func(n int64) int { return int(n) },
}).Parse(pageText))

// view is what the page shows.
type view struct {
	*Report
	CSS    template.CSS
	Policy string
	Charts []*chart

	Left, Waived, Done []Route
}

// WriteHTML writes the report as one page that needs nothing else.
func (r *Report) WriteHTML(w io.Writer) error {
	v := view{Report: r, CSS: template.CSS(pageStyle), Policy: ContentSecurityPolicy(), Charts: charts(r),
		Left: r.with(Left, Unknown), Waived: r.with(Waived), Done: r.with(Ported, Retired)}
	// Into memory first: a page that is cut off looks whole to a browser.
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Hints, MethodList and Notes are the text's, for the page.
func (v view) Hints() string { return v.hints() }

func (v view) MethodList(r Route) string { return strings.Join(strings.Split(r.methods(), ","), ", ") }

func (v view) Notes(r Route) string { return r.notes(v.Days) }

func (v view) UndatedNote() string { return v.undated() }

// bar is a part of a bar: where it begins and how wide it is, of 1000.
type bar struct {
	Status Status
	X, W   float64
}

func bars(t Tally) []bar {
	var all []bar
	x := 0.0
	for _, s := range Statuses {
		if n := t.Of(s.Name); n > 0 {
			w := 1000 * float64(n) / float64(t.All)
			all = append(all, bar{s.Name, x, w})
			x += w
		}
	}
	return all
}

// chart is a chart of lines over weeks. Only lines and areas are in the drawing, which is stretched to the room there
// is; texts stand around it as HTML, so that they have their size on a phone, too.
type chart struct {
	ID, Title, Says string
	Top, Middle     string // of the scale, which begins at 0
	First, Last     string // weeks
	Lines           []line
}

type line struct {
	Class, Name, Now string
	Points           string // of an SVG polyline, in 1000 by 1000
	Area             string
}

func charts(r *Report) []*chart {
	if len(r.Trend) == 0 {
		return nil
	}
	first, last := r.Trend[0], r.Trend[len(r.Trend)-1]
	goal := max(1, int(r.Routes.Done().Of))
	ported := line{Class: "ported", Name: "ported or retired", Now: number(last.Ported)}
	ported.draw(r.Trend, func(w Week) (float64, bool) { return float64(w.Ported) / float64(goal), true })
	all := line{Class: "traffic", Name: "all requests", Now: last.All.text()}
	all.draw(r.Trend, func(w Week) (float64, bool) { return w.All.ratio() })
	writes := line{Class: "writes", Name: "writes", Now: last.Writes.text()}
	writes.draw(r.Trend, func(w Week) (float64, bool) { return w.Writes.ratio() })
	return []*chart{
		{ID: "routes-by-week", Title: "Routes ported, by week", Top: number(goal), Middle: strings.TrimSuffix(fmt.Sprintf("%.1f", float64(goal)/2), ".0"),
			First: first.From, Last: last.From, Lines: []line{ported},
			Says: fmt.Sprintf("From %d routes in the week from %s to %d in the week from %s, of %d that are to be ported.", first.Ported, first.From, last.Ported, last.From, goal)},
		{ID: "traffic-by-week", Title: "Answered by the modern application, by week", Top: "100%", Middle: "50%",
			First: first.From, Last: last.From, Lines: []line{all, writes},
			Says: fmt.Sprintf("All requests: from %s in the week from %s to %s in the week from %s. Writes: from %s to %s.",
				first.All.text(), first.From, last.All.text(), last.From, first.Writes.text(), last.Writes.text())},
	}
}

func (s Share) ratio() (float64, bool) {
	if s.Of == 0 {
		return 0, false
	}
	return float64(s.Part) / float64(s.Of), true
}

// draw makes the points. A week without a value has none, and the line goes on to the next; one value is a level line.
func (l *line) draw(weeks []Week, value func(Week) (float64, bool)) {
	type point struct{ x, y float64 }
	var all []point
	for i, w := range weeks {
		if v, ok := value(w); ok {
			all = append(all, point{1000 * float64(i) / float64(max(1, len(weeks)-1)), 1000 * (1 - min(1, v))})
		}
	}
	if len(all) == 1 {
		all = []point{{0, all[0].y}, {1000, all[0].y}}
	}
	if len(all) == 0 {
		return
	}
	var b strings.Builder
	for _, p := range all {
		fmt.Fprintf(&b, "%.1f,%.1f ", p.x, p.y)
	}
	l.Points = strings.TrimSpace(b.String())
	l.Area = fmt.Sprintf("%.1f,1000 %s %.1f,1000", all[0].x, l.Points, all[len(all)-1].x)
}
