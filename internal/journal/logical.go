package journal

import (
	"context"
	_ "embed"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
)

//go:embed logical.sql
var logicalSQL string

// LogicalReport lists who sees our changes through logical replication (RULES
// 19). Under a publication of all tables the journal itself is published: its
// first row stops a subscriber that does not have schema replank.
type LogicalReport struct {
	Publications  []Publication
	Subscriptions []Subscription
	Slots         []Slot
}

// Publication of this database.
type Publication struct {
	Name      string
	AllTables bool
	Tables    int // outside of schema replank
}

// Subscription of this database: somebody else's changes arrive here.
type Subscription struct {
	Name    string
	Enabled bool
}

// Slot is a logical replication slot on this database.
type Slot struct {
	Name      string
	Active    bool
	WALStatus string // reserved, extended, unreserved, lost
	LagBytes  *int64 // not yet confirmed; nil on a standby
}

// PublishesJournal names the publications that would send our own rows.
func (r LogicalReport) PublishesJournal() []string {
	var names []string
	for _, p := range r.Publications {
		if p.AllTables {
			names = append(names, p.Name)
		}
	}
	return names
}

// LogicalReplication looks for publications, subscriptions and slots. It works
// without a journal and writes nothing.
func LogicalReplication(ctx context.Context, db *pg.DB) (r LogicalReport, err error) {
	err = db.Ask(ctx, func(q pg.Querier) error {
		rows, err := q.Query(ctx, logicalSQL)
		if err != nil {
			return err
		}
		var kind, name, walStatus string
		var allTables, on bool
		var tables int
		var lag *int64
		_, err = pgx.ForEachRow(rows, []any{&kind, &name, &allTables, &tables, &lag, &on, &walStatus}, func() error {
			switch kind {
			case "publication":
				r.Publications = append(r.Publications, Publication{name, allTables, tables})
			case "subscription":
				r.Subscriptions = append(r.Subscriptions, Subscription{name, on})
			case "slot":
				r.Slots = append(r.Slots, Slot{name, on, walStatus, lag})
			default:
				return errors.New("unknown kind " + kind)
			}
			return nil
		})
		return err
	})
	return r, wrap("look for logical replication", err)
}
