package history

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// squashed is a history with a squash whose members are there, code, a comment at an end, and a second database.
const squashed = `{"format":"replank-history","version":1,"framework":{"name":"django","version":"5.2"},"root":"/project",
"bookkeeping":{"table":"django_migrations","create":[]},"migrations":[
{"app":"a","name":"0001","path":"a/1.py","needs":[],"atomic":true,"replaced_by":"a.0001_s","operations":[{"kind":"RunSQL","line":3,"sql":["SELECT 1"]}]},
{"app":"a","name":"0002","path":"a/2.py","needs":["a.0001"],"atomic":true,"replaced_by":"a.0001_s","operations":[]},
{"app":"a","name":"0001_s","path":"a/s.py","needs":[],"atomic":true,"replaces":[["a","0001"],["a","0002"]],"operations":[
  {"kind":"CreateModel","target":"T","line":5,"sql":["CREATE TABLE t (id int) -- all"],"deferred":["ALTER TABLE t ADD UNIQUE (id);"],"on":{"other":{"sql":[]}}},
  {"kind":"RunPython","line":6,"code":{"name":"a.f","path":"a/s.py","line":1},"skipped_on":["other"]}],
  "state":{"a.T":{"table":"t","columns":{"id":{"field":"id","type":"integer","null":true}}}}},
{"app":"a","name":"0003","path":"a/3.py","needs":["a.0001_s"],"atomic":false,"operations":[
  {"kind":"AddField","target":"t.x","line":9,"sql":["ALTER TABLE t ADD x int"],"error":"asks"}],
  "state":{"a.T":{"columns":{"id":{"null":null},"x":{"field":"x","type":"integer"}}}}}]}`

func decode(t *testing.T, document string) *Export {
	t.Helper()
	e, err := DecodeExport([]byte(document), "history.json", "")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestExportedMigration(t *testing.T) {
	e := decode(t, squashed)
	ms := e.Migrations("")
	if d := cmp.Diff([]string{"a.0001_s", "a.0003"}, names(ms)); d != "" {
		t.Fatal(d)
	}
	m := ms[0]
	m.Checksum = ""
	want := Migration{
		Name: "a.0001_s", Version: "a.0001_s", Path: "/project/a/s.py", Tx: Whole,
		Replaces: []string{"/project/a/1.py", "/project/a/2.py"},
		Text:     "CREATE TABLE t (id int) -- all\n;\nALTER TABLE t ADD UNIQUE (id);\n",
		Code:     []Code{{Offset: 33, Name: "a.f", Path: "/project/a/s.py", Line: 1}},
		Origins: []Origin{{0, "/project/a/s.py", 5, "CreateModel T"},
			{33, "/project/a/s.py", 5, "CreateModel T"}},
	}
	if d := cmp.Diff(want, m); d != "" {
		t.Error(d)
	}
	if ms[1].Tx != Each {
		t.Error("a migration that is not atomic is sent as a whole")
	}
	if d := cmp.Diff([]Unknown{{"a.0003", "AddField t.x", "/project/a/3.py", 9, "asks"}}, e.Unknown); d != "" {
		t.Error(d)
	}
	if other := e.Migrations("other")[0]; other.Text != "" || len(other.Code) > 0 {
		t.Errorf("the routers keep this from the other database: %+v", other)
	}
}

// TestUnknownOperations: the framework executes what depends on the database, where it is executed at all. Nothing can
// be planned behind an operation of which nothing is known.
func TestUnknownOperations(t *testing.T) {
	e := decode(t, `{"format":"replank-history","version":1,"framework":{"name":"django","version":"5.2"},"root":"/project","migrations":[
{"app":"a","name":"0001","path":"a/1.py","needs":[],"atomic":true,"operations":[
  {"kind":"RunPython","code":{"name":"a.f","at":[0],"atomic":true}},
  {"kind":"AddField","target":"t.x","line":9,"sql":["ALTER TABLE t ADD x int DEFAULT 0"],"deferred":["CREATE INDEX i ON t (x)"],"error":"asks",
   "code":{"name":"AddField t.x","at":[1],"atomic":true,"back":"code"},"on":{"other":{"sql":[]}}},
  {"kind":"RunPython","code":{"name":"a.g","at":[2],"atomic":true}}]},
{"app":"a","name":"0002","path":"a/2.py","needs":["a.0001"],"atomic":true,"operations":[
  {"kind":"Look","line":3,"error":"asks","code":{"name":"Look","at":[0],"atomic":true,"schema":true}}]},
{"app":"a","name":"0003","path":"a/3.py","needs":["a.0002"],"atomic":true,"operations":[
  {"kind":"Look","line":3,"error":"asks","code":{"name":"Look","at":[0],"atomic":true,"schema":true}},
  {"kind":"RunSQL","sql":["SELECT 1"]}]}]}`)
	ms := e.Migrations("")
	const sql = "ALTER TABLE t ADD x int DEFAULT 0"
	end := len(sql + ";\n")
	want := []Code{
		{Name: "a.f", Path: "/project/a/1.py", At: []int{0}, Atomic: true},
		{Name: "AddField t.x", Path: "/project/a/1.py", At: []int{1}, Atomic: true, Back: BackByCode, SQL: []string{sql}, End: end},
		{Name: "a.g", Path: "/project/a/1.py", At: []int{2}, Atomic: true, Offset: end},
	}
	if d := cmp.Diff(want, ms[0].Code); d != "" {
		t.Error(d)
	}
	if want := sql + ";\nCREATE INDEX i ON t (x);\n"; ms[0].Text != want {
		t.Errorf("the text is %q", ms[0].Text)
	}
	if n := len(e.Migrations("other")[0].Code); n != 2 {
		t.Errorf("on a database to which routers do not let it there are %d pieces of code, want 2", n)
	}
	for i, unknown := range []int{0, 0, 1} {
		if got := ms[i].Unknown; len(got) != unknown {
			t.Errorf("%s: %+v", ms[i].Name, got)
		}
	}
}

func TestSquashGivesWay(t *testing.T) {
	e := decode(t, squashed)
	for _, tt := range []struct {
		rows, plan, rest []string
		books            int // rows that migrate adds for squashes
	}{
		{nil, []string{"a.0001_s", "a.0003"}, []string{"a.0001_s", "a.0003"}, 0},
		{[]string{"a.0001"}, []string{"a.0001", "a.0002", "a.0003"}, []string{"a.0002", "a.0003"}, 0},
		{[]string{"a.0001", "a.0002"}, []string{"a.0001_s", "a.0003"}, []string{"a.0003"}, 1},
		{[]string{"a.0001", "a.0002", "a.0001_s", "gone.0001"}, []string{"a.0001_s", "a.0003"}, []string{"a.0003"}, 0},
	} {
		applied, err := e.Books().Read(tt.rows)
		if err != nil {
			t.Fatal(err)
		}
		plan := e.Plan("", applied)
		var rest []string
		for _, m := range plan {
			if !applied[m.Version] {
				rest = append(rest, m.Name)
			}
		}
		if d := cmp.Diff(tt.plan, names(plan)); d != "" {
			t.Errorf("%v: %s", tt.rows, d)
		}
		if d := cmp.Diff(tt.rest, rest); d != "" {
			t.Errorf("%v: %s", tt.rows, d)
		}
		if n := len(e.Squashes(tt.rows)); n != tt.books {
			t.Errorf("%v: %d rows for squashes, want %d", tt.rows, n, tt.books)
		}
	}
	if _, err := e.Books().Read([]string{"a.0003"}); err == nil || !strings.Contains(err.Error(), "a.0003 is applied and a.0001_s") {
		t.Errorf("an inconsistent history: %v", err)
	}
}

func TestExportedTables(t *testing.T) {
	e := decode(t, squashed)
	for after, want := range map[string]map[string]Column{
		"a.0001_s": {"id": {Field: "id", Type: "integer", Null: true}},
		"":         {"id": {Field: "id", Type: "integer"}, "x": {Field: "x", Type: "integer"}},
	} {
		tables, err := e.Tables(after)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, tables["a.T"].Columns); d != "" {
			t.Errorf("after %q: %s", after, d)
		}
	}
	if _, err := e.Tables("a.gone"); err == nil {
		t.Error("tables after a migration that is not there")
	}
}

func TestExportRefuses(t *testing.T) {
	const head = `{"format":"replank-history","version":1,"framework":{"name":"django"},"migrations":[`
	for _, tt := range []struct{ document, want string }{
		{"", "not an export"},
		{"[]", "not an export"},
		{`{"format":"x"}`, "not an export"},
		{`{"format":"replank-history","version":2}`, "this replank reads version 1"},
		{head + `{"app":"a","name":"1","needs":["a.0"]}]}`, "a.1 needs a.0, which is not there"},
		{head + `{"app":"a","name":"1","needs":["a.2"]},{"app":"a","name":"2","needs":["a.1"]}]}`, "a.1 needs a.2, which comes after it"},
		{head + `{"app":"a","name":"1"},{"app":"a","name":"1"}]}`, "a.1 stands there twice"},
	} {
		_, err := DecodeExport([]byte(tt.document), "x.json", "")
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", tt.document, err, tt.want)
		}
	}
}
