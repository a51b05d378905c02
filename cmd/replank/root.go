package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/user"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/replank/replank/devdb"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/migrate"
)

// version is set by the linker; without that, what Go knows about the build is shown.
var version = ""

// app is one call of the program.
type app struct {
	process
	set        settings
	configFile string

	stdout   *stdout
	out      *printer
	messages *printer // errors and the like, on standard error
	log      *slog.Logger

	begun      bool            // the command line was understood
	lastEngine *migrate.Engine // to look at the journal after a failure
	executing  atomic.Bool     // the database is being changed
	changing   bool            // the command is one that changes the database
	endView    func()          // closes what shows the events, before the results are printed
	sources    map[string]string
	history    history.History // that read has read
	code       *history.Runner
	outcome    migrate.Outcome           // what a person says of code with an unknown outcome
	dev        atomic.Pointer[devdb.Dev] // whose commands end with us
	snap       readTwice                 // that lint has read
}

func newApp(p process) *app {
	a := &app{process: p, sources: map[string]string{}, stdout: &stdout{file: p.out}}
	a.makePrinters(true)
	return a
}

func (a *app) makePrinters(noColor bool) {
	a.messages = newPrinter(a.process.err, a.getenv, noColor)
	a.out = newPrinter(a.process.out, a.getenv, noColor)
	if !isTerminal(a.process.out, a.getenv) { // bars ask the file how wide the terminal is
		a.out.w = a.stdout
	}
}

// The groups that commands are listed in.
const (
	groupChange = "change"
	groupWatch  = "watch"
	groupServe  = "serve"
	groupSetUp  = "setup"
)

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "replank",
		Short: "Change a live PostgreSQL database from plain SQL",
		Long: `Replank takes plain SQL migrations to the end state that psql would have reached,
without stopping anyone: short locks, rows in small ranges, old and new shape
side by side until you say that nobody needs the old one.

  replank plan migrations/     what would happen, step by step, lock by lock
  replank apply migrations/    do it, while the application keeps running
  replank complete             let the old shape go
  replank revert               or take it back`,
		Example: `  export DATABASE_URL=postgres://app@db.example.com/shop
  replank plan migrations/
  replank apply migrations/
  replank status --watch`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		Version:           versionText(),
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.begin(cmd) },
	}
	root.SetArgs(a.args)
	root.SetOut(a.stdout)
	root.SetErr(a.process.err)
	root.SetVersionTemplate("replank {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.AddGroup(&cobra.Group{ID: groupChange, Title: "Change a database:"},
		&cobra.Group{ID: groupWatch, Title: "Look:"}, &cobra.Group{ID: groupServe, Title: "Serve:"}, &cobra.Group{ID: groupSetUp, Title: "Set up:"})
	root.PersistentFlags().StringVar(&a.configFile, "config", "", "configuration file (default: replank.toml, where there is one)")
	a.set.addFlags(root.PersistentFlags(), everywhere)
	// settings of flags that a command does not have keep their defaults
	a.set.addFlags((&cobra.Command{}).Flags(), planning, sizing, executing, completing, linting, serving, nowhere)
	root.AddCommand(a.commands()...)
	root.AddCommand(&cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodesHelp()})
	a.strict(root)
	return root
}

// strict makes a help topic that is none, and completion for no shell, errors: cobra ends with 0. Help is there whatever replank.toml says.
func (a *app) strict(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	completion, _, _ := root.Find([]string{"completion"})
	completion.Example = "  replank completion bash > /etc/bash_completion.d/replank"
	completion.RunE = func(cmd *cobra.Command, args []string) error {
		return &usageError{err: errors.New("which shell? bash, zsh, fish or powershell"), hint: cmd.CommandPath() + " SHELL --help says how to install it"}
	}
	completion.Args = cobra.ArbitraryArgs
	for _, shell := range completion.Commands() {
		shell.Example = "  " + shell.CommandPath()
	}
	root.InitDefaultHelpCmd()
	help, _, _ := root.Find([]string{"help"})
	help.Example = "  replank help apply\n  replank help exit-codes"
	help.PersistentPreRunE = func(_ *cobra.Command, args []string) error {
		_, _, err := root.Find(args)
		a.begun = err == nil
		return err
	}
}

// commands is every command. One that another package implements (demo) is added here.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.planCommand(), a.applyCommand(), a.completeCommand(), a.revertCommand(), a.backfillCommand(),
		a.pauseCommand(), a.resumeCommand(), a.waiveCommand(),
		a.lintCommand(), a.rulesCommand(), a.lspCommand(), a.snapshotCommand(), a.verifyCommand(), a.driftCommand(), a.statusCommand(), a.receiptCommand(), a.doctorCommand(),
		a.gatewayCommand(), a.routesCommand(), a.tenantsCommand(), a.burndownCommand(), a.parityCommand(),
		a.baselineCommand(), a.adoptCommand(), a.grantsCommand(), a.uninstallCommand(), a.devCommand(), a.testdbCommand(), a.versionCommand(), a.demoCommand(),
	}
}

// begin makes the settings of the process, before any command.
func (a *app) begin(cmd *cobra.Command) error {
	a.begun = true
	wrong := a.set.load(cmd.Flags(), a.getenv, a.configFile)
	if cmd.Annotations[needsDev] != "" {
		wrong = append(wrong, a.set.Dev.mistakes()...)
	}
	if wrong != nil {
		for i, err := range wrong {
			wrong[i] = &usageError{err: err}
		}
		return errors.Join(wrong...)
	}
	a.makePrinters(a.set.NoColor)
	a.log = newLogger(a.process.err, a.set)
	return nil
}

// unknownCommand is cobra's complaint about a word that is no command, with its guess as the hint.
func unknownCommand(err error) error {
	what, guess, _ := strings.Cut(err.Error(), "\n\nDid you mean this?")
	hint := "replank --help lists the commands"
	if guesses := strings.Fields(guess); len(guesses) > 0 {
		hint = "did you mean " + strings.Join(guesses, " or ") + "?"
	}
	var known *usageError
	if errors.As(err, &known) {
		return err
	}
	return &usageError{err: errors.New(what), hint: hint}
}

// wantsJSON tells from a command line that is not understood, and from what else there is, how to say so.
func (a *app) wantsJSON() bool {
	wanted := settings{}
	wanted.load(pflag.NewFlagSet("", pflag.ContinueOnError), a.getenv, a.configFile)
	for _, arg := range a.args {
		if arg == "--" {
			break
		}
		if arg == "--json" {
			wanted.JSON = true
		} else if value, ok := strings.CutPrefix(arg, "--json="); ok {
			wanted.JSON, _ = strconv.ParseBool(value)
		}
	}
	return wanted.JSON
}

func newLogger(w io.Writer, s settings) *slog.Logger {
	opt := &slog.HandlerOptions{Level: slog.LevelWarn}
	switch {
	case s.Verbose > 1:
		opt.Level = slog.LevelDebug
	case s.Verbose == 1:
		opt.Level = slog.LevelInfo
	case s.Quiet:
		opt.Level = slog.LevelError
	}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

// arguments wraps cobra's validation of arguments, whose errors are wrong usage.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &usageError{err: err, hint: "usage: " + cmd.UseLine()}
		}
		return nil
	}
}

// open connects to the database. The engine is closed with the process: a failure may make it look again.
func (a *app) open(ctx context.Context, events func(migrate.Event)) (*migrate.Engine, error) {
	if a.set.Verbose > 0 {
		events = a.logged(events)
	}
	owners, err := a.owners()
	if err != nil {
		return nil, err
	}
	e, err := migrate.Open(ctx, migrate.Config{
		DSN: a.set.dsn(), Owner: a.set.Owner, Accept: a.set.Accept, CancelBlockers: a.set.CancelBlockers,
		LockBudget: a.set.LockBudget, LockWait: a.set.LockWait, Workers: a.set.Workers, FullPace: a.set.FullPace, BigRows: a.set.BigRows, DiskFree: int64(a.set.DiskFree),
		Books: a.history.Books, History: string(a.history.Format), Owners: owners, Code: a.runner(), Outcome: a.outcome, VersionSchema: a.set.VersionSchema, Wait: a.set.Wait, Requester: a.requester(),
		Events: events, Logger: a.log,
	})
	if err != nil {
		return nil, a.connectError(err)
	}
	a.lastEngine = e
	return e, nil
}

// runner runs code of frameworks: at the project that the command names, or the configuration, else where the journal
// says that it was planned.
func (a *app) runner() *history.Runner {
	dir := a.history.Root
	if dir == "" && len(a.set.Migrations) == 1 {
		dir = a.set.Migrations[0]
	}
	a.code = &history.Runner{Printed: func(line string) { a.log.Info("code", "printed", line) }}
	if p, ok := history.ProjectAt(dir); ok {
		a.code.Project.Dir = p.Dir
	}
	return a.code
}

// logged writes events to the log as well: --verbose.
func (a *app) logged(shown func(migrate.Event)) func(migrate.Event) {
	return func(e migrate.Event) {
		level := slog.LevelInfo
		if e.Kind == migrate.EventProgress {
			level = slog.LevelDebug
		}
		attrs := []slog.Attr{slog.String("migration", e.Run), slog.String("state", string(e.State))}
		for _, f := range []struct{ key, text string }{{"step", e.Step}, {"title", pg.HideSecrets(e.Title)}, {"text", hideSecretsInProse(e.Text)}, {"idle", e.Idle}} {
			if f.text != "" {
				attrs = append(attrs, slog.String(f.key, f.text))
			}
		}
		if e.Took > 0 {
			attrs = append(attrs, slog.Float64("took_seconds", e.Took.Seconds()))
		}
		if e.Rows > 0 {
			attrs = append(attrs, slog.Int64("rows", e.Rows))
		}
		a.log.LogAttrs(context.Background(), level, string(e.Kind), attrs...)
		if shown != nil {
			shown(e)
		}
	}
}

func (a *app) requester() string {
	if a.set.Requester != "" {
		return a.set.Requester
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// unnamedDatabaseError is a connection that failed when nobody had said where to.
type unnamedDatabaseError struct{ error }

func (e *unnamedDatabaseError) Unwrap() error { return e.error }
func (e *unnamedDatabaseError) Hint() string {
	return "no database was named: give --db, DATABASE_URL, or libpq's PGHOST, PGDATABASE, …"
}

func (a *app) connectError(err error) error {
	var unread *pg.DSNError
	if errors.As(err, &unread) {
		from := a.set.from["db"]
		if a.set.DirectDB != "" {
			from = a.set.from["direct-db"]
		}
		from.what = unread.Error()
		return &usageError{err: &from, hint: unread.Hint()}
	}
	var failed *pg.ConnectError
	if a.set.dsn() != "" || !errors.As(err, &failed) {
		return err
	}
	for _, v := range []string{"PGHOST", "PGDATABASE", "PGSERVICE", "PGUSER"} {
		if a.getenv(v) != "" {
			return err
		}
	}
	return &unnamedDatabaseError{err}
}

// read reads the migrations that the arguments name, or else the configuration, to run them.
func (a *app) read(ctx context.Context, paths []string) ([]history.Migration, error) {
	ms, err := a.readToJudge(ctx, paths)
	if err != nil {
		return nil, err
	}
	return ms, a.history.Error()
}

// readToJudge is read of a history that may be one which nobody would run.
func (a *app) readToJudge(ctx context.Context, paths []string) ([]history.Migration, error) {
	if len(paths) == 0 {
		paths = a.set.Migrations
	}
	if len(paths) == 0 {
		return nil, &usageError{err: errors.New("which migrations?"), hint: "name a folder or files, or set migrations in " + configFile}
	}
	h, err := a.openHistory(ctx, paths)
	if err != nil {
		return nil, err
	}
	a.history = *h
	for _, m := range h.Migrations {
		a.sources[m.Path] = m.Text
	}
	return h.Migrations, nil
}

// openHistory reads folders of SQL, or the one folder of a Django or Alembic project.
func (a *app) openHistory(ctx context.Context, paths []string) (*history.History, error) {
	export, err := a.openExport(ctx, paths)
	if err != nil {
		return nil, err
	}
	if export != nil {
		return export.History(paths[0]), nil
	}
	h, err := a.historyConfig("").Open(paths...)
	if err != nil && len(paths) == 1 && a.set.History == "" {
		if found := history.Projects(paths[0]); len(found) > 0 {
			return nil, &usageError{err: err, hint: nameOne(found)}
		}
	}
	return h, err
}

// nameOne says how projects are named where one of them is meant.
func nameOne(found []history.Project) string {
	var names []string
	for _, p := range found {
		names = append(names, p.Path()+" ("+p.Framework+")")
	}
	return "name the project that is meant: " + strings.Join(names, ", ")
}

// openExport reads the project of a framework, or what its companion package has exported of it; nil when it is neither.
func (a *app) openExport(ctx context.Context, paths []string) (*history.Export, error) {
	switch {
	case len(paths) != 1 || a.set.History != "":
		return nil, nil
	case filepath.Ext(paths[0]) == ".json":
		return history.ReadExport(paths[0], "")
	}
	if p, ok := history.ProjectAt(paths[0]); ok {
		if found := history.Projects(paths[0]); len(found) > 1 {
			return nil, &usageError{err: fmt.Errorf("%s holds two projects", paths[0]), hint: nameOne(found)}
		}
		return p.Export(ctx)
	}
	return nil, nil
}

// historyConfig is how folders are read; found is the format of the history that a text belongs to.
func (a *app) historyConfig(found history.Format) history.Config {
	return history.Config{
		Format: cmp.Or(history.Format(a.set.History), found), Placeholders: a.set.placeholders(),
		Getenv: func(name string) (string, bool) { v := a.getenv(name); return v, v != "" },
	}
}

func versionText() string {
	v := version
	info, ok := debug.ReadBuildInfo()
	if v == "" {
		v = "development"
		if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
			v = info.Main.Version
		}
	}
	if ok {
		v += " (" + info.GoVersion + ")"
	}
	return v
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", GroupID: groupSetUp, Args: arguments(cobra.NoArgs),
		Example: "  replank version\n  replank version --json",
		RunE: func(*cobra.Command, []string) error {
			if a.set.JSON {
				return a.printJSON(map[string]string{"version": versionText()})
			}
			a.out.line("replank %s", versionText())
			return nil
		},
	}
}
