package main

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pg"
	"github.com/replank/replank/internal/pgtest"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestErrorMessages compares what people see for wrong input with testdata/*.golden.
func TestErrorMessages(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	for name, in := range map[string]struct {
		sql  string
		code int
	}{
		"syntax":      {"-- one\nCREATE TABLE a (id int);\nALTER TABLE orders\n\tADD COLMN x int;\n", exitUsage},
		"end":         {"CREATE TABLE a (id int", exitUsage},
		"unknown":     {"ALTER TABLE nosuch ADD COLUMN x int;\n", exitUsage},
		"psql":        {"\\set x 1\nSELECT 1;\n", exitUsage},
		"copy":        {"COPY orders FROM STDIN;\n1\t2\n\\.\n", exitUsage},
		"directive":   {"-- replank: inverse\nUPDATE orders SET note = 'x';\n", exitUsage},
		"refusal":     {"CREATE TABLE a (id int);\nROLLBACK;\n", exitRefused},
		"consent":     {"CREATE TABLE a (id int);\nTRUNCATE orders;\n", exitRefused},
		"longline":    {"SELECT '" + strings.Repeat("x", 300) + "' FORM t, " + strings.Repeat("y, ", 80) + "z;\n", exitUsage},
		"unknown-set": {"UPDATE orders SET nosuch = 1;\n", exitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			file := name + ".sql"
			c.write(file, in.sql)
			r := c.want(in.code, "apply", file)
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(r.err), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(want) != r.err {
				t.Errorf("want\n%s\ngot\n%s", want, r.err)
			}
			if in.code != c.run("plan", file).code {
				t.Errorf("plan ends with another code than apply")
			}
		})
	}
	if pgtest.Value[bool](t, dsn, "SELECT to_regclass('a') IS NOT NULL OR to_regnamespace('replank') IS NOT NULL") {
		t.Error("wrong input changed the database")
	}
}

// TestNoConnection: one error, however many addresses and ways were tried, and what to do.
func TestNoConnection(t *testing.T) {
	t.Parallel()
	_, dsn := newShop(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/no such"
	for _, tt := range []struct{ dsn, port, want, hint string }{
		{"postgres://somebody@127.0.0.1:1/shop", "", "127.0.0.1:1 (", "is the server running"},
		{"postgres://somebody@127.0.0.1:1,127.0.0.1:2/shop", "", "127.0.0.1:2 (", "is the server running"},
		{u.String(), "", `database "no such" does not exist`, "create the database, or name another one"},
		{pgtest.Param(dsn, "conn_max_age", "600"), "", `unrecognized configuration parameter "conn_max_age"`, "the connection string has a parameter that only the application knows"},
		{"", "1", ".s.PGSQL.1 (", "no database was named"},
	} {
		c := newCLI(t, tt.dsn)
		if tt.port != "" {
			c = c.with("PGPORT=" + tt.port)
		}
		c.write("a.sql", "CREATE TABLE a (id int);\n")
		r := c.want(exitFailed, "apply", "a.sql")
		if strings.Count("\n"+r.err, "\nerror: ") != 1 || strings.Count(r.err, tt.want) != 1 || !strings.Contains(r.err, "hint: "+tt.hint) {
			t.Errorf("%s: want once %q and the hint %q, got\n%s", tt.dsn, tt.want, tt.hint, r.err)
		}
	}
}

// TestTLS: what to do about a server without TLS, and no word of it where it does no harm.
func TestTLS(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	r := c.want(exitFailed, "status", "--db", pgtest.Param(dsn, "sslmode", "require"))
	contains(t, r.err, "server refused TLS connection", "hint: the server has no TLS", "sslmode")
	c.want(exitOK, "status", "--db", pgtest.Param(dsn, "sslmode", "prefer"))
	u, err := url.Parse(pgtest.Param(dsn, "sslmode", "prefer"))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User("no such role")
	r = c.want(exitFailed, "status", "--db", u.String())
	contains(t, r.err, `role "no such role" does not exist`, "hint: check user and password")
	if strings.Contains(r.err, "TLS") {
		t.Errorf("a word too many about TLS:\n%s", r.err)
	}
}

// TestLibpq: libpq's own variables and files name the database where nothing else does.
func TestLibpq(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DB(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	c := newCLI(t, "")
	name := pgtest.Database(dsn)
	service := fmt.Sprintf("[here]\nhost=%s\nport=%s\nuser=%s\ndbname=%s\n", u.Hostname(), u.Port(), u.User.Username(), name)
	c.write("pg_service.conf", service)
	file := "PGSERVICEFILE=" + filepath.Join(c.dir, "pg_service.conf")
	for _, env := range [][]string{
		{"PGHOST=" + u.Hostname(), "PGPORT=" + u.Port(), "PGUSER=" + u.User.Username(), "PGDATABASE=" + name},
		{file, "PGSERVICE=here"}, {file, "DATABASE_URL=service=here"}, {file, "REPLANK_DB=postgres:///?service=here"},
	} {
		contains(t, c.with(env...).want(exitOK, "status").out, name+" on PostgreSQL")
	}
	contains(t, c.with(file, "PGSERVICE=nowhere").want(exitUsage, "status").err, "nowhere")
}

func TestVerbose(t *testing.T) {
	t.Parallel()
	c, _ := newShop(t)
	c.write("m.sql", "CREATE TABLE made (password text DEFAULT 'x');\nCREATE VIEW v AS SELECT 'postgres://u:S3cret@h/' AS url;\n")
	r := c.want(exitOK, "apply", "m.sql", "-v", "--log-format", "json")
	contains(t, r.out, "done: m")
	log := objects(t, r.err)
	if len(log) < 4 || log[0]["msg"] != "state" || log[0]["migration"] != "m" || strings.Contains(r.err, "S3cret") {
		t.Errorf("apply -v:\n%s", r.err)
	}
	if r := c.want(exitOK, "apply", "m.sql"); r.err != "" {
		t.Errorf("a log that nobody wants:\n%s", r.err)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	c.write("ok.sql", "CREATE TABLE a (id int);\n", "empty/readme", "")
	for _, call := range []struct {
		code int
		args string
	}{
		{exitOK, ""}, {exitOK, "--help"}, {exitOK, "help exit-codes"}, {exitOK, "version"}, {exitOK, "completion bash"},
		{exitOK, "plan ok.sql"}, {exitOK, "status"}, {exitOK, "doctor"}, {exitOK, "grants"}, {exitOK, "complete"}, {exitOK, "pause"},
		{exitUsage, "nonsense"}, {exitUsage, "help nonsense"}, {exitUsage, "completion"}, {exitUsage, "completion tcsh"}, {exitOK, "help plan"}, {exitUsage, "plan --nonsense"}, {exitUsage, "plan"}, {exitUsage, "plan nosuch"},
		{exitUsage, "plan empty"}, {exitUsage, "plan ok.sql ok.sql"}, {exitUsage, "backfill"}, {exitUsage, "complete a b"},
		{exitUsage, "apply ok.sql --lock-budget nonsense"}, {exitUsage, "apply ok.sql --workers 0"}, {exitUsage, "waive ok x"},
		{exitUsage, "status --config nosuch.toml"}, {exitUsage, "complete nosuch"}, {exitUsage, "revert nosuch"},
		{exitUsage, "status --db postgres://h:port/x"},
		{exitFailed, "status --db postgres://127.0.0.1:1/x"},
		{exitFailed, "status --db " + strings.Replace(dsn, pgtest.Database(dsn), "nosuch", 1)},
		{exitRefused, "uninstall"}, {exitRefused, "apply ok.sql --owner pg_monitor"},
	} {
		r := c.run(strings.Fields(call.args)...)
		if r.code != call.code {
			t.Errorf("replank %s: exit code %d, want %d\n%s%s", call.args, r.code, call.code, r.out, r.err)
		}
		if call.code != exitOK && r.err == "" {
			t.Errorf("replank %s says nothing on standard error", call.args)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	c, _ := newShop(t)
	c.write("m/001.sql", "ALTER TABLE orders ALTER COLUMN id TYPE bigint;\n",
		"m/002.sql", "UPDATE customers SET email = 'secret-mail';\n",
		"secret.sql", "CREATE ROLE x PASSWORD 'secret-word';\n", "bad.sql", "SELEC 1;")
	empty := objects(t, c.want(exitOK, "status", "--json").out)[0]
	if runs, ok := empty["runs"].([]any); !ok || len(runs) != 0 { // jq '.runs[]' wants a list
		t.Errorf("status --json of an empty database: %v", empty)
	}
	doc := objects(t, c.want(exitOK, "plan", "m", "--json").out)[0]
	files := doc["files"].([]any)
	steps := files[0].(map[string]any)["plan"].(map[string]any)["steps"].([]any)
	if len(files) != 2 || len(steps) < 3 || doc["exit_code"] != 0.0 {
		t.Errorf("plan --json: %v", doc)
	}
	for _, args := range [][]string{{"plan", "m", "--json"}, {"plan", "secret.sql", "--json"}, {"plan", "secret.sql"},
		{"apply", "secret.sql", "--accept", "irreversible", "--json"}, {"revert", "secret", "--json"},
		{"apply", "m", "--json"}, {"status", "--json"}, {"doctor", "--json"}, {"grants", "--json"}, {"version", "--json"},
		{"plan", "bad.sql", "--json"}, {"complete", "--json"}, {"complete", "nosuch", "--json"}, {"pause", "--json"},
		{"complete", "--yes-no-old-readers", "--json"}, {"receipt", "001", "--json"}, {"status", "--gate", "nosuch", "--json"}} {
		r := c.run(args...)
		if strings.Contains(r.out+r.err, "secret-word") || strings.Contains(r.out, "secret-mail") {
			t.Errorf("replank %s shows a secret:\n%s%s", args, r.out, r.err)
		}
		if args[len(args)-1] != "--json" {
			continue
		}
		if args[0] == "status" && r.code == exitOK {
			run := objects(t, r.out)[0]["runs"].([]any)[0].(map[string]any)
			longest := 0.0
			for _, s := range run["steps"].([]any) {
				took, _ := s.(map[string]any)["took_seconds"].(float64)
				longest = max(longest, took)
			}
			if longest <= 0 || longest > 60 {
				t.Errorf("the longest step of status --json took %v seconds: %v", longest, run["steps"])
			}
		}
		list := objects(t, r.out)
		if len(list) == 0 {
			t.Fatalf("replank %s prints no object", args)
		}
		last := list[len(list)-1]
		code, told := last["exit_code"]
		if r.code != exitOK && (!told || code != float64(r.code)) {
			t.Errorf("replank %s ends with %d, and its last object says %v", args, r.code, last)
		}
		if args[0] == "apply" && (last["kind"] != "summary" || list[0]["kind"] != "state") {
			t.Errorf("apply --json begins with %v and ends with %v", list[0], last)
		}
	}
	r := c.want(exitUsage, "apply", "bad.sql", "--json")
	e := objects(t, r.out)[0]["errors"].([]any)[0].(map[string]any)
	if pos, ok := e["position"].(map[string]any); !ok || pos["line"] != 1.0 || e["verdict"] != "input" {
		t.Errorf("a syntax error in JSON: %v", e)
	}
	contains(t, r.err, "bad.sql:1:1")
	c.write("unknown.sql", "SELECT 1;\nALTER TABLE nosuch ADD COLUMN a int;\n")
	e = objects(t, c.want(exitUsage, "apply", "unknown.sql", "--json").out)[0]["errors"].([]any)[0].(map[string]any)
	if pos, ok := e["position"].(map[string]any); !ok || pos["line"] != 2.0 || e["message"] != "relation nosuch does not exist" {
		t.Errorf("an unknown table in JSON: %v", e)
	}
}

// TestPrecedence: replank.toml < environment < flags.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	c.write("m.sql", "ALTER TABLE orders ADD COLUMN a int;\n")
	budget := func(c *cli, want string, args ...string) {
		t.Helper()
		contains(t, c.want(exitOK, append([]string{"apply", "m.sql", "--dry-run"}, args...)...).out, "for at most "+want)
	}
	budget(c, "200ms")
	c.write("replank.toml", "lock_budget = \"300ms\" # longer\nworkers = 3\naccept = [\"irreversible\", \"triggers\"]\n")
	budget(c, "300ms")
	budget(c.with("REPLANK_LOCK_BUDGET=400ms"), "400ms")
	budget(c.with("REPLANK_LOCK_BUDGET=400ms"), "500ms", "--lock-budget", "500ms")
	c.write("other.toml", "lock_budget = \"600ms\"\n")
	budget(c, "600ms", "--config", "other.toml")
	budget(c.with("REPLANK_CONFIG=other.toml"), "600ms")

	other := pgtest.DB(t)
	connected := func(c *cli, want string, args ...string) {
		t.Helper()
		contains(t, c.want(exitOK, append([]string{"status"}, args...)...).out, pgtest.Database(want)+" on PostgreSQL")
	}
	bare := newCLI(t, "")
	bare.write("replank.toml", fmt.Sprintf("db = %q\n", dsn))
	connected(bare, dsn)
	connected(bare.with("DATABASE_URL="+other), other)
	connected(bare.with("DATABASE_URL="+dsn, "REPLANK_DB="+other), other)
	connected(bare.with("REPLANK_DB="+dsn), other, "--db", other)
	bare.write("replank.toml", fmt.Sprintf("db = \"postgres://127.0.0.1:1/pooler\"\ndirect_db = %q\n", dsn))
	connected(bare, dsn)
	connected(bare, other, "--db", other) // the direct_db of another database must not win
	connected(bare.with("REPLANK_DIRECT_DB="+other), other)
	connected(bare, dsn, "--db", strings.Replace(dsn, "postgres://", "postgresql+psycopg2://", 1))
	bare.write("replank.toml", "migrations = [\"folder\"]\n", "folder/1.sql", "CREATE TABLE a (id int);\n")
	contains(t, bare.want(exitOK, "plan", "--db", other).out, "folder/1.sql")
}

func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	c := newCLI(t, "postgres://127.0.0.1:1/x")
	for text, want := range map[string]string{
		"lock_budget = \"1s\"\nlockwait = \"1s\"\n":  "replank.toml:2:1: unknown key lockwait; known are db",
		"# x\n\n[apply]\nworkers = 2\n":              "replank.toml:3:2: unknown key apply",
		"workers = \"many\"\n":                       `replank.toml:1:1: workers: want a whole number from 1 on, not "many"`,
		"workers = [2]\n":                            "replank.toml:1:1: workers: want a whole number from 1 on, not [2]",
		"workers = 0\n":                              "replank.toml:1:1: workers: want a whole number from 1 on, not 0",
		"\nlock_budget = 3.5\n":                      "replank.toml:2:1: lock_budget: want a time above 0 (200ms, 1.5s, 30m), not 3.5",
		"  lock_budget = \"-1s\"\n":                  `replank.toml:1:3: lock_budget: want a time above 0 (200ms, 1.5s, 30m), not "-1s"`,
		"lock_wait = \"0s\"\n":                       "replank.toml:1:1: lock_wait: want a time above 0",
		"big_rows = 0\n":                             "replank.toml:1:1: big_rows: want a number of rows from 1 on, or -1, not 0",
		"disk_free = \"0GB\"\n":                      "replank.toml:1:1: disk_free: want a size above 0",
		"disk_free = \"NaNGB\"\n":                    "replank.toml:1:1: disk_free: want a size above 0",
		"accept = [\"drift\", \"columns\"]\n":        `replank.toml:1:1: accept: want any of irreversible, lost-writes, column-order, as-is, triggers, room, subscribers, drift, unjudged, foreign-owner, not ["drift", "columns"]`,
		"owner = true\n":                             "replank.toml:1:1: owner: want a string, not true",
		"direct_db = [\"a\", \"b\"]\n":               "replank.toml:1:1: direct_db: want a string",
		"migrations = [1]\n":                         "replank.toml:1:1: migrations: want a list of strings, not [1]",
		"quiet = \"yes\"\n":                          `replank.toml:1:1: quiet: want true or false, not "yes"`,
		"verbose = -1\n":                             "replank.toml:1:1: verbose: want 0, 1 or 2, not -1",
		"db =\n":                                     "replank.toml:1:",
		"a = 1\nb = 2\n":                             "replank.toml:2:1: unknown key b",
		"log_format = \"xml\"\n":                     `replank.toml:1:1: log_format: want text or json, not "xml"`,
		"workers = 0\nwait = 1\nlock_wait = \"x\"\n": "replank.toml:3:1: lock_wait: ",
	} {
		c.write("replank.toml", text)
		r := c.want(exitUsage, "status", "--json")
		contains(t, r.err, want)
		list := objects(t, r.out)
		position, ok := list[0]["errors"].([]any)[0].(map[string]any)["position"].(map[string]any)
		if !ok || position["file"] != "replank.toml" || list[0]["verdict"] != "input" {
			t.Errorf("%q in JSON: %s", text, r.out)
		}
	}
	c.write("replank.toml", "")
	contains(t, c.with("REPLANK_WORKERS=x").want(exitUsage, "apply", "x").err, `REPLANK_WORKERS: want a whole number from 1 on, not "x"`)
	contains(t, c.with("REPLANK_LOCK_BUDGET=-1s").want(exitUsage, "apply", "x").err, `REPLANK_LOCK_BUDGET: want a time above 0`)
	contains(t, c.want(exitUsage, "apply", "x", "--accept", "drift,columns").err, "--accept: want any of", "drift,columns")
	contains(t, c.want(exitUsage, "complete", "--wait-old-readers", "-1h").err, "--wait-old-readers: want a time above 0")
	contains(t, c.with("DATABASE_URL=mysql://h/x").want(exitUsage, "status").err, "DATABASE_URL: the connection string cannot be read")
}

// TestWrongUsageInJSON: who asks for JSON gets it, in whatever way it was asked for, and however wrong the rest is.
func TestWrongUsageInJSON(t *testing.T) {
	t.Parallel()
	c := newCLI(t, "postgres://127.0.0.1:1/x")
	for args, want := range map[string]string{
		"nonsense --json":                       "unknown command",
		"plan --nonsense --json":                "unknown flag: --nonsense",
		"plan --json=true --lock-budget 1s":     "unknown flag: --lock-budget",
		"apply x --lock-budget nonsense --json": "--lock-budget: want a time above 0",
		"apply x --workers 0 --json":            "--workers: want",
		"waive --json":                          "requires at least 2",
		"plan --json":                           "which migrations?",
		"plan nosuch --json":                    "nosuch",
		"status --config nosuch --json":         "nosuch",
		"status --db host= --json":              "",
		"help nosuch --json":                    "nosuch",
	} {
		for _, how := range []*cli{c, c.with("REPLANK_JSON=1")} {
			words := strings.Fields(args)
			if how != c {
				words = slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, "--json") })
			}
			r := how.run(words...)
			list := objects(t, r.out)
			if len(list) != 1 || list[0]["kind"] != "error" || list[0]["exit_code"] != float64(r.code) || r.code == exitOK {
				t.Errorf("replank %s: exit code %d\n%s%s", words, r.code, r.out, r.err)
				continue
			}
			first := list[0]["errors"].([]any)[0].(map[string]any)
			contains(t, first["message"].(string), want)
		}
	}
}

func TestCodeOf(t *testing.T) {
	refusal := &plan.Refusal{Code: "x"}
	for _, c := range []struct {
		err  error
		code int
	}{
		{nil, exitOK},
		{errors.New("x"), exitFailed},
		{&usageError{err: errors.Join(errors.New("a"), errors.New("b"))}, exitUsage},
		{&migrate.RefusedError{Code: migrate.Input, Err: refusal}, exitRefused},
		{&migrate.RefusedError{Code: migrate.Input, Err: errors.New("x")}, exitUsage},
		{&migrate.RefusedError{Code: migrate.Drift}, exitRefused},
		{&migrate.Error{Op: "apply", Err: errors.Join(refusal, &ddl.SyntaxError{})}, exitUsage},
		{&migrate.Error{Op: "apply", Err: errors.Join(refusal, refusal)}, exitRefused},
		{errors.Join(refusal, errors.New("x")), exitFailed},
		{fmt.Errorf("%w (while recording: %w)", &migrate.StoppedError{}, errors.New("x")), exitStopped},
		{&migrate.UnknownError{Err: errors.New("x")}, exitPerson},
		{errors.Join(errors.New("x"), &migrate.UnknownError{Err: errors.New("x")}), exitPerson},
		{&migrate.BusyError{}, exitBusy},
		{&pg.ReadOnlyError{}, exitRefused},
		{&pg.PoolerError{}, exitRefused},
		{&notYetError{}, exitNotYet},
		{&toldError{refusal}, exitRefused},
	} {
		if got := codeOf(c.err); got != c.code {
			t.Errorf("%v: %d, want %d", c.err, got, c.code)
		}
	}
}

// TestProse: sentences cite SQL, and have apostrophes of their own.
func TestProse(t *testing.T) {
	for _, c := range []struct{ in, shown, data string }{
		{"ALTER ROLE x PASSWORD 'S3''c' LOGIN", "ALTER ROLE x PASSWORD '…' LOGIN", "ALTER ROLE x PASSWORD '…' LOGIN"},
		{"create user y encrypted password $$S3c$$", "create user y encrypted password '…'", "create user y encrypted password '…'"},
		{"host=h password = 'S3 c' user=u", "host=h password = '…' user=u", "host=h password = '…' user=u"},
		{"cited: CONNECTION 'host=h password=S3c', it's 'x'", "cited: CONNECTION '…', it's 'x'", "cited: CONNECTION '…', it's '…'"},
		{"SELECT 'password'", "SELECT 'password'", "SELECT '…'"},
		{`syntax error at or near "'S3c'"`, `syntax error at or near "'…'"`, `syntax error at or near "'…'"`},
		{`unterminated quoted string at or near "'S3c"`, `unterminated quoted string at or near "'…'"`, `unterminated quoted string at or near "'…'"`},
		{`x at or near "$a$S3c"`, `x at or near "'…'"`, `x at or near "'…'"`},
		{`x at or near "E'S3c"`, `x at or near "'…'"`, `x at or near "'…'"`},
		{`x at or near "$1"`, `x at or near "$1"`, `x at or near "$1"`},
		{`x at or near "the"`, `x at or near "the"`, `x at or near "the"`},
		{"it doesn't fit the users' default 'S4c' nor $$S4c$$", "it doesn't fit the users' default 'S4c' nor $$S4c$$", "it doesn't fit the users' default '…' nor '…'"},
		{"it doesn't end: 'S4c", "it doesn't end: 'S4c", "it doesn't end: '…'"},
		{"cited: E'S4c', N'S4c'", "cited: E'S4c', N'S4c'", "cited: '…', '…'"},
	} {
		if got := hideSecretsInProse(c.in); got != c.shown {
			t.Errorf("%s\n\tis shown %s\n\twant     %s", c.in, got, c.shown)
		}
		if got := redactProse(c.in); got != c.data {
			t.Errorf("%s\n\tis %s\n\twant %s", c.in, got, c.data)
		}
	}
}

// TestNoPasswordIsShown plans and applies files that hold one in every way, right and wrong.
func TestNoPasswordIsShown(t *testing.T) {
	t.Parallel()
	c, dsn := newShop(t)
	role := "r_" + pgtest.Database(dsn)
	pgtest.Exec(t, dsn, "CREATE EXTENSION IF NOT EXISTS postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw")
	right := []string{
		"CREATE ROLE " + role + " PASSWORD /* x */ 'S3cret'",
		"ALTER ROLE " + role + " PASSWORD\n\t\t'S3cret' VALID UNTIL 'infinity'",
		"CREATE USER MAPPING FOR public SERVER far OPTIONS (user 'u', password 'S3cret')",
		"ALTER USER MAPPING FOR public SERVER far OPTIONS (SET password 'S3cret')",
		"DO $$ BEGIN EXECUTE 'ALTER ROLE " + role + " PASSWORD ''S3cret'''; END $$",
		"CREATE VIEW far_away AS SELECT 'postgres://u:S3cret@h/d' AS url",
		"DROP ROLE " + role,
	}
	wrong := []string{
		"CREATE ROLE x PASSWORD 'S3cret' 'S3cret';", "CREATE ROLE x PASSWORD 'S3cret", "CREATE ROLE x PASSWORD\n 'S3cret' FOO\n;",
		"CREATE ROLE x PASSWORD $a$S3cret;", "CREATE ROLE x\n PASSWORD S3cret;", "CREATE ROLE x\n PASSWORD 12S3cret;", "ALTER ROLE x PASSWORD /* x */ 'S3cret' FORM;",
		"DO $$ BEGIN EXECUTE 'ALTER ROLE nosuch PASSWORD ''S3cret''' FORM; END $$;", "ALTER ROLE nosuch PASSWORD 'S3cret';",
		"CREATE SUBSCRIPTION s CONNECTION 'host S3cret' PUBLICATION p WITH (connect = false);",
	}
	hidden := func(args ...string) result {
		t.Helper()
		r := c.run(args...)
		if strings.Contains(r.out+r.err, "S3cret") {
			t.Errorf("replank %s shows a password:\n%s%s", args, r.out, r.err)
		}
		return r
	}
	c.write("right.sql", strings.Join(right, ";\n")+";\n",
		"planned.sql", "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1 password=S3cret' PUBLICATION p;")
	for _, json := range []string{"--json=false", "--json"} {
		hidden("plan", "planned.sql", json)
		hidden("plan", "right.sql", json)
		if r := hidden("apply", "right.sql", json, "--accept", "irreversible", "-vv"); r.code != exitOK {
			t.Errorf("apply %s: %d\n%s%s", json, r.code, r.out, r.err)
		}
		for i, sql := range wrong {
			name := fmt.Sprintf("wrong%d.sql", i)
			c.write(name, sql)
			hidden("plan", name, json)
			if r := hidden("apply", name, json, "--accept", "irreversible,subscribers", "-vv"); r.code == exitOK {
				t.Errorf("apply %s: %d\n%s%s", name, r.code, r.out, r.err)
			}
		}
	}
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"doctor"}, {"receipt", "right"}} {
		hidden(args...)
	}
	for _, db := range []string{"host = h password = S3cret port=abc", "host = h password = 'S3cret x' port=abc", "host=h password=my S3cret", "mysql://u:S3cret@h/x",
		"postgres://u:S3cret@h:abc/x", "postgres://u:S3/cret@h/S3cret:x", "host=127.0.0.1 port=1 password = S3cret", "postgres:/u:S3cret@h"} {
		if r := hidden("status", "--db", db, "--json"); r.code == exitOK {
			t.Errorf("%s is a database", db)
		}
		for _, wrong := range []string{"direct_db = %q x\n", "direct_db = [%q]\n", "direct_db = %s\n", "db = \"%s\n", "direct_db = '%q' '\n", "[direct_db]\nx = %q\n"} {
			c.write("replank.toml", fmt.Sprintf(wrong, db))
			if r := hidden("status", "--json"); r.code != exitUsage {
				t.Errorf("%s for %s: exit code %d", wrong, db, r.code)
			}
		}
		if err := os.Remove(filepath.Join(c.dir, "replank.toml")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{number(1234567), "1,234,567"}, {number(-1234), "-1,234"}, {number(-123), "-123"}, {number(7), "7"},
		{about(999), "999"}, {about(1500), "1.5k"}, {about(83_000), "83k"}, {about(2.5e9), "2.5G"},
		{bytesize(500), "500 bytes"}, {bytesize(19 << 20), "19 MB"}, {bytesize(3 << 29), "1.5 GB"},
		{span(12e6), "12ms"}, {span(3.4e9), "3.4s"}, {span(130e9), "2m10s"}, {span(18180e9), "5h3m"}, {span(352800e9), "4d2h"},
		{cut("abcdef", 4), "abc…"}, {cut("äöü", 3), "äöü"}, {cut("abc", 0), "abc"},
		{strings.Join(wrap("aa bb cc dd ee ff gg hh", 20), "|"), "aa bb cc dd ee ff gg|hh"},
		{strings.Join(wrap("aa  bb", 0), "|"), "aa  bb"},
		{size(-1, 0), "unknown: the table was never analyzed"}, {size(0, 0), ""}, {size(1000, 0), "about 1,000 rows"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
