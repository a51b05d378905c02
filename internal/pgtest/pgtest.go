// Package pgtest gives tests a real PostgreSQL: one shared server for each test binary and a fresh database for each
// test, servers of one's own to crash and replicate, connections that fail on command (Proxy), and the oracles that
// say whether two databases have the same shape (Dump, PgDump) and the same rows (Data).
//
// The server's major version comes from REPLANK_TEST_PG (15 when unset), so that one test runs on every version.
package pgtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/internal/localpg"
)

const (
	envMajor     = "REPLANK_TEST_PG"
	defaultMajor = 15
)

// full makes tests run every case, and not only a share of them.
const full = "REPLANK_TEST_FULL"

// InShare reports whether a case is one of every nth, which run by default: always the same ones of a major, and others
// on the next (so nth should not be 3: CI runs 15 and 18, which would have the same ones). REPLANK_TEST_FULL=1 runs all.
func InShare(t testing.TB, name string, nth int) bool {
	t.Helper()
	if os.Getenv(full) != "" {
		return true
	}
	return (int(crc32.ChecksumIEEE([]byte(name)))+Major(t))%nth == 0
}

// Share skips a test that is not in its share, see [InShare].
func Share(t testing.TB, nth int) {
	t.Helper()
	if !InShare(t, t.Name(), nth) {
		t.Skipf("one case in %d, others on the next major; %s=1 runs all", nth, full)
	}
}

// startTimeout bounds the start of a server, which may include fetching it.
const startTimeout = 10 * time.Minute

// settings make a server quick and small: nothing it holds survives the test.
var settings = map[string]string{
	"fsync":                     "off",
	"full_page_writes":          "off",
	"synchronous_commit":        "off",
	"shared_buffers":            "64MB",
	"max_connections":           "200",
	"wal_level":                 "logical",
	"max_wal_senders":           "10",
	"max_replication_slots":     "20",
	"max_prepared_transactions": "20",
	"track_commit_timestamp":    "on",
	"timezone":                  "UTC",
	"log_timezone":              "UTC",
	"log_line_prefix":           "%m [%p] %q%u@%d ",
}

// Server is a running PostgreSQL server.
type Server struct {
	*localpg.Cluster
}

var shared struct {
	sync.Mutex
	server *Server
	err    error
}

// Main runs a package's tests and stops the shared server after them. Without it the server is ended by its watchdog:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		if err := shared.server.Stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "stop the shared server:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// Major returns the major version the tests run on.
func Major(t testing.TB) int {
	t.Helper()
	major, err := wantedMajor()
	if err != nil {
		t.Fatal(err)
	}
	return major
}

func wantedMajor() (int, error) {
	v := os.Getenv(envMajor)
	if v == "" {
		return defaultMajor, nil
	}
	major, err := strconv.Atoi(v)
	if err != nil || major < localpg.MinMajor {
		return 0, fmt.Errorf("%s=%q: want a major version from %d on", envMajor, v, localpg.MinMajor)
	}
	return major, nil
}

// AtLeast skips the test on servers older than major: what it tests does not exist there.
func AtLeast(t testing.TB, major int) {
	t.Helper()
	if m := Major(t); m < major {
		t.Skipf("PostgreSQL %d has no such thing; it came with %d", m, major)
	}
}

// Shared returns the server that all tests of this binary share, starting it on first use.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = startServer(nil)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// Own starts a server for this test alone, to crash, restart or replicate it. The settings are added to the usual ones,
// except that commits are synchronous: what was committed survives Kill.
func Own(t testing.TB, extra map[string]string) *Server {
	t.Helper()
	all := map[string]string{"synchronous_commit": "on"}
	maps.Copy(all, extra)
	s, err := startServer(all)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop own server: %v", err)
		}
	})
	return s
}

func startServer(extra map[string]string) (*Server, error) {
	major, err := wantedMajor()
	if err != nil {
		return nil, err
	}
	all := maps.Clone(settings)
	maps.Copy(all, extra)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	c, err := localpg.Start(ctx, localpg.Config{
		Major:    major,
		Settings: all,
		Logger:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})),
	})
	if err != nil {
		return nil, err
	}
	return &Server{c}, nil
}

// Option changes what DB creates.
type Option func(*dbOptions)

type dbOptions struct {
	server   *Server
	template string
	clauses  string
}

// On creates the database on a server of one's own.
func On(s *Server) Option { return func(o *dbOptions) { o.server = s } }

// From creates the database as a copy of the one dsn names (on the same server), which nobody may be connected to.
func From(dsn string) Option { return func(o *dbOptions) { o.template = Database(dsn) } }

// With adds clauses to CREATE DATABASE.
func With(clauses string) Option { return func(o *dbOptions) { o.clauses = " " + clauses } }

var databases atomic.Int64

// DB creates a database for this test and returns a connection string for it. It is dropped when the test ends,
// whatever is still connected or prepared in it.
func DB(t testing.TB, opts ...Option) string {
	t.Helper()
	o := dbOptions{template: "template0"}
	for _, opt := range opts {
		opt(&o)
	}
	if o.server == nil {
		o.server = Shared(t)
	}
	name := databaseName(t.Name(), databases.Add(1))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := o.server.administer(ctx, func(admin *pgx.Conn) error {
		_, err := admin.Exec(ctx, "CREATE DATABASE "+quote(name)+" TEMPLATE "+quote(o.template)+o.clauses)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if o.server.Pid() == 0 {
			return // the test has crashed its own server
		}
		if err := dropDatabase(o.server, name); err != nil {
			t.Errorf("drop database %s: %v", name, err)
		}
	})
	return o.server.DSN(name)
}

// databaseName makes a name that tells the test, is unique on the server and fits into 63 bytes.
func databaseName(test string, n int64) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimPrefix(test, "Test")) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	name := b.String()
	if len(name) > 40 {
		sum := sha256.Sum256([]byte(name))
		name = name[:32] + "_" + hex.EncodeToString(sum[:3])
	}
	return fmt.Sprintf("t%d_%s", n, name)
}

// dropDatabase removes a database and everything that would keep it: sessions, replication slots, prepared
// transactions and subscriptions.
func dropDatabase(s *Server, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s.administer(ctx, func(admin *pgx.Conn) error { return dropDatabaseOn(ctx, s, admin, name) })
}

func dropDatabaseOn(ctx context.Context, s *Server, admin *pgx.Conn, name string) error {
	var held bool
	err := admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = $1)
		OR EXISTS (SELECT FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = $1)`, name).Scan(&held)
	if err != nil {
		return fmt.Errorf("look at what keeps the database: %w", err)
	}
	if held {
		if err := releaseDatabase(ctx, s.DSN(name)); err != nil {
			return err
		}
	}
	if err := dropSlots(ctx, admin, name); err != nil {
		return err
	}
	force := " WITH (FORCE)"
	if strings.HasPrefix(admin.PgConn().ParameterStatus("server_version"), "12.") { // it came with 13
		force = ""
		if _, err := admin.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name); err != nil {
			return fmt.Errorf("end the sessions of the database: %w", err)
		}
	}
	_, err = admin.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(name)+force)
	return err
}

// administrators are idle connections to database postgres of the shared server: many tests need one for a moment.
var administrators struct {
	sync.Mutex
	idle []*pgx.Conn
}

// administer runs fn on a connection to database postgres, on the shared server one that others have used before.
func (s *Server) administer(ctx context.Context, fn func(*pgx.Conn) error) error {
	shared.Lock()
	kept := s == shared.server
	shared.Unlock()
	var conn *pgx.Conn
	administrators.Lock()
	if last := len(administrators.idle) - 1; kept && last >= 0 {
		conn, administrators.idle = administrators.idle[last], administrators.idle[:last]
	}
	administrators.Unlock()
	if conn != nil && conn.Ping(ctx) != nil {
		_ = conn.Close(ctx) // a test has ended it
		conn = nil
	}
	if conn == nil {
		var err error
		if conn, err = pgx.Connect(ctx, s.DSN("postgres")); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
	}
	err := fn(conn)
	if !kept || err != nil {
		_ = conn.Close(ctx)
		return err
	}
	administrators.Lock()
	defer administrators.Unlock()
	administrators.idle = append(administrators.idle, conn)
	return nil
}

// dropSlots drops a database's replication slots. A slot stays active until its walsender has ended.
func dropSlots(ctx context.Context, admin *pgx.Conn, database string) error {
	for {
		var left int
		err := admin.QueryRow(ctx, `
			SELECT count(CASE WHEN active THEN pg_terminate_backend(active_pid)::text
			                  ELSE pg_drop_replication_slot(slot_name)::text END)
			FROM pg_replication_slots WHERE database = $1`, database).Scan(&left)
		var pgErr *pgconn.PgError
		switch {
		case errors.As(err, &pgErr) && pgErr.Code == "55006": // object_in_use: it became active in between
		case err != nil:
			return fmt.Errorf("drop replication slots: %w", err)
		case left == 0:
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("drop replication slots: %w", ctx.Err())
		}
	}
}

// releaseDatabase ends, from inside the database, what DROP DATABASE cannot.
func releaseDatabase(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil // the test itself dropped or renamed it; DROP DATABASE will say
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, releaseDatabaseSQL)
	if err != nil {
		return err
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// Role creates a role with the given attributes ("LOGIN", "LOGIN CREATEDB" ...) whose name starts with prefix, and
// drops it when the test ends. Create roles before the databases they own things in: clean-up runs backwards.
func Role(t testing.TB, prefix, attributes string, opts ...Option) string {
	t.Helper()
	var o dbOptions
	for _, opt := range opts {
		opt(&o)
	}
	if o.server == nil {
		o.server = Shared(t)
	}
	name := fmt.Sprintf("%s_%d", prefix, databases.Add(1))
	admin := o.server.DSN("postgres")
	Exec(t, admin, "CREATE ROLE "+quote(name)+" "+attributes)
	t.Cleanup(func() {
		if o.server.Pid() != 0 {
			Exec(t, admin, "DROP ROLE IF EXISTS "+quote(name))
		}
	})
	return name
}

// As returns dsn for another role.
func As(dsn, role string) string {
	u := mustParse(dsn)
	u.User = url.User(role)
	return u.String()
}

// Param returns dsn with a connection parameter set: "application_name", "options" ...
func Param(dsn, name, value string) string {
	u := mustParse(dsn)
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	return u.String()
}

// Database returns the name of the database in a DSN made by this package.
func Database(dsn string) string { return strings.TrimPrefix(mustParse(dsn).Path, "/") }

func mustParse(dsn string) *url.URL {
	u, err := url.Parse(dsn)
	if err != nil {
		panic(fmt.Sprintf("pgtest: not a DSN of this package: %v", err))
	}
	return u
}

// Connect opens a connection that is closed when the test ends.
func Connect(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = conn.Close(ctx) // the test may have broken it on purpose
	})
	return conn
}

// Exec runs SQL on a connection of its own. Each string may hold several statements, run as `psql -c` would: in one
// transaction unless the statements say otherwise.
func Exec(t testing.TB, dsn string, sql ...string) {
	t.Helper()
	if err := TryExec(dsn, sql...); err != nil {
		t.Fatal(err)
	}
}

// TryExec is Exec that returns the error.
func TryExec(dsn string, sql ...string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx)
	for _, s := range sql {
		if _, err := conn.PgConn().Exec(ctx, s).ReadAll(); err != nil {
			return fmt.Errorf("%w\nin: %s", err, s)
		}
	}
	return nil
}

// Value returns the one value a query yields.
func Value[T any](t testing.TB, dsn, sql string, args ...any) T {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer conn.Close(ctx)
	var v T
	if err := conn.QueryRow(ctx, sql, args...).Scan(&v); err != nil {
		t.Fatalf("%v\nin: %s", err, sql)
	}
	return v
}

func quote(identifier string) string { return pgx.Identifier{identifier}.Sanitize() }

// Replica starts a streaming replica of s for this test, on which queries run.
func Replica(t testing.TB, s *Server, extra map[string]string) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	c, err := s.Cluster.Replica(ctx, extra)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Errorf("stop replica: %v", err)
		}
	})
	return &Server{c}
}
