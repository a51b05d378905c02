package devdb

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// The signs by which production is known. Config.Allow takes them, except SignHost (AllowHost) and SignUnmarked
// (TakeOver), which want to hear the name.
const (
	SignHost        = "host"        // the server is not on this machine
	SignName        = "name"        // the database is named like one that matters
	SignSettings    = "settings"    // the environment says that this is production
	SignEnvironment = "environment" // a variable of the environment names a database elsewhere
	SignStandby     = "standby"     // the server is one, or has some
	SignArchive     = "archive"     // the server archives its WAL
	SignSlots       = "slots"       // somebody reads the server's changes
	SignManaged     = "managed"     // a cloud runs the server
	SignSize        = "size"        // the database is larger than any for development
	SignAge         = "age"         // the server has seen more transactions than any for development
	SignUnmarked    = "unmarked"    // Replank has not made the database
)

// Signs are those that Config.Allow takes.
var Signs = []string{SignName, SignSettings, SignEnvironment, SignStandby, SignArchive, SignSlots, SignManaged, SignSize, SignAge}

// RefusedError is a sign of production.
type RefusedError struct {
	Sign string
	What string
	hint string
}

func (e *RefusedError) Error() string { return "this looks like production: " + e.What }

// Hint says how to go on knowingly.
func (e *RefusedError) Hint() string { return e.hint }

// containers are the names that composed containers give their database. They are no names on the internet: no dot.
var containers = []string{"db", "database", "postgres", "postgresql", "pg", "host.docker.internal", "host.containers.internal"}

// here tells whether a host can only be this machine, or a container on it.
func (d *Dev) here(host string) bool {
	if host == "" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return true
	}
	return slices.Contains(containers, host) || d.cfg.AllowHost != "" && host == d.cfg.AllowHost
}

var (
	alarming   = regexp.MustCompile(`(?i)(^|[^a-z])(prod|production|prd|live|staging|stage)([^a-z]|$)`)
	debugOff   = regexp.MustCompile(`(?i)^(0|false|no|off)$`)
	environs   = []string{"ENV", "ENVIRONMENT", "APP_ENV", "DJANGO_ENV", "FLASK_ENV", "FLASK_CONFIG", "RAILS_ENV", "NODE_ENV", "DJANGO_SETTINGS_MODULE", "DJANGO_CONFIGURATION"}
	debugs     = []string{"DEBUG", "DJANGO_DEBUG", "FLASK_DEBUG", "APP_DEBUG"}
	databaseAt = regexp.MustCompile(`^(postgres|postgresql|postgis)(\+[a-z0-9_]+)?://`)
)

// refusals collects signs that nobody has allowed.
type refusals struct {
	cfg  Config
	list []error
}

func (r *refusals) add(sign, what string) {
	if !slices.Contains(r.cfg.Allow, sign) {
		r.list = append(r.list, &RefusedError{sign, what, "if you know that it is none: --allow " + sign})
	}
}

// refuseBefore looks at what is known without a connection.
func (d *Dev) refuseBefore() error {
	r := refusals{cfg: d.cfg}
	for _, host := range hosts(d.conn) {
		if !d.here(host) {
			r.list = append(r.list, &RefusedError{SignHost, "the server " + host + " is not on this machine", "if it is for development: --allow-host " + host})
		}
	}
	if alarming.MatchString(d.conn.Database) {
		r.add(SignName, "the database is called "+d.conn.Database)
	}
	d.refuseEnvironment(&r)
	return errors.Join(r.list...)
}

// hosts are all that a connection may be made to, each once: a fallback may be the same host without TLS.
func hosts(c *pgx.ConnConfig) []string {
	names := []string{c.Host}
	for _, f := range c.Fallbacks {
		if !slices.Contains(names, f.Host) {
			names = append(names, f.Host)
		}
	}
	return names
}

// refuseEnvironment looks at what the commands would get: settings of production, and databases elsewhere, which a step
// that is meant for this one may write to.
func (d *Dev) refuseEnvironment(r *refusals) {
	declared := []map[string]string{d.cfg.Env}
	for _, a := range d.cfg.Apps {
		declared = append(declared, a.Env)
	}
	for _, s := range d.cfg.Steps {
		declared = append(declared, s.Env)
	}
	ours := d.target.variables()
	told := map[string]bool{}
	look := func(name, value string) {
		var what string
		sign := SignSettings
		switch {
		case slices.Contains(debugs, name) && debugOff.MatchString(value),
			slices.Contains(environs, name) && alarming.MatchString(value):
			what = "the environment says " + name + "=" + value
		case databaseAt.MatchString(value):
			u, err := url.Parse(value)
			if err != nil || d.here(u.Hostname()) {
				return
			}
			sign, what = SignEnvironment, name+" names a database at "+u.Hostname()
		}
		if what != "" && !told[name] {
			told[name] = true
			r.add(sign, what)
		}
	}
	for _, kv := range d.cfg.Environ {
		name, value, _ := strings.Cut(kv, "=")
		_, replaced := ours[name]
		if d.cfg.Env[name] == "" && !replaced && !strings.HasPrefix(name, "REPLANK_") {
			look(name, value)
		}
	}
	for _, vars := range declared {
		for name, value := range vars {
			look(name, value)
		}
	}
}

//go:embed guard.sql
var guardSQL string

// refuseAt looks at the server.
func (d *Dev) refuseAt(ctx context.Context) error {
	type server struct {
		Version      int
		Standby      bool
		ArchiveMode  string
		Synchronous  string
		Slots        []string
		Standbys     int64
		Managed      []string
		Bytes        int64
		Transactions int64
	}
	rows, err := d.sql.Query(ctx, guardSQL, d.conn.Database)
	if err != nil {
		return &Error{Op: "look at the server", Err: err}
	}
	s, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[server])
	if err != nil {
		return &Error{Op: "look at the server", Err: err}
	}
	d.major = s.Version / 10000
	if d.major < 14 {
		return &Error{Op: "look at the server", Err: fmt.Errorf("PostgreSQL %d is too old", d.major), Hint: "PostgreSQL 14 or later is needed"}
	}
	r := refusals{cfg: d.cfg}
	if s.Standby {
		r.add(SignStandby, "the server is a standby")
	}
	if s.Standbys > 0 || s.Synchronous != "" {
		r.add(SignStandby, fmt.Sprintf("the server has %d standbys (synchronous_standby_names = '%s')", s.Standbys, s.Synchronous))
	}
	if s.ArchiveMode != "off" {
		r.add(SignArchive, "the server archives its WAL (archive_mode = "+s.ArchiveMode+")")
	}
	if len(s.Slots) > 0 {
		r.add(SignSlots, "the server keeps its changes for others: replication slots "+strings.Join(s.Slots, ", "))
	}
	if len(s.Managed) > 0 {
		r.add(SignManaged, "a cloud runs the server: it has the role "+strings.Join(s.Managed, ", "))
	}
	if s.Bytes > d.cfg.MaxBytes {
		r.add(SignSize, fmt.Sprintf("the database %s has %d GB", d.conn.Database, s.Bytes>>30))
	}
	if s.Transactions > d.cfg.MaxTransactions {
		r.add(SignAge, fmt.Sprintf("the server has seen %d million transactions", s.Transactions/1_000_000))
	}
	return errors.Join(r.list...)
}
