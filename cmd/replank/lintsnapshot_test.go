package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
)

// toolFolders are small histories of two migrations, of which the second drops the column that the first makes.
var toolFolders = map[history.Format][]string{
	history.Goose: {"m/00001_a.sql", "-- +goose Up\nCREATE TABLE a (id int PRIMARY KEY, n int);\n",
		"m/00002_b.sql", "-- +goose Up\nALTER TABLE a DROP COLUMN n;\n"},
	history.GolangMigrate: {"m/1_a.up.sql", "CREATE TABLE a (id int PRIMARY KEY, n int);\n", "m/1_a.down.sql", "DROP TABLE a;\n",
		"m/2_b.up.sql", "ALTER TABLE a DROP COLUMN n;\n", "m/2_b.down.sql", "SELECT 1;\n"},
	history.Dbmate: {"m/20260101000000_a.sql", "-- migrate:up\nCREATE TABLE a (id int PRIMARY KEY, n int);\n-- migrate:down\nDROP TABLE a;\n",
		"m/20260102000000_b.sql", "-- migrate:up\nALTER TABLE a DROP COLUMN n;\n-- migrate:down\n"},
	history.Flyway: {"m/V1__a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int);\n", "m/V2__b.sql", "ALTER TABLE a DROP COLUMN n;\n",
		"m/R__view.sql", "CREATE OR REPLACE VIEW v AS SELECT 1 AS one;\n"},
	history.Sqitch: {"m/sqitch.conf", "[core]\n\tengine = pg\n",
		"m/sqitch.plan", "%syntax-version=1.0.0\n%project=shop\n\na 2026-01-01T00:00:00Z A <a@example.com> # a\nb [a] 2026-01-02T00:00:00Z A <a@example.com> # b\n",
		"m/deploy/a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int);\n", "m/deploy/b.sql", "ALTER TABLE a DROP COLUMN n;\n"},
}

// TestSnapshotKnowsBooks: what a tool's table says is applied is recognised from a snapshot, as it is from the table.
func TestSnapshotKnowsBooks(t *testing.T) {
	t.Parallel()
	for format, files := range toolFolders {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.DB(t)
			c := newCLI(t, dsn)
			c.write(files...)
			h, err := history.Open(filepath.Join(c.dir, "m"))
			if err != nil {
				t.Fatal(err)
			}
			if h.Format != format {
				t.Fatalf("it is read as %s", h.Format)
			}
			var sql []string
			for _, s := range slices.Concat(h.Books.Create(), h.Books.Record(h.Migrations[0])) {
				sql = append(sql, s.Text())
			}
			first := slices.IndexFunc(h.Migrations, func(m history.Migration) bool { return strings.HasPrefix(m.Version, "R ") })
			if first >= 0 {
				for _, s := range h.Books.Record(h.Migrations[first]) {
					sql = append(sql, s.Text())
				}
			}
			if format == history.Sqitch {
				sql = append(sql, "INSERT INTO sqitch.projects (project, creator_name, creator_email) VALUES ('other', 'o', 'o')",
					`INSERT INTO sqitch.changes (change_id, script_hash, change, project, note, committer_name, committer_email, planned_at, planner_name, planner_email)
					VALUES ('of another project', 'x', 'x', 'other', '', 'o', 'o', now(), 'o', 'o')`)
			}
			pgtest.Exec(t, dsn, "CREATE TABLE a (id int PRIMARY KEY, n int)", "CREATE VIEW v AS SELECT 1 AS one")
			pgtest.Exec(t, dsn, sql...)
			c.write("s.json", c.want(exitOK, "snapshot").out)
			r := c.run("lint", "m", "--snapshot", "s.json")
			contains(t, r.out, "[drop-column]", "of 1 file")
			if strings.Contains(r.out, "already exists") {
				t.Errorf("what is applied was applied again:\n%s", r.out)
			}
		})
	}
}

// TestSnapshotAnswers: what a snapshot holds of a table is what its Books would read from it.
func TestSnapshotAnswers(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DB(t)
	c := newCLI(t, dsn)
	c.write(toolFolders[history.Flyway]...)
	h, err := history.Open(filepath.Join(c.dir, "m"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range h.Books.Create() {
		pgtest.Exec(t, dsn, s.Text())
	}
	pgtest.Exec(t, dsn, `INSERT INTO flyway_schema_history (installed_rank, version, description, type, script, checksum, installed_by, execution_time, success) VALUES
		(0, NULL, 'made', 'SCHEMA', 'x', NULL, 'x', 0, true), (1, '1', 'base', 'BASELINE', 'x', NULL, 'x', 0, true), (2, '2', 'b', 'SQL', 'V2__b.sql', 5, 'x', 0, false),
		(3, NULL, 'view', 'SQL', 'R__view.sql', 7, 'x', 0, true), (4, NULL, 'view', 'SQL', 'R__view.sql', 8, 'x', 0, true),
		(5, '3', 'gone', 'SQL', 'x', 1, 'x', 0, true), (6, '3', 'gone', 'DELETE', 'x', 1, 'x', 0, true)`)
	conn := pgtest.Connect(t, dsn)
	rows, err := conn.Query(context.Background(), h.Books.Applied().SQL)
	if err != nil {
		t.Fatal(err)
	}
	want, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	c.write("s.json", c.want(exitOK, "snapshot").out)
	snap, err := readSnapshot(filepath.Join(c.dir, "s.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(snap.Applied) != 1 || !slices.Equal(snap.Applied[0].Versions, want) || len(want) != 3 {
		t.Errorf("the snapshot has %v, the books have %v", snap.Applied, want)
	}
}

// TestSnapshotKnowsTheJournal: what replank has applied itself, from files of no tool.
func TestSnapshotKnowsTheJournal(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DB(t)
	c := newCLI(t, dsn)
	c.write("m/001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int);\n")
	c.want(exitOK, "apply", "m")
	c.write("m/002_b.sql", "ALTER TABLE a DROP COLUMN n;\n", "s.json", c.want(exitOK, "snapshot").out)
	r := c.run("lint", "m", "--snapshot", "s.json")
	contains(t, r.out, "[drop-column]", "of 1 file")
	if strings.Contains(r.out, "already exists") {
		t.Errorf("what is applied was applied again:\n%s", r.out)
	}
	r = c.run("lint", "m", "--snapshot", "s.json", "--server", "12")
	contains(t, r.err, "--server = 12 does not count")
	text, err := os.ReadFile(filepath.Join(c.dir, "s.json"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`"version":[0-9]{6}`)
	if n := len(version.FindAll(text, -1)); n != 1 {
		t.Fatalf("the version of the server stands there %d times: %.300s", n, text)
	}
	c.write("future.json", version.ReplaceAllString(string(text), `"version":990001`), "past.json", version.ReplaceAllString(string(text), `"version":90600`))
	r = c.want(exitUsage, "lint", "m", "--snapshot", "future.json")
	contains(t, r.err, "future.json", "the snapshot is of PostgreSQL 99, this replank knows 12 to 18", "use a newer replank")
	contains(t, c.want(exitUsage, "verify", "m", "--snapshot", "past.json").err, "PostgreSQL 9, this replank knows 12 to 18")
}

// TestStatusReadsTheToolsBooks: what the tool's table says is applied is not pending.
func TestStatusReadsTheToolsBooks(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DB(t)
	c := newCLI(t, dsn)
	c.write(toolFolders[history.Goose]...)
	h, err := history.Open(filepath.Join(c.dir, "m"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range slices.Concat(h.Books.Create(), h.Books.Record(h.Migrations[0])) {
		pgtest.Exec(t, dsn, s.Text())
	}
	pgtest.Exec(t, dsn, "CREATE TABLE a (id int PRIMARY KEY, n int)")
	r := c.want(exitNotYet, "status", "--gate", "m")
	contains(t, r.err, "not applied: 00002_b")
	if strings.Contains(r.err, "00001_a") {
		t.Errorf("goose has applied it: %s", r.err)
	}
}
