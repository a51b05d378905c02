package lint_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/lint"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// otherEnd are the rules whose fix ends elsewhere on purpose: it leaves out the index that nobody needs, keeps the default
// that old code needs, and gives a value where the original fails.
var otherEnd = []string{"duplicate-index", "default-dropped", "required-column", "concurrently-in-transaction", "enum-value-in-transaction"}

// TestLintFix is the proof of lint's fixes: each file is executed as its tool would, and all of them end with the shape
// and the rows of the original. Where PostgreSQL refuses the original, or the end is another one on purpose, they must
// at least run.
func TestLintFix(t *testing.T) {
	paths, err := filepath.Glob(rulesDir + "/*/bad*.sql")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	templates := map[string]string{}
	proven := 0
	for _, path := range paths {
		e := readExample(t, path)
		if e.server > pgtest.Major(t) {
			continue
		}
		if e.server == 0 && len(e.cfg.Schema.Relations) == 0 { // nothing is known but what the files say
			e.cfg.Schema = ddl.Empty(pgtest.Major(t), "postgres")
		}
		fixed := lint.Fix(e.cfg, []lint.Source{e.before, e.source})
		if len(fixed) != 1 || len(fixed[0].Files) == 0 {
			continue
		}
		proven++
		template := templates[e.deployed]
		if template == "" {
			template = pgtest.DB(t)
			pgtest.Exec(t, template, e.deployed)
			templates[e.deployed] = template
		}
		rule := filepath.Base(filepath.Dir(path))
		t.Run(rule+"/"+filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			want, got := pgtest.DB(t, pgtest.From(template)), pgtest.DB(t, pgtest.From(template))
			for _, f := range fixed[0].Files {
				if f.Migration() {
					if err := runAsTool(t, got, f.Source(e.source)); err != nil {
						t.Fatalf("%s: %v\n%s", f.Path, err, f.Text)
					}
				}
			}
			err := runAsTool(t, want, e.source)
			if slices.Contains(otherEnd, rule) {
				if err == nil && rule != "duplicate-index" && rule != "default-dropped" && !strings.HasPrefix(filepath.Base(path), "bad-begin") {
					t.Error("the original runs: it should be compared")
				}
				return
			}
			if err != nil {
				t.Fatalf("the original: %v", err)
			}
			pgtest.SameShape(t, want, got)
			pgtest.SameData(t, want, got)
		})
	}
	if proven < 20 {
		t.Errorf("only %d examples are fixed", proven)
	}
}

// runAsTool executes a migration as the tool of its history does.
func runAsTool(t *testing.T, dsn string, s lint.Source) error {
	t.Helper()
	ctx := context.Background()
	switch s.Tx {
	case lint.Each:
		out, err := pgtest.Psql(t, dsn, s.Text)
		if err != nil {
			t.Log(out)
		}
		return err
	case lint.Whole:
		conn := pgtest.Connect(t, dsn)
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			_, err := tx.Conn().PgConn().Exec(ctx, s.Text).ReadAll()
			return err
		})
	}
	return pgtest.TryExec(dsn, s.Text)
}
