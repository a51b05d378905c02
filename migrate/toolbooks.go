package migrate

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/plan"
)

// readBooks asks the table of the history's own tool (goose_db_version, django_migrations and the like) what it has
// applied, by Migration.Version. What that tool has applied is applied, and what replank applies is written down there,
// so that either can go on.
func (e *Engine) readBooks(ctx context.Context) (present bool, applied map[string]bool, err error) {
	sess, err := e.db.Session(ctx)
	if err != nil {
		return false, nil, err
	}
	defer sess.Close()
	applied, present, err = appliedIn(ctx, sess, e.cfg.Books)
	return present, applied, err
}

// knowledge is what is known of a history on this database.
type knowledge struct {
	ms    []history.Migration // as the tool takes them here: a squash that is applied in part is its members
	known map[string]knownRun
	lacks []journal.Migration // what the tool has applied and the journal does not have
}

// knownTo are latestRuns together with what the history's own tool has applied. A migration that the journal has as
// applied and the tool has not was taken back by the tool: nobody knows what that left.
func (e *Engine) knownTo(ctx context.Context, j *journal.Journal, ms []history.Migration) (k knowledge, err error) {
	k.ms = ms
	if k.known, err = e.latestRuns(ctx, j); err != nil || e.cfg.Books == nil {
		return k, err
	}
	present, applied, err := e.readBooks(ctx)
	if err != nil {
		return k, err
	}
	e.booksPresent = present
	k.ms = history.Select(e.cfg.Books, ms, applied)
	var gone []string
	for i, m := range k.ms {
		r, there := k.known[m.Name]
		switch {
		case !there && applied[m.Version]:
			k.known[m.Name] = knownRun{State: Done, Checksum: m.Checksum, Baseline: true}
			k.lacks = append(k.lacks, journal.Migration{Name: m.Name, Checksum: m.Checksum, Position: int64(i), Baseline: true})
		case there && (r.State == Done || r.State == Ready) && !applied[m.Version]:
			gone = append(gone, m.Name)
		}
	}
	if len(gone) > 0 {
		if gone, err = e.written(ctx, j, gone); err != nil {
			return k, err
		}
	}
	if len(gone) > 0 {
		refused := refuse(Drift, "if its tool took them back, let replank forget them: replank revert NAME --accept irreversible; if only the row is missing, put it back",
			"replank has applied what %s does not have", e.cfg.Books.Table())
		refused.Items = gone
		return k, refused
	}
	return k, nil
}

// written are those of the migrations that replank has written down. One with code that waits for complete is written
// down after it.
func (e *Engine) written(ctx context.Context, j *journal.Journal, names []string) ([]string, error) {
	runs, err := e.unfinished(ctx, j)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return slices.ContainsFunc(runs, func(r *run) bool {
			return r.Name == name && slices.ContainsFunc(r.Plan.Steps, func(s plan.Step) bool { return s.Books && !r.finished(s.ID) })
		})
	}), nil
}

// upTo are the migrations up to and including the one named.
func (k knowledge) upTo(name string) ([]history.Migration, error) {
	last := slices.IndexFunc(k.ms, func(m history.Migration) bool { return m.Name == name })
	if last < 0 {
		return nil, refuse(NotFound, "", "there is no migration %s in the folder", name)
	}
	return k.ms[:last+1], nil
}

// takeOver is knownTo for who may write: the journal has it all afterwards.
func (x *executor) takeOver(ctx context.Context, ms []history.Migration) (knowledge, error) {
	k, err := x.e.knownTo(ctx, x.j, ms)
	if err != nil || len(k.lacks) == 0 {
		return k, err
	}
	return k, x.mark(ctx, func(tx pgx.Tx) error { return x.lease.RecordMigrations(ctx, tx, k.lacks...) })
}

// booksOf are the statements that write a migration down in its tool's table, which they make where it is missing.
func (e *Engine) booksOf(m history.Migration) plan.Books {
	if e.cfg.Books == nil {
		return plan.Books{}
	}
	var record []history.Statement
	if !e.booksPresent {
		record = e.cfg.Books.Create()
	}
	record = append(slices.Clip(record), e.cfg.Books.Record(m)...)
	return plan.Books{Table: e.cfg.Books.Table(), Record: asText(record), Erase: asText(e.cfg.Books.Erase(m))}
}

func asText(statements []history.Statement) []string {
	out := make([]string, len(statements))
	for i, s := range statements {
		out[i] = s.Text()
	}
	return out
}
