package migrate

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
)

//go:embed doctor.sql
var doctorSQL string

//go:embed givejournal.sql
var giveJournalSQL string

//go:embed leftovers.sql
var leftoversSQL string

// Finding is something that doctor has to say.
type Finding struct {
	Level Level  `json:"level"`
	Text  string `json:"text"`
	Hint  string `json:"hint,omitempty"`
}

// Level is how serious a finding is.
type Level string

// The levels of a finding.
const (
	Good Level = "ok"
	Warn Level = "warn"
	Bad  Level = "bad"
)

// Doctor examines the database and the journal. It writes nothing; most serious findings come first.
func (e *Engine) Doctor(ctx context.Context) ([]Finding, error) {
	var found []Finding
	sv := e.db.Server()
	found = append(found, Finding{Level: Good, Text: "PostgreSQL " + sv.Version + ", database " + sv.Database + ", role " + sv.User})
	if err := e.writable(); err != nil {
		found = append(found, Finding{Warn, err.Error(), HintOf(err)})
	}
	runs, err := e.examineJournal(ctx, &found)
	if err != nil {
		return nil, asOp("doctor", err)
	}
	for _, examine := range []func() error{
		func() error { return e.examineDatabase(ctx, &found) },
		func() error { return e.examineLeftovers(ctx, runs, &found) },
		func() error { return e.examineReplication(ctx, &found) },
		func() error { return e.examinePrivileges(ctx, &found) },
	} {
		if err := examine(); err != nil {
			return nil, asOp("doctor", err)
		}
	}
	order := map[Level]int{Bad: 0, Warn: 1, Good: 2}
	slices.SortStableFunc(found, func(a, b Finding) int { return order[a.Level] - order[b.Level] })
	return found, nil
}

// examineJournal says how the journal is, and returns the unfinished runs when it can be read.
func (e *Engine) examineJournal(ctx context.Context, found *[]Finding) ([]*run, error) {
	j, err := e.openJournal(ctx)
	var newer *journal.NewerError
	var foreign *journal.ForeignError
	var denied *journal.PrivilegeError
	if errors.As(err, &newer) || errors.As(err, &foreign) || errors.As(err, &denied) {
		*found = append(*found, Finding{Bad, err.Error(), HintOf(err)})
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !j.Present() {
		*found = append(*found, Finding{Level: Good, Text: "no journal yet: nothing was ever applied here"})
		return nil, nil
	}
	*found = append(*found, Finding{Level: Good, Text: fmt.Sprintf("the journal has version %d", j.Version())})
	runs, err := e.unfinished(ctx, j)
	if err != nil {
		return nil, err
	}
	held, err := j.Holder(ctx, leaseName)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		for _, s := range r.Plan.Steps {
			if s.Elsewhere != "" && r.steps[s.ID].State == journal.StepRunning && held == nil {
				*found = append(*found, Finding{Bad, fmt.Sprintf("an executor died in step %s of migration %s, which may have left %s", s.ID, r.Name, s.Elsewhere), lookElsewhere(s)})
			}
		}
		switch {
		case r.halfDirect() && (held == nil || r.State == Failed):
			*found = append(*found, Finding{Bad, fmt.Sprintf("migration %s was executed as written and stopped half way: %v", r.Name, orUnknown(r.Error)),
				forgetDirect})
		case r.State == Failed:
			*found = append(*found, Finding{Bad, fmt.Sprintf("migration %s has failed: %s", r.Name, r.Error), r.afterFailure()})
		case r.State != Ready && r.Intent == journal.IntentPause:
			*found = append(*found, Finding{Warn, fmt.Sprintf("migration %s is paused by %s", r.Name, r.IntentBy), "resume"})
		case r.State != Ready && held == nil:
			*found = append(*found, Finding{Warn, fmt.Sprintf("migration %s is %s, and nobody works on it", r.Name, r.State),
				"apply or resume goes on, revert takes it back"})
		}
	}
	return runs, nil
}

func (e *Engine) examineDatabase(ctx context.Context, found *[]Finding) error {
	return e.db.Ask(ctx, func(q pg.Querier) error {
		rows, err := q.Query(ctx, doctorSQL)
		if err != nil {
			return fmt.Errorf("examine the database: %w", err)
		}
		list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Finding])
		*found = append(*found, list...)
		return err
	})
}

// leftover is an object of ours.
type leftover struct {
	What         string
	Schema, Name string // the relation it is or stands on
}

// examineLeftovers finds objects of ours that no unfinished run accounts for.
func (e *Engine) examineLeftovers(ctx context.Context, runs []*run, found *[]Finding) error {
	expected := map[ddl.Name]bool{}
	for _, r := range runs {
		for _, n := range relations(r.Plan.Touches) {
			expected[n] = true
		}
	}
	return e.db.Ask(ctx, func(q pg.Querier) error {
		rows, err := q.Query(ctx, leftoversSQL)
		if err != nil {
			return fmt.Errorf("look for leftovers: %w", err)
		}
		list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[leftover])
		for _, l := range list {
			if !expected[ddl.Name{Schema: l.Schema, Name: l.Name}] {
				*found = append(*found, Finding{Warn, l.What + " is ours, but no migration under way accounts for it",
					"it was left by a run that somebody removed by hand; drop it"})
			}
		}
		return err
	})
}

func (e *Engine) examineReplication(ctx context.Context, found *[]Finding) error {
	rep, err := journal.LogicalReplication(ctx, e.db)
	if err != nil {
		return err
	}
	for _, p := range rep.Publications {
		text := fmt.Sprintf("publication %s sends %d tables", p.Name, p.Tables)
		if p.AllTables {
			text += ", and the journal too (FOR ALL TABLES)"
		}
		*found = append(*found, Finding{Warn, text, "subscribers need new objects first: plan --subscriber-sql"})
	}
	for _, s := range rep.Subscriptions {
		*found = append(*found, Finding{Warn, "subscription " + s.Name + " writes into this database",
			"a changed table must still take the publisher's rows"})
	}
	for _, s := range rep.Slots {
		if !s.Active || s.WALStatus == "lost" || s.WALStatus == "unreserved" {
			*found = append(*found, Finding{Warn, fmt.Sprintf("logical slot %s is not read (WAL %s)", s.Name, s.WALStatus),
				"a fill writes much WAL, which the slot keeps; drop it if nobody needs it"})
		}
	}
	return nil
}

func (e *Engine) examinePrivileges(ctx context.Context, found *[]Finding) error {
	lacks, err := e.missing(ctx, nil, false, false)
	var refused *RefusedError
	if errors.As(err, &refused) {
		*found = append(*found, Finding{Bad, refused.Error(), refused.Hint()})
		return nil
	}
	for _, l := range lacks {
		*found = append(*found, Finding{Bad, "missing: " + l, "replank grants prints the SQL that gives it"})
	}
	return err
}

// Forget makes the journal of a cloned or restored database this database's own.
func (e *Engine) Forget(ctx context.Context) error {
	if err := e.writable(); err != nil {
		return asOp("doctor --forget", err)
	}
	return asOp("doctor --forget", journal.Forget(ctx, e.db, journal.Config{Owner: e.cfg.Owner, Logger: e.cfg.Logger}))
}

// Uninstall drops schema replank. Migrations under way are refused; what they made stays as it is.
func (e *Engine) Uninstall(ctx context.Context) error {
	if err := e.writable(); err != nil {
		return asOp("uninstall", err)
	}
	j, err := e.openJournal(ctx)
	if err == nil {
		err = j.Uninstall(ctx)
	}
	var unfinished *journal.UnfinishedError
	if errors.As(err, &unfinished) {
		err = &RefusedError{Code: Held, Reason: "the journal is still needed", Err: unfinished}
	}
	return asOp("uninstall", settle(ctx, err))
}

// GrantsRequest says for whom Grants writes.
type GrantsRequest struct {
	Role     string   // that replank connects as
	Owner    string   // that owns the tables; default the role itself
	Database string   // default the connected one
	Schemas  []string // with the tables to change; default public
}

// Grants is the SQL that gives a role the least it needs, to be run by an administrator once. None of it needs
// a superuser, except the line that says so.
func (e *Engine) Grants(ctx context.Context, r GrantsRequest) (string, error) {
	sv := e.db.Server()
	if r.Role == "" {
		r.Role = sv.User
	}
	if r.Database == "" {
		r.Database = sv.Database
	}
	if len(r.Schemas) == 0 {
		r.Schemas = []string{"public"}
	}
	if r.Owner == "" {
		r.Owner = r.Role
	}
	journal, err := e.giveJournal(ctx, r.Owner)
	if err != nil {
		return "", asOp("grants", err)
	}
	role, acting := pg.Ident(r.Role), pg.Ident(r.Owner)
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("-- What replank needs in database %s. Run it as the owner of the database.", pg.Ident(r.Database))
	line("GRANT CONNECT ON DATABASE %s TO %s;", pg.Ident(r.Database), role)
	if r.Owner != r.Role {
		line("-- Statements run as the owner of the tables: replank --owner %s", r.Owner)
		line("-- %s has the privileges of %s without SET ROLE too: the journal and the rows are written so.", role, acting)
		if sv.Major() >= 16 {
			line("GRANT %s TO %s WITH INHERIT TRUE, SET TRUE;", acting, role)
		} else {
			line("GRANT %s TO %s;", acting, role)
			line("ALTER ROLE %s INHERIT;", role)
		}
	}
	line("-- The journal, in schema replank.")
	line("GRANT CREATE ON DATABASE %s TO %s;", pg.Ident(r.Database), acting)
	if len(journal) > 0 {
		line("-- It belongs to another role now. Run these as a superuser, or as a member of both.")
	}
	for _, sql := range journal {
		line("%s;", sql)
	}
	for _, s := range r.Schemas {
		line("GRANT USAGE, CREATE ON SCHEMA %s TO %s;", pg.Ident(s), acting)
	}
	line("-- To see who blocks a change, and to cancel them when asked to (--cancel-blockers);")
	line("-- and which statements of other roles still use an old shape (complete --unused-for).")
	line("GRANT pg_read_all_stats, pg_signal_backend TO %s;", role)
	if sv.Major() >= 15 {
		line("-- Only a superuser can give this one: a fill need not fire the triggers of users then.")
		line("GRANT SET ON PARAMETER session_replication_role TO %s;", role)
	} else {
		line("-- Before PostgreSQL 15 only a superuser keeps the triggers of users from firing during a fill;")
		line("-- without one, migrations that fill tables with triggers need --accept triggers.")
	}
	if acting == role {
		line("-- And %s must own the tables that are changed, or be a member of the role that does (--owner).", role)
	}
	return b.String(), nil
}

// giveJournal are the statements that let a role own the journal: one that was made without --owner belongs to the role
// that connected then.
func (e *Engine) giveJournal(ctx context.Context, to string) (sql []string, err error) {
	err = e.db.Ask(ctx, func(q pg.Querier) error {
		rows, err := q.Query(ctx, giveJournalSQL, to)
		if err != nil {
			return err
		}
		sql, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look who owns the journal: %w", err)
	}
	return sql, nil
}
