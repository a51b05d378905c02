package equivalence

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/replank/replank/history"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

// randomSeeds is how many files are made by default, from the seeds 1 and up. REPLANK_TEST_RANDOM=N makes N instead,
// REPLANK_TEST_SEED=S one from seed S alone, both together N from S on.
const randomSeeds = 12

// everything are all consents: what a person accepts must still end where psql ends.
var everything = []string{"irreversible", "column-order", "lost-writes", "triggers", "subscribers", "room"}

// TestRandomFiles: a file of a few statements about the same tables, where one defers something to complete and the
// next meets it, is refused before anything is changed or ends where psql ends. A finding is cut down to the fewest
// statements that show it.
func TestRandomFiles(t *testing.T) {
	roles(t)
	var templates [2]string
	for i, parted := range []bool{false, true} {
		templates[i] = pgtest.DB(t)
		pgtest.Exec(t, templates[i], randomFixture(parted))
	}
	first, files := uint64(1), uint64(randomSeeds)
	if s := os.Getenv("REPLANK_TEST_SEED"); s != "" {
		first, files = number(t, s), 1
	}
	if s := os.Getenv("REPLANK_TEST_RANDOM"); s != "" {
		files = number(t, s)
	}
	var said [3]atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for seed := first; seed < first+files; seed++ {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				file, parted := randomFile(seed)
				template := templates[0]
				if parted {
					template = templates[1]
				}
				v, file, why := tryFile(t, template, file)
				if v != wrong {
					said[v].Add(1)
					t.Logf("%s\n%s", strings.Join(file, "\n"), why)
					return
				}
				t.Errorf("REPLANK_TEST_SEED=%d, partitioned %v:\n%s\n\n%s", seed, parted, strings.Join(file, "\n"), why)
				if small, why := smallest(t, template, file); len(small) < len(file) {
					t.Errorf("the same with fewer statements:\n%s\n\n%s", strings.Join(small, "\n"), why)
				}
			})
		}
	})
	t.Logf("%d files done as psql does them, %d refused, %d that psql refuses", said[done].Load(), said[refused].Load(), said[discarded].Load())
	if files >= randomSeeds && said[discarded].Load()*2 > int64(files) {
		t.Errorf("psql refuses %d of %d files: the grammar tests too little", said[discarded].Load(), files)
	}
}

func number(t *testing.T, s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// verdict is what a file came to.
type verdict int

const (
	done      verdict = iota // as psql does it
	refused                  // before anything was changed
	discarded                // psql refuses it
	wrong
)

// failed finds the lines of a script on which psql has said no.
var failed = regexp.MustCompile(`(?m)^psql:<stdin>:(\d+): ERROR`)

// tryFile carries a file out by psql and by replank and says how they differ. A statement a line: those that psql fails
// at, or replank refuses, are left out, so that long files of random statements still come to something. It returns what
// was left.
func tryFile(t *testing.T, template string, file []string) (verdict, []string, string) {
	ctx := context.Background()
	online := pgtest.DB(t, pgtest.From(template))
	e := open(t, migrate.Config{DSN: online, Accept: everything, BigRows: -1, BigBytes: -1})
	defer e.Close()
	look := pgtest.Look(t, online, pgtest.IgnoreColumnOrder())
	shape, rows := look.Dump(), look.Data()
	for why, verdict := "", discarded; ; {
		oracle := pgtest.DB(t, pgtest.From(template))
		out, err := pgtest.Psql(t, oracle, strings.Join(file, "\n"), "--set=ON_ERROR_STOP=0")
		if err != nil {
			t.Fatalf("psql: %v\n%s", err, out)
		}
		for _, m := range slices.Backward(failed.FindAllStringSubmatch(out, -1)) {
			line := number(t, m[1])
			file = slices.Delete(slices.Clone(file), int(line-1), int(line))
		}
		if len(file) == 0 {
			return verdict, nil, why
		}
		ms := migration(t, "0001_random.sql", strings.Join(file, "\n"))
		_, err = e.Apply(ctx, ms)
		var r *plan.Refusal
		if errors.As(err, &r) && r.Code != "" {
			if d := pgtest.Diff(shape, look.Dump()) + pgtest.Diff(rows, look.Data()); d != "" {
				return wrong, file, r.Error() + "\nafter the refusal there differs (-want +got):\n" + d
			}
			t.Logf("%s\n%v", file[r.Pos.Line-1], r)
			file, why, verdict = slices.Delete(slices.Clone(file), r.Pos.Line-1, r.Pos.Line), why+r.Error()+"\n", refused
			continue
		}
		if err != nil {
			return wrong, file, "apply: " + err.Error()
		}
		if why := rest(t, e, ms, oracle, look, shape, rows); why != "" {
			return wrong, file, why
		}
		return done, file, why
	}
}

// rest is the life of a migration that is applied: back, forth, to the end and, where that can be, back again.
func rest(t *testing.T, e *migrate.Engine, ms []history.Migration, oracle string, look *pgtest.View, shape, rows string) string {
	ctx := context.Background()
	differs := func(what, shape, rows string) string {
		if d := pgtest.Diff(shape, look.Dump()); d != "" {
			return fmt.Sprintf("shape %s differs (-want +got):\n%s", what, d)
		}
		if d := pgtest.Diff(rows, look.Data()); d != "" {
			return fmt.Sprintf("rows %s differ (-want +got):\n%s", what, d)
		}
		return ""
	}
	if _, err := e.Revert(ctx, ""); err == nil {
		if d := differs("after revert", shape, rows); d != "" {
			return d
		}
		if _, err := e.Apply(ctx, ms); err != nil {
			return "apply again: " + err.Error()
		}
	} else if migrate.VerdictOf(err) != migrate.VerdictRefused {
		return "revert: " + err.Error()
	}
	if _, err := e.Complete(ctx, "", migrate.CompleteOptions{NoOldReaders: true}); err != nil {
		return "complete: " + err.Error()
	}
	want := pgtest.Look(t, oracle, pgtest.IgnoreColumnOrder())
	if d := differs("after complete", want.Dump(), want.Data()); d != "" {
		return d
	}
	// What complete has not made irreversible goes back even then.
	if _, err := e.Revert(ctx, ""); err == nil {
		if d := differs("after complete and revert", shape, rows); d != "" {
			return d
		}
	} else if migrate.VerdictOf(err) != migrate.VerdictRefused {
		return "revert after complete: " + err.Error()
	}
	return ""
}

// smallest leaves out statements for as long as what is left goes wrong.
func smallest(t *testing.T, template string, file []string) (small []string, why string) {
	for i := 0; i < len(file); {
		less := slices.Delete(slices.Clone(file), i, i+1)
		if v, left, w := tryFile(t, template, less); v == wrong {
			file, why, i = left, w, 0
		} else {
			i++
		}
	}
	return file, why
}
