package migrate

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
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
