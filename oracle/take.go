package oracle

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/catalog"
	"github.com/replank/replank/internal/localpg"
	"github.com/replank/replank/internal/pg"
)

// TakeConfig says of which database a snapshot is taken, and how politely.
type TakeConfig struct {
	// DSN is a libpq URL or keyword string. Default: the libpq environment.
	DSN string
	// LockTimeout bounds each wait for somebody's lock. Default: 5s.
	LockTimeout time.Duration
	// StatementTimeout bounds each query. Default: 60s.
	StatementTimeout time.Duration
	// Logger is told when pg_dump is fetched. Default: discards.
	Logger *slog.Logger
}

// Take takes a snapshot of a live database. It only reads, in short transactions, and on a standby too.
func Take(ctx context.Context, cfg TakeConfig) (*ddl.Snapshot, error) {
	if cfg.LockTimeout <= 0 {
		cfg.LockTimeout = 5 * time.Second
	}
	if cfg.StatementTimeout <= 0 {
		cfg.StatementTimeout = time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cc, err := pgx.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, &pg.DSNError{Err: err}
	}
	cc.RuntimeParams["application_name"] = "replank snapshot"
	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return nil, &pg.ConnectError{Err: err}
	}
	defer conn.Close(context.WithoutCancel(ctx))
	snap, err := catalog.Snapshot(ctx, conn, catalog.Options{LockTimeout: cfg.LockTimeout, StatementTimeout: cfg.StatementTimeout})
	if err != nil {
		return nil, err
	}
	denied, err := deniedTables(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("take a snapshot: %w", err)
	}
	if len(denied) > 0 {
		snap.Unseen = append(snap.Unseen, fmt.Sprintf("no SELECT on %s: pg_dump cannot show the definition, a clone is made without", listed(denied)))
	}
	if snap.Script, err = script(ctx, cfg, cc, snap.Schema.Version/10000, denied); err != nil {
		snap.Unseen = append(snap.Unseen, "no clone can be made of this snapshot: "+err.Error())
	}
	return snap, nil
}

// listed is a list for a sentence, cut where it gets long.
func listed[T fmt.Stringer](list []T) string {
	const most = 10
	var names []string
	for _, n := range list[:min(most, len(list))] {
		names = append(names, n.String())
	}
	if len(list) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), len(list)-most)
	}
	return strings.Join(names, ", ")
}

// deniedTable is one that pg_dump could not lock: its name as SQL, and as pg_dump wants it.
type deniedTable struct{ name, pattern string }

func (d deniedTable) String() string { return d.name }

//go:embed sql/denied.sql
var deniedSQL string

func deniedTables(ctx context.Context, conn *pgx.Conn) ([]deniedTable, error) {
	rows, err := conn.Query(ctx, deniedSQL, pgx.QueryExecModeExec)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (d deniedTable, err error) {
		return d, row.Scan(&d.name, &d.pattern)
	})
}

// script is what pg_dump says about the shapes.
func script(ctx context.Context, cfg TakeConfig, cc *pgx.ConnConfig, major int, denied []deniedTable) (string, error) {
	program, err := localpg.Client(ctx, "pg_dump", major, cfg.Logger)
	if err != nil {
		return "", err
	}
	dsn := withoutPassword(cfg.DSN)
	args := []string{"--schema-only", "--no-owner", "--no-privileges", "--no-comments", "--no-security-labels", "--no-subscriptions",
		"--no-tablespaces", "--no-password", "--exclude-schema=replank", fmt.Sprintf("--lock-wait-timeout=%d", cfg.LockTimeout.Milliseconds())}
	for _, table := range denied {
		args = append(args, "--exclude-table="+table.pattern)
	}
	if dsn != "" {
		args = append(args, "--dbname="+dsn)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = os.Environ()
	if cc.Password != "" { // never on a command line, which everybody on the machine can read
		cmd.Env = append(cmd.Env, "PGPASSWORD="+cc.Password)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return "", fmt.Errorf("pg_dump: %s", pg.HideSecrets(strings.TrimSpace(stderr.String())))
		}
		return "", fmt.Errorf("pg_dump: %w", err)
	}
	return cleanScript(string(out))
}

var (
	urlUser      = regexp.MustCompile(`^(\w+://)([^/?#]*)@`) // up to the last @ before the host's end
	wordPassword = regexp.MustCompile(`(^|\s)(?:password|sslpassword)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s\\]|\\.)*)`)
)

// withoutPassword is a connection string that others may see.
func withoutPassword(dsn string) string {
	if !strings.Contains(dsn, "://") {
		return strings.TrimSpace(wordPassword.ReplaceAllString(dsn, "$1"))
	}
	if m := urlUser.FindStringSubmatch(dsn); m != nil {
		user, _, _ := strings.Cut(m[2], ":")
		dsn = m[1] + user + "@" + dsn[len(m[0]):]
	}
	head, query, ok := strings.Cut(dsn, "?")
	if !ok {
		return dsn
	}
	parts := slices.DeleteFunc(strings.Split(query, "&"), func(p string) bool {
		name, err := url.QueryUnescape(strings.SplitN(p, "=", 2)[0])
		return err != nil || name == "password" || name == "sslpassword"
	})
	if len(parts) == 0 {
		return head
	}
	return head + "?" + strings.Join(parts, "&")
}

// cleanScript leaves of a dump the statements that make shapes, one after the other, without psql's commands and
// without what has passwords in it.
func cleanScript(dump string) (string, error) {
	var b strings.Builder
	for line := range strings.Lines(dump) {
		if !strings.HasPrefix(line, `\restrict `) && !strings.HasPrefix(line, `\unrestrict `) {
			b.WriteString(line)
		}
	}
	statements, err := ddl.SplitScript(b.String())
	if err != nil {
		return "", fmt.Errorf("read what pg_dump says: %w", err)
	}
	b.Reset()
	for _, st := range statements {
		sql := st.SQL
		switch w := strings.Join(st.Words, " "); {
		case strings.HasPrefix(w, "create user mapping"), strings.HasPrefix(w, "create subscription"),
			strings.HasPrefix(w, "alter subscription"), strings.HasPrefix(w, "comment on"), strings.HasPrefix(w, "security label"):
			continue
		case strings.HasPrefix(w, "set transaction_timeout"): // which older servers do not know
			continue
		case !slices.Contains(st.Words, "table") || strings.HasPrefix(w, "create foreign"):
			sql = pg.HideSecrets(sql)
		}
		b.WriteString(sql)
		b.WriteString(";\n")
	}
	return b.String(), nil
}

// message is what the server says, with its code. Where it is not the server that says it, code is "".
func message(err error) (code, text string, position int) {
	if err == nil {
		return "", "", 0
	}
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code, pe.Message, int(pe.Position)
	}
	return "", err.Error(), 0
}
