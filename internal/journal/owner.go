package journal

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Owner says which history may change a table.
type Owner struct {
	Table       string // qualified
	History     string
	Since       string // the migration with which it took the table over
	RequestedBy string
	At          time.Time
}

// SetOwners writes down who owns tables from now on, and an event for each that changes hands.
func (l *Lease) SetOwners(ctx context.Context, tx pgx.Tx, owners ...Owner) error {
	if err := l.Guard(ctx, tx); err != nil {
		return err
	}
	for _, o := range owners {
		tag, err := tx.Exec(ctx, `INSERT INTO replank.owner AS o (table_name, history, since, requested_by) VALUES ($1, $2, $3, $4)
			ON CONFLICT (table_name) DO UPDATE SET (history, since, requested_by, at) = ($2, $3, $4, clock_timestamp())
			WHERE (o.history, o.since) IS DISTINCT FROM ($2, $3)`, o.Table, o.History, o.Since, o.RequestedBy)
		if err != nil {
			return wrap("record the owner of "+o.Table, err)
		}
		if tag.RowsAffected() == 0 {
			continue
		}
		detail := map[string]string{"table": o.Table, "history": o.History, "since": o.Since}
		if err := AddEvent(ctx, tx, 0, "owner", detail); err != nil {
			return err
		}
	}
	return nil
}

// Owners are the tables that have an owner, by name.
func (j *Journal) Owners(ctx context.Context) ([]Owner, error) {
	if j.version < 2 {
		return nil, nil
	}
	return readAll[Owner](ctx, j, `SELECT table_name, history, since, requested_by, at FROM replank.owner ORDER BY table_name`)
}
