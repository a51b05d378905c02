package measure_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/measure"
	"github.com/replank/replank/lint"
)

// verdict compares what lint says of a statement with what was seen on the server: it must report one that keeps
// others out while it works on all rows of a table, and must not blame one that does not; it must report one that the
// server refuses. Tables are big, whatever they are here.
//
// With before it is lint without a database that is asked: s then stands behind the fixtures as they were read, and
// before are the statements that ran since.
func verdict(s *ddl.Schema, complete bool, before []string, sql string, facts measure.Facts, refused error) string {
	report := lint.Run(lint.Config{Schema: s, Complete: complete, SmallRows: 1, SmallBytes: 1},
		[]lint.Source{{Name: "before", Path: "before.sql", Text: strings.Join(before, ";\n"), Deployed: true},
			{Name: "form", Path: "form.sql", Text: sql, Timeouts: true}})
	var errors, work []string
	for _, f := range report.Findings {
		if f.Severity != lint.Error {
			continue
		}
		errors = append(errors, f.Rule)
		if strings.HasPrefix(lint.RuleByID(f.Rule).Family, "Locks") {
			work = append(work, f.Rule)
		}
	}
	heavy := heavyWork(s, facts)
	switch {
	case refused != nil && !complete: // for what nobody has told lint, perhaps
	case refused != nil && !slices.Contains(errors, "fails"):
		return fmt.Sprintf("the server refuses it (%v), lint says %q", refused, errors)
	case refused != nil:
	case heavy != "" && len(errors) == 0:
		return "lint says nothing, and it " + heavy
	case heavy == "" && len(work) > 0:
		return fmt.Sprintf("lint blames it: %q, and nobody waits for work on all rows", work)
	}
	return ""
}

// unjudged are the schemas behind the fixtures as lint reads them without a database, by version.
var unjudged = map[int]*ddl.Schema{}

// withoutDatabase is what lint knows before a form when it has read the fixtures and no server.
func withoutDatabase(t *testing.T, major int, tz string) *ddl.Schema {
	t.Helper()
	if unjudged[major] == nil {
		var sources []lint.Source
		for _, file := range []string{"ddl_fixture.sql", "forms_fixture.sql"} {
			text, err := os.ReadFile(testdata + file)
			if err != nil {
				t.Fatal(err)
			}
			sources = append(sources, lint.Source{Name: file, Path: file, Text: string(text), Deployed: true})
		}
		unjudged[major] = lint.Run(lint.Config{Schema: ddl.Empty(major, "postgres")}, sources).After
	}
	s := unjudged[major].Clone()
	s.TimeZone = tz
	return s
}

// heavyWork says what others waited for; "" where it was nothing.
func heavyWork(s *ddl.Schema, facts measure.Facts) string {
	if len(facts.Rewritten) > 0 {
		return fmt.Sprint("rewrites ", facts.Rewritten)
	}
	for n, mode := range facts.Locks {
		// Nobody but REFRESH writes to a materialized view.
		if r := s.Relation(n); !mode.BlocksWrites() || r != nil && r.Kind == 'm' && !mode.BlocksReads() {
			continue
		}
		if len(facts.Scanned)+len(facts.Reindexed) > 0 {
			return fmt.Sprintf("reads %v and builds %v while it holds %s on %s", facts.Scanned, facts.Reindexed, mode, n)
		}
	}
	return ""
}
