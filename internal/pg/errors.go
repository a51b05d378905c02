package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Error says what was being done, and what a person can do about it.
type Error struct {
	Op   string
	Hint string // "" when there is nothing to say
	Err  error
}

func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// TooOldError refuses a server before MinVersion.
type TooOldError struct{ Version string }

func (e *TooOldError) Error() string { return "PostgreSQL " + e.Version + " is too old" }

// Hint says what to do.
func (e *TooOldError) Hint() string { return "PostgreSQL 14 or later is needed" }

// ReadOnlyError refuses to change a database that cannot be written to.
type ReadOnlyError struct{ InRecovery bool }

func (e *ReadOnlyError) Error() string {
	if e.InRecovery {
		return "the server is a standby (in recovery)"
	}
	return "the database is read-only (default_transaction_read_only is on)"
}

// Hint says what to do.
func (e *ReadOnlyError) Hint() string {
	return "connect to the primary, for instance with target_session_attrs=read-write"
}

// PoolerError refuses a connection that goes through a connection pooler.
type PoolerError struct{ Announced, Answered uint32 }

func (e *PoolerError) Error() string {
	return fmt.Sprintf("the connection goes through a pooler: backend %d was announced, backend %d answers",
		e.Announced, e.Answered)
}

// Hint says what to do.
func (e *PoolerError) Hint() string {
	return "the application may stay behind the pooler; give replank the server itself with --direct-db"
}

// HintOf returns the first hint in the chain of err, or "".
func HintOf(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Hint != "" {
		return e.Hint
	}
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	var p *pgconn.PgError
	if errors.As(err, &p) {
		return p.Hint
	}
	return ""
}

// DSNError is a connection string that cannot be read.
type DSNError struct{ Err error }

// Error shows nothing of the string: where it is malformed, nobody knows where in it the password is.
func (e *DSNError) Error() string {
	text := e.Err.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i+len("`: "):]
	}
	if e.malformed() {
		text, _, _ = strings.Cut(text, ` after "`) // missing "=" after "…"
		text, _, _ = strings.Cut(text, `: "`)
	}
	return "the connection string cannot be read: " + text
}

func (e *DSNError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *DSNError) Hint() string {
	if !e.malformed() {
		return ""
	}
	return "a URL (postgres://user@host:5432/database) or keywords (host=… dbname=…) are wanted, with %-escapes in the one and quotes in the other where a value needs them"
}

func (e *DSNError) malformed() bool { return strings.Contains(e.Err.Error(), "`: failed to parse as ") }

// ConnectError: no connection came about.
type ConnectError struct{ Err error }

// Error says once what failed, whether at one address or at several, with TLS or without.
func (e *ConnectError) Error() string {
	var b strings.Builder
	const op = "connect to PostgreSQL: "
	b.WriteString(op)
	lines := strings.Split(strings.TrimPrefix(e.Err.Error(), "failed to connect to "), "\n")
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if strings.HasSuffix(line, refusedTLS) && i < len(lines)-1 {
			continue // tried once more without
		}
		switch {
		case b.Len() == len(op):
		case strings.HasSuffix(b.String(), line):
			continue
		case strings.HasSuffix(b.String(), ":"):
			b.WriteString(" ")
		default:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}

func (e *ConnectError) Unwrap() error { return e.Err }

// What pgx says of a server that answers a request for TLS with no.
const refusedTLS = "server refused TLS connection"

// Hint says what to do.
func (e *ConnectError) Hint() string {
	switch text := e.Err.Error(); SQLState(e.Err) {
	case "":
		switch {
		case strings.HasSuffix(text, refusedTLS):
			return "the server has no TLS: switch ssl on there, or ask for less with sslmode (prefer, disable)"
		case strings.Contains(text, "certificate"):
			return "sslrootcert names the certificates to trust; sslmode says how much is checked"
		}
		return "is the server running, and are host and port its own?"
	case "28000", "28P01":
		return "check user and password (PGUSER, PGPASSWORD, ~/.pgpass) and the server's pg_hba.conf"
	case "42704":
		return "the connection string has a parameter that only the application knows: give replank one without it"
	case "3D000":
		return "create the database, or name another one"
	}
	return ""
}

func connectError(err error) error {
	var p *PoolerError
	if errors.As(err, &p) {
		return err
	}
	return &ConnectError{err}
}

// SQLState returns the SQLSTATE of the server's error in the chain, or "".
func SQLState(err error) string {
	var p *pgconn.PgError
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

func stateIs(err error, codes ...string) bool {
	s := SQLState(err)
	for _, c := range codes {
		if s == c {
			return true
		}
	}
	return false
}

// LockNotAvailable: lock_timeout or NOWAIT (55P03).
func LockNotAvailable(err error) bool { return stateIs(err, "55P03") }

// Canceled: statement_timeout or a cancel request (57014).
func Canceled(err error) bool { return stateIs(err, "57014") }

// Serialization: another transaction came first under REPEATABLE READ or SERIALIZABLE (40001).
func Serialization(err error) bool { return stateIs(err, "40001") }

// Deadlock: the server broke a deadlock at our expense (40P01).
func Deadlock(err error) bool { return stateIs(err, "40P01") }

// InsufficientPrivilege: 42501.
func InsufficientPrivilege(err error) bool { return stateIs(err, "42501") }

// ReadOnly: a write in a read-only transaction (25006).
func ReadOnly(err error) bool { return stateIs(err, "25006") }

// UndefinedTable: 42P01.
func UndefinedTable(err error) bool { return stateIs(err, "42P01") }

// UndefinedObject: a schema, column, function or other object is missing.
func UndefinedObject(err error) bool {
	return stateIs(err, "42704", "42703", "42883", "3F000", "42P01")
}

// Duplicate: the object is there already (table, schema, column, function, object).
func Duplicate(err error) bool {
	return stateIs(err, "42P07", "42P06", "42701", "42723", "42710")
}

// UniqueViolation: 23505.
func UniqueViolation(err error) bool { return stateIs(err, "23505") }

// ConstraintViolation: any of class 23, the data is not as the statement needs it.
func ConstraintViolation(err error) bool { return strings.HasPrefix(SQLState(err), "23") }

// OutOfResources: class 53 (disk full, too many connections, out of memory).
func OutOfResources(err error) bool { return strings.HasPrefix(SQLState(err), "53") }

// ConnectionLost: the connection is gone or going; what it was doing may or may not have happened. A mere ERROR of class
// 08 is about another connection, which the statement asked for (CREATE SUBSCRIPTION, a foreign table).
func ConnectionLost(err error) bool {
	if err == nil {
		return false
	}
	var p *pgconn.PgError
	if errors.As(err, &p) {
		switch p.Code {
		case "57P01", "57P02", "57P03", "57P05", "25P03", "25P04":
			return true
		}
		return fatal(p)
	}
	var n net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		(errors.As(err, &n) && !errors.Is(err, context.DeadlineExceeded)) ||
		isConnClosed(err)
}

func isConnClosed(err error) bool {
	var ce *pgconn.ConnectError
	return errors.As(err, &ce) || errors.Is(err, pgconn.ErrConnClosed)
}

func fatal(p *pgconn.PgError) bool {
	s := p.SeverityUnlocalized
	if s == "" {
		s = p.Severity
	}
	return s == "FATAL" || s == "PANIC"
}

// Outcome is what became of a transaction.
type Outcome int

// Failed, refused and unknown are different things; so are these.
const (
	Unknown    Outcome = iota // COMMIT was sent and its answer never came: look, never retry blindly
	Committed                 // it is durable
	RolledBack                // it left no trace
)

func (o Outcome) String() string {
	return [...]string{"unknown", "committed", "rolled back"}[o]
}

// OutcomeOf says what became of the transaction that Session.Tx or
// Session.UnderLocks returned err for. An error from before COMMIT means
// rolled back, even when the connection was lost: nobody asked to commit.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Committed
	}
	var c *commitError
	if errors.As(err, &c) {
		return c.outcome
	}
	return RolledBack
}

// commitError marks an error of COMMIT itself.
type commitError struct {
	outcome Outcome
	err     error
}

func (e *commitError) Error() string { return "commit (" + e.outcome.String() + "): " + e.err.Error() }
func (e *commitError) Unwrap() error { return e.err }

// newCommitError judges an error of COMMIT. The server's ERROR means that the
// transaction is rolled back; a FATAL can come after the commit record was
// written (while waiting for a synchronous standby), so it proves nothing.
// pgx calls a connection that broke while it waited for the answer safe to
// retry ("conn closed"), so that is not asked either.
func newCommitError(err error) error {
	outcome := Unknown
	var p *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrTxCommitRollback), errors.Is(err, pgx.ErrTxClosed):
		outcome = RolledBack
	case errors.As(err, &p):
		if !fatal(p) && p.Code != "08007" && p.Code != "40003" {
			outcome = RolledBack
		}
	}
	return &commitError{outcome: outcome, err: err}
}
