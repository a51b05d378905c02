package lint_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/measure"
	"github.com/replank/replank/lint"
)

// TestMatrix judges every recorded form on every version without a database: none that keeps others out while it
// works on all rows is missed, none that does not is blamed for it.
func TestMatrix(t *testing.T) {
	fixture, err := os.ReadFile("../ddl/testdata/ddl_fixture.sql")
	if err != nil {
		t.Fatal(err)
	}
	missed, alarms, judged := 0, 0, 0
	forms, err := measure.ReadRecorded("../ddl/testdata/ddl_effects.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range forms {
		for _, m := range f.Measured {
			for _, major := range m.PG {
				schema := ddl.Empty(major, "postgres")
				if f.TZ != "" {
					schema.TimeZone = f.TZ
				}
				before := string(fixture) + ";\n" + strings.Join(f.Setup, ";\n")
				text := strings.Join(append(slices.Clone(f.Pre), f.SQL), ";\n")
				sources := []lint.Source{
					{Name: "0", Path: "0.sql", Text: before, Deployed: true},
					{Name: "1", Path: "1.sql", Text: text, Tx: lint.Whole, Timeouts: true},
				}
				if f.NoTx != 0 {
					sources[1].Tx = lint.Each
				}
				report := lint.Run(lint.Config{Schema: schema}, sources)
				var blamed []string
				for _, x := range report.Findings {
					if x.Severity == lint.Error {
						blamed = append(blamed, x.Rule)
					}
				}
				judged++
				heavy, _ := f.Heavy(major)
				switch {
				case m.Err != "":
					if len(blamed) == 0 {
						t.Errorf("%d %s: PostgreSQL refuses %s (%s), and nothing is said", major, f.ID, f.SQL, m.Err)
					}
				case heavy:
					if len(blamed) == 0 {
						missed++
						t.Errorf("%d %s: missed %s", major, f.ID, f.SQL)
					}
				default:
					if work := slices.DeleteFunc(blamed, func(id string) bool { r := lint.RuleByID(id); return !strings.HasPrefix(r.Family, "Locks") }); len(work) > 0 {
						alarms++
						t.Errorf("%d %s: false alarm %v: %s", major, f.ID, work, f.SQL)
					}
				}
			}
		}
	}
	t.Logf("%d forms and versions, %d missed, %d false alarms", judged, missed, alarms)
	if judged < 126*7-10 {
		t.Errorf("only %d forms and versions were judged", judged)
	}
}
