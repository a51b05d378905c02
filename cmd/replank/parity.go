package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/replank/replank/internal/compare"
	"github.com/replank/replank/internal/route"
	"github.com/replank/replank/parity"
)

// parityRecordJSON is what parity record --json prints; docs/guide-parity.md describes it.
type parityRecordJSON struct {
	File     string           `json:"file"`
	Recorded int              `json:"recorded"`
	Noisy    int              `json:"noisy"`
	Skipped  int              `json:"skipped"`
	Failures []parity.Failure `json:"failures"`
	ExitCode int              `json:"exit_code"`
}

// parityRunJSON is what parity run --json prints.
type parityRunJSON struct {
	*parity.Report
	ExitCode int `json:"exit_code"`
}

// parityFlags are what record and run have in common.
type parityFlags struct {
	file    string // of the recording
	host    string
	ignore  []string
	routes  string
	writes  bool
	atOnce  int
	timeout time.Duration
}

func (a *app) parityCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "parity", Short: "Tell whether what exists twice gives the same answers", GroupID: groupServe,
		Long: `Asks the legacy application, keeps what it answers, and later compares what the
modern one answers to the same requests: status, headers, and bodies as what they
are. A case can be a program instead of a request.

docs/guide-parity.md tells what counts as a difference.`,
		Example: `  replank parity record cases.jsonl --legacy http://127.0.0.1:8002
  replank parity run cases.jsonl --modern http://127.0.0.1:8001`,
		Args: arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			return &usageError{err: errors.New("record or run?"), hint: "replank parity --help"}
		},
	}
	var record, run parityFlags
	recordCmd := &cobra.Command{
		Use: "record CASES", Short: "Keep the answers of the legacy application",
		Long: `Sends the requests of CASES (JSON objects, one a line, or an access log; - reads
standard input) to the legacy application, twice: what differs between the two
answers is noise, and is not compared. Secrets are taken out of what is kept.

Exit codes: 0 all is recorded, 2 something could not be asked.`,
		Example: `  replank parity record cases.jsonl --legacy http://127.0.0.1:8002
  tail -n 1000 access.log | replank parity record - --out today.jsonl --legacy http://127.0.0.1:8002`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.parityFailed(a.parityRecord(cmd.Context(), args[0], record))
		},
	}
	runCmd := &cobra.Command{
		Use: "run CASES", Short: "Compare the answers of the modern application with the recorded ones",
		Long: `Sends the same requests to the modern application, and compares the answers with
what record has kept. Of a case with an argv it runs modern_argv, where there is one.

Exit codes: 0 the same, 1 differences, 2 something could not be compared.`,
		Example: `  replank parity run cases.jsonl --modern http://127.0.0.1:8001
  replank parity run cases.jsonl --modern http://127.0.0.1:8001 --routes routes-legacy.json --json`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.parityFailed(a.parityRun(cmd.Context(), args[0], run))
		},
	}
	a.set.addFlagsNamed(recordCmd.Flags(), "legacy")
	a.set.addFlagsNamed(runCmd.Flags(), "modern")
	recordCmd.Flags().StringVar(&record.file, "out", "parity.jsonl", "file to write")
	runCmd.Flags().StringVar(&run.file, "recorded", "parity.jsonl", "file that record has written")
	runCmd.Flags().StringVar(&run.routes, "routes", "", "route document to name routes by (default: paths with numbers replaced)")
	for _, c := range []struct {
		cmd *cobra.Command
		f   *parityFlags
	}{{recordCmd, &record}, {runCmd, &run}} {
		fs := c.cmd.Flags()
		fs.BoolVar(&c.f.writes, "writes", false, "send requests that may change something, too: once each, in the order of the file")
		fs.IntVar(&c.f.atOnce, "at-once", 4, "cases asked at the same time; with --writes 1")
		fs.DurationVar(&c.f.timeout, "timeout", 30*time.Second, "longest wait for one answer")
		fs.StringVar(&c.f.host, "host", "", "Host header of the requests (default: the legacy application's, as recorded)")
		fs.StringSliceVar(&c.f.ignore, "ignore-header", nil, "headers that do not count")
	}
	cmd.AddCommand(recordCmd, runCmd)
	return cmd
}

// parityFailed makes what went wrong end with 2: 1 says that there are differences.
func (a *app) parityFailed(err error) error {
	if codeOf(err) == exitFailed && !errors.As(err, new(*toldError)) {
		return &usageError{err: err}
	}
	return err
}

// parityCases reads the file of cases, and tells what of a log is no case.
func (a *app) parityCases(path string) ([]parity.Case, error) {
	from, name := os.Stdin, "standard input"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, &usageError{err: fmt.Errorf("read the cases: %w", err)}
		}
		defer f.Close()
		from, name = f, path
	}
	cases, left, err := parity.ReadCases(from, name)
	if err != nil {
		var wrong []error
		for _, one := range each(err) {
			wrong = append(wrong, &usageError{err: one})
		}
		return nil, errors.Join(wrong...)
	}
	for _, l := range []struct {
		n   int
		why string
	}{{left.Repeated, "repeated"}, {left.Methods, "neither GET nor HEAD, and a log has no bodies"}, {left.Unreadable, "not readable as a request"}} {
		if l.n > 0 {
			a.messages.wrapped(a.messages.paint(yellow, "left out: "), "", plural(l.n, "line", "lines")+" of the log: "+l.why)
		}
	}
	return cases, nil
}

// parityConfig is how the cases are asked; which names the application's setting.
func (a *app) parityConfig(f parityFlags, cases []parity.Case, which, at string) (parity.Config, error) {
	app := appURL(at)
	if app == nil && slices.ContainsFunc(cases, func(c parity.Case) bool { return c.Argv == nil }) {
		return parity.Config{}, &usageError{err: errors.New("whom to ask?"), hint: fmt.Sprintf("give --%s, or %s in [gateway] of %s", which, which, configFile)}
	}
	if f.atOnce < 1 || f.timeout <= 0 {
		return parity.Config{}, &usageError{err: errors.New("--at-once and --timeout are above 0")}
	}
	return parity.Config{App: app, Host: f.host, Writes: f.writes, Workers: f.atOnce, Timeout: f.timeout, Environ: os.Environ(),
		Compare: compare.Config{IgnoreHeaders: f.ignore}, Logger: a.log}, nil
}

func (a *app) parityRecord(ctx context.Context, path string, f parityFlags) error {
	cases, err := a.parityCases(path)
	if err != nil {
		return err
	}
	cfg, err := a.parityConfig(f, cases, "legacy", a.set.Gateway.Legacy)
	if err != nil {
		return err
	}
	rec, err := parity.Record(ctx, cfg, cases)
	if err != nil {
		return err
	}
	if err := writeRecording(f.file, rec); err != nil {
		return fmt.Errorf("write the recording: %w", err)
	}
	out := parityRecordJSON{File: f.file, Recorded: len(rec.Answers), Skipped: rec.Skipped, Failures: append([]parity.Failure{}, rec.Failures...)}
	for _, r := range rec.Answers {
		if len(r.Noise) > 0 {
			out.Noisy++
		}
	}
	if len(out.Failures) > 0 {
		out.ExitCode = exitUsage
	}
	if a.set.JSON {
		err = a.printJSONDocument(out)
	} else {
		a.out.recorded(out)
	}
	if err != nil {
		return err
	}
	return verdict(out.ExitCode != exitOK, false)
}

// writeRecording replaces the file when all of it is written. Nobody else may read it: answers are data of customers.
func writeRecording(path string, rec *parity.Recording) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename, as it should
	if err := errors.Join(rec.Write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (p *printer) recorded(r parityRecordJSON) {
	for _, f := range r.Failures {
		p.wrapped("  "+p.paint(red, "failed: "), "", printable(fmt.Sprintf("line %d, %s: %s", f.Line, f.Case, f.Error)))
	}
	text := plural(r.Recorded, "case", "cases") + " recorded in " + r.File
	for _, part := range []struct {
		n    int
		what string
	}{{r.Noisy, "with noise"}, {r.Skipped, "left out because they may change something (--writes)"}, {len(r.Failures), "failed"}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %s %s", number(int64(part.n)), part.what)
		}
	}
	p.line("%s", text)
}

func (a *app) parityRun(ctx context.Context, path string, f parityFlags) error {
	cases, err := a.parityCases(path)
	if err != nil {
		return err
	}
	from, err := os.Open(f.file)
	if err != nil {
		return &usageError{err: fmt.Errorf("read the recording: %w", err), hint: "replank parity record makes it"}
	}
	defer from.Close()
	rec, err := parity.ReadRecording(from)
	if err != nil {
		return &usageError{err: fmt.Errorf("%s: %w", f.file, err), hint: "replank parity record makes it"}
	}
	cfg, err := a.parityConfig(f, cases, "modern", a.set.Gateway.Modern)
	if err != nil {
		return err
	}
	if f.routes != "" {
		if cfg.Route, err = routeNames(f.routes); err != nil {
			return err
		}
	}
	r, err := parity.Run(ctx, cfg, cases, rec)
	if err != nil {
		return err
	}
	code := exitOK
	switch {
	case r.Failed > 0:
		code = exitUsage
	case r.Different > 0:
		code = exitFailed
	}
	if a.set.JSON {
		err = a.printJSONDocument(parityRunJSON{r, code})
	} else {
		a.out.compared(r, a.set.Verbose > 0)
	}
	if err != nil {
		return err
	}
	return verdict(code == exitUsage, code == exitFailed)
}

// routeNames names routes as a route document has them.
func routeNames(path string) (func(method, path string) string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("read the route document: %w", err)}
	}
	doc, err := route.Read(text)
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("%s: %w", path, err)}
	}
	table, err := route.Compile(route.Config{Legacy: doc})
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("%s: %w", path, err)}
	}
	return func(method, path string) string {
		decoded, err := url.PathUnescape(path)
		if err != nil {
			return "(no route)"
		}
		if o := table.Match(route.Request{Method: method, Path: decoded}).Legacy; o.Route != nil {
			return o.Route.Template
		}
		return "(no route)"
	}, nil
}

// How much of what differs is shown to people; --verbose and --json show all.
const (
	casesShown       = 3 // of a route
	differencesShown = 5 // of a case
)

// compared prints the routes, and what differs in them.
func (p *printer) compared(r *parity.Report, all bool) {
	rows := [][]string{{"route", "cases", "same", "different", "failed", "left out"}}
	for _, route := range r.Routes {
		row := []string{printable(route.Route)}
		for _, n := range []int{route.Cases, route.Same, route.Different, route.Failed, route.Skipped} {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, row)
	}
	p.table(rows)
	shown := map[string]int{}
	for _, c := range r.Cases {
		if c.Verdict != parity.Different && c.Verdict != parity.Failed {
			continue
		}
		if shown[c.Route]++; shown[c.Route] > casesShown && !all {
			continue
		}
		p.line("\n%s", p.paint(bold, printable(fmt.Sprintf("line %d: %s", c.Line, c.Case))))
		if c.Verdict == parity.Failed {
			p.wrapped("  "+p.paint(red, "failed: "), "", printable(c.Error))
		}
		if c.ByHash != "" {
			p.wrapped("  ", dim, "the body is compared by its hash only: "+c.ByHash)
		}
		for i, d := range c.Differences {
			if i == differencesShown && !all {
				break
			}
			p.line("  %s", printable(strings.TrimSpace(string(d.In)+" "+d.Path))+": "+string(d.Kind))
			p.line("    %s", p.paint(red, "- "+printable(d.Old)))
			p.line("    %s", p.paint(green, "+ "+printable(d.New)))
		}
		most := len(c.Differences)
		if !all {
			most = min(most, differencesShown)
		}
		if more := c.Total - most; more > 0 {
			p.line("  and %s", plural(more, "more difference", "more differences"))
		}
	}
	hidden := 0
	for _, n := range shown {
		hidden += max(0, n-casesShown)
	}
	if hidden > 0 && !all {
		p.line("\nand %s; --verbose shows all", plural(hidden, "more case", "more cases"))
	}
	text := fmt.Sprintf("\n%s: %s the same, %s different", plural(r.Counts.Cases, "case", "cases"), number(int64(r.Same)), number(int64(r.Different)))
	if r.Failed > 0 {
		text += fmt.Sprintf(", %s failed", number(int64(r.Failed)))
	}
	if r.Skipped > 0 {
		text += fmt.Sprintf(", %s left out because they may change something (--writes)", number(int64(r.Skipped)))
	}
	p.line("%s", text)
	noisy, secrets := 0, 0
	for _, c := range r.Cases {
		if len(c.Noise) > 0 {
			noisy++
		}
		if c.Secrets > 0 {
			secrets++
		}
	}
	if noisy > 0 {
		p.line("%s with noise, which was not compared (--json lists it)", plural(noisy, "case", "cases"))
	}
	if secrets > 0 {
		p.line("%s with secrets, whose values were not compared", plural(secrets, "case", "cases"))
	}
}

// printable is a text of an application as one line that cannot steer the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return '�'
		}
		return r
	}, text)
}
