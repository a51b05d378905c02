package pg

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Session is one dedicated connection. It is not safe for concurrent use.
type Session struct {
	db      *DB
	conn    *pgx.Conn
	backend Backend
}

// sessionSQL sets what a role or a database may have set otherwise. A timeout
// of the session is always 0: those that are wanted are set in the
// transaction that wants them.
//
//go:embed session.sql
var sessionSQL string

// connect opens a connection with our settings.
func (db *DB) connect(ctx context.Context, name string) (*pgx.Conn, error) {
	cc := db.conn.Copy()
	cc.RuntimeParams["application_name"] = name
	c, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return nil, connectError(err)
	}
	if err := prepareConn(ctx, c, db.server.VersionNum); err != nil {
		closeConn(c)
		return nil, err
	}
	return c, nil
}

func prepareConn(ctx context.Context, c *pgx.Conn, version int) error {
	sql := sessionSQL
	if version >= 170000 {
		sql += "SET transaction_timeout = 0;\n"
	}
	if _, err := c.Exec(ctx, sql); err != nil {
		return &Error{Op: "prepare the session", Err: err}
	}
	// So that the server notices a killed executor in the middle of a long
	// statement. Not every platform can; the journalled backends are the net below.
	_, err := c.Exec(ctx, "SET client_connection_check_interval = '5s'")
	if err != nil && SQLState(err) == "" {
		return &Error{Op: "prepare the session", Err: err}
	}
	return nil
}

// Session opens a dedicated connection.
func (db *DB) Session(ctx context.Context) (*Session, error) {
	c, err := db.connect(ctx, db.cfg.ApplicationName)
	if err != nil {
		return nil, err
	}
	s := &Session{db: db, conn: c}
	// The function, not pg_stat_activity: a new backend would have to learn the view and what it joins first.
	err = c.QueryRow(ctx, `SELECT pid, extract(epoch FROM backend_start)::text
		FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())`).Scan(&s.backend.PID, &s.backend.Start)
	if err != nil {
		closeConn(c)
		return nil, &Error{Op: "ask for the backend of the session", Err: err}
	}
	if uint32(s.backend.PID) != c.PgConn().PID() {
		closeConn(c)
		return nil, &PoolerError{Announced: c.PgConn().PID(), Answered: uint32(s.backend.PID)}
	}
	db.pidsMu.Lock()
	db.pids = append(db.pids, s.backend.PID)
	db.pidsMu.Unlock()
	return s, nil
}

// Close ends the session.
func (s *Session) Close() {
	closeConn(s.conn)
	s.db.pidsMu.Lock()
	defer s.db.pidsMu.Unlock()
	if i := slices.Index(s.db.pids, s.backend.PID); i >= 0 {
		s.db.pids = slices.Delete(s.db.pids, i, i+1)
	}
}

// DB is the database the session belongs to.
func (s *Session) DB() *DB { return s.db }

// Backend names the server process behind the session.
func (s *Session) Backend() Backend { return s.backend }

// Conn is the connection itself, for COPY and batches.
func (s *Session) Conn() *pgx.Conn { return s.conn }

// Lost says whether the connection is gone.
func (s *Session) Lost() bool { return s.conn.IsClosed() }

// Exec, Query and QueryRow run outside of a transaction block.
func (s *Session) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return s.conn.Exec(ctx, sql, args...)
}

// Query: see Exec.
func (s *Session) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return s.conn.Query(ctx, sql, args...)
}

// QueryRow: see Exec.
func (s *Session) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return s.conn.QueryRow(ctx, sql, args...)
}

// Setting is a configuration parameter for one transaction (set_config(..., true)).
type Setting struct{ Name, Value string }

// LockTimeout bounds the wait for each single lock (RULES 14).
func LockTimeout(d time.Duration) Setting {
	return Setting{Name: "lock_timeout", Value: strconv.FormatInt(d.Milliseconds(), 10)}
}

// TxOptions say how a transaction runs.
type TxOptions struct {
	// Isolation: default READ COMMITTED, whatever the database says.
	Isolation pgx.TxIsoLevel
	// ReadOnly begins a READ ONLY transaction. Default: false.
	ReadOnly bool
	// ReplicaRole keeps user triggers from firing (session_replication_role = replica). Default: false.
	ReplicaRole bool
	// Settings are applied in their order before fn runs. Default: none.
	Settings []Setting
}

func (o TxOptions) begin() string {
	iso := o.Isolation
	if iso == "" {
		iso = pgx.ReadCommitted
	}
	access := "READ WRITE"
	if o.ReadOnly {
		access = "READ ONLY"
	}
	return "BEGIN ISOLATION LEVEL " + string(iso) + " " + access
}

// Tx runs fn in a transaction and commits it when fn returns nil. What became
// of it is said by OutcomeOf(err). fn must not commit or roll back by itself.
func (s *Session) Tx(ctx context.Context, opts TxOptions, fn func(pgx.Tx) error) error {
	return s.tx(ctx, opts.begin(), opts, nil, fn)
}

// tx is Tx with a begin statement and, perhaps, a guard over its time.
func (s *Session) tx(ctx context.Context, begin string, opts TxOptions, g *guard, fn func(pgx.Tx) error) error {
	tx, err := s.conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	committing := false
	defer func() {
		if !committing {
			if g != nil {
				g.stop() // its cancel is for the work, not for our ROLLBACK
			}
			s.rollback(tx)
		}
	}()
	if err := applySettings(ctx, tx, opts); err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if g != nil {
		if err := g.mayCommit(); err != nil {
			return err
		}
	}
	if s.Lost() {
		return fmt.Errorf("before COMMIT: %w", pgconn.ErrConnClosed)
	}
	committing = true
	return commit(ctx, tx)
}

// commit does not let go of a COMMIT because the caller lost patience: an
// answer that arrives a moment later is worth more than an unknown outcome.
func commit(ctx context.Context, tx pgx.Tx) error {
	patient, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(15*time.Second, cancel)
		context.AfterFunc(patient, func() { t.Stop() })
	})
	defer stop()
	if err := tx.Commit(patient); err != nil {
		return newCommitError(err)
	}
	return nil
}

// rollback leaves the session usable or closed, never in between.
func (s *Session) rollback(tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := tx.Rollback(ctx); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
		_ = s.conn.Close(ctx) // the caller has the error that matters
	}
}

func applySettings(ctx context.Context, tx pgx.Tx, opts TxOptions) error {
	if opts.ReplicaRole {
		if _, err := tx.Exec(ctx, "SET LOCAL session_replication_role = replica"); err != nil {
			e := &Error{Op: "keep user triggers from firing", Err: err}
			if InsufficientPrivilege(err) {
				e.Hint = "GRANT SET ON PARAMETER session_replication_role TO the role (15 and later), " +
					"or let the triggers fire with --accept triggers"
			}
			return e
		}
	}
	return SetLocal(ctx, tx, opts.Settings...)
}

// SetLocal applies settings until the transaction, or the savepoint behind which it is called, has ended.
func SetLocal(ctx context.Context, tx pgx.Tx, settings ...Setting) error {
	if len(settings) == 0 {
		return nil
	}
	var b strings.Builder
	for _, set := range settings {
		fmt.Fprintf(&b, "SELECT pg_catalog.set_config(%s, %s, true);", Literal(set.Name), Literal(set.Value))
	}
	if _, err := tx.Exec(ctx, b.String(), pgx.QueryExecModeSimpleProtocol); err != nil {
		return fmt.Errorf("apply the settings of the transaction: %w", err)
	}
	return nil
}
