package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/replank/replank/migrate"
)

// errUnwell is the answer of a doctor who found something bad, and has said so.
var errUnwell = &toldError{errors.New("doctor found something bad")}

func (a *app) doctorCommand() *cobra.Command {
	var forget bool
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Examine the database and the journal",
		GroupID: groupWatch,
		Long: `Looks for what would disturb a change: missing privileges, forgotten transactions,
replication, leftovers, columns used up. It writes nothing, except with --forget:
a cloned or restored database carries the journal of another one, and --forget
makes it its own.`,
		Example: "  replank doctor\n  replank doctor --json\n  replank doctor --forget      # on a clone",
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.open(cmd.Context(), nil)
			if err != nil {
				return err
			}
			if forget {
				a.changing = true
				if st, err := e.Status(cmd.Context()); err == nil && !st.Installed {
					return a.say("forgotten", "there is no journal here")
				}
				if err := e.Forget(cmd.Context()); err != nil {
					return err
				}
				return a.say("forgotten", "the journal is this database's own now")
			}
			found, err := e.Doctor(cmd.Context())
			if err != nil {
				return err
			}
			code := exitOK
			if slices.ContainsFunc(found, func(f migrate.Finding) bool { return f.Level == migrate.Bad }) {
				code = exitFailed
			}
			if a.set.JSON {
				err = a.printJSONDocument(map[string]any{"findings": append([]migrate.Finding{}, found...), "exit_code": code})
			} else {
				a.out.findings(found)
			}
			if err == nil && code != exitOK {
				return errUnwell
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&forget, "forget", false, "take over the journal of the database that this one is a copy of")
	return cmd
}

func (p *printer) findings(found []migrate.Finding) {
	styles := map[migrate.Level]style{migrate.Good: green, migrate.Warn: yellow, migrate.Bad: red}
	for _, f := range found {
		p.wrapped(p.paint(styles[f.Level], pad(string(f.Level), 6)), "", f.Text)
		if f.Hint != "" {
			p.wrapped("      "+p.paint(cyan, "hint: "), "", f.Hint)
		}
	}
}

// say ends a command with one sentence.
func (a *app) say(key, text string) error {
	if a.set.JSON {
		return a.printJSON(map[string]string{"kind": "summary", key: text})
	}
	a.out.line("%s", text)
	return nil
}

func (a *app) baselineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "baseline NAME [PATH…]",
		Short:   "Say that the database already has the migrations up to NAME",
		GroupID: groupSetUp,
		Long: `For a folder of migrations on a database that other tools brought to where it is:
writes the files up to and including NAME down as applied, and does nothing else.`,
		Example: "  replank baseline 0041_last_by_hand migrations/",
		Args:    arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ms, err := a.read(cmd.Context(), args[1:])
			if err != nil {
				return err
			}
			return a.engine(cmd.Context(), func(e *migrate.Engine) error {
				n, err := e.Baseline(cmd.Context(), ms, first(args))
				a.endView()
				if err != nil {
					return err
				}
				if a.set.JSON {
					return a.printJSON(map[string]any{"kind": "summary", "baseline": n})
				}
				a.out.line("%s taken over", plural(n, "migration", "migrations"))
				return nil
			})
		},
	}
	a.set.addFlags(cmd.Flags(), executing)
	return cmd
}

func (a *app) grantsCommand() *cobra.Command {
	var r migrate.GrantsRequest
	cmd := &cobra.Command{
		Use:     "grants",
		Short:   "Print the SQL that gives a role the least that replank needs",
		GroupID: groupSetUp,
		Long: `Prints SQL for an administrator to read and run once; no superuser is needed,
except for the line that says so. Nothing is changed.`,
		Example: "  replank grants --role deployer --owner app_owner --schema public,billing > grants.sql",
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.open(cmd.Context(), nil)
			if err != nil {
				return err
			}
			r.Owner = a.set.Owner
			sql, err := e.Grants(cmd.Context(), r)
			if err != nil {
				return err
			}
			if a.set.JSON {
				return a.printJSON(map[string]string{"sql": sql})
			}
			_, err = fmt.Fprint(a.out.w, sql)
			return err
		},
	}
	cmd.Flags().StringVar(&r.Role, "role", "", "role that replank connects as (default: the one that connects now)")
	cmd.Flags().StringSliceVar(&r.Schemas, "schema", nil, "schemas with the tables to change (default: public)")
	return cmd
}

func (a *app) uninstallCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "uninstall",
		Short:   "Drop schema replank: the journal and all receipts",
		GroupID: groupSetUp,
		Long: `Drops the journal. What migrations have made stays as it is; afterwards replank
knows nothing of them any more. Refused while a migration is under way or ready.`,
		Example: "  replank uninstall\n  replank uninstall --yes      # without asking",
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.open(cmd.Context(), nil)
			if err != nil {
				return err
			}
			if !yes {
				if err := a.confirm("Drop schema replank of database " + e.Server().Database + ", with all receipts?"); err != nil {
					return err
				}
			}
			a.changing = true
			if err := e.Uninstall(cmd.Context()); err != nil {
				return err
			}
			return a.say("uninstalled", "schema replank is gone")
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// confirm asks a person; without a terminal there is nobody to ask.
func (a *app) confirm(question string) error {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return &migrate.RefusedError{Code: migrate.NeedsConsent, Reason: "nobody is there to be asked: " + question, Advice: "--yes"}
	}
	fmt.Fprint(a.messages.w, question+" [y/N] ")
	var answer string
	_, _ = fmt.Fscanln(os.Stdin, &answer) // an empty line is a no
	if answer = strings.ToLower(answer); answer != "y" && answer != "yes" {
		return &migrate.RefusedError{Code: migrate.NeedsConsent, Reason: "not confirmed"}
	}
	return nil
}
