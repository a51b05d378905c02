package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pg"
)

// Calls is what pg_stat_statements says at one moment about a database. What replank itself has sent is left out.
type Calls struct {
	At      time.Time // by the server's clock
	Started time.Time // of the server
	// Reset is when counting began, Evicted how often statements were forgotten since, to make room. Both are only
	// known where Told is true (from version 1.9 of the extension, PostgreSQL 14).
	Told    bool
	Reset   time.Time
	Evicted int64
	// Nested says that statements inside of functions are counted, too.
	Nested   bool
	Standbys int // that are connected: they count for themselves
	List     []Call
	// Hidden are entries of roles whose statements one may not see, Lost those whose text the server has lost.
	Hidden, Lost int64
}

// Call is an entry of pg_stat_statements: a statement as one role sends it.
type Call struct {
	Role     uint32 // OID
	RoleName string
	// Path is the role's search_path, where it or the database has one of its own.
	Path     []string
	QueryID  int64
	TopLevel bool
	Text     string // as it stands there: with literals, where it is a utility statement
	Calls    int64
	Since    time.Time // from 1.11 (17): when this entry was made; else zero
}

// NoCallsError says why nobody counts statements here.
type NoCallsError struct{ Reason, Advice string }

func (e *NoCallsError) Error() string { return "nothing counts statements here: " + e.Reason }

// Hint says what to do.
func (e *NoCallsError) Hint() string { return e.Advice }

// ReadCalls reads pg_stat_statements. The error is a *NoCallsError where there is nothing to read.
func ReadCalls(ctx context.Context, q Querier) (*Calls, error) {
	tx, err := begin(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("read pg_stat_statements: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	l := &loader{tx: tx, s: new(ddl.Schema)}
	var schema, track string
	var toplevel, since, info bool
	if err := l.query(ctx, "snapshot_workload_view", []any{&schema, &toplevel, &since, &info, &track}, func() error { return nil }); err != nil {
		return nil, fmt.Errorf("read pg_stat_statements: %w", err)
	}
	switch {
	case schema == "":
		return nil, &NoCallsError{"extension pg_stat_statements is not in this database",
			"put it into shared_preload_libraries (managed services have a switch for it), restart the server, and CREATE EXTENSION pg_stat_statements"}
	case track == "none":
		return nil, &NoCallsError{"pg_stat_statements.track is none", "set it to all, or at least to top"}
	}
	c := &Calls{Told: info, Nested: track == "all"}
	err = l.query(ctx, "calls_server", []any{&c.At, &c.Started, &c.Standbys}, func() error { return nil })
	if err == nil && info {
		err = tx.QueryRow(ctx, "SELECT dealloc, stats_reset FROM "+ddl.QuoteIdent(schema)+".pg_stat_statements_info", pgx.QueryExecModeExec).
			Scan(&c.Evicted, &c.Reset)
	}
	if err == nil {
		err = l.calls(ctx, c, schema, toplevel, since)
	}
	var pe *pgconn.PgError
	if errors.As(err, &pe) && pe.Code == "55000" { // object_not_in_prerequisite_state
		return nil, &NoCallsError{pe.Message, "put it into shared_preload_libraries and restart the server"}
	}
	if err != nil {
		return nil, fmt.Errorf("read pg_stat_statements: %w", err)
	}
	return c, nil
}

func (l *loader) calls(ctx context.Context, c *Calls, schema string, toplevel, since bool) error {
	top, sinceColumn := "true", "NULL::timestamptz"
	if toplevel {
		top = "toplevel"
	}
	if since {
		sinceColumn = "stats_since"
	}
	sql := strings.NewReplacer("{{view}}", ddl.QuoteIdent(schema)+".pg_stat_statements", "{{toplevel}}", top, "{{stats_since}}", sinceColumn).
		Replace(l.sql("calls"))
	paths := map[uint32]string{}
	var role uint32
	var path string
	err := l.query(ctx, "calls_paths", []any{&role, &path}, func() error {
		paths[role] = path
		return nil
	})
	if err != nil {
		return err
	}
	rows, err := l.tx.Query(ctx, sql, pgx.QueryExecModeExec)
	if err != nil {
		return err
	}
	var e Call
	var text *string
	var made *time.Time
	_, err = pgx.ForEachRow(rows, []any{&e.Role, &e.RoleName, &e.QueryID, &e.TopLevel, &text, &e.Calls, &made}, func() error {
		switch {
		case text == nil:
			c.Lost++
			return nil
		case *text == hiddenText:
			c.Hidden++
			return nil
		case strings.Contains(*text, pg.Mark):
			return nil
		}
		one := e
		one.Text = *text
		if path, own := paths[e.Role]; own {
			one.Path = ddl.ParseSearchPath(path, e.RoleName)
		}
		if made != nil {
			one.Since = *made
		}
		c.List = append(c.List, one)
		return nil
	})
	return err
}
