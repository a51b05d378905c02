// Package oracle asks a PostgreSQL server of its own what migrations do to somebody else's database: it makes a clone
// of the shapes that a ddl.Snapshot holds, and on that
//
//   - Clone.Workload prepares the statements that applications send, before and after each migration, and says which
//     stop compiling or mean something else;
//   - Clone.Verify executes a migration statement by statement, and says what each has locked, written anew and read.
//
// The clone has no rows, and everything in it belongs to one superuser. So privileges and row security, what a
// statement does to rows that are there, and what the body of a function does when it runs are not judged here.
package oracle

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/localpg"
	"github.com/replank/replank/internal/pg"
)

// newestMajor is the newest version that a clone is tried on.
const newestMajor = 18

// CloneConfig says how a clone is made.
type CloneConfig struct {
	// Logger is told when servers are fetched and started. Default: discards.
	Logger *slog.Logger
}

// Clone is a private server with the shapes of a snapshot. Its methods may not be called at the same time.
type Clone struct {
	// Missing is what could not be made again.
	Missing []Missing
	// Notices say in what the clone differs from its model, one sentence each.
	Notices []string

	snap   *ddl.Snapshot
	server *localpg.Cluster
	work   int // databases made of the clone so far
}

// Missing is an object that is not in the clone.
type Missing struct {
	SQL    string // what was to make it
	Code   string // SQLSTATE
	Reason string
}

func (m Missing) String() string { return firstLine(m.SQL) + ": " + m.Reason }

func firstLine(sql string) string {
	line, rest, _ := strings.Cut(sql, "\n")
	if line = strings.TrimRight(line, " ("); rest != "" {
		line += " …"
	}
	return line
}

// NoScriptError is a snapshot of which no clone can be made.
type NoScriptError struct{ Unseen []string }

func (e *NoScriptError) Error() string {
	return "the snapshot has no script to make a clone from: " + strings.Join(e.Unseen, "; ")
}

// Hint says what to do.
func (e *NoScriptError) Hint() string {
	return "take it again as a role that may read the tables (pg_read_all_data will do), with pg_dump at hand"
}

// Settings of the clone's server: nothing in it survives, and whole migrations lock much.
var serverSettings = map[string]string{
	"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off", "shared_buffers": "64MB",
	"max_connections": "20", "max_locks_per_transaction": "1024", "log_min_messages": "panic",
}

// NewClone starts a server of the snapshot's version, or of the next newer one there is, and makes the shapes. What
// cannot be made (an extension that is not there, and all that rests on it) is in Missing.
func NewClone(ctx context.Context, snap *ddl.Snapshot, cfg CloneConfig) (_ *Clone, err error) {
	if snap.Script == "" {
		return nil, &NoScriptError{snap.Unseen}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Clone{snap: snap}
	if err := c.start(ctx, cfg.Logger); err != nil {
		return nil, fmt.Errorf("clone the database: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close(ctx))
		}
	}()
	if err := c.createDatabase(ctx); err != nil {
		return nil, fmt.Errorf("clone the database: %w", err)
	}
	if err := c.fill(ctx); err != nil {
		return nil, fmt.Errorf("clone the database: %w", err)
	}
	return c, nil
}

// Close ends the server and removes it.
func (c *Clone) Close(ctx context.Context) error { return c.server.Stop(context.WithoutCancel(ctx)) }

// Major is the version of the clone's server.
func (c *Clone) Major() int { return c.server.Major() }

func (c *Clone) start(ctx context.Context, log *slog.Logger) error {
	want := c.snap.Schema.Version / 10000
	var errs []error
	for major := max(want, localpg.MinMajor); major <= max(want, newestMajor); major++ {
		server, err := localpg.Start(ctx, localpg.Config{Major: major, Settings: serverSettings, Logger: log})
		if err == nil {
			c.server = server
			if major != want {
				c.Notices = append(c.Notices, fmt.Sprintf("the clone is a PostgreSQL %d, the database a %d", major, want))
			}
			return nil
		}
		errs = append(errs, err)
		var none *localpg.NotFoundError
		if !errors.As(err, &none) {
			break
		}
	}
	return errors.Join(errs...)
}

const cloneDatabase = "clone"

func (c *Clone) createDatabase(ctx context.Context) error {
	return c.on(ctx, "postgres", func(conn *pgx.Conn) error {
		create := "CREATE DATABASE " + cloneDatabase + " TEMPLATE template0"
		encoding := " ENCODING " + pg.Literal(c.snap.Encoding)
		_, err := conn.Exec(ctx, create+encoding+" LC_COLLATE "+pg.Literal(c.snap.Collate)+" LC_CTYPE "+pg.Literal(c.snap.CType))
		if err == nil {
			return nil
		}
		c.Notices = append(c.Notices, fmt.Sprintf("this machine has no locale %s: the clone's is C", c.snap.Collate))
		_, err = conn.Exec(ctx, create+encoding+" LC_COLLATE 'C' LC_CTYPE 'C'")
		return err
	})
}

// on runs f on a connection of its own.
func (c *Clone) on(ctx context.Context, database string, f func(*pgx.Conn) error) error {
	conn, err := c.connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return f(conn)
}

// sessionSettings are those of the snapshot that a session of the clone has, too.
var sessionSettings = []string{"array_nulls", "backslash_quote", "DateStyle", "default_text_search_config", "IntervalStyle",
	"standard_conforming_strings", "TimeZone", "transform_null_equals", "xmlbinary", "xmloption"}

// connect opens a session with the settings of the snapshot, to which RESET leads back.
func (c *Clone) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	cc, err := pgx.ParseConfig(c.server.DSN(database))
	if err != nil {
		return nil, err
	}
	cc.DefaultQueryExecMode = pgx.QueryExecModeExec
	if database != "postgres" {
		for _, name := range sessionSettings {
			if v, ok := c.snap.Settings[name]; ok {
				cc.RuntimeParams[name] = v
			}
		}
		var path []string
		for _, s := range c.snap.Schema.PathSetting {
			path = append(path, ddl.QuoteIdent(s))
		}
		cc.RuntimeParams["search_path"] = strings.Join(path, ", ")
		cc.RuntimeParams["check_function_bodies"] = "off"
		cc.RuntimeParams["jit"] = "off" // to compile what runs once takes longer than to run it
	}
	return pgx.ConnectConfig(ctx, cc)
}

// chunk is how many statements are sent at once, in one transaction.
const chunk = 100

// fill executes the script.
func (c *Clone) fill(ctx context.Context) error {
	statements, err := ddl.SplitScript(c.snap.Script)
	if err != nil {
		return fmt.Errorf("the script of the snapshot: %w", err)
	}
	var list []string
	for _, st := range statements {
		list = append(list, st.SQL)
	}
	return c.on(ctx, cloneDatabase, func(conn *pgx.Conn) error {
		if err := c.roles(ctx, conn); err != nil {
			return err
		}
		for part := range slices.Chunk(list, chunk) {
			if _, err := conn.Exec(ctx, strings.Join(part, ";\n"), pgx.QueryExecModeSimpleProtocol); err == nil {
				continue
			}
			for _, sql := range part {
				if err := c.make(ctx, conn, sql); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// make executes one statement; what the server refuses is Missing.
func (c *Clone) make(ctx context.Context, conn *pgx.Conn, sql string) error {
	err := c.exec(ctx, conn, sql)
	if err == nil {
		return nil
	}
	code, text, _ := message(err)
	if code == "" {
		return err
	}
	if code == "42P06" && strings.Contains(sql, "SCHEMA public") { // duplicate_schema
		return nil
	}
	c.Missing = append(c.Missing, Missing{SQL: sql, Code: code, Reason: text})
	return nil
}

var noRole = regexp.MustCompile(`^role "(.*)" does not exist$`)

// exec executes a statement, and makes the roles that it misses.
func (c *Clone) exec(ctx context.Context, conn *pgx.Conn, sql string) error {
	for {
		_, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
		made, roleErr := c.makeRole(ctx, conn, err)
		if !made || roleErr != nil {
			return errors.Join(err, roleErr)
		}
	}
}

// makeRole makes the role that err says is missing, and reports whether there was one.
func (c *Clone) makeRole(ctx context.Context, conn *pgx.Conn, err error) (bool, error) {
	code, text, _ := message(err)
	role := noRole.FindStringSubmatch(text)
	if code != "42704" || role == nil {
		return false, nil
	}
	_, err = conn.Exec(ctx, "CREATE ROLE "+ddl.QuoteIdent(role[1]))
	return err == nil, err
}

// roles makes those that the shapes name.
func (c *Clone) roles(ctx context.Context, conn *pgx.Conn) error {
	names := map[string]bool{c.snap.Schema.User: true}
	grants := func(list []ddl.Grant) {
		for _, g := range list {
			names[g.Grantee], names[g.Grantor] = true, true
		}
	}
	for _, r := range c.snap.Schema.Relations {
		names[r.Owner] = true
		grants(r.ACL)
	}
	for _, f := range c.snap.Schema.Functions {
		names[f.Owner] = true
		grants(f.ACL)
	}
	for name := range names {
		if name == "" || strings.HasPrefix(name, "pg_") {
			continue
		}
		_, err := conn.Exec(ctx, "CREATE ROLE "+ddl.QuoteIdent(name))
		if code, _, _ := message(err); err != nil && code != "42710" { // duplicate_object
			return err
		}
	}
	return nil
}

// copy makes a database of the clone, to be changed and dropped.
func (c *Clone) copy(ctx context.Context) (name string, drop func() error, err error) {
	return c.database(ctx, cloneDatabase)
}

// apart runs f on a connection to a database of its own, made of a template, which is gone afterwards.
func (c *Clone) apart(ctx context.Context, template string, f func(name string, conn *pgx.Conn) error) (err error) {
	name, drop, err := c.database(ctx, template)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	return c.on(ctx, name, func(conn *pgx.Conn) error { return f(name, conn) })
}

// database makes a database of a template, to be changed and dropped.
func (c *Clone) database(ctx context.Context, template string) (name string, drop func() error, err error) {
	c.work++
	name = fmt.Sprintf("work_%d", c.work)
	exec := func(sql string) error {
		ctx := context.WithoutCancel(ctx)
		return c.on(ctx, "postgres", func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, sql)
			return err
		})
	}
	if err := exec("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		return "", nil, fmt.Errorf("copy the clone: %w", err)
	}
	return name, func() error {
		sql := "DROP DATABASE " + name
		if c.server.Major() >= 13 {
			sql += " WITH (FORCE)"
		}
		return exec(sql)
	}, nil
}
