package burndown

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is how a report is written for people.
type Text struct {
	// Width of the terminal: lines fit, and long lists end. Default: no terminal, everything is written.
	Width int
	// Color: with the colours of a terminal. Default: none.
	Color bool
	// All: lists do not end. Default: after 20 lines on a terminal.
	All bool
}

const shortList = 20

// WriteText writes the report as tables.
func (r *Report) WriteText(w io.Writer, t Text) error {
	p := &textPage{Text: t}
	p.summary(r)
	p.owners(r)
	p.routes(r)
	p.wrongWay(r)
	p.trend(r)
	_, err := w.Write(p.Bytes())
	return err
}

// textPage collects the text.
type textPage struct {
	Text
	bytes.Buffer
}

func (p *textPage) summary(r *Report) {
	p.head("ROUTES OF THE LEGACY APPLICATION", r.Date)
	rows := [][]string{{"all", number(r.Routes.All), "", ""}}
	for _, s := range Statuses {
		n := Share{int64(r.Routes.Of(s.Name)), int64(r.Routes.All)}
		rows = append(rows, []string{string(s.Name), number(int(n.Part)), n.text(), p.bar(n)})
	}
	p.table(nil, "lrrl", rows)
	p.note("Ported or retired, of those that are to be ported: " + r.Routes.Done().text())
	if r.New > 0 {
		p.note(plural(r.New, "route of the modern application is", "routes of the modern application are") + " new and not among them.")
	}

	p.head("ANSWERED BY THE MODERN APPLICATION", fmt.Sprintf("last %d days", r.Days))
	if r.Traffic == nil {
		p.note("Not known: requests are not counted.")
	} else {
		p.table([]string{"", "requests", "by modern", "share", ""}, "lrrrl", [][]string{
			{"all", number(int(r.Traffic.All.Of)), number(int(r.Traffic.All.Part)), r.Traffic.All.text(), p.bar(r.Traffic.All)},
			{"writes", number(int(r.Traffic.Writes.Of)), number(int(r.Traffic.Writes.Part)), r.Traffic.Writes.text(), p.bar(r.Traffic.Writes)}})
		p.note(fmt.Sprintf("Errors (5xx): modern %s, legacy %s.", r.errors(r.Traffic.ModernErrors, r.Traffic.All.Part), r.errors(r.Traffic.LegacyErrors, r.Traffic.All.Of-r.Traffic.All.Part)))
		if r.Traffic.Unanswered > 0 {
			p.note(plural(int(r.Traffic.Unanswered), "request was", "requests were") + " answered by no application.")
		}
		if r.Traffic.Days < r.Days {
			p.note(fmt.Sprintf("Counted for %d of %d days.", r.Traffic.Days, r.Days))
		}
	}
}

// errors writes how many of how many.
func (r *Report) errors(n, of int64) string {
	if of == 0 {
		return "none asked"
	}
	return fmt.Sprintf("%s of %s", number(int(n)), number(int(of)))
}

func (p *textPage) owners(r *Report) {
	p.head("OWNERS", "")
	var rows [][]string
	for _, o := range r.Owners {
		row := []string{cmp.Or(o.Name, "(nobody)")}
		for _, s := range Statuses {
			row = append(row, number(o.Routes.Of(s.Name)))
		}
		rows = append(rows, append(row, number(int(o.Traffic.Of)), o.Traffic.text()))
	}
	heads := []string{"owner"}
	for _, s := range Statuses {
		heads = append(heads, string(s.Name))
	}
	p.table(append(heads, "requests", "by modern"), "lrrrrrrr", rows)
}

// routes writes what is left, and why; then what is waived.
func (p *textPage) routes(r *Report) {
	p.head("LEFT", r.hints())
	var rows, waived [][]string
	for _, row := range r.with(Left, Unknown) {
		rows = append(rows, []string{row.Template, row.methods(), cmp.Or(row.Owner, "-"), number(int(row.Traffic.Of)), row.notes(r.Days)})
	}
	for _, row := range r.with(Waived) {
		waived = append(waived, []string{row.Template, cmp.Or(row.Owner, "-"), cmp.Or(row.WaivedUntil, "for good"), row.Why})
	}
	p.table([]string{"route", "methods", "owner", "requests", ""}, "lllrl", rows)
	if len(waived) > 0 {
		p.head("WAIVED", "")
		p.table([]string{"route", "owner", "until", "because"}, "llll", waived)
	}
}

// with returns the routes of some statuses, those that are called most first.
func (r *Report) with(statuses ...Status) []Route {
	var rows []Route
	for _, row := range r.List {
		if slices.Contains(statuses, row.Status) {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(x, y Route) int { return cmp.Compare(y.Traffic.Of, x.Traffic.Of) })
	return rows
}

// hints are the numbers about what is left.
func (r *Report) hints() string {
	all := []string{fmt.Sprintf("Stale: %d", r.Stale.Routes)}
	if r.Stale.Unknown > 0 {
		all[0] += fmt.Sprintf(", not known yet: %d", r.Stale.Unknown)
	}
	if r.Touched == nil {
		return all[0] + "; worked on: not known"
	}
	return all[0] + fmt.Sprintf("; worked on: %d", *r.Touched)
}

func (r Route) methods() string {
	if r.Methods == nil {
		return "any"
	}
	return strings.Join(r.Methods, ",")
}

// notes says what is to be known of a route that is left.
func (r Route) notes(days int) string {
	var all []string
	if r.Status == Unknown {
		all = append(all, "unknown")
	}
	switch r.Stale {
	case "yes":
		all = append(all, fmt.Sprintf("stale: not called for %d days", days))
	case "unknown":
		all = append(all, "not called since counting began")
	}
	if r.Touched != "" {
		all = append(all, "worked on "+r.Touched)
	}
	if r.Why != "" {
		all = append(all, r.Why)
	}
	return strings.Join(all, "; ")
}

func (p *textPage) wrongWay(r *Report) {
	if r.WrongWay == nil || len(r.WrongWay.List) == 0 {
		return
	}
	p.head("FROM LEGACY TO MODERN", fmt.Sprintf("without a waiver: %d", r.WrongWay.Ways))
	var rows [][]string
	for _, h := range r.WrongWay.List {
		waiver := "-"
		if h.WaivedUntil != "" {
			waiver = "until " + h.WaivedUntil
		}
		rows = append(rows, []string{h.Caller, h.Template, number(int(h.Requests)), h.Last, waiver})
	}
	p.table([]string{"caller", "route", "requests", "last", "waiver"}, "llrll", rows)
}

func (p *textPage) trend(r *Report) {
	p.head("TREND", "weeks, from Monday")
	if len(r.Trend) == 0 {
		p.note("Not known: requests are not counted.")
		return
	}
	var rows [][]string
	for _, w := range r.Trend {
		rows = append(rows, []string{w.From, number(w.Ported), number(int(w.All.Of)), w.All.text(), w.Writes.text()})
	}
	p.table([]string{"week", "ported", "requests", "by modern", "writes by modern"}, "lrrrr", rows)
	if r.Undated > 0 {
		p.note(r.undated())
	}
}

func (r *Report) undated() string {
	return plural(r.Undated, "route is", "routes are") + " ported or retired without a request that modern has answered: not in the trend."
}

func (p *textPage) head(title, more string) {
	if p.Len() > 0 {
		p.WriteByte('\n')
	}
	if more != "" {
		more = "  " + more
	}
	p.WriteString(p.paint("1", title) + p.paint("2", more) + "\n")
}

func (p *textPage) note(text string) { p.WriteString("  " + text + "\n") }

func (p *textPage) paint(style, text string) string {
	if !p.Color || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// bar draws a share, on terminals only.
func (p *textPage) bar(s Share) string {
	if p.Width == 0 || s.Of == 0 {
		return ""
	}
	return strings.Repeat("█", int(math.Round(float64(s.Part)*24/float64(s.Of))))
}

// table writes rows in columns, each l(eft) or r(ight). On a terminal the widest texts are cut so that
// lines fit.
func (p *textPage) table(heads []string, align string, rows [][]string) {
	if len(rows) == 0 {
		p.note("none")
		return
	}
	more := 0
	if p.Width > 0 && !p.All && len(rows) > shortList {
		more, rows = len(rows)-shortList, rows[:shortList]
	}
	// What applications have written (callers, templates) must not speak to the terminal.
	for _, l := range rows {
		for i := range l {
			l[i] = strings.Map(visible, l[i])
		}
	}
	lines := rows
	if heads != nil {
		lines = append([][]string{heads}, rows...)
	}
	widths := make([]int, len(align))
	total := 0
	for i := range widths {
		for _, l := range lines {
			widths[i] = max(widths[i], utf8.RuneCountInString(l[i]))
		}
		total += 2 + widths[i]
	}
	for p.Width > 0 && total > p.Width {
		widest := 0 // never a number: half of one would be another one
		for i, w := range widths {
			if align[i] == 'l' && w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= 8 {
			break
		}
		widths[widest]--
		total--
	}
	for n, l := range lines {
		var line strings.Builder
		for i, cell := range l {
			cell = fit(cell, widths[i])
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			line.WriteString("  ")
			if align[i] == 'r' {
				line.WriteString(gap + cell)
			} else {
				line.WriteString(cell + gap)
			}
		}
		text := strings.TrimRight(line.String(), " ")
		if n == 0 && heads != nil {
			text = p.paint("2", text)
		}
		p.WriteString(text + "\n")
	}
	if more > 0 {
		p.note(p.paint("2", fmt.Sprintf("and %s more; all of them: --all", number(more))))
	}
}

func visible(r rune) rune {
	if !unicode.IsPrint(r) {
		return '?'
	}
	return r
}

// fit cuts a text.
func fit(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// text writes a share. 100% is all and 0% nothing, and neither is rounded to.
func (s Share) text() string {
	p := s.Percent()
	if p == nil {
		return "-"
	}
	shown := math.Round(*p*10) / 10
	if s.Part > 0 && s.Part < s.Of {
		shown = max(0.1, min(99.9, shown))
	}
	return strconv.FormatFloat(shown, 'f', 1, 64) + "%"
}

// number writes 1234567 as 1,234,567.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}
