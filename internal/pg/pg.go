package pg

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// Config says how to reach a database and how polite to be there.
type Config struct {
	// DSN is a libpq URL or keyword string. Default: the libpq environment (PGHOST, PGSERVICE, ...).
	DSN string
	// ApplicationName is what pg_stat_activity shows. Default: "replank".
	ApplicationName string
	// ReadOnly allows a standby or a read-only database; only plan, status and doctor want that. Default: false.
	ReadOnly bool
	// LockBudget bounds the time from the first lock request to COMMIT, over all relations of a try. Default: 200ms.
	LockBudget time.Duration
	// LockWait is how long one lock step keeps trying before it gives up. Default: 30m.
	LockWait time.Duration
	// LockFirstTry is how long the first try waits in the lock queue; later ones grow to LockBudget. Default: 10ms.
	LockFirstTry time.Duration
	// LockPoll is how often a blocked lock step asks whether the blockers have gone. Default: 100ms.
	LockPoll time.Duration
	// LockPauseMax bounds the pause after a failed try, in which the application works undisturbed. Default: 2s.
	LockPauseMax time.Duration
	// CancelBlockers cancels the queries of sessions that block a lock step. Default: false.
	CancelBlockers bool
	// Logger hears about lost watch connections and cancelled backends. Default: slog.DiscardHandler.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.ApplicationName == "" {
		c.ApplicationName = "replank"
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.LockBudget, 200 * time.Millisecond},
		{&c.LockWait, 30 * time.Minute},
		{&c.LockFirstTry, 10 * time.Millisecond},
		{&c.LockPoll, 100 * time.Millisecond},
		{&c.LockPauseMax, 2 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// MinVersion is the oldest server we work with, as in server_version_num.
const MinVersion = 140000

// Server is what Open found out about the other side.
type Server struct {
	Version         string // as in server_version: "15.8 (Debian ...)"
	VersionNum      int    // as in server_version_num: 150008
	SystemID        string // of the cluster; "" where pg_control_system() is denied
	Database        string
	DatabaseOID     uint32
	User            string
	Superuser       bool
	InRecovery      bool          // a standby
	ReadOnly        bool          // default_transaction_read_only is on
	DeadlockTimeout time.Duration // what an ordinary autovacuum needs to be displaced
}

// Major is 14, 15, ...
func (s Server) Major() int { return s.VersionNum / 10000 }

// DB is one database of one server.
type DB struct {
	cfg    Config
	conn   *pgx.ConnConfig
	server Server

	watch  shared // for cancelling and looking at others: never busy for long
	asking shared // for Ask

	pidsMu sync.Mutex
	pids   []int32 // of our open sessions: never cancelled as blockers
}

// Open connects, refuses servers that cannot be worked with, and finds out who
// they are. A refusal is one of [*TooOldError], [*ReadOnlyError], [*PoolerError].
func Open(ctx context.Context, cfg Config) (*DB, error) {
	cfg = cfg.withDefaults()
	cc, err := pgx.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, &DSNError{err}
	}
	cc.RuntimeParams["application_name"] = cfg.ApplicationName
	// A statement is described anew each time: user tables change their shape under our feet.
	cc.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	cc.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 4,
	}}).DialContext
	// A cancelled context cancels the statement on the server too, and we learn how it ended.
	cc.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 10 * time.Second}
	}
	db := &DB{cfg: cfg, conn: cc}
	if err := db.lookAtServer(ctx); err != nil {
		return nil, err
	}
	return db, nil
}

// Server says who the other side is.
func (db *DB) Server() Server { return db.server }

// Config returns the configuration with its defaults filled in.
func (db *DB) Config() Config { return db.cfg }

// ConnString is the connection string the database was opened with.
func (db *DB) ConnString() string { return db.cfg.DSN }

// Close closes what DB keeps open for itself. Sessions are closed by those who opened them.
func (db *DB) Close() {
	db.watch.close()
	db.asking.close()
}

//go:embed server.sql
var serverSQL string

func (db *DB) lookAtServer(ctx context.Context) error {
	c, err := pgx.ConnectConfig(ctx, db.conn)
	if err != nil {
		return connectError(err)
	}
	defer closeConn(c)
	// Before anything else, and in the simple protocol: behind a transaction
	// pooler a prepared statement may already land on another backend.
	if err := refusePooler(ctx, c); err != nil {
		return err
	}
	sv := &db.server
	if v := c.PgConn().ParameterStatus("server_version_num"); v != "" {
		sv.VersionNum, _ = strconv.Atoi(v)
	}
	var deadlockMS int
	err = c.QueryRow(ctx, serverSQL).Scan(&sv.Version, &sv.VersionNum, &sv.Database, &sv.DatabaseOID,
		&sv.User, &sv.Superuser, &sv.InRecovery, &sv.ReadOnly, &deadlockMS)
	if err != nil {
		return &Error{Op: "ask the server who it is", Err: err}
	}
	sv.DeadlockTimeout = time.Duration(deadlockMS) * time.Millisecond
	if sv.VersionNum < MinVersion {
		return &TooOldError{Version: sv.Version}
	}
	if !db.cfg.ReadOnly && (sv.InRecovery || sv.ReadOnly) {
		return &ReadOnlyError{InRecovery: sv.InRecovery}
	}
	err = c.QueryRow(ctx, `SELECT system_identifier::text FROM pg_control_system()`).Scan(&sv.SystemID)
	if err != nil && !InsufficientPrivilege(err) {
		return &Error{Op: "ask for the system identifier", Err: err}
	}
	return nil
}

// refusePooler compares the backend that PostgreSQL announced at the start of
// the connection with the ones that answer two transactions (RULES 18).
func refusePooler(ctx context.Context, c *pgx.Conn) error {
	announced := c.PgConn().PID()
	for range 2 {
		res, err := c.PgConn().Exec(ctx, "SELECT pg_catalog.pg_backend_pid()").ReadAll()
		if err != nil {
			return &Error{Op: "ask for the backend pid", Err: err}
		}
		if len(res) != 1 || len(res[0].Rows) != 1 {
			return &Error{Op: "ask for the backend pid", Err: errors.New("no answer")}
		}
		pid, err := strconv.ParseUint(string(res[0].Rows[0][0]), 10, 32)
		if err != nil {
			return &Error{Op: "ask for the backend pid", Err: err}
		}
		if uint32(pid) != announced {
			return &PoolerError{Announced: announced, Answered: uint32(pid)}
		}
	}
	return nil
}

// shared is a connection that is opened when it is needed and used by one at a time.
type shared struct {
	mu   sync.Mutex
	conn *pgx.Conn
}

func (s *shared) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		closeConn(s.conn)
		s.conn = nil
	}
}

func (db *DB) on(ctx context.Context, s *shared, name string, f func(Querier) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && s.conn.IsClosed() {
		s.conn = nil
	}
	if s.conn == nil {
		c, err := db.connect(ctx, name)
		if err != nil {
			return fmt.Errorf("open the connection %q: %w", name, err)
		}
		s.conn = c
	}
	return f(s.conn)
}

// onWatch runs f on the watch connection: short questions, and cancelling.
func (db *DB) onWatch(ctx context.Context, f func(Querier) error) error {
	return db.on(ctx, &db.watch, db.cfg.ApplicationName+" watch", f)
}

// Ask runs questions on a connection that DB keeps for them, for those who
// have no session at hand. Each is a transaction of its own.
func (db *DB) Ask(ctx context.Context, f func(Querier) error) error {
	return db.on(ctx, &db.asking, db.cfg.ApplicationName, f)
}

// Querier is what a Session, a pgx.Tx and a pgx.Conn have in common.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Backend names one server process for good: pids are used again, a pid with
// its start is not. Start is the text of backend_start as extract(epoch).
type Backend struct {
	PID   int32
	Start string
}

// Cancel cancels the running query of a backend, if it is still the same one.
// False: it is gone.
func (db *DB) Cancel(ctx context.Context, b Backend) (bool, error) {
	return db.signal(ctx, `SELECT pg_cancel_backend(pid)`, "cancel", b)
}

// Terminate ends a backend, if it is still the same one. False: it is gone.
func (db *DB) Terminate(ctx context.Context, b Backend) (bool, error) {
	return db.signal(ctx, `SELECT pg_terminate_backend(pid)`, "terminate", b)
}

func (db *DB) signal(ctx context.Context, sel, op string, b Backend) (bool, error) {
	var done bool
	err := db.onWatch(ctx, func(q Querier) error {
		return q.QueryRow(ctx, sel+` FROM pg_stat_activity
			WHERE pid = $1 AND extract(epoch FROM backend_start)::text = $2`, b.PID, b.Start).Scan(&done)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, &Error{Op: fmt.Sprintf("%s backend %d", op, b.PID), Err: err}
	}
	return done, nil
}

// Alive returns those of the given backends that still exist. One whose start
// we may not see counts as alive.
func (db *DB) Alive(ctx context.Context, bs []Backend) ([]Backend, error) {
	var alive []Backend
	err := db.onWatch(ctx, func(q Querier) error {
		rows, err := q.Query(ctx, `SELECT pid, coalesce(extract(epoch FROM backend_start)::text, '')
			FROM pg_catalog.pg_stat_get_activity(NULL) WHERE pid = ANY($1)`, pidsOf(bs))
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Backend])
		for _, b := range found {
			if i := slices.IndexFunc(bs, func(o Backend) bool {
				return o.PID == b.PID && (b.Start == "" || o.Start == b.Start)
			}); i >= 0 {
				alive = append(alive, bs[i])
			}
		}
		return err
	})
	if err != nil {
		return nil, &Error{Op: "look for backends", Err: err}
	}
	return alive, nil
}

func pidsOf(bs []Backend) []int32 {
	pids := make([]int32, len(bs))
	for i, b := range bs {
		pids[i] = b.PID
	}
	return pids
}

// Owns reports whether a backend serves a session of this DB that is open.
func (db *DB) Owns(b Backend) bool { return slices.Contains(db.ourPIDs(), b.PID) }

func (db *DB) ourPIDs() []int32 {
	db.pidsMu.Lock()
	defer db.pidsMu.Unlock()
	return slices.Clone(db.pids)
}

func closeConn(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = c.Close(ctx) // nothing is open on it that we would need to hear about
}
