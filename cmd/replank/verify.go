package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/oracle"
)

// errDisagreed is the answer of verify where something is wrong, and it has said so.
var errDisagreed = &toldError{errors.New("verify found something")}

// verifyJSON is what verify --json prints; docs/guide-verify.md describes it.
type verifyJSON struct {
	Server     int               `json:"server"` // major version of the clone
	Notices    []string          `json:"notices,omitempty"`
	Missing    []string          `json:"missing,omitempty"`
	Statements []measuredJSON    `json:"statements"`
	Workload   *oracle.Judgement `json:"workload"`
	ExitCode   int               `json:"exit_code"`
}

type measuredJSON struct {
	Migration   string     `json:"migration"`
	SQL         string     `json:"sql"`
	Pos         ddl.Pos    `json:"position"`
	Seen        effectJSON `json:"seen"`
	Claimed     effectJSON `json:"claimed"`
	Differences []string   `json:"differences,omitempty"`
	Notes       []string   `json:"notes,omitempty"`
}

// effectJSON is a ddl.Effect with names as SQL writes them.
type effectJSON struct {
	Locks     map[string]ddl.LockMode `json:"locks,omitempty"`
	Rewrites  []string                `json:"rewrites,omitempty"`
	Scans     []string                `json:"scans,omitempty"`
	Reindexes []string                `json:"reindexes,omitempty"`
	Gone      []string                `json:"gone,omitempty"`
	Refused   string                  `json:"refused,omitempty"`
	Why       []string                `json:"why,omitempty"`
}

func newEffectJSON(e ddl.Effect) effectJSON {
	out := effectJSON{Locks: map[string]ddl.LockMode{}, Rewrites: relationNames(e.Rewrites), Scans: relationNames(e.Scans),
		Reindexes: relationNames(e.Reindexes), Gone: relationNames(e.Gone), Refused: e.Refused, Why: e.Why}
	for _, l := range e.Locks {
		out.Locks[l.Relation.String()] = l.Mode
	}
	return out
}

// verification is what was found out about migrations.
type verification struct {
	clone      *oracle.Clone
	statements []oracle.Measured
	workload   *oracle.Judgement
}

func (v verification) exitCode() int {
	if len(v.workload.Broken) > 0 || slices.ContainsFunc(v.statements, func(m oracle.Measured) bool {
		return m.Seen.Refused != "" || len(m.Differences) > 0
	}) {
		return exitFailed
	}
	return exitOK
}

// json is the verification without the values in the SQL of migrations.
func (v verification) json() verifyJSON {
	w := *v.workload
	w.Failed = slices.Clone(w.Failed)
	for i := range w.Failed {
		w.Failed[i].SQL = pg.Redact(w.Failed[i].SQL)
	}
	out := verifyJSON{Server: v.clone.Major(), Notices: v.clone.Notices, Workload: &w, ExitCode: v.exitCode()}
	for _, m := range v.clone.Missing {
		out.Missing = append(out.Missing, pg.Redact(m.String()))
	}
	for _, m := range v.statements {
		out.Statements = append(out.Statements, measuredJSON{m.Migration, pg.Redact(m.SQL), m.Pos, newEffectJSON(m.Seen), newEffectJSON(m.Claimed),
			m.Differences, m.Notes})
	}
	return out
}

func (a *app) verifyCommand() *cobra.Command {
	var snapshot string
	cmd := &cobra.Command{
		Use:     "verify [PATH…]",
		Short:   "Try migrations on a clone of the shapes, and measure them",
		GroupID: groupWatch,
		Long: `Makes a private server with the shapes of a snapshot, executes the migrations on
it, and says for each statement what it locked, wrote anew, read and rebuilt,
beside what replank says of it without trying; differences are named. Then the
statements of the snapshot's workload are prepared before and after: those that
stop compiling, or take or give something else, are listed with their calls.

The clone has no rows: what a query would read is not seen. It needs the
server programs of PostgreSQL, and fetches them where there are none.
It ends with 1 where something differs, is refused or breaks.`,
		Example: `  replank snapshot --db postgres://readonly@db.example.com/shop > replank.snapshot.json
  replank verify migrations/0042_names.sql --snapshot replank.snapshot.json`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ms, err := a.read(cmd.Context(), args)
			if err != nil {
				return err
			}
			snap, err := readSnapshot(snapshot)
			if err != nil {
				return err
			}
			var v verification
			if v.clone, err = oracle.NewClone(cmd.Context(), snap, oracle.CloneConfig{Logger: a.log}); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, v.clone.Close(cmd.Context())) }()
			if v.statements, err = v.clone.Verify(cmd.Context(), ms); err != nil {
				return err
			}
			if v.workload, err = v.clone.Workload(cmd.Context(), ms); err != nil {
				return err
			}
			if a.set.JSON {
				err = a.printJSONDocument(v.json())
			} else {
				a.out.verified(v)
			}
			if err == nil && v.exitCode() != exitOK {
				return errDisagreed
			}
			return err
		},
	}
	cmd.Flags().StringVar(&snapshot, "snapshot", "replank.snapshot.json", "the file that replank snapshot has written")
	return cmd
}

func (p *printer) verified(v verification) {
	for _, n := range v.clone.Notices {
		p.wrapped(p.paint(yellow, "notice: "), "", n)
	}
	for _, m := range v.clone.Missing {
		p.wrapped(p.paint(yellow, "not in the clone: "), "", hideSecretsInProse(m.String()))
	}
	migration := ""
	for _, m := range v.statements {
		if m.Migration != migration {
			migration = m.Migration
			p.line("%s", p.paint(bold, migration))
		}
		p.measured(m)
	}
	p.judged(v.workload)
}

func (p *printer) measured(m oracle.Measured) {
	p.wrapped("  "+m.Pos.String()+"  ", bold, pg.HideSecrets(oneLine(m.SQL)))
	fact := func(name string, s style, text string) {
		if text != "" {
			p.wrapped("      "+pad(name, 10), s, text)
		}
	}
	if m.Seen.Refused != "" {
		fact("refused", red, m.Seen.Refused)
	}
	var locks []string
	for _, l := range m.Seen.Locks {
		locks = append(locks, l.Mode.String()+" on "+l.Relation.String())
	}
	fact("locks", "", strings.Join(locks, ", "))
	for _, f := range []struct {
		name  string
		style style
		list  []ddl.Name
	}{{"rewrites", red, m.Seen.Rewrites}, {"reads", "", m.Seen.Scans}, {"rebuilds", "", m.Seen.Reindexes}, {"drops", "", m.Seen.Gone}} {
		fact(f.name, f.style, strings.Join(relationNames(f.list), ", "))
	}
	for _, d := range m.Differences {
		fact("differs", yellow, d)
	}
	for _, n := range m.Notes {
		fact("note", dim, n)
	}
}

func relationNames(list []ddl.Name) []string {
	var out []string
	for _, n := range list {
		out = append(out, n.String())
	}
	return out
}

func (p *printer) judged(j *oracle.Judgement) {
	p.line("%s", p.paint(bold, "workload"))
	for _, v := range j.Broken {
		p.wrapped("  "+p.paint(red, "breaks "), "", called(v)+": "+v.Message+" ("+v.Code+")"+since(v))
		p.wrapped("      ", dim, oneLine(v.Statement.Text))
	}
	for _, v := range j.Changed {
		p.wrapped("  "+p.paint(yellow, "changes "), "", called(v)+": "+strings.Join(v.Changes, "; ")+since(v))
		p.wrapped("      ", dim, oneLine(v.Statement.Text))
	}
	for _, v := range j.Unjudged {
		p.wrapped("  "+p.paint(yellow, "could not judge "), "", called(v)+": "+v.Message)
		p.wrapped("      ", dim, oneLine(v.Statement.Text))
	}
	p.line("  %s, %d broken, %d changed, %d could not be judged", plural(j.Judged, "statement judged", "statements judged"),
		len(j.Broken), len(j.Changed), len(j.Unjudged))
}

// called says how often a statement is.
func called(v oracle.Verdict) string {
	if v.CallsPerDay < 0 {
		return plural(int(v.Statement.Calls), "call", "calls")
	}
	return fmt.Sprintf("%s a day", plural(int(v.CallsPerDay+0.5), "call", "calls"))
}

func since(v oracle.Verdict) string {
	text := ", from " + v.Migration + " on"
	if v.Healed != "" {
		text = ", from " + v.Migration + " to " + v.Healed
	}
	return text
}
