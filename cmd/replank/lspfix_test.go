package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/replank/replank/internal/pgtest"
)

// action is a code action as an editor reads it.
type action struct {
	Title       string
	Kind        string
	Preferred   bool `json:"isPreferred"`
	Diagnostics []struct{ Code string }
	Edit        struct {
		Changes         map[string][]change
		DocumentChanges []struct {
			Kind         string
			URI          string
			TextDocument *struct {
				URI     string
				Version *int
			}
			Edits []change
		}
	}
}

type change struct {
	Range struct {
		Start, End struct{ Line, Character int }
	}
	NewText string
}

// apply is what an editor does with a change; the lines of the text are ASCII.
func (c change) apply(text string) string {
	offset := func(line, character int) int {
		at := 0
		for range line {
			at += strings.IndexByte(text[at:], '\n') + 1
		}
		return at + character
	}
	return text[:offset(c.Range.Start.Line, c.Range.Start.Character)] + c.NewText + text[offset(c.Range.End.Line, c.Range.End.Character):]
}

func (e *editor) start(capabilities string) {
	e.t.Helper()
	if m := e.ask("initialize", `{"processId":null,"rootUri":null,"capabilities":`+capabilities+`}`); m.Error != nil {
		e.t.Fatalf("%+v", m.Error)
	}
	e.notify("initialized", `{}`)
}

func (e *editor) open(uri string, text string) published {
	e.t.Helper()
	e.notify("textDocument/didOpen", fmt.Sprintf(`{"textDocument":{"uri":%s,"languageId":"sql","version":1,"text":%s}}`, asJSON(uri), asJSON(text)))
	return e.diagnostics(uri, 1)
}

// actions are those at a line, that which rewrites the file first.
func (e *editor) actions(uri string, line int) []action {
	e.t.Helper()
	m := e.ask("textDocument/codeAction", fmt.Sprintf(`{"textDocument":{"uri":%s},"range":{"start":{"line":%[2]d,"character":0},"end":{"line":%[2]d,"character":99}},"context":{"diagnostics":[]}}`, asJSON(uri), line))
	var list []action
	if err := json.Unmarshal(m.Result, &list); err != nil {
		e.t.Fatalf("%v: %s", err, m.Result)
	}
	return list
}

const filesToo = `{"workspace":{"workspaceEdit":{"documentChanges":true,"resourceOperations":["create","rename","delete"]}}}`

// TestLSPRewrites: the quick fix is what lint --fix writes, and files that are made of one go where the tool finds them.
func TestLSPRewrites(t *testing.T) {
	t.Parallel()
	c := newCLI(t, "")
	const one = "SET lock_timeout = '1s';\nALTER TABLE t\n\tADD CONSTRAINT positive CHECK (n > 0);\nALTER TABLE t ADD COLUMN m int;\n"
	const many = "-- +goose Up\nSET lock_timeout = '1s';\nALTER TABLE t ADD COLUMN k int;\nCREATE INDEX t_k ON t (k);\n\n-- +goose Down\nALTER TABLE t DROP COLUMN k;\n"
	c.write("m/1.sql", "SELECT 1;\n", "m/2.sql", one, "g/00001_k.sql", many, "g/00003_more.sql", "-- +goose Up\nSELECT 1;\n")
	// What lint --fix makes of copies of them.
	c.write("fixed/m/1.sql", "SELECT 1;\n", "fixed/m/2.sql", one, "fixed/g/00001_k.sql", many, "fixed/g/00003_more.sql", "-- +goose Up\nSELECT 1;\n")
	c.run("lint", "fixed/m", "--fix")
	c.run("lint", "fixed/g", "--fix")
	file := c.read

	e := newEditor(c)
	e.start(filesToo)
	uri := fileURI(filepath.Join(c.dir, "m", "2.sql"))
	if p := e.open(uri, one); !strings.Contains(p.codes(), " 1:0-2:") {
		t.Fatalf("%s", p.codes())
	}
	list := e.actions(uri, 1)
	if len(list) < 2 || !list[0].Preferred || list[0].Kind != "quickfix" || len(list[0].Diagnostics) == 0 || !strings.HasPrefix(list[0].Title, "Rewrite the file") {
		t.Fatalf("%+v", list)
	}
	var got string
	if changes := list[0].Edit.Changes[uri]; len(changes) == 1 {
		got = changes[0].apply(one)
		if changes[0].Range.Start.Line == 0 || changes[0].Range.End.Line > 3 {
			t.Errorf("more than the statement is changed: %+v", changes[0])
		}
	} else if changes := list[0].Edit.DocumentChanges; len(changes) > 0 {
		got = changes[0].Edits[0].apply(one)
	}
	if want := file("fixed/m/2.sql"); got != want || want == one {
		t.Errorf("the editor writes\n%s\nlint --fix\n%s", got, want)
	}
	if list := e.actions(uri, 3); len(list) > 0 {
		t.Errorf("nothing is wrong with the last line: %+v", list)
	}

	uri = fileURI(filepath.Join(c.dir, "g", "00001_k.sql"))
	codes := e.open(uri, many).codes()
	list = e.actions(uri, 3)
	if len(list) == 0 || len(list[0].Edit.DocumentChanges) != 3 || !strings.Contains(list[0].Title, "divided into 2 files") {
		t.Fatalf("%s: %+v", codes, list)
	}
	here, made, there := list[0].Edit.DocumentChanges[0], list[0].Edit.DocumentChanges[1], list[0].Edit.DocumentChanges[2]
	next := "g/00002_k_2.sql"
	if here.TextDocument.URI != uri || *here.TextDocument.Version != 1 || here.Edits[0].apply(many) != file("fixed/g/00001_k.sql") {
		t.Errorf("the first file: %+v\n%s", here, file("fixed/g/00001_k.sql"))
	}
	if made.Kind != "create" || made.URI != fileURI(filepath.Join(c.dir, next)) || there.TextDocument.URI != made.URI || there.Edits[0].NewText != file("fixed/"+next) {
		t.Errorf("the second file: %+v %+v", made, there)
	}

	// An editor that makes no files is not offered what needs them.
	e = newEditor(c)
	e.start(`{}`)
	e.open(uri, many)
	if list := e.actions(uri, 3); len(list) == 0 || list[0].Preferred || !strings.HasPrefix(list[0].Title, "Allow ") {
		t.Errorf("%+v", list)
	}
}

// TestLSPSnapshot: shapes and sizes of a snapshot count, from a flag and from replank.toml.
func TestLSPSnapshot(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DB(t)
	pgtest.Exec(t, dsn, "CREATE TABLE big (id int PRIMARY KEY, n int)", "INSERT INTO big SELECT g, g FROM generate_series(1, 20000) g", "ANALYZE big")
	c := newCLI(t, dsn)
	c.write("s.json", c.want(exitOK, "snapshot").out, "m/1.sql", "SELECT 1;\n")
	const text = "SET lock_timeout = '1s';\nALTER TABLE big ALTER COLUMN n TYPE bigint;\nALTER TABLE absent ADD COLUMN a int;\n"
	uri := fileURI(filepath.Join(c.dir, "m", "2.sql"))
	plain := newEditor(c)
	plain.start(`{}`)
	if p := plain.open(uri, text); !strings.Contains(p.codes(), "column-type 1:") || strings.Contains(p.codes(), "fails") {
		t.Errorf("without a snapshot: %s", p.codes())
	}
	for name, e := range map[string]*editor{"flag": newEditor(c, "--snapshot", "s.json"), "file": func() *editor {
		c.write("replank.toml", "[lint]\nsnapshot = \"s.json\"\n")
		return newEditor(c)
	}()} {
		e.start(`{}`)
		p := e.open(uri, text)
		if !strings.Contains(p.codes(), "fails 2:") || !strings.Contains(asJSON(p), "20,000 rows") {
			t.Errorf("%s: %+v", name, p)
		}
	}
	c.write("replank.toml", "", "other.json", `{"format": 7}`)
	e := newEditor(c, "--snapshot", "other.json")
	e.start(`{}`)
	if p := e.open(uri, text); len(p.Diagnostics) != 1 || !strings.Contains(p.Diagnostics[0].Message, "format 7") {
		t.Errorf("another format: %+v", p)
	}
	// lint of standard input takes the snapshot, too.
	r := c.runWith(text, "lint", "--stdin-filename", "m/2.sql", "-", "--snapshot", "s.json")
	contains(t, r.out, "[fails]", "20,000 rows")
}
