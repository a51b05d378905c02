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
	"time"

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
SET default_transaction_isolation = 'repeatable read'; SET statement_timeout = 0; SET lock_timeout = 0; SET jit = off;
SET plan_cache_mode = force_generic_plan; SET join_collapse_limit = 1`

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

// View looks at one database, as often as one likes, over one connection: a new one would have to learn the catalog
// first, which takes longer than to read it.
type View struct {
	t       testing.TB
	dsn     string
	options viewOptions
	conn    *pgx.Conn
}

// Look opens a view of a database, for as long as the test runs.
func Look(t testing.TB, dsn string, opts ...ViewOption) *View {
	t.Helper()
	v := &View{t: t, dsn: dsn, options: newViewOptions(opts)}
	var err error
	if v.conn, err = stableConn(context.Background(), dsn); err != nil {
		t.Fatalf("look at %s: %v", Database(dsn), err)
	}
	t.Cleanup(v.close)
	return v
}

func (v *View) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = v.conn.Close(ctx) // it has only read, and the test may have ended the server
}

// Dump returns the shape of the database as text: every object outside schema replank and the system's schemas with all
// its properties, in a fixed order, one property a line, so that two dumps are equal if and only if the shapes are, and
// a diff says what differs. Not part of the shape: sequence positions, attribute numbers and other identifiers,
// storage and statistics. It needs no pg_dump and works on every supported version.
func (v *View) Dump() string {
	v.t.Helper()
	return v.read("shape", dumpIn)
}

// Data returns the contents of all tables and materialized views of the user as text: rows sorted, columns in the order
// of their names (so that the order of columns does not matter), every value as PostgreSQL prints it. A table of more
// than 500 rows appears as its number of rows and a digest of them, unless AllRows is given.
func (v *View) Data() string {
	v.t.Helper()
	return v.read("data", dataIn)
}

// read calls fn with one snapshot of the database.
func (v *View) read(what string, fn func(context.Context, pgx.Tx, viewOptions) (string, error)) (text string) {
	v.t.Helper()
	ctx := context.Background()
	err := pgx.BeginTxFunc(ctx, v.conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		text, err = fn(ctx, tx, v.options)
		return err
	})
	if err != nil {
		v.t.Fatalf("%s of %s: %v", what, Database(v.dsn), err)
	}
	return text
}

// Dump is [View.Dump] for one look.
func Dump(t testing.TB, dsn string, opts ...ViewOption) string {
	t.Helper()
	v := Look(t, dsn, opts...)
	defer v.close()
	return v.Dump()
}

// Data is [View.Data] for one look.
func Data(t testing.TB, dsn string, opts ...ViewOption) string {
	t.Helper()
	v := Look(t, dsn, opts...)
	defer v.close()
	return v.Data()
}

// dumpIn is Dump inside a transaction of a stable session.
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
