package migrate

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/journal"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/plan"
)

//go:embed privileges.sql
var privilegesSQL string

// wish is a privilege that a plan needs.
type wish struct {
	Rel    string `json:"rel,omitempty"`
	Schema string `json:"schema,omitempty"`
	Need   string `json:"need"`
}

// preconditions finds out what would stop the pending files of p, all of it at once.
func (e *Engine) preconditions(ctx context.Context, p *Preview) error {
	var wishes []wish
	quiet, fills := false, false
	for _, f := range p.Pending() {
		if f.Plan != nil {
			wishes = append(wishes, wishesOf(f.Plan)...)
			quiet = quiet || quietFill(f.Plan)
			fills = fills || slices.ContainsFunc(f.Plan.Steps, func(s plan.Step) bool { return s.Fill != nil })
		}
	}
	var err error
	if p.Privileges, err = e.missing(ctx, wishes, quiet, fills); err != nil {
		return err
	}
	if !slices.Contains(e.cfg.Accept, acceptRoom) {
		if p.Room, err = e.room(ctx, p); err != nil {
			return err
		}
	}
	if slices.Contains(e.cfg.Accept, acceptSubscribers) {
		return nil
	}
	p.Subscribers, err = e.subscribers(ctx, p)
	return err
}

// missing are those of the wishes that the role does not have. A quiet fill keeps triggers from firing; any fill
// must be able to see how the system fares, because it stands still where it cannot.
func (e *Engine) missing(ctx context.Context, wishes []wish, quiet, fills bool) (lacks []string, err error) {
	unknown := false
	err = e.db.Ask(ctx, func(q pg.Querier) error {
		err := q.QueryRow(ctx, "SELECT $1::text <> '' AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1::text)", e.cfg.Owner).Scan(&unknown)
		if err != nil || unknown {
			return err
		}
		rows, err := q.Query(ctx, privilegesSQL, e.cfg.Owner, string(mustJSON(append([]wish{}, wishes...))))
		if err != nil {
			return err
		}
		if lacks, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return err
		}
		if fills {
			var sees bool
			err := q.QueryRow(ctx, "SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')").Scan(&sees)
			if err != nil {
				return err
			}
			if !sees {
				lacks = append(lacks, "membership in pg_read_all_stats: a fill must see how the system fares")
			}
		}
		if !quiet {
			return nil
		}
		var may bool
		sv := e.db.Server()
		switch {
		case sv.Superuser:
			may = true
		case sv.Major() >= 15:
			err = q.QueryRow(ctx, "SELECT has_parameter_privilege('session_replication_role', 'SET')").Scan(&may)
		}
		if !may {
			lacks = append(lacks, "SET on parameter session_replication_role (only superusers before PostgreSQL 15), which keeps the tables' triggers from firing for each filled row; or let them fire: --accept triggers")
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for missing privileges: %w", err)
	}
	if unknown {
		return nil, refuse(Privileges, "create the role, or correct --owner", "there is no role %s, which --owner names", e.cfg.Owner)
	}
	return lacks, nil
}

// wishesOf are the privileges that a plan needs on what exists: ownership where a statement takes a lock that
// only ALTER and its like take, and the named privilege elsewhere. What it does not see, the server will say.
func wishesOf(p *plan.Plan) []wish {
	var out []wish
	for _, s := range p.Steps {
		if f := s.Fill; f != nil {
			switch f.Kind {
			case plan.Update, plan.Twin:
				out = append(out, wish{Rel: f.Table, Need: "UPDATE"})
			case plan.Delete:
				out = append(out, wish{Rel: f.Table, Need: "DELETE"})
			case plan.Insert:
				out = append(out, wish{Rel: f.Table, Need: "SELECT"}, wish{Rel: f.Target, Need: "INSERT"})
			}
			continue
		}
		for _, l := range s.Locks {
			switch pg.LockMode(l.Mode) {
			case pg.AccessExclusive, pg.Share, pg.ShareUpdateExclusive:
				if !firstWordIs(s.SQL, "TRUNCATE", "LOCK", "REFRESH") {
					out = append(out, wish{Rel: l.Relation, Need: "own"})
				}
			case pg.ShareRowExclusive:
				out = append(out, wish{Rel: l.Relation, Need: "REFERENCES, TRIGGER"})
			}
		}
	}
	schemas := map[string]bool{}
	for _, o := range p.Touches {
		if o.Schema != "" && o.Column == "" && !schemas[o.Schema] && alters(p) {
			schemas[o.Schema] = true
			out = append(out, wish{Schema: o.Schema, Need: "CREATE"})
		}
	}
	return out
}

// alters reports whether a plan makes or renames anything, as far as its statements tell.
func alters(p *plan.Plan) bool {
	for _, s := range p.Steps {
		if firstWordIs(s.SQL, "CREATE") {
			return true
		}
		for _, sql := range s.SQL {
			if strings.Contains(strings.ToUpper(sql), " RENAME ") {
				return true
			}
		}
	}
	return false
}

func firstWordIs(sql []string, words ...string) bool {
	for _, s := range sql {
		if f := strings.Fields(s); len(f) > 0 && slices.Contains(words, strings.ToUpper(f[0])) {
			return true
		}
	}
	return false
}

func quietFill(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Fill != nil && s.Fill.Quiet })
}

// subscribers names the publications under which our changes, or the journal's own rows, would stop a
// subscriber that does not have the new objects.
func (e *Engine) subscribers(ctx context.Context, p *Preview) ([]string, error) {
	rep, err := journal.LogicalReplication(ctx, e.db)
	if err != nil {
		return nil, err
	}
	if len(rep.Publications) == 0 {
		return nil, nil
	}
	var out []string
	for _, name := range rep.PublishesJournal() {
		out = append(out, fmt.Sprintf("publication %s is FOR ALL TABLES and sends the journal as well", name))
	}
	var rels []string
	for _, f := range p.Pending() {
		if f.Plan == nil {
			continue
		}
		for _, n := range relations(f.Plan.Touches) {
			rels = append(rels, n.String())
		}
	}
	err = e.db.Ask(ctx, func(q pg.Querier) error {
		rows, err := q.Query(ctx, `SELECT DISTINCT format('publication %s sends %s', t.pubname, r.rel)
			FROM unnest($1::text[]) AS r(rel)
			JOIN pg_catalog.pg_class c ON c.oid = to_regclass(r.rel)
			JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_catalog.pg_publication_tables t ON t.schemaname = n.nspname AND t.tablename = c.relname
			ORDER BY 1`, rels)
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		out = append(out, found...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for publications: %w", err)
	}
	return out, nil
}

// SubscriberSQL is what subscribers need before the pending files are applied: the journal, where it is
// published, and the new shape of the tables.
func (e *Engine) SubscriberSQL(ctx context.Context, p *Preview) (string, error) {
	rep, err := journal.LogicalReplication(ctx, e.db)
	if err != nil {
		return "", &Error{Op: "plan", Err: err}
	}
	var b strings.Builder
	if len(rep.PublishesJournal()) > 0 {
		b.WriteString("-- The journal, which a publication of all tables sends as well.\n" + journal.SQL() + "\n")
	}
	for _, f := range p.Pending() {
		if f.Plan == nil {
			continue
		}
		fmt.Fprintf(&b, "-- %s\n", f.Name)
		for _, set := range f.Plan.Settings {
			fmt.Fprintf(&b, "SELECT pg_catalog.set_config(%s, %s, false);\n", pg.Literal(set.Name), pg.Literal(set.Value))
		}
		for _, s := range f.Plan.Steps {
			if s.Phase != plan.Expand {
				continue
			}
			for _, sql := range s.SQL {
				b.WriteString(strings.TrimRight(sql, "; \n") + ";\n")
			}
		}
	}
	return b.String(), nil
}
