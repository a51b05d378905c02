package pgtest

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// shapeFiles are the queries of Dump: one a kind of object, each yielding an identity and a JSON object of everything
// that makes the shape. They start from whole catalog rows and name what they leave out, so that a new column of a new
// version of PostgreSQL is compared without anyone thinking of it. "name.15.sql" is for 15 and later, "name.14-14.sql"
// for 14 alone.
//
//go:embed shape/*.sql
var shapeFiles embed.FS

// stableSession makes PostgreSQL spell things the same way whatever the database's settings: every name qualified.
const stableSession = `SET search_path = ''; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';
SET extra_float_digits = 1; SET bytea_output = 'hex'; SET quote_all_identifiers = off; SET row_security = off; SET xmloption = content;
SET default_transaction_isolation = 'repeatable read'; SET statement_timeout = 0; SET lock_timeout = 0; SET jit = off`

// ViewOption changes what Dump, PgDump and Data show.
type ViewOption func(*viewOptions)

type viewOptions struct {
	ignoreOrder   bool
	ignoreSchemas []string
	ignoreColumns []string
	allRows       bool
}

func newViewOptions(opts []ViewOption) viewOptions {
	o := viewOptions{ignoreSchemas: []string{"replank"}}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// IgnoreColumnOrder makes Dump disregard the order of the columns of tables.
func IgnoreColumnOrder() ViewOption { return func(o *viewOptions) { o.ignoreOrder = true } }

// IgnoreSchema leaves a schema and all in it out of Dump, PgDump and Data, as schema replank always is.
func IgnoreSchema(name string) ViewOption {
	return func(o *viewOptions) { o.ignoreSchemas = append(o.ignoreSchemas, name) }
}

// IgnoreColumn leaves a column, written schema.table.column, out of Data: its values are random or clock readings.
func IgnoreColumn(name string) ViewOption {
	return func(o *viewOptions) { o.ignoreColumns = append(o.ignoreColumns, name) }
}

// AllRows makes Data list every row also of big tables.
func AllRows() ViewOption { return func(o *viewOptions) { o.allRows = true } }

// Dump returns the shape of a database as text: every object outside schema replank and the system's schemas with all
// its properties, in a fixed order, one property a line, so that two dumps are equal if and only if the shapes are, and
// a diff says what differs. Not part of the shape: sequence positions, attribute numbers and other identifiers,
// storage and statistics. It needs no pg_dump and works on every supported version.
func Dump(t testing.TB, dsn string, opts ...ViewOption) string {
	t.Helper()
	text, err := dump(context.Background(), dsn, newViewOptions(opts))
	if err != nil {
		t.Fatalf("dump %s: %v", Database(dsn), err)
	}
	return text
}

func dump(ctx context.Context, dsn string, o viewOptions) (string, error) {
	conn, err := stableConn(ctx, dsn)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return "", err
	}
	defer func() { _ = tx.Rollback(ctx) }() // it has read only
	return dumpIn(ctx, tx, o)
}

// dumpIn is dump inside a transaction of a stable session.
func dumpIn(ctx context.Context, tx pgx.Tx, o viewOptions) (string, error) {
	major, err := serverMajor(tx.Conn())
	if err != nil {
		return "", err
	}
	prelude, err := shapeFiles.ReadFile("shape/prelude.sql")
	if err != nil {
		return "", err
	}
	files, err := fs.Glob(shapeFiles, "shape/*.sql")
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, file := range files {
		kind, applies := shapeKind(file, major)
		if !applies {
			continue
		}
		query, err := shapeFiles.ReadFile(file)
		if err != nil {
			return "", err
		}
		args := []any{o.ignoreSchemas}
		if strings.Contains(string(query), "$2") {
			args = append(args, !o.ignoreOrder)
		}
		if err := dumpKind(ctx, tx, &text, kind, string(prelude)+string(query), args); err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
	}
	return text.String(), nil
}

var shapeFileName = regexp.MustCompile(`^shape/([a-z_]+)(?:\.(\d+)(?:-(\d+))?)?\.sql$`)

// shapeKind returns the kind of object a file dumps and whether it is meant for a server version.
func shapeKind(file string, major int) (kind string, applies bool) {
	m := shapeFileName.FindStringSubmatch(file)
	if m == nil || m[1] == "prelude" {
		return "", false
	}
	from, _ := strconv.Atoi(m[2])
	to, _ := strconv.Atoi(m[3])
	return strings.ReplaceAll(m[1], "_", " "), major >= from && (to == 0 || major <= to)
}

// dumpKind appends the objects of one query.
func dumpKind(ctx context.Context, tx pgx.Tx, text *strings.Builder, kind, query string, args []any) error {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	var objects []string
	var identity string
	var properties []byte
	_, err = pgx.ForEachRow(rows, []any{&identity, &properties}, func() error {
		object, err := renderObject(kind+" "+identity, properties)
		objects = append(objects, object)
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(objects)
	for _, object := range objects {
		text.WriteString(object)
	}
	return nil
}

// renderObject writes an object as its identity and one indented line for each property that is not null or false.
func renderObject(identity string, properties []byte) (string, error) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(properties, &values); err != nil {
		return "", fmt.Errorf("%s: %w", identity, err)
	}
	names := make([]string, 0, len(values))
	for name, value := range values {
		if v := string(value); v != "null" && v != "false" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString(identity + "\n")
	for _, name := range names {
		value := string(values[name])
		var s string
		if json.Unmarshal(values[name], &s) == nil && strings.Contains(s, "\n") {
			value = "\n" + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n        ") // a definition
		}
		fmt.Fprintf(&b, "    %s: %s\n", name, value)
	}
	return b.String(), nil
}

func stableConn(ctx context.Context, dsn string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	if _, err := conn.PgConn().Exec(ctx, stableSession).ReadAll(); err != nil {
		return nil, fmt.Errorf("prepare session: %w", err)
	}
	return conn, nil
}

func serverMajor(conn *pgx.Conn) (int, error) {
	version := conn.PgConn().ParameterStatus("server_version")
	number, _, _ := strings.Cut(version, ".")
	major, err := strconv.Atoi(strings.TrimRightFunc(number, func(r rune) bool { return r < '0' || r > '9' }))
	if err != nil {
		return 0, fmt.Errorf("server calls itself version %q", version)
	}
	return major, nil
}
