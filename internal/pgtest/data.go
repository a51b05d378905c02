package pgtest

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// listedRows is how many rows of a table Data lists; of bigger ones it gives number and digest.
const listedRows = 500

//go:embed data_tables.sql
var dataTablesSQL string

// dataIn is Data inside a transaction of a stable session.
func dataIn(ctx context.Context, tx pgx.Tx, o viewOptions) (string, error) {
	type table struct {
		Name    string
		Columns []string
	}
	rows, err := tx.Query(ctx, dataTablesSQL, o.ignoreSchemas, o.ignoreColumns)
	if err != nil {
		return "", err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[table])
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, tb := range tables {
		if err := tableData(ctx, tx, &text, tb.Name, tb.Columns, o.allRows); err != nil {
			return "", fmt.Errorf("%s: %w", tb.Name, err)
		}
	}
	return text.String(), nil
}

// unprepared: the type of a column may have changed since an earlier look.
const unprepared = pgx.QueryExecModeExec

// tableData appends one table's rows or their digest.
func tableData(ctx context.Context, tx pgx.Tx, text *strings.Builder, name string, columns []string, all bool) error {
	printed := make([]string, len(columns))
	for i, column := range columns {
		printed[i] = "quote_nullable(" + column + "::text)"
	}
	row := "concat_ws(', ', " + strings.Join(append([]string{"NULL"}, printed...), ", ") + ")"
	if len(columns) > 90 { // a call takes 100 arguments
		row = "array_to_string(ARRAY[" + strings.Join(printed, ", ") + "], ', ')"
	}
	// The digest is a sum over rows, so it needs no sort and no memory: equal for equal multisets of rows.
	var count int64
	var digest string
	err := tx.QueryRow(ctx, `SELECT count(*), coalesce(sum(('x' || left(h, 16))::bit(64)::bigint::numeric), 0) || ' ' ||
		coalesce(sum(('x' || right(h, 16))::bit(64)::bigint::numeric), 0)
		FROM (SELECT md5(`+row+`) AS h FROM ONLY `+name+`) AS hashed`, unprepared).Scan(&count, &digest)
	if err != nil {
		return err
	}
	fmt.Fprintf(text, "%s (%s): %d rows\n", name, strings.Join(columns, ", "), count)
	if count > listedRows && !all {
		fmt.Fprintf(text, "    digest %s\n", digest)
		return nil
	}
	result, err := tx.Query(ctx, "SELECT "+row+" FROM ONLY "+name, unprepared)
	if err != nil {
		return err
	}
	lines, err := pgx.CollectRows(result, pgx.RowTo[string])
	if err != nil {
		return err
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Fprintf(text, "    %s\n", line)
	}
	return nil
}

// Diff returns the lines in which two texts differ, "" if they are equal.
func Diff(want, got string) string {
	return cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n"))
}

// SameShape fails the test if two databases differ in shape.
func SameShape(t testing.TB, want, got string, opts ...ViewOption) {
	t.Helper()
	if d := Diff(Dump(t, want, opts...), Dump(t, got, opts...)); d != "" {
		t.Errorf("shape differs (-%s +%s):\n%s", Database(want), Database(got), d)
	}
}

// SameData fails the test if two databases differ in their rows.
func SameData(t testing.TB, want, got string, opts ...ViewOption) {
	t.Helper()
	if d := Diff(Data(t, want, opts...), Data(t, got, opts...)); d != "" {
		t.Errorf("rows differ (-%s +%s):\n%s", Database(want), Database(got), d)
	}
}
