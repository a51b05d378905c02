package devdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/internal/pg"
)

// target is where commands find a database, in the parts that frameworks ask for.
type target struct {
	Host, Port, User, Password, Database string

	query url.Values // of the URL that was given: sslmode and the like
	// written is whether the password stands in the configuration, where everybody can read it anyway.
	written bool
}

func newTarget(dsn string, c *pgx.ConnConfig) (target, error) {
	if c.Database == "" || c.Database == maintenance || strings.HasPrefix(c.Database, "template") {
		return target{}, &pg.DSNError{Err: errors.New("it names no database that could be made: postgres:///shop_dev")}
	}
	t := target{Host: c.Host, Port: strconv.Itoa(int(c.Port)), User: c.User, Password: c.Password, Database: c.Database, query: url.Values{}}
	if u, err := url.Parse(dsn); err == nil && u.Scheme != "" {
		t.query = u.Query()
		for _, part := range []string{"host", "port", "user", "password", "dbname"} {
			t.query.Del(part)
		}
	}
	t.written = c.Password != "" && strings.Contains(dsn, c.Password)
	return t, nil
}

// at is the same for another database of the server.
func (t target) at(database string) target {
	t.Database = database
	return t
}

// address is the URL without its scheme, to put those of SQLAlchemy and others before it.
func (t target) address() string {
	u := url.URL{Path: "/" + t.Database, User: url.User(t.User)}
	if t.Password != "" {
		u.User = url.UserPassword(t.User, t.Password)
	}
	q := maps.Clone(t.query)
	if strings.HasPrefix(t.Host, "/") { // a folder with the server's socket
		q.Set("host", t.Host)
		q.Set("port", t.Port)
	} else {
		u.Host = net.JoinHostPort(t.Host, t.Port)
	}
	u.RawQuery = q.Encode()
	return strings.TrimPrefix(u.String(), "//")
}

func (t target) url() string { return "postgresql://" + t.address() }

// variables are what commands get to find the database: what libpq, and with it most frameworks, look for.
func (t target) variables() map[string]string {
	vars := map[string]string{
		"DATABASE_URL": t.url(), "PGHOST": t.Host, "PGPORT": t.Port, "PGUSER": t.User, "PGDATABASE": t.Database, "REPLANK_DEV": "1",
	}
	if t.Password != "" {
		vars["PGPASSWORD"] = t.Password
	}
	return vars
}

// expand fills the database in where a declared value names it.
func (t target) expand(value string) string {
	return strings.NewReplacer("{url}", t.url(), "{address}", t.address(), "{host}", t.Host, "{port}", t.Port,
		"{user}", t.User, "{password}", t.Password, "{database}", t.Database).Replace(value)
}

// own are the variables that a command gets from here: the database's, and over them what is declared.
func (t target) own(declared map[string]string) map[string]string {
	vars := t.variables()
	for name, value := range declared {
		vars[name] = t.expand(value)
	}
	return vars
}

// environ adds variables to an environment; the last of a name counts for os/exec.
func environ(base []string, vars map[string]string) []string {
	all := slices.Clone(base)
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		all = append(all, name+"="+vars[name])
	}
	return all
}

// alone is the shell command that does what a step did, with its environment. A password that is no part of the
// configuration stays out of it: whoever reads this has it where it came from.
func (t target) alone(dir, command string, declared map[string]string) string {
	if !t.written {
		t.Password = ""
	}
	vars := t.own(declared)
	var b strings.Builder
	fmt.Fprintf(&b, "cd %s && env", quoted(dir))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		fmt.Fprintf(&b, " %s=%s", name, quoted(vars[name]))
	}
	fmt.Fprintf(&b, " sh -c %s", quoted(command))
	return b.String()
}

// quoted is a word as a shell takes it for itself.
func quoted(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// connect opens a connection to another database of the server.
func (d *Dev) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	c := d.conn.Copy()
	c.Database = database
	c.RuntimeParams["application_name"] = "replank dev"
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return nil, &pg.ConnectError{Err: err}
	}
	return conn, nil
}
