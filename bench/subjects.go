package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/history"
	"github.com/replank/replank/migrate"
)

// asMigration makes the text of a migration what history would have read.
func asMigration(name, sql string) history.Migration {
	return history.Migration{Name: name, Path: name + ".sql", Text: sql, Checksum: name}
}

// replankConfig is Replank with its defaults and every consent.
func replankConfig(dsn string) migrate.Config {
	return migrate.Config{DSN: dsn, Accept: []string{"irreversible", "column-order", "triggers", "subscribers"}}
}

// engine runs do with Replank on a database.
func engine(ctx context.Context, cfg migrate.Config, do func(*migrate.Engine) error) error {
	e, err := migrate.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer e.Close()
	return do(e)
}

// apply carries one migration out, up to ready or done.
func apply(ctx context.Context, e *migrate.Engine, sql string) error {
	sum, err := e.Apply(ctx, []history.Migration{asMigration("0001_bench", sql)})
	if err == nil && len(sum.Done)+len(sum.Ready) != 1 {
		err = fmt.Errorf("apply: %+v", sum)
	}
	return err
}

// complete lets the old shape go; nothing to do is fine.
func complete(ctx context.Context, e *migrate.Engine) error {
	_, err := e.Complete(ctx, "", migrate.CompleteOptions{NoOldReaders: true})
	return err
}

// psql executes a file as people do, with psql where the server's folder or the path has it.
func (s *server) psql(ctx context.Context, db, sql string) error {
	path := filepath.Join(s.Bin(), "psql")
	if _, err := os.Stat(path); err != nil {
		if path, err = exec.LookPath("psql"); err != nil {
			return s.in(ctx, db, func(c *pgx.Conn) error {
				_, err := c.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
				return err
			})
		}
	}
	cmd := exec.CommandContext(ctx, path, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", s.DSN(db))
	cmd.Stdin = strings.NewReader(sql)
	return run(cmd)
}

// run runs a command, with what it said in the error.
func run(cmd *exec.Cmd) error {
	_, err := output(cmd)
	return err
}

// colours are what terminals understand and reports do not.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	text := strings.Join(strings.Fields(colours.ReplaceAllString(string(out), "")), " ")
	if err != nil {
		if r := []rune(text); len(r) > 300 {
			text = "… " + string(r[len(r)-300:])
		}
		err = fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, text)
	}
	return text, err
}

// pgroll is the peer, built from its module and run as its users run it.
type pgroll struct{ path, version string }

// pgrollModule resolves although the module's list of versions does not.
const pgrollModule, pgrollVersion = "github.com/xataio/pgroll", "v0.14.0"

// buildPgroll builds the peer into the cache, once. None of its code becomes part of this module.
func buildPgroll(ctx context.Context, cache string) (*pgroll, error) {
	p := &pgroll{path: filepath.Join(cache, "pgroll-"+pgrollVersion), version: pgrollVersion}
	if _, err := os.Stat(p.path); err == nil {
		return p, nil
	}
	say("building pgroll %s, which takes minutes", pgrollVersion)
	get := exec.CommandContext(ctx, "go", "mod", "download", "-json", pgrollModule+"@"+pgrollVersion)
	get.Dir = cache // outside of our module
	out, err := get.Output()
	var module struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &module); jsonErr != nil || module.Error != "" || module.Dir == "" {
		return nil, fmt.Errorf("%s@%s cannot be had: %w", pgrollModule, pgrollVersion, errors.Join(err, jsonErr, errors.New(module.Error)))
	}
	// Built as its own main module, so that its go.sum and its replacements are those that its authors tested.
	build := exec.CommandContext(ctx, "go", "build", "-mod=readonly", "-o", p.path, ".")
	build.Dir = module.Dir
	build.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if err := run(build); err != nil {
		return nil, fmt.Errorf("build %s: %w", pgrollModule, err)
	}
	return p, nil
}

func (p *pgroll) command(ctx context.Context, dsn string, args ...string) (string, error) {
	return output(exec.CommandContext(ctx, p.path, append([]string{"--postgres-url", dsn}, args...)...))
}

// init makes a database with tables known to pgroll.
func (p *pgroll) init(ctx context.Context, dsn string) error {
	dir, err := os.MkdirTemp("", "replank-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for the baseline: %w", err)
	}
	defer os.RemoveAll(dir)
	if _, err := p.command(ctx, dsn, "init"); err != nil {
		return err
	}
	_, err = p.command(ctx, dsn, "baseline", "0000_base", dir, "--yes")
	return err
}

// start begins a migration given as the JSON of its operations.
func (p *pgroll) start(ctx context.Context, dsn, operations string) error {
	dir, err := os.MkdirTemp("", "replank-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for the migration: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "0001_bench.json")
	if err := os.WriteFile(file, []byte(`{"operations": [`+operations+`]}`), 0o644); err != nil {
		return fmt.Errorf("write the migration: %w", err)
	}
	text, err := p.command(ctx, dsn, "start", file)
	if err == nil && !strings.Contains(text, "New version of the schema") { // it ends with 0 when it refuses, too
		err = fmt.Errorf("pgroll has not started: %s", text)
	}
	return err
}

func (p *pgroll) complete(ctx context.Context, dsn string) error {
	_, err := p.command(ctx, dsn, "complete")
	return err
}

// subjects adds the peer to those that are measured, or says why it is not there.
func (b *bench) subjects(names ...string) []string {
	if b.peer == nil {
		b.book.note("pgroll was not measured: %v", b.peerNo)
		return names
	}
	b.book.note("pgroll is %s, built from its Go module and run with its defaults", b.peer.version)
	return append(names, "pgroll")
}

// seconds calls do and returns how long it took.
func seconds(do func() error) (float64, error) {
	began := time.Now()
	err := do()
	return time.Since(began).Seconds(), err
}
