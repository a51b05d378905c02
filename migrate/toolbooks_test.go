package migrate

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
)

// TestToolBooks: what the history's own tool has applied is not applied again, what replank applies is written down in
// the tool's table with the new shape and leaves it with the way back, and a row that the tool took away is noticed.
func TestToolBooks(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"00001_orders.sql": "-- +goose Up\nCREATE TABLE orders (id int PRIMARY KEY, total int);\n-- +goose Down\nDROP TABLE orders;\n",
		"00002_bigger.sql": "-- +goose Up\nALTER TABLE orders ALTER COLUMN total TYPE bigint;\n-- +goose Down\nSELECT 1;\n",
		"00003_index.sql":  "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY orders_total ON orders (total);\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h, err := history.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	dsn := site(t)
	open := func() *Engine {
		e := library{}.open(t, dsn, func(c *Config) { c.Books, c.BigRows, c.BigBytes = h.Books, -1, -1 })
		e.compile = e.compileFile
		return e
	}
	// The first one was applied by goose, whose table stands there.
	pgtest.Exec(t, dsn, "CREATE TABLE orders (id int PRIMARY KEY, total int)")
	for _, s := range h.Books.Create() {
		pgtest.Exec(t, dsn, s.Text())
	}
	for _, s := range h.Books.Record(h.Migrations[0]) {
		pgtest.Exec(t, dsn, s.Text())
	}
	applied := func() (versions []int64) {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		rows, err := conn.Query(ctx, "SELECT version_id FROM goose_db_version WHERE version_id > 0 ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		if versions, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
			t.Fatal(err)
		}
		return versions
	}
	e := open()
	p, err := e.Plan(ctx, h.Migrations)
	if err != nil || p.Files[0].Status != Applied || len(p.Pending()) != 2 {
		t.Fatalf("plan: %+v, %v", p, err)
	}
	sum, err := e.Apply(ctx, h.Migrations[:2])
	if err != nil || len(sum.Ready) != 1 {
		t.Fatalf("apply: %+v, %v (%s)", sum, err, HintOf(err))
	}
	if got := applied(); len(got) != 2 {
		t.Errorf("goose's table after apply: %v", got)
	}
	if _, err := e.Revert(ctx, ""); err != nil {
		t.Fatalf("revert: %v (%s)", err, HintOf(err))
	}
	if got := applied(); len(got) != 1 {
		t.Errorf("goose's table after revert: %v", got)
	}
	if _, err := e.Apply(ctx, h.Migrations[:2]); err != nil {
		t.Fatalf("apply again: %v (%s)", err, HintOf(err))
	}
	if _, err := e.Complete(ctx, "", CompleteOptions{NoOldReaders: true}); err != nil {
		t.Fatalf("complete: %v (%s)", err, HintOf(err))
	}
	if sum, err := e.ApplyDirect(ctx, h.Migrations); err != nil || len(sum.Done) != 1 {
		t.Fatalf("apply --direct: %+v, %v", sum, err)
	}
	if got := applied(); len(got) != 3 || got[2] != 3 {
		t.Errorf("goose's table in the end: %v", got)
	}
	// goose down
	pgtest.Exec(t, dsn, "DROP INDEX orders_total; DELETE FROM goose_db_version WHERE version_id = 3")
	_, err = open().Apply(ctx, h.Migrations)
	wantCode(t, err, Drift)
}

// TestToolBooksFromNothing makes the tool's table together with the first row.
func TestToolBooksFromNothing(t *testing.T) {
	for _, direct := range []bool{false, true} {
		dir := t.TempDir()
		for name, text := range map[string]string{"1_a.up.sql": "CREATE TABLE a (id int);", "2_b.up.sql": "CREATE TABLE b (id int);", "2_b.down.sql": "DROP TABLE b;"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		h, err := history.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		dsn := site(t)
		e := library{}.open(t, dsn, func(c *Config) { c.Books = h.Books })
		e.compile = e.compileFile
		do := e.Apply
		if direct {
			do = e.ApplyDirect
		}
		if sum, err := do(ctx, h.Migrations); err != nil || len(sum.Done) != 2 {
			t.Fatalf("%+v, %v (%s)", sum, err, HintOf(err))
		}
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			t.Fatal(err)
		}
		var version int64
		if err := conn.QueryRow(ctx, "SELECT version FROM schema_migrations WHERE NOT dirty").Scan(&version); err != nil || version != 2 {
			t.Errorf("schema_migrations: %d, %v", version, err)
		}
		conn.Close(ctx)
		if !direct {
			if _, err := e.Revert(ctx, ""); err != nil {
				t.Fatalf("revert: %v (%s)", err, HintOf(err))
			}
		}
	}
}
