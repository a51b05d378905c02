package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
)

// TestBurndown: the report has what the documents, the decisions and the counts say, and a limit that does not hold ends
// a pipeline.
func TestBurndown(t *testing.T) {
	dsn := pgtest.DB(t)
	c := newCLI(t, dsn)
	c.write("modern.json", openAPI("true", "/invoices/{id}"))
	c.write("legacy.json", openAPI("true", "/invoices/{id}", "/export.csv", "/reports"))
	c.write("replank.toml", "[gateway]\nmodern_routes = \"modern.json\"\nlegacy_routes = \"legacy.json\"\n")
	c.want(exitOK, "routes", "waive", "/export.csv", "--because", "goes away")
	c.want(exitOK, "routes", "own", "/reports", "team billing")
	pgtest.Exec(t, dsn, `INSERT INTO replank.traffic VALUES
		((now() AT TIME ZONE 'UTC')::date, '/invoices/{id}', 'GET', 'modern', 30, 0), ((now() AT TIME ZONE 'UTC')::date, '/reports', 'GET', 'legacy', 10, 1)`)

	contains(t, c.want(exitOK, "burndown").out, "75.0%", "team billing", "goes away")
	var r struct {
		Routes  struct{ All, Ported, Waived, Legacy int }
		Traffic struct {
			All struct{ Modern, Requests int }
		}
	}
	out := c.want(exitOK, "burndown", "--json").out
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Routes.All != 3 || r.Routes.Ported != 1 || r.Routes.Waived != 1 || r.Routes.Legacy != 1 {
		t.Errorf("%v: %+v\n%s", err, r, out)
	}
	c.want(exitOK, "burndown", "--ci", "max-legacy=1", "--ci", "min-traffic=75%")
	contains(t, c.want(exitFailed, "burndown", "--ci", "max-legacy=0,min-traffic=80%").err, "max-legacy=0", "min-traffic=80%")
	contains(t, c.want(exitUsage, "burndown", "--ci", "max-wrong-way=0").err, "max-wrong-way=0")
	contains(t, c.want(exitUsage, "burndown", "--ci", "max-routes=0").err, "max-legacy")

	c.want(exitOK, "burndown", "--html", "page.html")
	if page := c.read("page.html"); !strings.Contains(page, "<svg") || !strings.Contains(page, "team billing") {
		t.Errorf("%.400s", page)
	}
	c.write("replank.toml", "")
	contains(t, c.want(exitUsage, "burndown").err, "legacy_routes", "discover")
}
