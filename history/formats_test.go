package history

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, c Config, files map[string]string, paths ...string) *History {
	t.Helper()
	h, err := c.Open(below0(folder(t, files), paths)...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func below0(dir string, paths []string) []string {
	if len(paths) == 0 {
		return []string{dir}
	}
	var full []string
	for _, p := range paths {
		full = append(full, filepath.Join(dir, p))
	}
	return full
}

func versions(h *History) []string {
	var s []string
	for _, m := range h.Migrations {
		s = append(s, m.Version)
	}
	return s
}

const (
	gooseSQL  = "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n"
	dbmateSQL = "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n"
	plan      = "%syntax-version=1.0.0\n%project=p\n\n"
	who       = " 2026-01-02T03:04:05Z Jo <jo@example.com>\n"
)

func TestDetection(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		paths []string
		want  Format
		root  string // below the folder
		names []string
	}{
		{"bare", map[string]string{"b.sql": "", "a.sql": "-- migrate me upwards"}, nil, Bare, "", []string{"a", "b"}},
		{"goose", map[string]string{"1_a.sql": gooseSQL, "README.md": ""}, nil, Goose, "", []string{"1_a"}},
		{"goose below", map[string]string{"db/migrations/1_a.sql": "--+goose up\r\nSELECT 1;", "db/schema.sql": "", "main.go": ""}, nil, Goose, "db/migrations", []string{"1_a"}},
		{"goose in Go", map[string]string{"1_a.go": `import "github.com/pressly/goose/v3"`, "2_b.sql": gooseSQL, "3_x_test.go": ""}, nil, Goose, "", []string{"1_a", "2_b"}},
		{"one file", map[string]string{"1_a.sql": gooseSQL, "2_b.sql": gooseSQL}, []string{"2_b.sql"}, Goose, "", []string{"2_b"}},
		{"golang-migrate", map[string]string{"10_b.up.sql": "", "9_a.up.sql": "", "9_a.down.sql": ""}, nil, GolangMigrate, "", []string{"9_a", "10_b"}},
		{"dbmate", map[string]string{"m/10_b.sql": dbmateSQL, "m/9_a.sql": dbmateSQL, "schema.sql": ""}, nil, Dbmate, "m", []string{"10_b", "9_a"}},
		{"dbmate in two folders", map[string]string{"a/2_b.sql": dbmateSQL, "b/1_a.sql": dbmateSQL}, []string{"a", "b"}, Dbmate, "a", []string{"1_a", "2_b"}},
		{"Flyway by name", map[string]string{"V2__b.sql": "", "V1_5__a.sql": "", "R__z.sql": "", "x/V10__c.sql": ""}, nil, Flyway, "", []string{"V1_5__a", "V2__b", "V10__c", "R__z"}},
		{"Flyway by configuration", map[string]string{"flyway.conf": "flyway.locations = filesystem:a,filesystem:b\nflyway.sqlMigrationPrefix: M", "a/M1__a.sql": "", "b/M2__b.sql": "", "c/M3__c.sql": ""},
			nil, Flyway, "", []string{"M1__a", "M2__b"}},
		{"Flyway in Maven", map[string]string{"flyway.toml": "[flyway]\nlocations = [\"classpath:db/migration\"]", "src/main/resources/db/migration/V1__a.sql": "",
			"src/main/java/db/migration/V2__Fill.java": "", "src/main/java/db/migration/Tool.java": ""}, nil, Flyway, "", []string{"V1__a", "V2__Fill"}},
		{"Flyway begins with a baseline", map[string]string{"B3__all.sql": "", "B2__old.sql": "", "V4__a.sql": ""}, nil, Flyway, "", []string{"B3__all", "V4__a"}},
		{"Flyway's baseline beside its steps", map[string]string{"B3__all.sql": "", "V3__a.sql": "", "V4__b.sql": ""}, nil, Flyway, "", []string{"V3__a", "V4__b"}},
		{"sqitch", map[string]string{"sqitch.plan": plan + "b" + who + "a/a" + who, "deploy/b.sql": "", "deploy/a/a.sql": "", "deploy/c.sql": ""}, nil, Sqitch, "", []string{"b", "a/a"}},
		{"sqitch, its scripts named", map[string]string{"sqitch.plan": plan + "b" + who + "a" + who, "deploy/b.sql": "", "deploy/a.sql": ""}, []string{"deploy/a.sql"}, Sqitch, "deploy/..", []string{"a"}},
		{"sqitch, elsewhere", map[string]string{"sqitch.conf": "[core]\n\ttop_dir = sql\n", "sql/sqitch.plan": plan + "a" + who, "sql/deploy/a.sql": ""}, nil, Sqitch, "", []string{"a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := folder(t, tt.files)
			h, err := Open(below0(dir, tt.paths)...)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.names, names(h.Migrations)); d != "" || h.Format != tt.want || h.Because == "" {
				t.Errorf("%s, because %s; names %s", h.Format, h.Because, d)
			}
			if tt.paths == nil && !same(h.Root, filepath.Join(dir, tt.root)) {
				t.Errorf("root %s", h.Root)
			}
		})
	}
}

func TestAmbiguousFolder(t *testing.T) {
	files := map[string]string{"V1__a.sql": "", "2_b.sql": gooseSQL}
	_, err := Open(folder(t, files))
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "flyway, goose (") || !strings.Contains(e.Hint(), `history = "flyway"`) {
		t.Fatal(err, e.Hint())
	}
	h := open(t, Config{Format: Goose}, files)
	if d := cmp.Diff([]string{"2_b"}, names(h.Migrations)); d != "" || len(h.Notices) != 1 {
		t.Errorf("%s, notices %v", d, h.Notices)
	}
	if _, err := (Config{Format: "rails"}).Open("."); err == nil || !strings.Contains(err.Error(), "golang-migrate") {
		t.Errorf("an unknown format: %v", err)
	}
}

// TestPositions: what is not the way forward is blank, and all that is left stands where it stood.
func TestPositions(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
		down  string
		tx    Tx
	}{
		"goose": {map[string]string{"1_a.sql": "-- +goose Up\r\nSELECT 'ä';\r\n-- +goose Down\r\n-- ö\r\nSELECT 2;\r\n"},
			"-- +goose Up\r\nSELECT 'ä';\r\n" + strings.Repeat(" ", 14) + "\r\n     \r\n         \r\n", "-- ö\r\nSELECT 2;\r\n", Whole},
		"goose, no way back": {map[string]string{"1_a.sql": "-- +goose NO TRANSACTION\n-- +goose Up\nSELECT 1;\n-- +goose Down\n-- there is none\n"},
			"-- +goose NO TRANSACTION\n-- +goose Up\nSELECT 1;\n              \n                \n", "", Each},
		"dbmate": {map[string]string{"1.sql": "-- migrate:up transaction:false\nSELECT 1;\n\n-- migrate:down\nSELECT 2;"},
			"-- migrate:up transaction:false\nSELECT 1;\n\n               \n         ", "-- migrate:down\nSELECT 2;", Message},
		"golang-migrate": {map[string]string{"1_a.up.sql": "SELECT 1", "1_a.down.sql": "SELECT 2"}, "SELECT 1", "SELECT 2", Message},
		"Flyway":         {map[string]string{"V1__a.sql": "SELECT 1", "U1__a.sql": "SELECT 2"}, "SELECT 1", "SELECT 2", Whole},
		"Flyway, alone":  {map[string]string{"V1__a.sql": "/* a /* b */ */ create unique\n-- x\n index concurrently a on b (c)"}, "/* a /* b */ */ create unique\n-- x\n index concurrently a on b (c)", "", Each},
		"Flyway, told":   {map[string]string{"V1__a.sql": "VACUUM", "V1__a.sql.conf": "executeInTransaction=true"}, "VACUUM", "", Whole},
		"Flyway, quoted": {map[string]string{"V1__a.sql": "SELECT '; VACUUM', $x$; VACUUM;$x$, \"; VACUUM\" -- ; VACUUM"}, "SELECT '; VACUUM', $x$; VACUUM;$x$, \"; VACUUM\" -- ; VACUUM", "", Whole},
	} {
		t.Run(name, func(t *testing.T) {
			m := open(t, Config{}, tt.files).Migrations[0]
			if d := cmp.Diff(tt.want, m.Text); d != "" || m.Down != tt.down || m.Tx != tt.tx || m.Origins != nil {
				t.Errorf("%s; down %q, tx %d", d, m.Down, m.Tx)
			}
		})
	}
}

func TestPlaceholders(t *testing.T) {
	files := map[string]string{"V1__a.sql": "SELECT '${a}',\n1 -- ${b}\n, ${c}", "flyway.toml": "[flyway.placeholders]\na = \"from the file\"\nb = \"b\""}
	c := Config{Placeholders: map[string]string{"a": "from the call"}, Getenv: func(key string) (string, bool) { return "3", key == "FLYWAY_PLACEHOLDERS_C" }}
	m := open(t, c, files).Migrations[0]
	if m.Text != "SELECT 'from the call',\n1 -- b\n, 3" || m.Origins != nil {
		t.Errorf("%q %v", m.Text, m.Origins)
	}
	c.Placeholders["b"] = "x\ny"
	m = open(t, c, files).Migrations[0]
	var lines []int
	for _, o := range m.Origins {
		lines = append(lines, o.Line)
		if o.Offset > 0 && m.Text[o.Offset-1] != '\n' {
			t.Errorf("origin %+v is not at the beginning of a line", o)
		}
	}
	if d := cmp.Diff([]int{1, 2, 2, 3}, lines); d != "" {
		t.Errorf("lines of a text that has got longer: %s", d)
	}
}

func TestEnvsub(t *testing.T) {
	env := func(key string) (string, bool) {
		v, ok := map[string]string{"A": "abc", "EMPTY": ""}[key]
		return v, ok
	}
	for in, want := range map[string]string{
		"$A ${A} $$A \\$A $(x) $": "abc abc $A $A $(x) $", "${A:-d}${EMPTY:-d}${EMPTY-d}${N-d}": "abcdd", "${N:-${A}x}": "abcx", "${A:-$N}": "abc",
		"${A:1}${A:-1:1}${A:1:1}${A: -1}": "bcabcbc", "${A?m}": "abc",
	} {
		if got, err := interpolate(in, env); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{"$N": "$N is not set", "${N?be there}": "$N: be there", "${N:1}": "not set", "${A": "without }", "${A:-x": "without }", "${A!}": "without }", "$1": "name of a variable"} {
		if got, err := interpolate(in, env); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v, want an error with %q", in, got, err, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	up := "-- +goose Up\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"no Up", map[string]string{"1_a.sql": gooseSQL, "2_b.sql": "SELECT 1;"}, "2_b.sql:1: SQL before"},
		{"only comments", map[string]string{"1_a.sql": gooseSQL, "2_b.sql": "-- nothing"}, "no `-- +goose Up`"},
		{"two Ups", map[string]string{"1_a.sql": up + up}, "1_a.sql:2: a second"},
		{"Down first", map[string]string{"1_a.sql": "-- +goose Down\n" + up}, "1_a.sql:1: `-- +goose Down` stands before"},
		{"no semicolon", map[string]string{"1_a.sql": up + "SELECT 1\n-- +goose Down\n"}, "1_a.sql:2: a statement without"},
		{"no semicolon at the end", map[string]string{"1_a.sql": up + "SELECT 1;\nSELECT 2"}, "1_a.sql:3: a statement without"},
		{"unknown annotation", map[string]string{"1_a.sql": up + "-- +goose Sideways\n"}, "knows no annotation"},
		{"indented annotation", map[string]string{"1_a.sql": up + " -- +goose Down\n"}, "a blank before"},
		{"open statement", map[string]string{"1_a.sql": up + "-- +goose StatementBegin\nSELECT 1;\n"}, "without StatementEnd"},
		{"end without begin", map[string]string{"1_a.sql": up + "-- +goose StatementEnd\n"}, "without StatementBegin"},
		{"goose number twice", map[string]string{"1_a.sql": gooseSQL, "01_b.sql": gooseSQL}, "version 1 is taken by"},
		{"goose variable", map[string]string{"1_a.sql": "-- +goose ENVSUB ON\n" + up + "SELECT $1;\n"}, "1_a.sql:3: ENVSUB: $ without"},
		{"goose encoding", map[string]string{"1_a.sql": up + "SELECT 'M\xfcller';"}, "line 2 is not UTF-8"},
		{"goose in two folders", map[string]string{"a/1_a.sql": gooseSQL, "b/1_a.sql": gooseSQL}, "migrations of goose lie in"},
		{"golang-migrate number twice", map[string]string{"1_a.up.sql": "", "01_b.up.sql": ""}, "the way up of version 1 is taken by"},
		{"dbmate without down", map[string]string{"1.sql": "-- migrate:up\n"}, "no `-- migrate:down`"},
		{"dbmate reversed", map[string]string{"1.sql": "-- migrate:down\n-- migrate:up\n"}, "stands before"},
		{"dbmate twice", map[string]string{"1.sql": dbmateSQL + dbmateSQL}, "a second `-- migrate:up`"},
		{"dbmate before up", map[string]string{"1.sql": "SELECT 1;\n" + dbmateSQL}, "SQL before"},
		{"dbmate version twice", map[string]string{"1_a.sql": dbmateSQL, "1_b.sql": dbmateSQL}, "version 1 is taken by"},
		{"Flyway version twice", map[string]string{"V1__a.sql": "", "V1.0__b.sql": ""}, "is taken by"},
		{"Flyway description twice", map[string]string{"R__a.sql": "", "x/R__a.sql": ""}, "the description \"a\" is taken by"},
		{"Flyway placeholder", map[string]string{"V1__a.sql": "SELECT 1,\n${n}"}, "V1__a.sql:2: no value for the placeholder ${n}"},
		{"Flyway encoding", map[string]string{"V1__a.sql": "", "flyway.conf": "flyway.encoding=ISO-8859-1"}, "only UTF-8"},
		{"broken TOML", map[string]string{"V1__a.sql": "", "flyway.toml": "[flyway"}, "flyway.toml"},
		{"sqitch, no script", map[string]string{"sqitch.plan": plan + "a" + who}, "missing: line 4"},
		{"sqitch dependency", map[string]string{"sqitch.plan": plan + "a [b]" + who + "b" + who, "deploy/a.sql": "", "deploy/b.sql": ""}, "sqitch.plan:4: a requires b"},
		{"sqitch name twice", map[string]string{"sqitch.plan": plan + "a" + who + "a" + who, "deploy/a.sql": ""}, "there is no tag between"},
		{"sqitch line", map[string]string{"sqitch.plan": plan + "a\n"}, "sqitch.plan:4: not a change"},
		{"sqitch tag alone", map[string]string{"sqitch.plan": plan + "@a" + who}, "no change before it"},
		{"sqitch project", map[string]string{"sqitch.plan": "%syntax-version=1.0.0\n\n"}, "no %project"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := folder(t, tt.files)
			h, err := Open(dir)
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(e.Path, dir) {
				t.Fatalf("got %+v, %v; want an *Error with %q", h, err, tt.want)
			}
		})
	}
}

// TestAnswers: what the books say is taken as the tool takes it.
func TestAnswers(t *testing.T) {
	goose := map[string]string{"1_a.sql": gooseSQL, "2_b.sql": gooseSQL, "3_c.sql": gooseSQL}
	migrate := map[string]string{"1_a.up.sql": "", "2_b.up.sql": "", "3_c.up.sql": ""}
	dbmate := map[string]string{"1_a.sql": dbmateSQL, "2_b.sql": dbmateSQL, "3_c.sql": dbmateSQL}
	flyway := map[string]string{"V1.0__a.sql": "", "V2__b.sql": "", "V3__c.sql": "", "R__r.sql": "x"}
	for _, tt := range []struct {
		name   string
		c      Config
		files  map[string]string
		answer []string
		left   []string
		err    string
	}{
		{"goose", Config{}, goose, []string{"1"}, []string{"2_b", "3_c"}, ""},
		{"goose, unknown", Config{}, goose, []string{"1", "2", "3", "9"}, nil, ""},
		{"goose, left out", Config{}, goose, []string{"1", "3"}, nil, "2_b.sql: not applied, and 3_c"},
		{"goose, left out and allowed", Config{OutOfOrder: true}, goose, []string{"1", "3"}, []string{"2_b"}, ""},
		{"golang-migrate, none", Config{}, migrate, nil, []string{"1_a", "2_b", "3_c"}, ""},
		{"golang-migrate", Config{}, migrate, []string{"2"}, []string{"3_c"}, ""},
		{"golang-migrate, dirty", Config{}, migrate, []string{"2 dirty"}, nil, "version 2 is dirty"},
		{"golang-migrate, unknown", Config{}, migrate, []string{"9"}, nil, "at version 9"},
		{"golang-migrate, another's table", Config{}, migrate, []string{"1", "2"}, nil, "2 rows"},
		{"dbmate, left out", Config{}, dbmate, []string{"1", "3"}, []string{"2_b"}, ""},
		{"Flyway", Config{}, flyway, []string{"1", "2.0.0"}, []string{"V3__c", "R__r"}, ""},
		{"Flyway, repeatable", Config{}, flyway, []string{"1", "2", "3", "R r -1931733373"}, nil, ""},
		{"Flyway, repeatable changed", Config{}, flyway, []string{"1", "2", "3", "R r 7"}, []string{"R__r"}, ""},
		{"Flyway, repeatable first", Config{}, flyway, []string{"R r -1931733373", "1"}, []string{"V2__b", "V3__c"}, ""},
		{"Flyway, baseline", Config{}, flyway, []string{"2 baseline"}, []string{"V3__c", "R__r"}, ""},
		{"Flyway, failed", Config{}, flyway, []string{"1", "2 failed"}, nil, "version 2 has failed"},
		{"Flyway, gone", Config{}, flyway, []string{"1", "1.5"}, nil, "version 1.5 is applied"},
		{"Flyway, future", Config{}, flyway, []string{"1", "2", "3", "4", "R r -1931733373"}, nil, ""},
		{"Flyway, left out", Config{}, flyway, []string{"1", "3"}, nil, "V2__b.sql: not applied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := open(t, tt.c, tt.files)
			left, err := h.Pending(tt.answer)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Fatalf("%v, want %q", err, tt.err)
			}
			if d := cmp.Diff(tt.left, names(left)); d != "" {
				t.Error(d)
			}
		})
	}
	h := open(t, Config{}, map[string]string{"sqitch.plan": plan + "a" + who + "b" + who, "deploy/a.sql": "", "deploy/b.sql": "x"})
	if _, err := h.Pending([]string{strings.Repeat("0", 40)}); err == nil || !strings.Contains(err.Error(), "the plan does not have it") {
		t.Errorf("sqitch, a changed plan: %v", err)
	}
	if left, err := h.Pending(versions(h)[:1]); err != nil || !slices.Equal(names(left), []string{"b"}) {
		t.Errorf("sqitch: %v, %v", names(left), err)
	}
}

// TestSqitchIDs: the ids that sqitch's tutorial shows.
func TestSqitchIDs(t *testing.T) {
	const marge = "Marge N. O’Vera <marge@example.com>"
	p, err := parseSqitchPlan("sqitch.plan", "%syntax-version=1.0.0\n%project=flipr\n%uri=https://github.com/theory/sqitch-intro/\n\n"+
		"appschema 2013-12-30T23:19:45Z "+marge+" # Add schema for all flipr objects.\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.changes[0].id; got != "c7981df861183412b01be706889e508a63d445ca" {
		t.Errorf("id %s", got)
	}
}

// TestFlywayChecksum: line ends and a byte order mark do not count.
func TestFlywayChecksum(t *testing.T) {
	for _, text := range []string{"CREATE TABLE t (id int);\nINSERT INTO t VALUES (1);\n", "CREATE TABLE t (id int);\r\nINSERT INTO t VALUES (1);", "CREATE TABLE t (id int);\rINSERT INTO t VALUES (1);\r"} {
		if got := flywayChecksum(text); got != 169406234 {
			t.Errorf("%q: %d", text, got)
		}
	}
}

// TestCode: what a tool runs in its own language keeps its place in the order.
func TestCode(t *testing.T) {
	h := open(t, Config{}, map[string]string{"1_a.sql": gooseSQL, "2_fill.go": "package migrations // pressly/goose", "3_b.sql": gooseSQL})
	m := h.Migrations[1]
	if m.Version != "2" || len(m.Code) != 1 || m.Code[0].Name != "2_fill.go" || m.Text != "" {
		t.Errorf("%+v", m)
	}
	if d := cmp.Diff([]string{"1", "2", "3"}, versions(h)); d != "" {
		t.Error(d)
	}
}

func TestDotenv(t *testing.T) {
	h := open(t, Config{}, map[string]string{".env": "# x\nexport GOOSE_TABLE=\"audit.Versions\" # y\nA=b # c\n", "m/1_a.sql": "-- +goose ENVSUB ON\n-- +goose Up\nSELECT '$A';\n"})
	if got := h.Books.Table(); got != "audit.Versions" {
		t.Errorf("table %s", got)
	}
	if d := cmp.Diff([]any{"audit", "versions"}, h.Books.Present().Args); d != "" {
		t.Error(d)
	}
	if !strings.Contains(h.Migrations[0].Text, "SELECT 'b';") {
		t.Errorf("text %q", h.Migrations[0].Text)
	}
}

func BenchmarkOpenGoose10000(b *testing.B) {
	files := make(map[string]string, 10000)
	for i := range 10000 {
		files[fmt.Sprintf("%05d_change.sql", i+1)] = fmt.Sprintf("-- +goose Up\nALTER TABLE t%d ADD COLUMN c%d integer;\n-- +goose Down\nALTER TABLE t%d DROP COLUMN c%d;\n", i%100, i, i%100, i)
	}
	dir := folder(b, files)
	for b.Loop() {
		h, err := Open(dir)
		if err != nil || len(h.Migrations) != 10000 {
			b.Fatal(len(h.Migrations), err)
		}
	}
}
