package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/replank/replank/devdb"
)

// needsDev is the annotation of commands that work with [dev] of replank.toml.
const needsDev = "needs-dev"

func (a *app) devCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "dev", Short: "Make the database to develop with, and run the applications on it", GroupID: groupSetUp, Args: cobra.ArbitraryArgs,
		Long: `Reads from [dev] in replank.toml how the applications migrate, load fixtures, make
data and start. docs/guide-dev.md shows the whole set-up.

  replank dev refresh   the database, from its template where nothing has changed
  replank dev reset     a fresh one, in the place of what has become of it
  replank dev up        all applications on it: one log, one Ctrl-C

A server that looks like production is refused, and nothing is ever dropped that
Replank has not made.`,
		Example: "  replank dev refresh\n  replank dev up",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return &usageError{err: errors.New("what of it? refresh, reset or up"), hint: "replank dev --help says what they do"}
		},
	}
	cmd.AddCommand(a.devRefreshCommand(), a.devResetCommand(), a.devUpCommand())
	return cmd
}

// needDev makes a command one that works with [dev].
func (a *app) needDev(cmd *cobra.Command, replaces bool) *cobra.Command {
	cmd.Annotations = map[string]string{needsDev: "yes"}
	f := cmd.Flags()
	given := &a.set.Dev.given
	f.StringVar(&given.allowHost, "allow-host", "", "a server that is not on this machine, and is for development (also: REPLANK_DEV_ALLOW_HOST)")
	f.StringSliceVar(&given.allow, "allow", nil, "signs of production that are none here: "+strings.Join(devdb.Signs, ",")+" (also: REPLANK_DEV_ALLOW)")
	if replaces {
		f.StringVar(&given.takeOver, "take-over", "", "name of a database that Replank has not made and may replace: what is in it is lost")
	}
	return cmd
}

func (a *app) devRefreshCommand() *cobra.Command {
	return a.needDev(&cobra.Command{
		Use: "refresh", Short: "Make the database, running only the steps whose inputs have changed", Args: arguments(cobra.NoArgs),
		Long: `Works out the order of the steps, runs those whose commands, inputs or declared
environment have changed, and all after them, in a scratch database, and keeps the
state after each as a template. Then it makes the database from the last template,
unless it is of that state already.

When a step fails, its last lines are shown with a command that runs it alone; the
next refresh goes on with it.`,
		Example: `  replank dev refresh
  replank dev refresh -v                       # with all that the steps print
  replank dev refresh --take-over shop_dev     # a database of before Replank`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.makeDev(cmd, (*devdb.Dev).Refresh)
		},
	}, true)
}

func (a *app) devResetCommand() *cobra.Command {
	return a.needDev(&cobra.Command{
		Use: "reset", Short: "Make the database anew from its template", Args: arguments(cobra.NoArgs),
		Long: `Puts a fresh copy of the template in the place of the database. The sessions of
that database are ended, no others; what was changed in it is lost.`,
		Example: "  replank dev reset\n  replank dev reset --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.makeDev(cmd, (*devdb.Dev).Reset)
		},
	}, true)
}

func (a *app) devUpCommand() *cobra.Command {
	return a.needDev(&cobra.Command{
		Use: "up", Short: "Start the applications on the database, until Ctrl-C", Args: arguments(cobra.NoArgs),
		Long: `Refreshes the database and starts every application of [dev.apps] that says how,
with the gateway in front where the file has a table [gateway]. What they print comes
out with their names before it. One Ctrl-C ends them all, and so does the end of one;
then the exit code is 1.`,
		Example: "  replank dev up",
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := a.openDev(cmd)
			if err != nil {
				return err
			}
			defer d.Close()
			if _, err := d.Refresh(cmd.Context()); err != nil {
				return a.stepFailed(err)
			}
			err = d.Up(cmd.Context(), a.gateway(cmd.Root())...)
			var crash *devdb.CrashError
			var late *devdb.NotReadyError
			switch {
			case errors.As(err, &crash):
				a.lastLines(crash.Name, crash.Last)
			case errors.As(err, &late):
				a.lastLines(late.Name, late.Last)
			}
			return err
		},
	}, true)
}

// gateway is the gateway as one more process of dev up: where this program has that command and the file configures it.
func (a *app) gateway(root *cobra.Command) []devdb.Service {
	cmd, _, err := root.Find([]string{"gateway"})
	self, selfErr := os.Executable()
	if err != nil || cmd == root || !a.set.Dev.gateway || selfErr != nil {
		return nil
	}
	quoted := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	return []devdb.Service{{Name: "gateway", Command: "exec " + quoted(self) + " gateway --config " + quoted(a.set.Dev.file), Ready: "tcp://" + a.set.Gateway.Listen}}
}

// openDev connects to the server of the development set-up.
func (a *app) openDev(cmd *cobra.Command) (*devdb.Dev, error) {
	cfg, given := a.set.Dev.config, a.set.Dev.given
	cfg.AllowHost, cfg.Allow, cfg.TakeOver = given.allowHost, given.allow, given.takeOver
	cfg.Environ, cfg.Logger = os.Environ(), a.log
	cfg.Events = a.devView().event
	d, err := devdb.Open(cmd.Context(), cfg)
	if err != nil {
		return nil, err
	}
	a.dev.Store(d)
	return d, nil
}

// makeDev is refresh and reset.
func (a *app) makeDev(cmd *cobra.Command, make func(*devdb.Dev, context.Context) (*devdb.Result, error)) error {
	d, err := a.openDev(cmd)
	if err != nil {
		return err
	}
	defer d.Close()
	a.changing = true
	r, err := make(d, cmd.Context())
	if err != nil {
		return a.stepFailed(err)
	}
	if a.set.JSON {
		return a.printJSON(devJSON{Kind: "summary", Database: r.Database, Hash: r.Hash, Ran: append([]string{}, r.Ran...), Made: r.Made, TookSeconds: r.Took.Seconds()})
	}
	if !r.Made {
		a.out.line("%s is up to date; replank dev reset makes it anew", r.Database)
	}
	return nil
}

// stepFailed shows what a step that failed has printed last.
func (a *app) stepFailed(err error) error {
	var failed *devdb.StepError
	if errors.As(err, &failed) {
		a.lastLines(failed.Step, failed.Last)
		if failed.Alone != "" {
			// Not as a hint: those hide what looks like a secret, and this is to be run.
			a.messages.line("%s", a.messages.paint(bold, "to run it alone, in "+failed.Database+", which is as before the step"))
			a.messages.line("  %s", failed.Alone)
		}
	}
	return err
}

func (a *app) lastLines(name string, lines []string) {
	if len(lines) == 0 {
		return
	}
	a.messages.line("%s", a.messages.paint(bold, "the last lines of "+name))
	for _, l := range lines {
		a.messages.line("  %s %s", a.messages.paint(dim, "|"), l)
	}
}

// devJSON is what the commands of dev print with --json: one object for each event, and one at the end.
type devJSON struct {
	Kind        string   `json:"kind"`
	Name        string   `json:"name,omitempty"`
	Text        string   `json:"text,omitempty"`
	Database    string   `json:"database,omitempty"`
	Hash        string   `json:"hash,omitempty"`
	Ran         []string `json:"ran,omitempty"`
	Made        bool     `json:"made,omitempty"`
	TookSeconds float64  `json:"took_seconds,omitempty"`
}

// devView shows what goes on: on standard output, or on standard error where that is for a result.
type devView struct {
	a      *app
	p      *printer
	json   bool
	width  int // of the longest name
	colors map[string]style
	up     bool // the apps have been started: what is printed comes from them
}

func (a *app) devView() *devView {
	v := &devView{a: a, p: a.out, json: a.set.JSON, colors: map[string]style{}}
	names := []string{"gateway"}
	for _, app := range a.set.Dev.config.Apps {
		names = append(names, app.Name)
	}
	palette := []style{cyan, green, yellow, "35", "34"}
	for i, name := range names {
		v.width = max(v.width, runes(name))
		v.colors[name] = palette[i%len(palette)]
	}
	for _, s := range a.set.Dev.config.Steps {
		v.width = max(v.width, runes(s.Name))
	}
	return v
}

func (v *devView) event(e devdb.Event) {
	if v.json {
		_ = v.a.printJSON(devJSON{Kind: string(e.Kind), Name: e.Name, Text: e.Text, Database: e.Database, TookSeconds: e.Took.Seconds()})
		return
	}
	name := pad(cmp.Or(e.Name, e.Database), v.width)
	switch e.Kind {
	case devdb.EventOutput:
		if v.up {
			text := e.Text
			if !v.p.color { // Werkzeug paints wherever it prints
				text = escapes.ReplaceAllString(text, "")
			}
			v.p.line("%s %s %s", v.p.paint(v.colors[e.Name], name), v.p.paint(dim, "|"), text)
		} else if v.a.set.Verbose > 0 {
			v.p.line("     %s", v.p.paint(dim, "| "+e.Text))
		}
		return
	case devdb.EventStarted:
		v.up = true
	}
	if v.a.set.Quiet {
		return
	}
	switch e.Kind {
	case devdb.EventCached:
		v.p.line("  %s  %s  as before", v.p.paint(dim, "="), name)
	case devdb.EventWaiting:
		v.p.line("  %s  %s  waits for another replank that makes it", v.p.paint(yellow, "…"), name)
	case devdb.EventStep:
		v.p.line("  %s  %s", v.p.paint(dim, "…"), name)
	case devdb.EventDone:
		v.p.line("  %s  %s  %s", v.p.paint(green, "✓"), name, span(e.Took))
	case devdb.EventMade:
		v.p.line("  %s  %s  made from its template in %s", v.p.paint(green, "✓"), name, span(e.Took))
	case devdb.EventReady:
		v.p.line("%s %s %s", v.p.paint(v.colors[e.Name], name), v.p.paint(dim, "|"), v.p.paint(bold, strings.TrimSpace("ready "+e.Text)))
	case devdb.EventEnded:
		v.p.line("%s %s %s", v.p.paint(v.colors[e.Name], name), v.p.paint(dim, "|"), v.p.paint(bold, "ended: "+e.Text))
	}
}
