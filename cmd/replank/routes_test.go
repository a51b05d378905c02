package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
)

// openAPI describes an application with these paths.
func openAPI(complete string, paths ...string) string {
	text := `{"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "x-replank-complete": ` + complete + `, "paths": {`
	for i, path := range paths {
		if i > 0 {
			text += ", "
		}
		params := ""
		if strings.Contains(path, "{id}") {
			params = `"parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}], `
		}
		text += `"` + path + `": {` + params + `"get": {"responses": {"200": {"description": "ok"}}}}`
	}
	return text + "}}"
}

// TestRoutes: what is decided on the command line is what gateways do, and who asks is told who answers and why.
func TestRoutes(t *testing.T) {
	dsn := pgtest.DB(t)
	c := newCLI(t, dsn)
	c.write("modern.json", openAPI("true", "/invoices/{id}"))
	c.write("legacy.json", openAPI("false", "/invoices/{id}", "/export.csv"))
	c.write("replank.toml", "[gateway]\nmodern_routes = \"modern.json\"\nlegacy_routes = \"legacy.json\"\n")

	contains(t, c.want(exitOK, "routes", "show", "/invoices/7").out, "the modern application answers", "legacy: found  /invoices/{id}")
	contains(t, c.want(exitOK, "routes", "show", "/export.csv").out, "the legacy application answers")
	contains(t, c.want(exitOK, "routes", "promote", "/invoices/{id}", "--to", "shadow").out, "of the legacy application: no decision → shadow")
	contains(t, c.want(exitOK, "routes", "show", "/invoices/7").out, "the legacy application answers", "asked too, and compared", "decided: shadow")
	contains(t, c.want(exitUsage, "routes", "promote", "/export.csv", "--to", "modern", "--writes").err, "only phase shadow sends requests to both")
	contains(t, c.want(exitUsage, "routes", "promote", "/invoices/{id}").err, "who goes to the modern application", "--share")
	contains(t, c.want(exitOK, "routes", "promote", "/invoices/{id}", "--share", "10%").out, "shadow → canary")
	var shown struct {
		Route struct {
			Canary struct{ Share float64 }
		}
	}
	if err := json.Unmarshal([]byte(c.want(exitOK, "routes", "show", "/invoices/7", "--json").out), &shown); err != nil || shown.Route.Canary.Share != 0.1 {
		t.Errorf("%+v, %v", shown, err)
	}
	contains(t, c.want(exitOK, "routes", "promote", "/invoices/{id}").out, "canary → modern")
	contains(t, c.want(exitOK, "routes", "promote", "/invoices/{id}").out, "modern → retired")
	contains(t, c.want(exitUsage, "routes", "promote", "/invoices/{id}").err, "last phase")
	contains(t, c.want(exitOK, "routes", "demote", "/invoices/{id}", "--because", "wrong totals").out, "retired → legacy")
	contains(t, c.want(exitOK, "routes", "own", "/export.csv", "team billing").out, "belongs to team billing")
	contains(t, c.want(exitOK, "routes", "waive", "/export.csv", "--because", "goes away", "--until", "2030-01-02").out, "will not be ported: goes away")
	list := c.want(exitOK, "routes", "list").out
	contains(t, list, "/export.csv", "team billing", "goes away (until 2030-01-02)", "/invoices/{id}")
	contains(t, c.want(exitOK, "routes", "waive", "/export.csv", "--off").out, "to be ported again")
	contains(t, c.want(exitOK, "routes", "clear", "/invoices/{id}").out, "legacy → no decision")
	events := pgtest.Value[[]string](t, dsn, "SELECT array_agg(coalesce(after, '-') || because ORDER BY id) FROM replank.route_event")
	if got := strings.Join(events, " "); got != "shadow canary modern retired legacywrong totals -" {
		t.Errorf("%q", got)
	}

	contains(t, c.want(exitOK, "routes", "differences").out, "nothing was compared")
	pgtest.Exec(t, dsn, "INSERT INTO replank.shadow VALUES ((now() AT TIME ZONE 'UTC')::date, '/invoices/{id}', 5, 1, 0, 2)",
		`INSERT INTO replank.shadow_sample (at, template, method, path, result) VALUES (now(), '/invoices/{id}', 'GET', '/invoices/7',
			'{"differences": [{"in": "body", "path": "/total", "kind": "value", "old": "2", "new": "1"}], "total": 1}')`)
	contains(t, c.want(exitOK, "routes", "differences", "/invoices/{id}").out, "GET /invoices/7", "body /total (value): legacy 2, modern 1")
	contains(t, c.want(exitOK, "routes", "differences", "--json").out, `"same":5`, `"dropped":2`)

	contains(t, c.want(exitOK, "routes", "wrong-way").out, "no application has sent")
	contains(t, c.want(exitOK, "routes", "allow", "/export.csv", "/invoices/{id}", "--because", "export moves next", "--until", "2130-01-02").out, "/export.csv → /invoices/{id} is allowed until 2130-01-02: export moves next")
	contains(t, c.want(exitOK, "routes", "allow", "-", "*", "--because", "looking", "--until", "2130-01-02").out, "- → * is allowed")
	pgtest.Exec(t, dsn, `INSERT INTO replank.wrong_way VALUES ('direction', 'legacy', '/export.csv', 'GET', '/invoices/{id}', 3, 4, '2026-11-23 10:00+00', '2026-11-23 11:00+00'),
			('loop', 'modern', '/invoices/{id}', 'POST', '', 1, 0, '2026-11-23 10:00+00', '2026-11-23 10:00+00')`,
		"UPDATE replank.wrong_way_waiver SET until = '2026-11-01' WHERE caller = ''")
	contains(t, c.want(exitOK, "routes", "wrong-way").out, "legacy /export.csv", "GET /invoices/{id}", "export moves next (until 2130-01-02)", "2026-11-23T11:00:00Z", "POST -",
		"/export.csv → /invoices/{id}: allowed until 2130-01-02", "- → *: no longer allowed since 2026-11-01")
	contains(t, c.want(exitOK, "routes", "wrong-way", "--json").out, `"refused":3`, `"allowed":4`, `"waived_because":"export moves next"`, `"over":true`)
	contains(t, c.want(exitOK, "routes", "allow", "-", "*", "--off").out, "refused again")
	c.write("modern.json", openAPI("true", "/invoices/{id}", "/bad/{x"))
	r := c.want(exitOK, "routes", "show", "/bad/7")
	contains(t, r.out, "the modern application is tried first", "the route cannot be used")
	contains(t, r.err, "a route cannot be used", "modern.json", "/bad/{x")

	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"allowed for good":    {[]string{"allow", "*", "*", "--because", "x"}, "a last day"},
		"allowed too late":    {[]string{"allow", "*", "*", "--because", "x", "--until", "2026-01-01"}, "is over"},
		"allowed for nothing": {[]string{"allow", "*", "*", "--until", "2130-01-01"}, "a reason"},
		"allowed on no day":   {[]string{"allow", "*", "*", "--because", "x", "--until", "soon"}, "no day"},
		"allowed to nobody":   {[]string{"allow", "/invoice", "*", "--because", "x", "--until", "2130-01-01"}, "no route has the template /invoice"},
		"not allowed":         {[]string{"allow", "*", "*", "--off"}, "no such waiver"},
		"no such template":    {[]string{"promote", "/invoice/{id}", "--to", "modern"}, "no route has the template /invoice/{id}"},
		"no such phase":       {[]string{"promote", "/invoices/{id}", "--to", "ported"}, `no phase "ported"`},
		"no such app":         {[]string{"demote", "/invoices/{id}", "--app", "new"}, `no application "new"`},
		"share":               {[]string{"promote", "/invoices/{id}", "--share", "110%"}, "no share"},
		"no reason":           {[]string{"waive", "/export.csv"}, "needs a reason"},
		"day":                 {[]string{"waive", "/export.csv", "--because", "x", "--until", "tomorrow"}, "no day"},
		"path":                {[]string{"show", "invoices"}, "no path"},
	} {
		t.Run(name, func(t *testing.T) {
			contains(t, c.want(exitUsage, append([]string{"routes"}, tt.args...)...).err, tt.want)
		})
	}
}

// TestRoutesAsked: who asks about routes is answered from what the applications say themselves.
func TestRoutesAsked(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.replank/routes" || r.Header.Get("Authorization") != "Bearer of both" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, openAPI("true", "/invoices/{id}"))
	}))
	defer app.Close()
	c := newCLI(t, "")
	c.write("secret", "of both\n", "wrong", "of none\n", "replank.toml", "[gateway]\nmodern = \""+app.URL+"\"\nmodern_routes = \"http\"\nroutes_secret_file = \"secret\"\nmodern_discover = \"false\"\n")
	contains(t, c.want(exitOK, "routes", "show", "/invoices/7").out, "the modern application answers", "found  /invoices/{id}")
	contains(t, c.with("REPLANK_GATEWAY_ROUTES_SECRET_FILE=wrong").want(exitUsage, "routes", "show", "/invoices/7").err, "routes of the modern application", "404")
	contains(t, c.want(exitUsage, "routes", "show", "/invoices/7", "--legacy-routes", "http").err, "where the legacy application is")
	contains(t, c.want(exitUsage, "routes", "discover").err, "modern_routes is http")
	contains(t, c.with("REPLANK_GATEWAY_ROUTES_SECRET_FILE=none").want(exitFailed, "gateway", "--legacy", app.URL, "--listen", "127.0.0.1:0").err, "open none", "routes_secret_file")
}

// TestRoutesDiscover: the files are written as the commands print them, and a command that fails leaves its file alone.
func TestRoutesDiscover(t *testing.T) {
	c := newCLI(t, "")
	contains(t, c.want(exitUsage, "routes", "discover").err, "modern_discover")
	c.write("new.json", openAPI("true", "/a", "/b"))
	c.write("old.json", openAPI("false", "/a"))
	c.write("replank.toml", "[gateway]\nmodern_routes = \"modern.json\"\nlegacy_routes = \"legacy.json\"\nmodern_discover = \"cat new.json\"\nlegacy_discover = \"cat old.json\"\n")
	contains(t, c.want(exitOK, "routes", "discover").out, "modern: 2 routes, written to modern.json", "+ /b", "legacy: 1 routes", "not complete")
	c.write("new.json", openAPI("true", "/b", "/c"))
	contains(t, c.want(exitOK, "routes", "discover").out, "+ /c", "- /a")
	before := c.read("modern.json")
	for _, bad := range []string{"echo broken >&2; exit 3", "echo '{}'"} {
		c.write("replank.toml", "[gateway]\nmodern_routes = \"modern.json\"\nlegacy_routes = \"legacy.json\"\nmodern_discover = \""+bad+"\"\nlegacy_discover = \"cat old.json\"\n")
		r := c.want(exitFailed, "routes", "discover")
		contains(t, r.err, "modern application")
		contains(t, r.out, "legacy: 1 routes")
		if c.read("modern.json") != before {
			t.Error("the file has changed")
		}
	}
	if left, _ := os.ReadDir(c.dir); len(left) != 5 {
		t.Errorf("files are left behind: %v", left)
	}
}
