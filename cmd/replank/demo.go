package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/replank/replank/internal/demo"
)

func (a *app) demoCommand() *cobra.Command {
	var cfg demo.Config
	var keep bool
	cmd := &cobra.Command{
		Use:     "demo",
		Short:   "Watch psql and then Replank change a busy database (private PostgreSQL, nothing to configure)",
		GroupID: groupSetUp,
		Args:    arguments(cobra.NoArgs),
		Long: `Starts a private PostgreSQL, fills it with a small company's books, and lets an
application read and write them at a fixed rate. Then a folder of naive migrations
is carried out: through psql on one copy of the database, and through Replank on
another, there and back and there again.

Replank's fills run at full pace (--full-pace), so that this takes less than three
minutes on two cores. A migration that psql loses to deadlocks time and again is
carried out with the application stopped, as a person would do in the end.

At the end it says what the application felt, and proves that everything it was
told is committed is there. It ends with 1 when a statement of the application
failed beside Replank, or when a row or the shape differs.

Latency is counted from the moment a request was due, so that a stall counts for
everyone who would have come meanwhile.`,
		Example: `  replank demo
  replank demo --rows 3000000 --clients 24
  replank demo --json > demo.json
  replank demo --keep`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Logger = a.log
			view := a.demoView()
			cfg.Events = view.event
			if keep {
				cfg.Keep = a.keepDemo
			}
			result, err := demo.Run(cmd.Context(), cfg)
			view.close()
			if err != nil {
				return err
			}
			if a.set.JSON {
				if err := a.printJSONDocument(demoJSON(result)); err != nil {
					return err
				}
			} else {
				a.out.demoResult(result)
			}
			return result.Err()
		},
	}
	f := cmd.Flags()
	f.IntVar(&cfg.Rows, "rows", 1_000_000, "rows in all tables together")
	f.IntVar(&cfg.Clients, "clients", 12, "connections of the application")
	f.Float64Var(&cfg.Rate, "rate", 240, "requests a second, all clients together")
	f.DurationVar(&cfg.Watch, "watch", 6*time.Second, "how long to watch the application alone, and with each shape")
	f.IntVar(&cfg.Major, "pg", 0, "major version of PostgreSQL (default: 15 if there is a choice)")
	f.BoolVar(&keep, "keep", false, "let the server run at the end, to look around, until Ctrl-C")
	return cmd
}

// demoJSON is the result as data, with the verdict.
func demoJSON(r *demo.Result) any {
	verdict := "ok"
	if err := r.Err(); err != nil {
		verdict = err.Error()
	}
	return struct {
		*demo.Result
		Differing int    `json:"differing"`
		Verdict   string `json:"verdict"`
	}{r, r.Differing(), verdict}
}

func (a *app) keepDemo(ctx context.Context, dsn map[string]string) {
	p := a.out
	if a.set.JSON {
		p = a.messages
	}
	p.line("\nThe server runs until Ctrl-C:")
	p.line("  after psql     %s", dsn["psql"])
	p.line("  after Replank  %s", dsn["replank"])
	<-ctx.Done()
}

// demoView shows the demo while it goes on.
type demoView interface {
	event(demo.Event)
	close()
}

func (a *app) demoView() demoView {
	if a.set.JSON || a.set.Quiet {
		return silentDemo{}
	}
	v := &demoLines{p: a.out}
	if isTerminal(a.process.out, a.getenv) {
		v.live, v.term = a.process.out, a.process.out
	}
	return v
}

type silentDemo struct{}

func (silentDemo) event(demo.Event) {}
func (silentDemo) close()           {}

// demoLines writes a line for everything that is done and, on a terminal, keeps one line below them that shows
// how the application is.
type demoLines struct {
	p     *printer
	live  io.Writer // nil: not a terminal
	term  *os.File
	doing string
	last  *demo.Live
	table bool // the head of the files' table stands above
}

func (v *demoLines) event(e demo.Event) {
	switch e.Kind {
	case demo.EventLive:
		v.last = e.Live
	case demo.EventDoing:
		v.doing = e.Text
	case demo.EventAct:
		v.wipe()
		v.p.line("\n%s", v.p.paint(bold, e.Text))
		v.table, v.doing = false, ""
	case demo.EventDone:
		v.wipe()
		v.p.line("  %s  %s", v.p.paint(green, "✓"), pad(e.Text, 42)+v.p.paint(dim, demoSpan(e.Took)))
		v.doing = ""
	case demo.EventFile:
		v.wipe()
		v.file(e.File)
		v.doing = ""
	}
	v.draw()
}

func (v *demoLines) file(f *demo.File) {
	if !v.table {
		v.p.line("     %s", v.p.paint(dim, pad("", 36)+pad("", 10)+fmt.Sprintf("%8s  %14s  %s", "took", "slowest request", "failed")))
		v.table = true
	}
	failed := ""
	if f.Failed > 0 {
		failed = v.p.paint(red, number(int64(f.Failed)))
	}
	switch {
	case f.Halted:
		failed += fmt.Sprintf("  %d deadlocks: done with the application stopped", f.Tries-1)
	case f.Tries > 1:
		failed += fmt.Sprintf("  deadlock: done at try %d", f.Tries)
	}
	line := pad(f.Name, 36) + pad(f.State, 10) + fmt.Sprintf("%8s  ", demoSpan(f.Took)) +
		v.p.paint(slowness(f.Worst), fmt.Sprintf("%14s", demoSpan(f.Worst))) + "   " + failed
	v.p.line("  %s  %s", v.p.paint(green, "✓"), strings.TrimRight(line, " "))
}

func (v *demoLines) wipe() {
	if v.live != nil {
		fmt.Fprint(v.live, "\r\x1b[K")
	}
}

// draw writes the live line again, shorter than the terminal is wide.
func (v *demoLines) draw() {
	if v.live == nil {
		return
	}
	width := 80
	if w, _, err := term.GetSize(int(v.term.Fd())); err == nil && w > 0 {
		width = min(w, 120)
	}
	lead := "  "
	if l := v.last; l != nil && v.doing != "" {
		lead += v.p.sparkline(l.Series) + "  " + v.p.paint(slowness(l.Worst), fmt.Sprintf("%7s", demoSpan(l.Worst))) +
			fmt.Sprintf("  %3.0f/s  ", l.Rate)
		if l.Failed > 0 {
			lead += v.p.paint(red, number(int64(l.Failed))+" failed") + "  "
		}
	}
	rest := width - 1 - runes(escapes.ReplaceAllString(lead, ""))
	if v.doing == "" || rest < 8 {
		v.wipe()
		return
	}
	fmt.Fprintf(v.live, "\r\x1b[K%s%s", lead, v.p.paint(dim, cut(v.doing, rest)))
}

func (v *demoLines) close() { v.wipe() }

// steps of a latency bar: a request that is slower stands higher.
var bars = []struct {
	from time.Duration
	bar  rune
}{
	{0, '▁'}, {10 * time.Millisecond, '▂'}, {25 * time.Millisecond, '▃'}, {60 * time.Millisecond, '▄'},
	{150 * time.Millisecond, '▅'}, {400 * time.Millisecond, '▆'}, {time.Second, '▇'}, {2500 * time.Millisecond, '█'},
}

func (p *printer) sparkline(series []time.Duration) string {
	var out strings.Builder
	for _, d := range series {
		bar := ' '
		if d > 0 {
			for _, b := range bars {
				if d >= b.from {
					bar = b.bar
				}
			}
		}
		out.WriteString(p.paint(slowness(d), string(bar)))
	}
	return out.String()
}

// slowness is the colour of a latency as a person feels it.
func slowness(d time.Duration) style {
	switch {
	case d < 250*time.Millisecond:
		return green
	case d < time.Second:
		return yellow
	}
	return red
}

// demoSpan writes a duration with the digits that matter here: 0.8ms, 12ms, 3.4s.
func demoSpan(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1fms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}

// demoResult writes what everything comes to.
func (p *printer) demoResult(r *demo.Result) {
	p.line("\n%s", p.paint(bold, "What the application felt"))
	sides := []demo.Side{r.Idle, r.Psql, r.Replank}
	head := fmt.Sprintf("  %-22s", "")
	for _, s := range sides {
		head += fmt.Sprintf("%12s", s.Name)
	}
	p.line("%s", p.paint(dim, head))
	row := func(name string, cell func(demo.Side) (string, style)) {
		line := fmt.Sprintf("  %-22s", name)
		for _, s := range sides {
			text, st := cell(s)
			text = fmt.Sprintf("%12s", text)
			if st != "" {
				text = p.paint(st, text)
			}
			line += text
		}
		p.line("%s", line)
	}
	count := func(of func(demo.Stats) int) func(demo.Side) (string, style) {
		return func(i demo.Side) (string, style) { return number(int64(of(i.Stats))), "" }
	}
	latency := func(of func(demo.Stats) time.Duration) func(demo.Side) (string, style) {
		return func(i demo.Side) (string, style) { return demoSpan(of(i.Stats)), slowness(of(i.Stats)) }
	}
	row("statements", count(func(s demo.Stats) int { return s.Statements }))
	row("failed statements", func(i demo.Side) (string, style) {
		if n := i.Stats.Failed; n > 0 {
			return number(int64(n)), red
		}
		return "0", green
	})
	row("lost writes", func(i demo.Side) (string, style) {
		if n := i.Lost(); n > 0 {
			return number(int64(n)), red
		}
		return "0", green
	})
	row("retries", count(func(s demo.Stats) int { return s.Retries }))
	row("cached-plan errors", count(func(s demo.Stats) int { return s.CachedPlan }))
	row("latency, median", latency(func(s demo.Stats) time.Duration { return s.P50 }))
	row("latency, 99th %", latency(func(s demo.Stats) time.Duration { return s.P99 }))
	row("latency, slowest", latency(func(s demo.Stats) time.Duration { return s.Max }))
	p.line("")
	for _, s := range sides {
		p.line("  %-9s%s", s.Name, p.sparkline(s.Stats.Series))
	}
	p.demoErrors(r)
	p.demoProof(r)
	p.line("\n%s, %s rows, %d clients, %.0f requests a second; %s on the naive side; %s in all.", r.Server, number(int64(r.Rows)),
		r.Clients, r.Rate, r.Through, span(r.Took))
}

// mostErrors is how many different messages are worth their lines.
const mostErrors = 4

func (p *printer) demoErrors(r *demo.Result) {
	for _, s := range []demo.Side{r.Idle, r.Psql, r.Replank} {
		for i, e := range s.Stats.Errors {
			if i == mostErrors {
				p.line("  … and %d other messages", len(s.Stats.Errors)-i)
				break
			}
			if i == 0 {
				p.line("\nWhat failed beside %s", s.Name)
			}
			p.wrapped("  ", red, e.String())
		}
	}
}

func (p *printer) demoProof(r *demo.Result) {
	p.line("\n%s", p.paint(bold, "Proof"))
	for _, group := range []struct {
		name  string
		proof []demo.Proof
	}{{r.Psql.Name, r.Psql.Proof}, {r.Replank.Name, r.Replank.Proof}, {"both", r.Same}} {
		for _, one := range group.proof {
			mark := p.paint(green, "✓")
			if one.Count > 0 {
				mark = p.paint(red, "✗")
			}
			p.line("  %s  %-8s %s %s", mark, group.name, pad(one.What, 56), p.paint(dim, fmt.Sprintf("%10s checked", number(int64(one.Checked)))))
			for _, w := range one.Wrong {
				p.wrapped("       ", red, w)
			}
			if more := one.Count - len(one.Wrong); more > 0 {
				p.line("       … and %d more", more)
			}
		}
	}
}
