package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/replank/replank/history"
	"github.com/replank/replank/migrate"
)

// watchEvery is how often status --watch looks.
const watchEvery = time.Second

func (a *app) statusCommand() *cobra.Command {
	var watch, gate bool
	cmd := &cobra.Command{
		Use:     "status [PATH…]",
		Short:   "Say what is under way, ready or done",
		GroupID: groupWatch,
		Long: `Reads the journal, and pg_stat_statements where complete --unused-for has asked
it; asks no table of yours and writes nothing.

With --gate it is a question: 0 when nothing is under way (and, with paths or
migrations in the configuration, all of those files are applied as they are),
6 when something is, 4 when a migration has failed.
With --gate --watch it waits for the answer to be 0 or 4.`,
		Example: `  replank status
  replank status --watch
  replank status --gate migrations/ || exit 1      # in a deploy pipeline
  replank status --json | jq '.runs[].state'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && gate {
				args = a.set.Migrations // a gate that forgot them would open too early
			}
			s := &statusView{app: a, paths: args, gate: gate, began: time.Now()}
			if err := s.open(cmd.Context()); err != nil {
				return err
			}
			if watch {
				return s.watch(cmd.Context())
			}
			return s.once(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "look again every second; while --gate is shut, or until Ctrl-C")
	cmd.Flags().BoolVar(&gate, "gate", false, "answer with the exit code whether everything is at rest")
	return cmd
}

type statusView struct {
	*app
	engine *migrate.Engine
	paths  []string
	ms     []history.Migration // of the paths
	files  string              // the fingerprint of what ms was read from
	gate   bool
	began  time.Time
	shown  string // printed last
}

// statusJSON is what status --json prints.
type statusJSON struct {
	Kind string `json:"kind"`
	*migrate.Status
	// Pending are the files of the paths that are not applied.
	Pending []string `json:"pending,omitempty"`
	// Gate says why the gate is shut; empty = it is open.
	Gate []string `json:"gate,omitempty"`
}

// open connects, with the books of the tool whose migrations the paths are: they say what is applied. Called again, it
// does both anew where the files have changed: to read them takes seconds of Python where they are a project's.
func (s *statusView) open(ctx context.Context) error {
	before := s.history
	files := before.Fingerprint(s.paths...)
	if s.engine != nil && (len(s.paths) == 0 || files == s.files) {
		return nil
	}
	if len(s.paths) > 0 {
		var err error
		if s.ms, err = s.read(ctx, s.paths); err != nil {
			return err
		}
		// What has changed meanwhile may have been read before it did, and is read again.
		if s.files = ""; before.Fingerprint(s.paths...) == files {
			s.files = s.history.Fingerprint(s.paths...)
		}
	}
	e, err := s.app.open(ctx, nil)
	if err != nil {
		return err
	}
	if s.engine != nil {
		s.engine.Close()
	}
	s.engine = e
	return nil
}

// once prints the status and gives the answer of the gate.
func (s *statusView) once(ctx context.Context) error {
	st, gate, err := s.look(ctx)
	if err != nil {
		return err
	}
	if s.set.JSON {
		err = s.printJSONDocument(st)
	} else {
		s.print(st)
	}
	if err != nil || !s.gate {
		return err
	}
	return gate
}

// look reads the journal; gate is the answer of the gate.
func (s *statusView) look(ctx context.Context) (doc statusJSON, gate error, err error) {
	st, err := s.engine.Status(ctx)
	if err != nil {
		return doc, nil, err
	}
	clean := hideSecretsInProse
	if s.set.JSON {
		clean = redactProse
	}
	for _, runs := range [][]migrate.RunStatus{st.Runs, st.Last} {
		for i := range runs {
			runs[i].Error = clean(runs[i].Error)
			for k := range runs[i].Steps {
				runs[i].Steps[k].Error = clean(runs[i].Steps[k].Error)
			}
		}
	}
	doc = statusJSON{Kind: "status", Status: st}
	if len(s.paths) > 0 {
		p, err := s.engine.Plan(ctx, s.ms)
		if err != nil {
			return doc, nil, err
		}
		var edited []string
		for _, f := range p.Files {
			if f.Status != migrate.Applied {
				doc.Pending = append(doc.Pending, f.Name)
			}
			if f.Edited {
				edited = append(edited, f.Name)
			}
		}
		if len(edited) > 0 {
			doc.Gate = append(doc.Gate, "not what was applied: "+strings.Join(edited, ", "))
		}
		if len(doc.Pending) > 0 {
			doc.Gate = append(doc.Gate, "not applied: "+strings.Join(doc.Pending, ", "))
		}
	}
	var failed []string
	for _, r := range st.Runs {
		switch {
		case r.State == migrate.Failed:
			failed = append(failed, r.Name)
			fallthrough
		case r.State != migrate.Ready:
			doc.Gate = append(doc.Gate, r.Name+" is "+string(r.State))
		}
	}
	switch {
	case len(failed) > 0:
		gate = &personError{"failed: " + strings.Join(failed, ", ")}
	case len(doc.Gate) > 0:
		gate = &notYetError{doc.Gate}
	}
	return doc, gate, nil
}

// watch looks again and again. On a terminal the page is drawn anew; elsewhere, and in JSON, it is written when
// something has changed.
func (s *statusView) watch(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	screen := isTerminal(s.process.out, s.getenv) && !s.set.JSON
	var gate error = &notYetError{[]string{"interrupted"}}
	leave := func() error { // Ctrl-C is how one leaves; a gate is as it was seen last
		if s.gate {
			return gate
		}
		return nil
	}
	for {
		doc, now, err := s.look(ctx)
		if ctx.Err() != nil {
			return leave()
		}
		if err != nil {
			return err
		}
		gate = now
		key, err := json.Marshal(doc)
		if err != nil {
			return fmt.Errorf("encode the status: %w", err)
		}
		switch {
		case screen:
			fmt.Fprint(s.process.out, "\x1b[H\x1b[2J") // home, clear
			s.print(doc)
		case string(key) == s.shown:
		case s.set.JSON:
			if err := s.printJSON(doc); err != nil {
				return err
			}
		default:
			s.print(doc)
		}
		s.shown = string(key)
		if s.stdout.closed() && !s.gate {
			return nil // nobody watches; a gate answers with its exit code
		}
		var person *personError
		if s.gate && (gate == nil || errors.As(gate, &person)) {
			return gate
		}
		select {
		case <-ctx.Done():
			return leave()
		case <-tick.C:
		}
		if err := s.open(ctx); ctx.Err() != nil {
			return leave()
		} else if err != nil {
			return err
		}
	}
}

func (s *statusView) print(doc statusJSON) {
	p := s.app.out
	sv := s.engine.Server()
	head := p.paint(bold, fmt.Sprintf("%s on PostgreSQL %s: ", sv.Database, firstField(sv.Version)))
	if !doc.Installed {
		p.line("%sno journal yet, nothing was ever applied", head)
	} else {
		p.line("%s%s applied%s", head, plural(doc.Applied, "migration", "migrations"), baselineText(doc.Baseline))
		if doc.Executor != "" {
			p.line("executor: %s", doc.Executor)
		}
	}
	for _, r := range doc.Runs {
		p.run(r)
	}
	if len(doc.Last) > 0 {
		p.line("")
		rows := [][]string{{"finished", "state", "when", "by"}}
		for _, r := range doc.Last {
			when := ""
			if r.Finished != nil {
				when = r.Finished.Local().Format("2006-01-02 15:04:05")
			}
			rows = append(rows, []string{r.Name, string(r.State), when, r.RequestedBy})
		}
		p.table(rows)
	}
	if len(doc.Pending) > 0 {
		p.line("")
		p.wrapped("not applied: ", "", strings.Join(doc.Pending, ", "))
	}
}

func baselineText(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s of them taken over as a baseline)", number(int64(n)))
}

// run writes one unfinished run: where it is, and what comes next.
func (p *printer) run(r migrate.RunStatus) {
	p.line("")
	state := p.paint(stateStyle(r), string(r.State))
	if r.Paused {
		state += p.paint(yellow, ", paused by "+r.PausedBy)
	}
	p.line("%s  %s  %s", p.paint(bold, r.Name), state, p.paint(dim, "since "+r.Updated.Local().Format("2006-01-02 15:04:05")))
	if r.Error != "" {
		p.wrapped("  ", red, r.Error)
	}
	if r.Rejected > 0 {
		p.wrapped("  ", yellow, plural(r.Rejected, "row was", "rows were")+" set aside in replank.rejected: correct and resume, or waive")
	}
	for _, s := range r.Steps {
		mark, note := " ", ""
		switch s.State {
		case "done":
			mark = p.paint(green, "✓")
		case "running":
			mark = p.paint(yellow, "▸")
			if s.Rows > 0 {
				note = number(s.Rows) + " rows"
				if s.Total > 0 {
					note += " of about " + number(max(s.Rows, s.Total))
				}
			}
		case "failed":
			mark = p.paint(red, "✗")
			note = s.Error
		case "skipped":
			mark = p.paint(green, "=")
			note = "was so already"
		case "reversing", "reversed":
			mark = p.paint(yellow, "↶")
		}
		if s.Seconds > 0 && note == "" {
			note = span(time.Duration(s.Seconds * float64(time.Second)))
		}
		title := cut(s.Title, max(0, p.width-8-runes(note)))
		p.line("  %s %s  %s", mark, title, p.paint(dim, note))
	}
	if r.OldShape != nil {
		p.oldShape(r.OldShape)
	}
	if next := nextText(r); next != "" {
		p.wrapped("  "+p.paint(cyan, "next: "), "", next)
	}
}

// oldShape says who uses the old shape.
func (p *printer) oldShape(o *migrate.OldShape) {
	head := "  old shape: "
	p.wrapped(p.paint(bold, head), "", fmt.Sprintf("%s, allowed from %s on when it stays unused for %s",
		plural(len(o.Used), "live statement needs it", "live statements need it"), local(o.Allowed), span(time.Duration(o.Asked*float64(time.Second)))))
	for _, u := range o.Used {
		p.wrapped("    ", "", fmt.Sprintf("%s since %s by %s, the last before %s: %s", plural(int(u.Calls), "call", "calls"), local(o.Counted), strings.Join(u.Roles, ", "), local(u.Last), u.Reason))
		p.wrapped("      ", dim, oneLine(u.Statement))
	}
	for _, u := range o.Unjudged {
		p.wrapped("    "+p.paint(yellow, "could not judge: "), "", fmt.Sprintf("%s since %s, the last before %s: %s", plural(int(u.Calls), "call", "calls"), local(o.Counted), local(u.Last), u.Reason))
		p.wrapped("      ", dim, oneLine(u.Statement))
	}
	for _, text := range append(append([]string{}, o.Unseen...), o.Notes...) {
		p.wrapped("    ", dim, text)
	}
	if o.Lost != "" {
		p.wrapped("    ", yellow, "calls are known since "+local(o.Known)+": "+o.Lost)
	}
	if o.New > 0 {
		p.wrapped("    ", dim, plural(o.New, "statement is", "statements are")+" new since complete asked last, and not judged")
	}
}

func local(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

func stateStyle(r migrate.RunStatus) style {
	switch r.State {
	case migrate.Failed:
		return red
	case migrate.Ready:
		return green
	}
	return yellow
}

func nextText(r migrate.RunStatus) string {
	switch {
	case r.State == migrate.Failed:
		return "a person decides: " + r.Hint
	case r.State == migrate.Ready:
		return "complete when no deployed code needs the old shape, or revert"
	case r.Paused:
		return "resume"
	}
	return ""
}

func (a *app) receiptCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "receipt NAME",
		Short:   "Print the evidence that a migration left, as JSON",
		GroupID: groupWatch,
		Example: "  replank receipt 0042_names | jq .proofs",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.open(cmd.Context(), nil)
			if err != nil {
				return err
			}
			rec, err := e.Receipt(cmd.Context(), first(args))
			if err != nil {
				return err
			}
			return a.printJSONDocument(rec)
		},
	}
}
