package oracle

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/catalog"
)

// Models makes the tables of a project's models on a copy of the clone, in the place of those that are there, and
// reads back what the server makes of them: in its own spelling, with its own names. Types, functions and extensions
// of the database are there for them. What cannot be made is in failed, by the model's name; "" is what all rest on.
func (c *Clone) Models(ctx context.Context, m *history.Models) (made *ddl.Schema, failed map[string]string, err error) {
	err = c.apart(ctx, cloneDatabase, func(_ string, conn *pgx.Conn) error {
		w := &modelMaker{clone: c, conn: conn, failed: map[string]string{}}
		made, err = w.make(ctx, m)
		failed = w.failed
		return err
	})
	return made, failed, err
}

type modelMaker struct {
	clone  *Clone
	conn   *pgx.Conn
	failed map[string]string
}

func (w *modelMaker) make(ctx context.Context, m *history.Models) (*ddl.Schema, error) {
	if err := w.clear(ctx, m); err != nil {
		return nil, fmt.Errorf("make the models: %w", err)
	}
	for _, o := range m.Before {
		if err := w.run(ctx, "", o.SQL); err != nil {
			return nil, err
		}
	}
	for _, statements := range []func(history.Model) []string{
		func(t history.Model) []string { return t.SQL }, func(t history.Model) []string { return t.After },
	} {
		for _, t := range m.Tables {
			for _, sql := range statements(t) {
				if err := w.run(ctx, t.Model, sql); err != nil {
					return nil, err
				}
			}
		}
	}
	return catalog.Load(ctx, w.conn, catalog.Options{NoSizes: true, NoFacts: true})
}

// run executes a statement. What the server refuses is said once for each model: what follows fails for that.
func (w *modelMaker) run(ctx context.Context, model, sql string) error {
	err := w.clone.exec(ctx, w.conn, sql)
	if err == nil {
		return nil
	}
	code, text, _ := message(err)
	if code == "" {
		return fmt.Errorf("make the models: %w", err)
	}
	if w.failed[model] == "" {
		w.failed[model] = text + ": " + firstLine(sql)
	}
	return nil
}

// clear takes away what has the names that the models use, and makes the schemas that they need.
func (w *modelMaker) clear(ctx context.Context, m *history.Models) error {
	var statements []string
	if len(m.Path) > 0 {
		var path []string
		for _, s := range m.Path {
			path = append(path, ddl.QuoteIdent(s))
			statements = append(statements, "CREATE SCHEMA IF NOT EXISTS "+ddl.QuoteIdent(s))
		}
		statements = append(statements, "SET search_path = "+strings.Join(path, ", "))
	}
	for _, t := range m.Tables {
		n := t.Relation()
		if n.Schema != "" {
			statements = append(statements, "CREATE SCHEMA IF NOT EXISTS "+ddl.QuoteIdent(n.Schema))
		}
		kind := "TABLE"
		if r := w.there(m, n); r != nil {
			kind = cmp.Or(map[byte]string{'v': "VIEW", 'm': "MATERIALIZED VIEW", 'f': "FOREIGN TABLE"}[r.Kind], kind)
		}
		statements = append(statements, "DROP "+kind+" IF EXISTS "+n.String()+" CASCADE")
	}
	for _, o := range m.Before {
		if o.Kind == "" {
			continue
		}
		n := ddl.Name{Schema: o.Schema, Name: o.Name}
		if n.Schema != "" {
			statements = append(statements, "CREATE SCHEMA IF NOT EXISTS "+ddl.QuoteIdent(n.Schema))
		}
		statements = append(statements, "DROP "+o.Kind+" IF EXISTS "+n.String()+" CASCADE")
	}
	for part := range slices.Chunk(statements, chunk) {
		if _, err := w.conn.Exec(ctx, strings.Join(part, ";\n"), pgx.QueryExecModeSimpleProtocol); err == nil {
			continue
		}
		for _, sql := range part {
			// What cannot go (a table of an extension) is in the way of what is made in its place, and that says so.
			_, err := w.conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
			if code, _, _ := message(err); err != nil && code == "" {
				return err
			}
		}
	}
	return nil
}

// there is what the database has under a name.
func (w *modelMaker) there(m *history.Models, n ddl.Name) *ddl.Relation {
	s := w.clone.snap.Schema
	if n.Schema == "" {
		for _, schema := range m.Path {
			if r := s.Relations[ddl.Name{Schema: schema, Name: n.Name}]; r != nil {
				return r
			}
		}
	}
	return s.Relation(n)
}

// mostSteps is how often Follow reads the catalog, which takes a second where there are thousands of tables.
const mostSteps = 40

// Step is what a migration leaves. What the server refused is passed over, and code of a framework is never run.
type Step struct {
	Migration string
	Schema    *ddl.Schema
}

// Follow executes migrations on a copy of the clone, one after the other, and says what each leaves; where there are
// very many, what several leave together, under the name of the last.
func (c *Clone) Follow(ctx context.Context, migrations []history.Migration) (steps []Step, err error) {
	err = c.apart(ctx, cloneDatabase, func(_ string, conn *pgx.Conn) error {
		together := 1 + len(migrations)/mostSteps
		for i, m := range migrations {
			if err := c.execute(ctx, conn, m, new([]Failure)); err != nil {
				return fmt.Errorf("follow the migrations: %w", err)
			}
			if (i+1)%together != 0 && i+1 < len(migrations) {
				continue
			}
			schema, err := catalog.Load(ctx, conn, catalog.Options{NoSizes: true, NoFacts: true})
			if err != nil {
				return err
			}
			steps = append(steps, Step{m.Name, schema})
		}
		return nil
	})
	return steps, err
}

// Replay executes a history in a database that has nothing but the extensions of the clone, and says what it makes;
// nil where that is not known: the server refused a statement, or there is code that only a framework can run.
func (c *Clone) Replay(ctx context.Context, migrations []history.Migration) (made *ddl.Schema, err error) {
	if slices.ContainsFunc(migrations, func(m history.Migration) bool { return len(m.Code) > 0 }) {
		return nil, nil
	}
	err = c.apart(ctx, "template0", func(_ string, conn *pgx.Conn) error {
		statements, err := ddl.SplitScript(c.snap.Script)
		if err != nil {
			return err
		}
		for _, st := range statements {
			if len(st.Words) > 1 && st.Words[0] == "create" && (st.Words[1] == "extension" || st.Words[1] == "schema") {
				_, err := conn.Exec(ctx, st.SQL, pgx.QueryExecModeSimpleProtocol)
				if code, _, _ := message(err); err != nil && code == "" { // what rests on one that is missing is refused
					return err
				}
			}
		}
		var failed []Failure
		for _, m := range migrations {
			if err := c.execute(ctx, conn, m, &failed); err != nil || len(failed) > 0 {
				return err
			}
		}
		made, err = catalog.Load(ctx, conn, catalog.Options{NoSizes: true, NoFacts: true})
		return err
	})
	return made, err
}
