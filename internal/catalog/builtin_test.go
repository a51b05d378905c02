package catalog_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/catalog"
	"github.com/replank/replank/internal/localpg"
	"github.com/replank/replank/internal/pgtest"
)

const builtinFile = "../../ddl/builtin.tsv"

// TestBuiltin compares what ddl knows of plain servers with what Load finds on them: on the major under test and on the
// newest. With REPLANK_UPDATE=1 it asks all majors and writes the file which ddl carries.
func TestBuiltin(t *testing.T) {
	majors := []int{pgtest.Major(t), ddl.NewestMajor}
	update := os.Getenv("REPLANK_UPDATE") != ""
	if update {
		majors = nil
		for m := ddl.OldestMajor; m <= ddl.NewestMajor; m++ {
			majors = append(majors, m)
		}
	}
	slices.Sort(majors)
	facts := map[int]*ddl.Facts{}
	for _, major := range slices.Compact(majors) {
		facts[major] = plainFacts(t, major)
		if update {
			continue
		}
		if d := cmp.Diff(facts[major], ddl.Builtin(major)); d != "" {
			t.Errorf("PostgreSQL %d, - server, + ddl.Builtin (REPLANK_UPDATE=1 writes it anew):\n%s", major, d)
		}
	}
	if update {
		if err := os.WriteFile(builtinFile, []byte(builtinText(facts)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// plainFacts are those of a new database on a server of a major version.
func plainFacts(t *testing.T, major int) *ddl.Facts {
	dsn := ""
	if major == pgtest.Major(t) {
		dsn = pgtest.DB(t)
	} else {
		c, err := localpg.Start(context.Background(), localpg.Config{Major: major})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Stop(context.Background())
		dsn = c.DSN("postgres")
	}
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	return load(t, conn, catalog.Options{}).Facts
}

// builtinText writes facts as ddl reads them: a block for each range of majors that agree.
func builtinText(facts map[int]*ddl.Facts) string {
	known := map[string][]int{}
	for major := ddl.OldestMajor; major <= ddl.NewestMajor; major++ {
		for _, line := range builtinLines(facts[major]) {
			known[line] = append(known[line], major)
		}
	}
	blocks := map[string][]string{}
	for line, majors := range known {
		for len(majors) > 0 {
			n := 1
			for n < len(majors) && majors[n] == majors[n-1]+1 {
				n++
			}
			span := fmt.Sprint(majors[0])
			if n > 1 {
				span += fmt.Sprint("-", majors[n-1])
			}
			blocks[span] = append(blocks[span], line)
			majors = majors[n:]
		}
	}
	var out strings.Builder
	for _, span := range slices.Sorted(maps.Keys(blocks)) {
		slices.Sort(blocks[span])
		out.WriteString(span + "\n" + strings.Join(blocks[span], "\n") + "\n")
	}
	return out.String()
}

func builtinLines(f *ddl.Facts) []string {
	var out []string
	line := func(fields ...any) {
		text := make([]string, len(fields))
		for i, v := range fields {
			if b, ok := v.(byte); ok {
				v = string(rune(b))
			}
			text[i] = fmt.Sprint(v)
		}
		out = append(out, strings.Join(text, "\t"))
	}
	mark := func(set bool, letter string) string {
		if set {
			return letter
		}
		return "-"
	}
	for n, b := range f.Types {
		line("t", n.Name, b.OID, b.Len, mark(b.ByValue, "v"), b.Category, b.Kind, b.Storage, mark(b.Collates, "c"), b.Text)
	}
	for k, c := range f.Casts {
		line("c", k.From, k.To, c.Method, c.Context, c.Function, c.Volatility)
	}
	for letter, set := range map[string]map[string]bool{"i": f.Immutable, "s": f.Stable, "v": f.Volatile} {
		for name := range set {
			line(letter, name)
		}
	}
	for _, e := range f.Extensions {
		line("e", e.Name, e.Version, e.Schema)
	}
	return out
}
