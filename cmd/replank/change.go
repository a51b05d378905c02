package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/oracle"
)

func (a *app) planCommand() *cobra.Command {
	var full, subscribers, live bool
	cmd := &cobra.Command{
		Use:     "plan [PATH…]",
		Short:   "Say what apply would do, step by step, lock by lock",
		GroupID: groupChange,
		Long: `Reads the migrations and the live catalog, and prints what apply and complete
would do: the SQL, the locks and who waits for them, rewrites and scans, sizes,
the way back, what old code will notice, and what a person must accept.

Nothing is written; a standby or a read-only database will do.
It ends with the exit code that apply would be refused with (help exit-codes).`,
		Example: `  replank plan migrations/
  replank plan migrations/0042_names.sql --sql
  replank plan migrations/ --json > plan.json
  replank plan migrations/ --live            # which statements of pg_stat_statements would fail after complete
  replank plan migrations/ --subscriber-sql | psql "$SUBSCRIBER"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ms, err := a.read(cmd.Context(), args)
			if err != nil {
				return err
			}
			return a.plan(cmd.Context(), ms, planOptions{full: full, subscribers: subscribers, live: live, whole: a.folders(args)})
		},
	}
	cmd.Flags().BoolVar(&full, "sql", false, "all of the SQL; with --json, with the values in it")
	cmd.Flags().BoolVar(&live, "live", false, "try the statements of pg_stat_statements on a clone: which of them would break at complete")
	cmd.Flags().BoolVar(&subscribers, "subscriber-sql", false, "print only the SQL that logical replication's subscribers need first")
	a.set.addFlags(cmd.Flags(), planning, sizing)
	return cmd
}

// planJSON is what plan --json prints; docs/guide-cli.md describes it.
type planJSON struct {
	Database    string            `json:"database"`
	Server      string            `json:"server"`
	Files       []fileJSON        `json:"files"`
	Gone        []string          `json:"gone,omitempty"`
	Consents    []migrate.Consent `json:"consents,omitempty"`
	Privileges  []string          `json:"privileges,omitempty"`
	Room        []string          `json:"room,omitempty"`
	Foreign     []string          `json:"foreign,omitempty"`
	Subscribers []string          `json:"subscribers,omitempty"`
	// Live is what --live says of the statements that applications send.
	Live     *oracle.Judgement `json:"live,omitempty"`
	ExitCode int               `json:"exit_code"`
	Errors   []trouble         `json:"errors,omitempty"`
}

type fileJSON struct {
	migrate.File
	Error *trouble `json:"error,omitempty"`
}

type planOptions struct {
	full        bool // all of the SQL
	subscribers bool // nothing but the SQL for subscribers
	live        bool // the live statements are tried
	whole       bool // the migrations are a folder, not files picked from it
}

// folders reports whether the paths are folders.
func (a *app) folders(paths []string) bool {
	if len(paths) == 0 {
		paths = a.set.Migrations
	}
	return !slices.ContainsFunc(paths, func(p string) bool { return strings.HasSuffix(p, ".sql") })
}

func (a *app) plan(ctx context.Context, ms []history.Migration, opt planOptions) error {
	e, err := a.open(ctx, nil)
	if err != nil {
		return err
	}
	p, err := e.Plan(ctx, ms)
	if err != nil {
		return err
	}
	if opt.subscribers {
		sql, err := e.SubscriberSQL(ctx, p)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(a.out.w, sql)
		return err
	}
	refused := p.Err()
	var said *oracle.Judgement
	if opt.live {
		if said, err = a.tryLive(ctx, p); err != nil {
			return err
		}
	}
	if a.set.JSON {
		doc := a.planJSON(p, e.Server(), opt.full)
		doc.Live = said
		if err := a.printJSONDocument(doc); err != nil || refused == nil {
			return err
		}
		a.told(refused)
		return &toldError{refused}
	}
	v := &planView{printer: a.out, full: opt.full, budget: a.set.LockBudget, whole: opt.whole}
	v.preview(p, e.Server())
	if said != nil {
		fmt.Fprintln(a.out.w)
		a.out.judged(said)
	}
	if refused == nil {
		return nil
	}
	fmt.Fprintln(a.out.w)
	return refused
}

// tryLive prepares the live statements on a clone of the database, before and after the migrations that are pending.
func (a *app) tryLive(ctx context.Context, p *migrate.Preview) (said *oracle.Judgement, err error) {
	snap, err := oracle.Take(ctx, oracle.TakeConfig{DSN: a.set.dsn(), Logger: a.log})
	if err != nil {
		return nil, a.connectError(err)
	}
	for _, what := range snap.Unseen {
		a.messages.wrapped(a.messages.paint(yellow, "not seen: "), "", what)
	}
	clone, err := oracle.NewClone(ctx, snap, oracle.CloneConfig{Logger: a.log})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, clone.Close(ctx)) }()
	if said, err = clone.Workload(ctx, p.Migrations()); err != nil {
		return nil, err
	}
	said.Failed = slices.Clone(said.Failed)
	for i := range said.Failed {
		said.Failed[i].SQL = pg.Redact(said.Failed[i].SQL)
	}
	return said, nil
}

// told writes errors for people beside data on standard output.
func (a *app) told(err error) {
	for _, t := range a.troubles(err, exitOK) {
		a.messages.trouble(t)
	}
}

func (a *app) planJSON(p *migrate.Preview, sv pg.Server, full bool) planJSON {
	doc := planJSON{Database: sv.Database, Server: sv.Version, Gone: p.Gone, Consents: p.Consents, Privileges: p.Privileges,
		Room: p.Room, Foreign: p.Foreign, Subscribers: p.Subscribers, Files: make([]fileJSON, 0, len(p.Files))}
	for i, c := range doc.Consents {
		doc.Consents[i].Reason = redactProse(c.Reason)
	}
	for _, f := range p.Files {
		if f.Plan != nil && !full {
			f.Plan = redactPlan(f.Plan)
		}
		out := fileJSON{File: f}
		if f.Err != nil {
			t := a.trouble(&migrate.RefusedError{Code: migrate.Input, Err: f.Err})
			t.redact()
			out.Error = &t
		}
		doc.Files = append(doc.Files, out)
	}
	if err := p.Err(); err != nil {
		doc.ExitCode = codeOf(err)
		doc.Errors = a.troubles(err, doc.ExitCode)
		for i := range doc.Errors {
			doc.Errors[i].redact()
		}
	}
	return doc
}

func (a *app) applyCommand() *cobra.Command {
	var direct, dryRun bool
	cmd := &cobra.Command{
		Use:     "apply [PATH…]",
		Short:   "Carry the pending migrations out while the application keeps running",
		GroupID: groupChange,
		Long: `Plans the pending migrations and carries them out in order: new shape beside the
old one, rows in small ranges, constraints proven. A migration that leaves
nothing of an old shape is done; any other is ready, and complete or revert
comes next. Interrupted runs go on first. When a step fails, its whole file is
taken back.

PATH may be the folder of a Django or Alembic project as well: its code
(RunPython) is run by the framework at its place, and its books are kept.

Everything is judged before the first change: what cannot be done is refused
while nothing has changed. Stop it with Ctrl-C: apply goes on where it was.`,
		Example: `  replank apply migrations/
  replank apply migrations/ --accept irreversible
  replank apply migrations/ --dry-run          # the same as plan
  replank apply migrations/ --direct           # empty, CI and development databases
  replank apply .                              # beside manage.py or alembic.ini
  replank apply migrations/ --json | jq .`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ms, err := a.read(cmd.Context(), args)
			switch {
			case err != nil:
				return err
			case dryRun:
				return a.plan(cmd.Context(), ms, planOptions{whole: a.folders(args)})
			}
			return a.engine(cmd.Context(), func(e *migrate.Engine) error {
				var sum *migrate.Summary
				if direct {
					sum, err = e.ApplyDirect(cmd.Context(), ms)
				} else {
					sum, err = e.Apply(cmd.Context(), ms)
				}
				return a.summary(sum, err, fmt.Sprintf("nothing to do: %s applied", plural(len(ms), "file is", "files are")))
			})
		},
	}
	cmd.Flags().BoolVar(&direct, "direct", false, "execute the files as they are written: plainly, in one go, sparing nobody")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the plan and change nothing")
	a.set.addFlags(cmd.Flags(), planning, sizing, executing)
	return cmd
}

// engine opens the database and shows what happens while fn runs.
func (a *app) engine(ctx context.Context, fn func(e *migrate.Engine) error) error {
	view := a.watch()
	end := sync.OnceFunc(view.close)
	defer end()
	e, err := a.open(ctx, view.event)
	if err != nil {
		return err
	}
	a.endView = end
	a.changing = true
	a.executing.Store(true)
	defer a.executing.Store(false)
	return fn(e)
}

// summary tells what became of the files, and what comes next.
func (a *app) summary(sum *migrate.Summary, err error, nothing string) error {
	a.endView()
	if sum == nil {
		sum = new(migrate.Summary)
	}
	left := leftOver(sum)
	came := len(sum.Done) + len(sum.Ready) + len(sum.Blocked) + len(sum.Paused) + len(sum.Failed)
	switch {
	case err != nil && came == 0:
		return err
	case a.set.JSON:
		out := struct {
			Kind string `json:"kind"`
			*migrate.Summary
		}{"summary", sum}
		if jerr := a.printJSON(out); jerr != nil && err == nil {
			err = jerr
		}
	case came == 0:
		a.out.line("%s", nothing)
	default:
		a.printSummary(sum)
	}
	switch {
	case err != nil:
		return err
	case len(sum.Failed) > 0:
		return &personError{plural(len(sum.Failed), "migration has", "migrations have") + " failed earlier: " + strings.Join(sum.Failed, ", ")}
	case len(left) > 0:
		return &notYetError{left}
	}
	return nil
}

// leftOver says which files are not applied, and why.
func leftOver(sum *migrate.Summary) []string {
	var left []string
	for _, b := range sum.Blocked {
		left = append(left, fmt.Sprintf("%s waits for complete of %s", b.Name, strings.Join(b.By, ", ")))
	}
	for _, name := range sum.Paused {
		left = append(left, name+" is paused")
	}
	return left
}

func (a *app) printSummary(sum *migrate.Summary) {
	p := a.out
	if len(sum.Done) > 0 {
		p.wrapped(p.paint(green, "done: "), "", strings.Join(sum.Done, ", "))
	}
	if len(sum.Ready) > 0 {
		p.wrapped(p.paint(green, "ready: "), "", strings.Join(sum.Ready, ", "))
		p.wrapped(p.paint(cyan, "next: "), "", "when no deployed code needs the old shape, replank complete; to take it back, replank revert")
	}
}

func (a *app) completeCommand() *cobra.Command {
	var opt migrate.CompleteOptions
	var watch bool
	cmd := &cobra.Command{
		Use:     "complete [NAME]",
		Short:   "Let the old shape go: of one migration, or of all that are ready",
		GroupID: groupChange,
		Long: `Drops what only old code needs: old columns, sync triggers, before-images.
It first asks for proof (no row unconverted, checksums equal, constraints
valid) and writes it down in the receipt. Where something is destroyed, a
person must say that nobody reads the old shape any more, or the live statements
must: with --unused-for, those of pg_stat_statements are tried on a clone of the
database before and after complete, and none that fails then may have been
called for that long. Each call takes a reading: ask daily, or give --watch.`,
		Example: `  replank complete --yes-no-old-readers
  replank complete --unused-for 7d
  replank complete 0042_names --yes-no-old-readers --wait-old-readers 24h`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if period := cmd.Flag("wait-old-readers"); opt.Period < 0 {
				return flagError(cmd, &settingError{name: "--" + period.Name, what: "want " + wanted(period) + ", not " + opt.Period.String()})
			}
			opt.UnusedFor = a.set.UnusedFor
			return a.engine(cmd.Context(), func(e *migrate.Engine) error {
				done, err := a.completeWhenAllowed(cmd.Context(), e, first(args), opt, watch)
				return a.summary(&migrate.Summary{Done: done}, err, "nothing to complete")
			})
		},
	}
	cmd.Flags().BoolVar(&opt.NoOldReaders, "yes-no-old-readers", false, "nobody reads the old shape any more")
	cmd.Flags().BoolVar(&watch, "watch", false, "with --unused-for: ask again until it is allowed")
	cmd.Flags().Var((*days)(&opt.Period), "wait-old-readers", "refuse until the migration has been ready for that long")
	a.set.addFlags(cmd.Flags(), executing, completing)
	cmd.Flags().StringSliceVar(&a.set.Accept, "accept", nil, "drift: complete although somebody else changed the same; unjudged: --unused-for does not wait for what could not be judged or was not counted")
	return cmd
}

// completeWhenAllowed completes; with watch it asks again while the old shape is in use.
func (a *app) completeWhenAllowed(ctx context.Context, e *migrate.Engine, name string, opt migrate.CompleteOptions, watch bool) (done []string, err error) {
	// Whoever asks more often knows better when a call was; but each time the whole workload is tried.
	every := min(max(opt.UnusedFor/20, time.Minute), time.Hour)
	told := ""
	for {
		now, err := e.Complete(ctx, name, opt)
		done = append(done, now...)
		var used *migrate.InUseError
		if !watch || !errors.As(err, &used) {
			return done, err
		}
		if text := err.Error(); text != told {
			a.messages.wrapped(a.messages.paint(yellow, "waiting: "), "", text)
			told = text
		}
		// When the time is up there is nothing to wait for.
		next := min(every, max(time.Second, used.Old.Allowed.Sub(used.Old.At)))
		select {
		case <-ctx.Done():
			return done, err
		case <-time.After(next):
		}
	}
}

func (a *app) revertCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "revert [NAME]",
		Short:   "Take a migration back: the one named, or the newest",
		GroupID: groupChange,
		Long: `Gives back the shape of before and every value written meanwhile through either
shape: always before complete, afterwards where nothing was lost. A migration
that another executor is working on is cancelled first.`,
		Example: `  replank revert
  replank revert 0042_names
  replank revert 0043_by_hand --accept irreversible    # forget what --direct left half done
  replank revert shop.0007_fill --ran    # the code that was killed has done its work: take that back`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.engine(cmd.Context(), func(e *migrate.Engine) error {
				name, err := e.Revert(cmd.Context(), first(args))
				return a.named("reverted", []string{name}, err)
			})
		},
	}
	a.set.addFlags(cmd.Flags(), executing)
	a.outcomeFlags(cmd)
	cmd.Flags().StringSliceVar(&a.set.Accept, "accept", nil, "irreversible: forget a file that --direct left half done, of which nothing is undone; later files of --direct are not in the way")
	return cmd
}

// outcomeFlags are what a person says of code that did not live to say it.
func (a *app) outcomeFlags(cmd *cobra.Command) {
	say := func(name, usage string, o migrate.Outcome) {
		cmd.Flags().BoolFunc(name, usage, func(string) error { a.outcome = o; return nil })
	}
	say("ran", "the code whose executor was killed has done its work", migrate.Ran)
	say("not-ran", "nothing of that code is there, or it may start again from its beginning", migrate.NotRan)
	cmd.MarkFlagsMutuallyExclusive("ran", "not-ran")
}

// first is the migration that a command names, "" when it names none. People complete the names of files.
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return strings.TrimSuffix(args[0], ".sql")
}

// named ends a command that did one thing to some migrations.
func (a *app) named(what string, names []string, err error) error {
	a.endView()
	if err != nil {
		return err
	}
	if a.set.JSON {
		return a.printJSON(map[string]any{"kind": "summary", what: append([]string{}, names...)})
	}
	if len(names) == 0 {
		a.out.line("%s: nothing", what)
		return nil
	}
	a.out.line("%s%s", a.out.paint(green, what+": "), strings.Join(names, ", "))
	return nil
}

func (a *app) pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "pause [NAME]",
		Short:   "Ask the executor to stop between two steps or ranges",
		GroupID: groupChange,
		Long: `The wish is written into the journal: an executor on another machine obeys within
a second or so, and one that is started later obeys it too, until resume.`,
		Example: "  replank pause\n  replank pause 0042_names",
		Args:    arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.engine(cmd.Context(), func(e *migrate.Engine) error {
				names, err := e.Pause(cmd.Context(), first(args))
				return a.named("paused", names, err)
			})
		},
	}
}

func (a *app) resumeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "resume [NAME]",
		Short:   "Take a pause back and go on with what was interrupted",
		GroupID: groupChange,
		Long: `Goes on exactly where a run was, in the direction it was going. With a name, a
failed run is tried again in the way forward.

Code of a framework that runs outside of a transaction is not run again by
itself when its executor was killed: look what it did, and say it.`,
		Example: "  replank resume\n  replank resume 0042_names --lock-wait 2h\n  replank resume shop.0007_fill --not-ran",
		Args:    arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.engine(cmd.Context(), func(e *migrate.Engine) error {
				sum, err := e.Resume(cmd.Context(), first(args))
				return a.summary(sum, err, "nothing to resume")
			})
		},
	}
	a.set.addFlags(cmd.Flags(), executing)
	a.outcomeFlags(cmd)
	cmd.Flags().StringSliceVar(&a.set.Accept, "accept", nil, "drift: go on although somebody else changed the same")
	return cmd
}

func (a *app) waiveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "waive NAME ID…",
		Short:   "Accept rows that a backfill could not change as they are",
		GroupID: groupChange,
		Long: `Rows that fail are set aside in table replank.rejected, each with its key and its
error, and hold the migration until they are corrected or waived. Correct them
and resume, or name the ids here; then resume.`,
		Example: "  psql -c 'SELECT id, key, error FROM replank.rejected WHERE NOT waived'\n  replank waive 0042_names 17 18\n  replank resume",
		Args:    arguments(cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids := make([]int64, len(args)-1)
			for i, s := range args[1:] {
				id, err := strconv.ParseInt(s, 10, 64)
				if err != nil {
					return &usageError{err: fmt.Errorf("%q is no id of replank.rejected", s)}
				}
				ids[i] = id
			}
			return a.engine(cmd.Context(), func(e *migrate.Engine) error {
				return a.named("waived", args[1:], e.Waive(cmd.Context(), first(args), ids...))
			})
		},
	}
}

func (a *app) backfillCommand() *cobra.Command {
	var noUndo bool
	cmd := &cobra.Command{
		Use:     "backfill 'UPDATE …'",
		Short:   "Change many rows politely, exactly once, resumably",
		GroupID: groupChange,
		Long: `Carries one UPDATE, DELETE or INSERT … SELECT out in small ranges, paced by the
health of the database. Values of before are kept until complete, so that
revert can give them back. The same command again goes on with what was
interrupted.`,
		Example: `  replank backfill 'UPDATE orders SET currency = $$EUR$$ WHERE currency IS NULL'
  replank complete        # forget the values of before
  replank backfill 'DELETE FROM events WHERE at < now() - interval $$1 year$$' --no-undo --accept irreversible`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.engine(cmd.Context(), func(e *migrate.Engine) error {
				m, err := a.backfillMigration(cmd.Context(), e, args[0], noUndo)
				if err != nil {
					return err
				}
				sum, err := e.Apply(cmd.Context(), []history.Migration{m})
				return a.summary(sum, err, "nothing to do")
			})
		},
	}
	cmd.Flags().BoolVar(&noUndo, "no-undo", false, "keep no values of before: faster, and no way back (needs --accept irreversible)")
	a.set.addFlags(cmd.Flags(), planning, sizing, executing)
	return cmd
}

// backfillPrefix begins the names of migrations that no file holds.
const backfillPrefix = "backfill-"

// backfillMigration is the statement as a migration. Its name tells the statement, so that the same command
// finds what it began; one that is done may be done again, under another time.
func (a *app) backfillMigration(ctx context.Context, e *migrate.Engine, sql string, noUndo bool) (history.Migration, error) {
	text := "-- replank: backfill\n"
	if noUndo {
		text += "-- replank: no-undo\n"
	}
	text += sql + "\n"
	sum := sha256.Sum256([]byte(text))
	m := history.Migration{Path: "backfill", Text: text, Checksum: hex.EncodeToString(sum[:])}
	a.sources[m.Path] = text
	if err := oneChange(m); err != nil {
		return m, err
	}
	st, err := e.Status(ctx)
	if err != nil {
		return m, err
	}
	prefix := backfillPrefix + m.Checksum[:8]
	for _, r := range st.Runs {
		if !strings.HasPrefix(r.Name, prefix) {
			continue
		}
		if r.State == migrate.Ready {
			return m, &migrate.RefusedError{Code: migrate.Held, Reason: r.Name + " did the same and still keeps the values of before",
				Advice: "replank complete or revert " + r.Name + " first"}
		}
		m.Name = r.Name
		return m, nil
	}
	m.Name = prefix + "-" + time.Now().UTC().Format("20060102T150405.000")
	return m, nil
}

// oneChange refuses what is not one statement that changes rows.
func oneChange(m history.Migration) error {
	file, err := ddl.Parse(m.Path, m.Text)
	if err != nil {
		return err
	}
	if len(file.Statements) == 1 && len(file.Statements[0].Ops) == 1 {
		switch file.Statements[0].Ops[0].(type) {
		case ddl.Update, ddl.Delete, ddl.Insert:
			return nil
		}
	}
	return &usageError{err: errors.New("a backfill is one UPDATE, DELETE or INSERT … SELECT; anything else is a migration: replank apply FILE")}
}
