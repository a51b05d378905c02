package history

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/replank/replank/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// TestSameAsTheTool has a real tool apply its folder to one database, while another gets each migration's Text and what
// Books says. Tables, rows and books have to be the same (times apart), the tool has to find nothing to do on the
// second, and what Erase says has to be what the tool's own way back leaves.
func TestSameAsTheTool(t *testing.T) {
	const steps = 2 // back
	for _, tool := range []struct {
		format  Format
		program func(t *testing.T) func(dsn, command string) string // up, down (one step), and up again on what is done
		done    string                                              // what it prints when nothing is left to do
		ignore  []string
	}{
		{Goose, runGoose, "no migrations to run", []string{"public.goose_db_version.tstamp"}},
		{GolangMigrate, runMigrate, "no change", nil},
		{Dbmate, runDbmate, "", nil},
		{Flyway, runFlyway, "migrations: 0", []string{"public.flyway_schema_history.installed_on", "public.flyway_schema_history.execution_time"}},
		{Sqitch, runSqitch, "Nothing to deploy", sqitchTimes},
	} {
		t.Run(string(tool.format), func(t *testing.T) {
			t.Parallel() // most of it is waiting for programs to start
			command := tool.program(t)
			h, err := Config{Getenv: lookup}.Open(filepath.Join("testdata", string(tool.format)))
			if err != nil {
				t.Fatal(err)
			}
			if h.Format != tool.format {
				t.Fatalf("read as %s, because %s", h.Format, h.Because)
			}
			theirs, ours := pgtest.DB(t), pgtest.DB(t)
			command(theirs, "up")
			b := newBookkeeper(t, h, ours)
			b.up()
			var options []pgtest.ViewOption
			for _, c := range tool.ignore {
				options = append(options, pgtest.IgnoreColumn(c))
			}
			compare := func(when string) {
				t.Helper()
				if d := pgtest.Diff(pgtest.Dump(t, theirs), pgtest.Dump(t, ours)); d != "" {
					t.Errorf("%s: shape (-%s +ours)\n%s", when, tool.format, d)
				}
				if d := pgtest.Diff(pgtest.Data(t, theirs, options...), pgtest.Data(t, ours, options...)); d != "" {
					t.Errorf("%s: rows (-%s +ours)\n%s", when, tool.format, d)
				}
				if d := cmp.Diff(answer(t, h, theirs), answer(t, h, ours)); d != "" {
					t.Errorf("%s: applied (-%s +ours)\n%s", when, tool.format, d)
				}
			}
			compare("up")
			if left, err := h.Pending(answer(t, h, theirs)); err != nil || len(left) > 0 {
				t.Errorf("after %s applied all: %v, %v are left", tool.format, names(left), err)
			}
			before := pgtest.Data(t, ours)
			if out := command(ours, "up"); !strings.Contains(out, tool.done) {
				t.Errorf("%s finds something to do:\n%s", tool.format, out)
			}
			if d := pgtest.Diff(before, pgtest.Data(t, ours)); d != "" {
				t.Errorf("%s has changed what was up to date:\n%s", tool.format, d)
			}
			if tool.format == Flyway {
				return // its way back is sold apart
			}
			for range steps {
				command(theirs, "down")
				b.down()
				compare("down")
			}
			left, err := h.Pending(answer(t, h, theirs))
			if err != nil || len(left) != steps {
				t.Fatalf("some steps back: %v, %v are left", names(left), err)
			}
			// Each goes on with what the other has left.
			command(ours, "up")
			newBookkeeper(t, h, theirs).apply(left)
			compare("up on each other's books")
		})
	}
}

const sqitchRegistrySchema = `"changes of sqitch".`

var sqitchTimes = []string{
	sqitchRegistrySchema + "changes.committed_at", sqitchRegistrySchema + "events.committed_at", sqitchRegistrySchema + "tags.committed_at",
	sqitchRegistrySchema + "projects.created_at", sqitchRegistrySchema + "releases.installed_at",
}

func answer(t *testing.T, h *History, dsn string) []string {
	t.Helper()
	s := h.Books.Applied()
	rows, err := pgtest.Connect(t, dsn).Query(t.Context(), s.SQL, s.Args...)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// bookkeeper applies a history with psql and writes the books down.
type bookkeeper struct {
	t    *testing.T
	h    *History
	dsn  string
	conn *pgx.Conn
	done []Migration
}

func newBookkeeper(t *testing.T, h *History, dsn string) *bookkeeper {
	return &bookkeeper{t: t, h: h, dsn: dsn, conn: pgtest.Connect(t, dsn)}
}

func (b *bookkeeper) exec(list []Statement) {
	b.t.Helper()
	for _, s := range list {
		if _, err := b.conn.Exec(b.t.Context(), s.SQL, s.Args...); err != nil {
			b.t.Fatalf("%s %v: %v", s.SQL, s.Args, err)
		}
	}
}

func (b *bookkeeper) psql(sql string, flags ...string) {
	b.t.Helper()
	if _, err := pgtest.Psql(b.t, b.dsn, sql, flags...); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

func (b *bookkeeper) up() {
	b.t.Helper()
	s := b.h.Books.Present()
	there := func() (is bool) {
		if err := b.conn.QueryRow(b.t.Context(), s.SQL, s.Args...).Scan(&is); err != nil {
			b.t.Fatal(err)
		}
		return is
	}
	if there() {
		b.t.Fatal("books in an empty database")
	}
	b.exec(b.h.Books.Create())
	if !there() {
		b.t.Fatal("no books after Create")
	}
	b.apply(b.h.Migrations)
}

func (b *bookkeeper) apply(ms []Migration) {
	b.t.Helper()
	for _, m := range ms {
		var flags []string
		if m.Tx == Whole {
			flags = []string{"--single-transaction"}
		}
		b.psql(m.Text, flags...)
		b.exec(b.h.Books.Record(m))
		b.done = append(b.done, m)
	}
}

func (b *bookkeeper) down() {
	b.t.Helper()
	last := b.done[len(b.done)-1]
	b.done = slices.Delete(b.done, len(b.done)-1, len(b.done))
	b.psql(last.Down)
	b.exec(b.h.Books.Erase(last))
}

var gooseEnv = []string{"HISTORY_TEST_AUTHOR=Ämilie"}

// lookup is the environment that the tools get.
func lookup(key string) (string, bool) {
	for _, kv := range gooseEnv {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			return v, true
		}
	}
	return os.LookupEnv(key)
}

func runGoose(t *testing.T) func(dsn, command string) string {
	program := gooseProgram(t)
	return func(dsn, command string) string {
		return mustRun(t, "", gooseEnv, program, "-dir", "testdata/goose", "postgres", dsn, command)
	}
}

func runMigrate(t *testing.T) func(dsn, command string) string {
	program := migrateProgram(t)
	return func(dsn, command string) string {
		args := []string{"-path", "testdata/golang-migrate", "-database", dsn, command}
		if command == "down" {
			args = append(args, "1")
		}
		return mustRun(t, "", nil, program, args...)
	}
}

func runDbmate(t *testing.T) func(dsn, command string) string {
	program := dbmateProgram(t)
	return func(dsn, command string) string {
		if command == "down" {
			command = "rollback"
		} else {
			command = "migrate"
		}
		return mustRun(t, "", nil, program, "--url", dsn, "--migrations-dir", "testdata/dbmate", "--no-dump-schema", command)
	}
}

func runSqitch(t *testing.T) func(dsn, command string) string {
	program := sqitchProgram(t)
	return func(dsn, command string) string {
		args := []string{"deploy"}
		if command == "down" {
			args = []string{"revert", "-y", "--to", "@HEAD^"}
		}
		target := "db:" + strings.Replace(dsn, "postgres://", "pg://", 1)
		return mustRun(t, "testdata/sqitch", nil, program, append(args, target)...)
	}
}

func runFlyway(t *testing.T) func(dsn, command string) string {
	jars := flywayJars(t)
	run, err := filepath.Abs("testdata/Flyway.java")
	if err != nil {
		t.Fatal(err)
	}
	return func(dsn, command string) string {
		host := strings.TrimPrefix(dsn, "postgres://postgres@")
		return mustRun(t, "testdata/flyway", nil, "java", "-cp", jars, run,
			"flyway.url=jdbc:postgresql://"+host, "flyway.user=postgres", "flyway.locations=filesystem:sql",
			"flyway.placeholders.town=Würzburg", "flyway.postgresql.transactional.lock=false")
	}
}
