package migrate

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/catalog"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/lint"
)

// Applied asks the books of the history's own tool what is applied, by Migration.Version. It writes nothing.
func (e *Engine) Applied(ctx context.Context) (map[string]bool, error) {
	if e.cfg.Books == nil {
		return nil, nil
	}
	_, applied, err := e.readBooks(ctx)
	return applied, asOp("read "+e.cfg.Books.Table(), err)
}

// Owner says which history may change a table.
type Owner struct {
	Table   string // qualified
	History string // its format: django, alembic
	Since   string // the migration with which it took the table over
}

const acceptForeign = "foreign-owner"

// judgeOwners finds what pending files change of tables that belong to another history. A schema that is nil is loaded
// where it is needed.
func (e *Engine) judgeOwners(ctx context.Context, j *journal.Journal, p *Preview, schema *ddl.Schema) error {
	pending := p.Pending()
	if len(pending) == 0 || slices.Contains(e.cfg.Accept, acceptForeign) {
		return nil
	}
	owners, err := e.owners(ctx, j)
	if err != nil || len(owners) == 0 {
		return err
	}
	if schema == nil {
		if schema, err = e.load(ctx, catalog.Options{}); err != nil {
			return err
		}
	}
	now, err := e.now(ctx)
	if err != nil {
		return err
	}
	sources := make([]lint.Source, len(pending))
	for i, f := range pending {
		sources[i] = lint.Source{Name: f.Name, Path: f.Path, Text: f.migration.Text}
		for _, o := range f.migration.Origins {
			sources[i].Origins = append(sources[i].Origins, lint.Origin{Offset: o.Offset, Path: o.Path, Line: o.Line})
		}
	}
	cfg := lint.Config{Schema: schema, Complete: true, Today: now.Format(time.DateOnly), History: e.cfg.History, Owners: owners}
	for _, f := range lint.Foreign(cfg, sources) {
		p.Foreign = append(p.Foreign, f.Pos.String()+": "+f.Message)
	}
	return nil
}

// owners are those of the configuration, and of the journal where that one does not know the table: a checkout from
// before the tables were adopted, or another repository. The journal does not say until when the other history may
// change a table: that was applied before its owner was written down there.
func (e *Engine) owners(ctx context.Context, j *journal.Journal) (map[ddl.Name]lint.Owner, error) {
	recorded, err := j.Owners(ctx)
	if err != nil {
		return nil, err
	}
	owners := map[ddl.Name]lint.Owner{}
	for _, o := range recorded {
		owners[history.RelationName(o.Table)] = lint.Owner{History: o.History}
	}
	maps.Copy(owners, e.cfg.Owners)
	return owners, nil
}

// Fake is a migration that is written down as applied without being executed: it does nothing to the database.
type Fake struct {
	Books     history.Books
	Migration history.Migration
}

// Adopt writes down, all at once, that fakes are applied and who owns tables from now on. It says which of the fakes
// were new to their books.
func (e *Engine) Adopt(ctx context.Context, owners []Owner, fakes []Fake) (recorded []string, err error) {
	err = e.lead(ctx, func(ctx context.Context, x *executor) error {
		return x.mark(ctx, func(tx pgx.Tx) error {
			recorded = nil
			for _, f := range fakes {
				fresh, err := recordFake(ctx, tx, f)
				if err != nil {
					return err
				}
				if fresh {
					recorded = append(recorded, f.Migration.Name)
				}
			}
			var list []journal.Owner
			for _, o := range owners {
				list = append(list, journal.Owner{Table: o.Table, History: o.History, Since: o.Since, RequestedBy: e.cfg.Requester})
			}
			return x.lease.SetOwners(ctx, tx, list...)
		})
	})
	return recorded, asOp("adopt", err)
}

func recordFake(ctx context.Context, tx pgx.Tx, f Fake) (fresh bool, err error) {
	applied, present, err := appliedIn(ctx, tx, f.Books)
	if err != nil || applied[f.Migration.Version] {
		return false, err
	}
	for _, need := range f.Migration.Needs {
		if !applied[need] {
			return false, refuse(Blocked, "apply it first", "%s stands on %s, which is not applied", f.Migration.Name, need)
		}
	}
	var statements []history.Statement
	if !present {
		statements = f.Books.Create()
	}
	return true, executeAll(ctx, tx, asText(append(statements, f.Books.Record(f.Migration)...)))
}

// appliedIn asks books inside of a transaction.
func appliedIn(ctx context.Context, q pg.Querier, books history.Books) (applied map[string]bool, present bool, err error) {
	ask := books.Present()
	if err := q.QueryRow(ctx, ask.SQL, ask.Args...).Scan(&present); err != nil || !present {
		return nil, false, err
	}
	ask = books.Applied()
	rows, err := q.Query(ctx, ask.SQL, ask.Args...)
	if err != nil {
		return nil, true, err
	}
	answer, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, true, err
	}
	applied, err = books.Read(answer)
	return applied, true, err
}
