package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// Widths of a page. Longer lines are hard to read even where there is room.
const (
	widest    = 100
	narrowest = 60
)

// printer writes for people: with colours and wrapped lines on a terminal, plain everywhere else.
type printer struct {
	w     io.Writer
	color bool
	width int // 0: do not wrap
}

// isTerminal reports whether f is a terminal that understands more than lines.
func isTerminal(f *os.File, getenv func(string) string) bool {
	return term.IsTerminal(int(f.Fd())) && getenv("TERM") != "dumb"
}

func newPrinter(f *os.File, getenv func(string) string, noColor bool) *printer {
	p := &printer{w: f}
	if isTerminal(f, getenv) {
		p.color = !noColor && getenv("NO_COLOR") == ""
		p.width = widest
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			p.width = max(narrowest, min(widest, w))
		}
	}
	return p
}

// style is a way to write, as the number that terminals know it by.
type style string

const (
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

func (p *printer) paint(s style, text string) string {
	if !p.color || s == "" || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// escapes are the sequences that paint writes.
var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

func (p *printer) text(s string) { fmt.Fprint(p.w, s) }

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

// wrapped writes text behind lead, with its further lines under its first; style is for the text.
func (p *printer) wrapped(lead string, s style, text string) {
	indent := strings.Repeat(" ", runes(escapes.ReplaceAllString(lead, "")))
	for paragraph := range strings.SplitSeq(text, "\n") {
		for _, l := range wrap(paragraph, p.width-len(indent)) {
			p.line("%s%s", lead, p.paint(s, l))
			lead = indent
		}
	}
}

// wrap breaks text at spaces into lines of at most width; a width of 0 or less leaves it as it is.
func wrap(text string, width int) []string {
	if width <= 0 {
		return []string{text}
	}
	width = max(width, 20)
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && runes(line)+1+runes(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// cut shortens s to width with an ellipsis; a width of 0 or less leaves it as it is.
func cut(s string, width int) string {
	if width <= 0 || runes(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width-1)]) + "…"
}

// pad fills s up with spaces.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-runes(s)))
}

func runes(s string) int { return utf8.RuneCountInString(s) }

// number writes n with separators: 1,240,000.
func number(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// about writes n short: 83, 540k, 1.2M, 3.4G.
func about(n float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if n >= unit.size {
			return short(n/unit.size) + unit.name
		}
	}
	return short(n)
}

// bytesize writes n in the units of PostgreSQL's pg_size_pretty.
func bytesize(n int64) string {
	f, unit := float64(n), "bytes"
	for _, next := range []string{"kB", "MB", "GB", "TB", "PB"} {
		if f < 1024 {
			break
		}
		f, unit = f/1024, next
	}
	return short(f) + " " + unit
}

func short(f float64) string {
	if f >= 10 || f == float64(int64(f)) {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.1f", f)
}

// span writes a duration as people say it: 12ms, 3.4s, 2m10s, 5h3m, 4d2h.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(int64(n)) + " " + many
}

// table writes rows in columns as wide as they need to be. The first row is the head.
func (p *printer) table(rows [][]string) {
	var widths []int
	for _, r := range rows {
		for i, cell := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], runes(cell))
		}
	}
	for n, r := range rows {
		var b strings.Builder
		for i, cell := range r {
			if i > 0 {
				b.WriteString("  ")
			}
			b.WriteString(pad(cell, widths[i]))
		}
		s := cut(strings.TrimRight(b.String(), " "), p.width)
		if n == 0 {
			s = p.paint(dim, s)
		}
		p.line("%s", s)
	}
}
