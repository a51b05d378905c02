package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/annotate"
	"github.com/replank/replank/internal/git"
	"github.com/replank/replank/lint"
)

// lintOptions are the flags of lint that no file or environment sets.
type lintOptions struct {
	stdinName     string
	writeBaseline bool
	fix           fixOptions
}

func (a *app) lintCommand() *cobra.Command {
	var opt lintOptions
	cmd := &cobra.Command{
		Use:     "lint [PATH…]",
		Short:   "Say what is dangerous in migrations, before they are merged",
		GroupID: groupWatch,
		Long: `Reads a history of migrations and says what each statement locks, rewrites,
scans and breaks, on the version of PostgreSQL that --server names. No database
is needed, and none is touched.

What a table was made by the judged migrations themselves, and is not yet filled,
is not dangerous. With --since only what a branch adds is judged.

Exit codes: 0 nothing found (or less than --fail-on), 1 findings, 2 something
could not be judged (a syntax error, a history that cannot be read).`,
		Example: `  replank lint migrations/
  replank lint migrations/ --server 17 --json
  replank lint migrations/ --snapshot replank.snapshot.json
  replank lint --since origin/main --format github --format sarif=replank.sarif
  replank lint migrations/ --baseline replank-baseline.json --write-baseline
  replank lint --stdin-filename migrations/0042_names.sql - < draft.sql`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.lint(cmd.Context(), args, opt) },
	}
	a.set.addFlags(cmd.Flags(), linting, sizing)
	cmd.Flags().StringVar(&opt.stdinName, "stdin-filename", "", "file that standard input is the text of: it is judged at its place in its history")
	cmd.Flags().BoolVar(&opt.writeBaseline, "write-baseline", false, "write what is found to the file of --baseline, which is then not told any more")
	opt.fix.flags(cmd.Flags())
	return cmd
}

func (a *app) lint(ctx context.Context, paths []string, opt lintOptions) error {
	outputs, err := a.outputs()
	if err != nil {
		return err
	}
	in := input{paths: paths}
	if slices.Contains(paths, "-") || opt.stdinName != "" {
		in.paths = slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return p == "-" })
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return &usageError{err: fmt.Errorf("read standard input: %w", err)}
		}
		in.only, in.text = cmp.Or(opt.stdinName, stdinPath), string(text)
	}
	baseline, err := a.baseline(opt.writeBaseline)
	if err != nil {
		return err
	}
	inputs, err := a.apart(in)
	if err != nil {
		return err
	}
	if opt.fix.write || opt.fix.diff {
		if len(inputs) > 1 {
			return &usageError{err: errors.New("--fix and --diff take one history, and here are several"), hint: "name one: " + inputNames(inputs)}
		}
		return a.fixFiles(ctx, inputs[0], opt.fix)
	}
	j, unread := a.judgeAll(ctx, inputs)
	if j == nil || opt.writeBaseline && unread != nil { // a baseline without them would tell all of their findings
		return unread
	}
	d := a.document(ctx, j, baseline)
	if opt.writeBaseline {
		path := a.set.Lint.Baseline
		if err := d.Baseline().Write(path); err != nil {
			return &usageError{err: fmt.Errorf("write the baseline: %w", err)}
		}
		a.messages.line("%s: %s", path, plural(len(d.Findings), "finding that is not told from now on", "findings that are not told from now on"))
		return nil
	}
	if err := a.writeOutputs(outputs, d); err != nil || unread != nil {
		return cmp.Or(err, unread)
	}
	return verdict(d.Unjudged, d.Fails())
}

// verdict is the exit code of a lint.
func verdict(unjudged, fails bool) error {
	switch {
	case unjudged:
		return &toldError{&usageError{err: errors.New("something could not be judged")}}
	case fails:
		return &toldError{&findingsError{}}
	}
	return nil
}

// findingsError is the exit code of a lint that found something.
type findingsError struct{}

func (*findingsError) Error() string { return "findings" }

// baseline is the file of known findings; nil where there is none, or where it is to be written.
func (a *app) baseline(write bool) (*annotate.Baseline, error) {
	path := a.set.Lint.Baseline
	switch {
	case write && path == "":
		return nil, &usageError{err: errors.New("which baseline?"), hint: "name the file: --baseline replank-baseline.json"}
	case write || path == "":
		return nil, nil
	}
	b, err := annotate.ReadBaseline(path)
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("read the baseline: %w", err), hint: "--write-baseline writes one"}
	}
	return b, nil
}

// input is what is judged.
type input struct {
	paths []string
	// only is one file, whose text is text and not what the disk has. The others lead there.
	only, text string
	// later says that those behind it are wanted, too.
	later bool
	// hurried leaves the statements of a snapshot's workload out: to try them takes seconds.
	hurried bool
}

// stdinPath is the name of a text without one.
const stdinPath = "<stdin>"

// judged is what lint says of an input.
type judged struct {
	report     *lint.Report
	migrations []history.Migration
	sources    []lint.Source
	since      string
	server     int
}

// prepare reads the migrations as lint takes them.
func (a *app) prepare(ctx context.Context, in input) (*judged, error) {
	ms, err := a.lintRead(ctx, in)
	if err != nil {
		return nil, err
	}
	j := &judged{migrations: ms, sources: make([]lint.Source, len(ms))}
	for i, m := range ms {
		j.sources[i] = a.lintSource(m)
		// A package that pip installed comes as it is; what it does to a database that is known is worth knowing.
		j.sources[i].Theirs = isInstalled(m.Path) && a.set.Lint.Snapshot == ""
	}
	if in.only == "" {
		a.historyProblems(j)
		if err := a.since(ctx, in, j); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// lintConfig is what the settings say to lint.
func (a *app) lintConfig() (cfg lint.Config, err error) {
	schema := ddl.Empty(a.set.Lint.Server, "postgres")
	schema.TimeZone = a.set.Lint.TimeZone
	cfg = lint.Config{Schema: schema, Off: a.set.Lint.Off, SmallRows: a.set.BigRows, Today: time.Now().Format(time.DateOnly),
		History: string(a.history.Format)}
	cfg.Owners, err = a.owners()
	return cfg, err
}

// owners are the tables that belong to one history, where a file says so, as the history at hand sees it.
func (a *app) owners() (map[ddl.Name]lint.Owner, error) {
	path := history.FindOwners(cmp.Or(a.history.Root, "."))
	if a.history.Format == "" || path == "" {
		return nil, nil
	}
	file, err := history.ReadOwners(path)
	if err != nil {
		return nil, err
	}
	owners := map[ddl.Name]lint.Owner{}
	for table, o := range file.Relations() {
		owners[table] = lint.Owner{History: o.History, Until: o.Until[string(a.history.Format)]}
	}
	return owners, nil
}

// failOn is the least severity that fails.
func (a *app) failOn() (least lint.Severity) {
	_ = least.UnmarshalText([]byte(a.set.Lint.FailOn)) // it was checked when it was read
	return least
}

// fixFiles is lint --fix and --diff.
func (a *app) fixFiles(ctx context.Context, in input, opt fixOptions) error {
	if in.only != "" {
		return &usageError{err: errors.New("--fix changes files, not standard input"), hint: "name the file"}
	}
	j, err := a.prepare(ctx, in)
	if err != nil {
		return err
	}
	cfg, err := a.lintConfig()
	if err != nil {
		return err
	}
	defer seldomCollect(j.sources)()
	return a.lintFix(cfg, j.sources, lint.Style(a.history.Format), opt, a.failOn())
}

// judge reads the migrations and asks lint.
func (a *app) judge(ctx context.Context, in input) (*judged, error) {
	j, err := a.prepare(ctx, in)
	if err != nil {
		return nil, err
	}
	cfg, err := a.lintConfig()
	if err != nil {
		return nil, err
	}
	if a.set.Lint.Snapshot != "" {
		if err := a.useSnapshot(ctx, in, j, &cfg); err != nil {
			return nil, err
		}
	}
	j.server = cfg.Schema.Version / 10000
	defer seldomCollect(j.sources)()
	j.report = lint.Run(cfg, j.sources)
	a.set.Lint.changeSeverities(j.report)
	if in.only != "" {
		j.keepOnly(in.only)
	}
	return j, nil
}

// seldomCollect makes room for garbage: a history is read once and forgotten, and to collect often costs a fifth of the
// time. What it returns goes back.
func seldomCollect(sources []lint.Source) func() {
	limit := int64(160 << 20)
	for _, s := range sources {
		limit += int64(len(s.Text))
	}
	percent, was := debug.SetGCPercent(400), debug.SetMemoryLimit(limit)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(was)
	}
}

// keepOnly leaves what is said of one file.
func (j *judged) keepOnly(path string) {
	r := j.report
	r.Findings = slices.DeleteFunc(r.Findings, func(f lint.Finding) bool { return !samePath(f.Pos.File, path) })
	r.Unjudged = slices.ContainsFunc(r.Findings, func(f lint.Finding) bool { return f.Rule == "syntax" || f.Rule == "client-command" })
	j.sources = slices.DeleteFunc(j.sources, func(s lint.Source) bool { return !samePath(s.Path, path) })
	r.Files, r.Statements = len(j.sources), 0
	for _, s := range j.sources {
		r.Statements += s.Statements()
	}
}

// lintRead reads the history up to the file that is judged, or all of it.
func (a *app) lintRead(ctx context.Context, in input) ([]history.Migration, error) {
	if in.only == "" {
		return a.readCounting(ctx, in.paths)
	}
	a.history = history.History{} // an editor has files of several open
	var ms []history.Migration
	if in.only != stdinPath || len(in.paths) > 0 {
		var err error
		if ms, err = a.readCounting(ctx, a.around(in)); err != nil && len(in.paths) > 0 {
			return nil, err
		}
		if len(ms) == 0 {
			a.history.Format = ""
		}
	}
	m, err := a.readText(in.only, in.text)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(ms, func(o history.Migration) bool { return samePath(o.Path, in.only) })
	if at < 0 { // it is new: it stands where its name has it, or at the end
		at = len(ms)
		if in.only != stdinPath {
			at, _ = slices.BinarySearchFunc(ms, m, func(x, y history.Migration) int { return cmp.Compare(absolute(x.Path), absolute(y.Path)) })
		}
	}
	list := append(slices.Clone(ms[:at]), m)
	if in.later {
		for _, o := range ms[at:] {
			if !samePath(o.Path, in.only) {
				list = append(list, o)
			}
		}
	}
	return list, nil
}

// around are the paths of the history that a file belongs to.
func (a *app) around(in input) []string {
	if len(in.paths) > 0 {
		return in.paths
	}
	for _, p := range a.set.Migrations {
		if samePath(p, in.only) || strings.HasPrefix(absolute(in.only), absolute(p)+string(filepath.Separator)) {
			return a.set.Migrations
		}
	}
	return []string{filepath.Dir(in.only)}
}

// readText reads a text as the file that it is to become, as one of the history that was read last.
func (a *app) readText(path, text string) (history.Migration, error) {
	name := path
	if path == stdinPath {
		name = "stdin.sql"
	}
	cfg := a.historyConfig(a.history.Format)
	if f := a.history.Format; a.set.History == "" && (f == history.Bare || f == history.Sqitch) {
		cfg.Format = "" // the text may be the first that says more, and not every file beside a plan is in it
	}
	cfg.ReadFile = func(file string) ([]byte, error) {
		if file == name {
			return []byte(text), nil
		}
		return os.ReadFile(file)
	}
	h, at, err := openFile(cfg, name)
	if err != nil {
		var hinted interface{ Hint() string }
		hint := ""
		if errors.As(err, &hinted) {
			hint = hinted.Hint()
		}
		return history.Migration{}, &usageError{err: errors.New(strings.ReplaceAll(err.Error(), name, path)), hint: hint}
	}
	if a.history.Format == "" {
		a.history.Format = h.Format
	}
	m := h.Migrations[at]
	m.Path = path
	for i := range m.Origins {
		if m.Origins[i].Path == name {
			m.Origins[i].Path = path
		}
	}
	for i := range m.Code {
		if m.Code[i].Path == name {
			m.Code[i].Path = path
		}
	}
	return m, nil
}

// openFile reads a file as the history that it lies in does, and says where in it the file is. What is no migration of
// that, a draft or a script that the plan does not have yet, is read as plain SQL.
func openFile(cfg history.Config, name string) (h *history.History, at int, err error) {
	for {
		if h, err = cfg.Open(name); err != nil {
			return nil, -1, err
		}
		at = slices.IndexFunc(h.Migrations, func(m history.Migration) bool { return samePath(m.Path, name) })
		if at >= 0 {
			return h, at, nil
		}
		if cfg.Format == history.Bare {
			return nil, -1, fmt.Errorf("%s is no migration", name)
		}
		cfg.Format = history.Bare
	}
}

// absolute is a path by which files can be compared, whatever links lead there.
func absolute(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real
	}
	// The file is not there; its folder may be.
	if real, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		return filepath.Join(real, filepath.Base(abs))
	}
	return abs
}

func samePath(a, b string) bool { return a == b || absolute(a) == absolute(b) }

// lintSource is a migration as lint takes it.
func (a *app) lintSource(m history.Migration) lint.Source {
	s := lint.Source{Name: m.Name, Path: m.Path, Text: m.Text, Tx: lint.Tx(m.Tx),
		Timeouts: a.history.Format == history.Bare} // replank runs them
	for _, c := range m.Code {
		if len(c.SQL) == 0 { // what is known of the others stands in the text
			s.Code = append(s.Code, c.Offset)
		}
	}
	for _, o := range m.Origins {
		s.Origins = append(s.Origins, lint.Origin{Offset: o.Offset, Path: o.Path, Line: o.Line})
	}
	return s
}

// document is what lint found, for every format.
func (a *app) document(ctx context.Context, j *judged, known *annotate.Baseline) *annotate.Document {
	root, err := git.Root(ctx, ".")
	if err != nil {
		root, _ = os.Getwd()
	}
	return annotate.New(annotate.Config{
		Report: j.report, Sources: j.sources, Root: absolute(root), Abs: func(p string) (string, error) { return absolute(p), nil },
		Version: versionText(), Server: j.server, FailOn: a.failOn(), Since: j.since, Baseline: known, Hide: hideSecretsInSQL,
	})
}

// output is a format, and the file that it goes to; "" is standard output.
type output struct{ format, file string }

// outputs are where --format wants the findings. Standard output gets text, where it gets nothing else.
func (a *app) outputs() ([]output, error) {
	var list []output
	onStdout := ""
	for _, f := range a.set.Lint.Format {
		format, file, _ := strings.Cut(strings.TrimSpace(f), "=")
		if a.set.JSON && file == "" {
			continue
		}
		if file == "" && onStdout != "" {
			return nil, &usageError{err: fmt.Errorf("--format %s and --format %s both go to standard output", onStdout, format), hint: "give one of them a file: --format " + format + "=FILE"}
		}
		if file == "" {
			onStdout = format
		}
		list = append(list, output{format, file})
	}
	switch {
	case a.set.JSON:
		list = append(list, output{format: "json"})
	case onStdout == "":
		list = append(list, output{format: textFormat})
	}
	return list, nil
}

// writeOutputs writes the document wherever it is wanted.
func (a *app) writeOutputs(outputs []output, d *annotate.Document) error {
	for _, o := range outputs {
		if o.file == "" && o.format == textFormat {
			a.printFindings(a.out, d)
			continue
		}
		if o.file == "" {
			if err := d.Write(a.stdout, o.format); err != nil {
				return err
			}
			continue
		}
		var b bytes.Buffer
		if o.format == textFormat {
			a.printFindings(&printer{w: &b}, d)
		} else if err := d.Write(&b, o.format); err != nil {
			return err
		}
		if err := os.WriteFile(o.file, b.Bytes(), 0o644); err != nil {
			return &usageError{err: fmt.Errorf("write the findings: %w", err)}
		}
	}
	// Annotations are few; a step of GitHub's has a page for the rest.
	if page := a.getenv("GITHUB_STEP_SUMMARY"); page != "" && slices.ContainsFunc(outputs, func(o output) bool { return o.format == "github" }) {
		f, err := os.OpenFile(page, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return &usageError{err: fmt.Errorf("write the step summary: %w", err)}
		}
		err = d.Write(f, "markdown")
		return errors.Join(err, f.Close())
	}
	return nil
}
