package oracle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/ddl"
)

// preparer asks a server what it thinks of statements, on a connection of its own.
type preparer struct {
	conn  *pgx.Conn
	names map[uint32]string // of types
}

// shape is what a statement takes and gives.
type shape struct {
	params  []uint32
	columns []column
}

type column struct {
	name string
	typ  uint32
	mod  int32
}

// result is a shape, or why there is none.
type result struct {
	shape shape
	err   *pgconn.PgError
}

// newPreparer has a search_path of its own, or the snapshot's where that is nil.
func newPreparer(ctx context.Context, c *Clone, database string, path []string) (*preparer, error) {
	conn, err := c.connect(ctx, database)
	if err != nil {
		return nil, err
	}
	p := &preparer{conn: conn, names: map[uint32]string{}}
	// Only planning tells whether ON CONFLICT finds its index, and a plan must not depend on values.
	_, err = conn.Exec(ctx, "SET plan_cache_mode = force_generic_plan; SET statement_timeout = '30s'", pgx.QueryExecModeSimpleProtocol)
	if err == nil && path != nil {
		_, err = conn.Exec(ctx, "SELECT pg_catalog.set_config('search_path', $1, false)", ddl.QuoteIdents(path))
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *preparer) close() { p.conn.Close(context.Background()) }

// inFlight is how many statements are sent before their answers are read.
const inFlight = 128

// all prepares statements, each in a transaction of its own, without waiting for one before sending the next.
func (p *preparer) all(ctx context.Context, list []*live) ([]result, error) {
	out := make([]result, 0, len(list))
	for part := range slices.Chunk(list, inFlight) {
		pipe := p.conn.PgConn().StartPipeline(ctx)
		for _, l := range part {
			pipe.SendPrepare("", l.query.SQL, l.types)
			pipe.SendPipelineSync()
		}
		err := pipe.Flush()
		for i := 0; i < len(part) && err == nil; i++ {
			var r result
			if r, err = receive(pipe); err == nil {
				out = append(out, r)
			}
		}
		if err = errors.Join(err, pipe.Close()); err != nil {
			return nil, err
		}
	}
	for i, l := range list {
		if l.query.Upsert && out[i].err == nil {
			var err error
			if out[i].err, err = p.plan(ctx, l); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// receive reads the answer to one statement, up to its Sync.
func receive(pipe *pgconn.Pipeline) (result, error) {
	var r result
	for {
		got, err := pipe.GetResults()
		if err != nil {
			if !errors.As(err, &r.err) {
				return r, err
			}
			continue
		}
		switch got := got.(type) {
		case *pgconn.StatementDescription:
			r.shape = shapeOf(got)
		case *pgconn.PipelineSync:
			return r, nil
		default:
			return r, fmt.Errorf("unexpected %T from the server", got)
		}
	}
}

func shapeOf(sd *pgconn.StatementDescription) shape {
	s := shape{params: slices.Clone(sd.ParamOIDs)}
	for _, f := range sd.Fields {
		s.columns = append(s.columns, column{f.Name, f.DataTypeOID, f.TypeModifier})
	}
	return s
}

// one prepares one statement with given types of parameters.
func (p *preparer) one(ctx context.Context, sql string, types []uint32) (result, error) {
	sd, err := p.conn.PgConn().Prepare(ctx, "", sql, types)
	var r result
	if err != nil {
		if !errors.As(err, &r.err) {
			return r, err
		}
		return r, nil
	}
	r.shape = shapeOf(sd)
	return r, nil
}

// plan asks for the plan of a statement.
func (p *preparer) plan(ctx context.Context, l *live) (*pgconn.PgError, error) {
	const name = "replank_upsert"
	sd, err := p.conn.PgConn().Prepare(ctx, name, l.query.SQL, l.types)
	var pe *pgconn.PgError
	if err == nil {
		execute := "EXPLAIN EXECUTE " + name
		if n := len(sd.ParamOIDs); n > 0 {
			execute += "(" + strings.TrimSuffix(strings.Repeat("NULL,", n), ",") + ")"
		}
		_, err = p.conn.Exec(ctx, execute, pgx.QueryExecModeSimpleProtocol)
		_, undo := p.conn.Exec(ctx, "DEALLOCATE "+name, pgx.QueryExecModeSimpleProtocol)
		if undo != nil {
			return nil, undo
		}
	}
	if err != nil && !errors.As(err, &pe) {
		return nil, err
	}
	// Only what is about the index: a NULL that a domain refuses is no news.
	if pe != nil && pe.Code != "42P10" {
		pe = nil
	}
	return pe, nil
}

// learnTypes reads the names of all types there are.
func (p *preparer) learnTypes(ctx context.Context) error {
	rows, err := p.conn.Query(ctx, "SELECT oid, pg_catalog.format_type(oid, NULL) FROM pg_catalog.pg_type")
	if err != nil {
		return err
	}
	var oid uint32
	var name string
	_, err = pgx.ForEachRow(rows, []any{&oid, &name}, func() error {
		p.names[oid] = name
		return nil
	})
	return err
}

// typeName is the name of a type with its modifier, as it is now or was before.
func (p *preparer) typeName(ctx context.Context, oid uint32, mod int32) (string, error) {
	name := p.names[oid]
	if name != "" && mod == -1 {
		return name, nil
	}
	var now *string
	if err := p.conn.QueryRow(ctx, "SELECT pg_catalog.format_type($1::oid, $2)", oid, mod).Scan(&now); err != nil {
		return "", err
	}
	if now == nil || *now == "???" {
		return name, nil // it has gone
	}
	if mod == -1 {
		p.names[oid] = *now
	}
	return *now, nil
}

// difference says what a statement takes and gives now that it did not before. A type that was made anew under its
// name is the same one.
func (p *preparer) difference(ctx context.Context, l *live, now shape) ([]string, error) {
	var out []string
	for i := range min(len(l.base.params), len(now.params)) {
		was, is, err := p.typeNames(ctx, column{typ: l.base.params[i], mod: -1}, column{typ: now.params[i], mod: -1})
		if err != nil {
			return nil, err
		}
		if was != is && !l.told(i) {
			out = append(out, fmt.Sprintf("parameter $%d: %s, was %s", i+1, is, was))
		}
	}
	if slices.EqualFunc(l.base.columns, now.columns, func(a, b column) bool { return a.name == b.name }) {
		for i, c := range now.columns {
			was, is, err := p.typeNames(ctx, l.base.columns[i], c)
			if err != nil {
				return nil, err
			}
			if was != is {
				out = append(out, fmt.Sprintf("column %s: %s, was %s", c.name, is, was))
			}
		}
		return out, nil
	}
	return append(out, fmt.Sprintf("columns %s, were %s", namesOf(now.columns), namesOf(l.base.columns))), nil
}

func namesOf(columns []column) string {
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	return "(" + strings.Join(names, ", ") + ")"
}

func (p *preparer) typeNames(ctx context.Context, a, b column) (was, is string, err error) {
	if a.typ == b.typ && a.mod == b.mod {
		return "", "", nil
	}
	if was, err = p.typeName(ctx, a.typ, a.mod); err == nil {
		is, err = p.typeName(ctx, b.typ, b.mod)
	}
	return was, is, err
}
