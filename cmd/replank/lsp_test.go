package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// editor is a client of replank lsp over pipes.
type editor struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	next int
}

// rpc is a message of either side.
type rpc struct {
	ID     *int            `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int
		Message string
	} `json:"error"`
}

func newEditor(c *cli, args ...string) *editor {
	e := &editor{t: c.t, cmd: c.command(append([]string{"lsp", "--stdio"}, args...)...)}
	var err error
	if e.in, err = e.cmd.StdinPipe(); err != nil {
		c.t.Fatal(err)
	}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	e.out = bufio.NewReader(out)
	if err := e.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = e.cmd.Process.Kill() })
	return e
}

func (e *editor) write(body string) {
	e.t.Helper()
	if _, err := fmt.Fprintf(e.in, "Content-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		e.t.Fatal(err)
	}
}

func (e *editor) notify(method, params string) {
	e.t.Helper()
	e.write(`{"jsonrpc":"2.0","method":"` + method + `","params":` + params + `}`)
}

func (e *editor) read() rpc {
	e.t.Helper()
	length := 0
	for {
		line, err := e.out.ReadString('\n')
		if err != nil {
			e.t.Fatal(err)
		}
		if line == "\r\n" {
			break
		}
		if n, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(n))
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(e.out, body); err != nil {
		e.t.Fatal(err)
	}
	var m rpc
	if err := json.Unmarshal(body, &m); err != nil {
		e.t.Fatalf("%v: %s", err, body)
	}
	return m
}

// ask sends a request and gives the answer, passing over notifications.
func (e *editor) ask(method, params string) rpc {
	e.t.Helper()
	e.next++
	e.write(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, e.next, method, params))
	for {
		if m := e.read(); m.ID != nil && *m.ID == e.next && m.Method == "" {
			return m
		}
	}
}

type published struct {
	URI         string
	Version     *int
	Diagnostics []struct {
		Range struct {
			Start, End struct{ Line, Character int }
		}
		Severity int
		Code     string
		Message  string
	}
}

// diagnostics waits for those of a version of a file; -1: of none.
func (e *editor) diagnostics(uri string, version int) published {
	e.t.Helper()
	for {
		m := e.read()
		if m.Method != "textDocument/publishDiagnostics" {
			continue
		}
		var p published
		if err := json.Unmarshal(m.Params, &p); err != nil {
			e.t.Fatal(err)
		}
		if p.URI == uri && (p.Version == nil && version < 0 || p.Version != nil && *p.Version == version) {
			return p
		}
	}
}

func (p published) codes() string {
	var list []string
	for _, d := range p.Diagnostics {
		list = append(list, fmt.Sprintf("%s %d:%d-%d:%d", d.Code, d.Range.Start.Line, d.Range.Start.Character, d.Range.End.Line, d.Range.End.Character))
	}
	return strings.Join(list, ", ")
}

func fileURI(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestLSP is what an editor says and hears, from opening a file to its end.
func TestLSP(t *testing.T) {
	c := newCLI(t, "")
	c.write("m/1.sql", "CREATE TABLE t (id bigint);\nTRUNCATE x;\n", "m/2 ü.sql", "SELECT 1;\n", "replank.toml", "[lint]\noff = [\"fails\", \"lock-timeout\"]\n")
	e := newEditor(c)
	if m := e.ask("textDocument/hover", `{}`); m.Error == nil || m.Error.Code != -32002 {
		t.Errorf("before initialize: %+v", m)
	}
	if m := e.ask("initialize", `{"processId":null,"rootUri":null,"capabilities":{}}`); !strings.Contains(string(m.Result), `"hoverProvider":true`) {
		t.Fatalf("%s %+v", m.Result, m.Error)
	}
	e.notify("initialized", `{}`)
	if m := e.ask("workspace/symbol", `{}`); m.Error == nil || m.Error.Code != -32601 {
		t.Errorf("an unknown request: %+v", m)
	}

	uri := fileURI(filepath.Join(c.dir, "m", "2 ü.sql"))
	open := func(version int, text string) string {
		return `{"textDocument":{"uri":` + asJSON(uri) + `,"languageId":"sql","version":` + fmt.Sprint(version) + `,"text":` + asJSON(text) + `}}`
	}
	e.notify("textDocument/didOpen", open(1, "/* 😀 */ TRUNCATE y;\n"))
	// Only this file is told, and 😀 is two units.
	if got := e.diagnostics(uri, 1).codes(); got != "truncate 0:9-0:19" {
		t.Errorf("opened: %s", got)
	}
	place := func(line, character int) string {
		return fmt.Sprintf(`{"textDocument":{"uri":%s},"position":{"line":%d,"character":%d}}`, asJSON(uri), line, character)
	}
	if m := e.ask("textDocument/hover", place(0, 12)); !strings.Contains(string(m.Result), "**truncate** (error)") || !strings.Contains(string(m.Result), "replank apply") {
		t.Errorf("hover: %s", m.Result)
	}
	if m := e.ask("textDocument/hover", place(0, 2)); string(m.Result) != "null" {
		t.Errorf("hover beside it: %s", m.Result)
	}

	// A change of a part, in UTF-16 units: the comment goes, a line comes.
	e.notify("textDocument/didChange", `{"textDocument":{"uri":`+asJSON(uri)+`,"version":2},"contentChanges":[
		{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":9}},"text":"SELECT 1;\n  "},
		{"range":{"start":{"line":9,"character":0},"end":{"line":9,"character":0}},"text":"-- end\n"}]}`)
	if got := e.diagnostics(uri, 2).codes(); got != "truncate 1:2-1:12" {
		t.Errorf("changed: %s", got)
	}

	// The quick fix is the comment above the statement; with a reason the finding is gone.
	var actions []struct {
		Title string
		Edit  struct {
			Changes map[string][]struct {
				Range   json.RawMessage
				NewText string
			}
		}
	}
	m := e.ask("textDocument/codeAction", `{"textDocument":{"uri":`+asJSON(uri)+`},"range":{"start":{"line":1,"character":3},"end":{"line":1,"character":3}},"context":{"diagnostics":[]}}`)
	if err := json.Unmarshal(m.Result, &actions); err != nil || len(actions) != 1 {
		t.Fatalf("%v: %s", err, m.Result)
	}
	edit := actions[0].Edit.Changes[uri][0]
	if edit.NewText != "-- replank: allow truncate because \n  " {
		t.Errorf("%q", edit.NewText)
	}
	e.notify("textDocument/didChange", `{"textDocument":{"uri":`+asJSON(uri)+`,"version":3},"contentChanges":[{"range":`+string(edit.Range)+`,"text":`+asJSON(strings.Replace(edit.NewText, "because ", "because it is empty", 1))+`}]}`)
	if got := e.diagnostics(uri, 3).codes(); got != "" {
		t.Errorf("allowed: %s", got)
	}

	// Text that is no SQL yet is the ordinary state of an editor.
	e.notify("textDocument/didChange", `{"textDocument":{"uri":`+asJSON(uri)+`,"version":4},"contentChanges":[{"text":"ALTER TABLE t ADD COL"}]}`)
	if got := e.diagnostics(uri, 4).codes(); !strings.HasPrefix(got, "syntax 0:") {
		t.Errorf("half a statement: %s", got)
	}
	// The other migrations of the folder are read again when something is saved.
	e.notify("textDocument/didChange", `{"textDocument":{"uri":`+asJSON(uri)+`,"version":5},"contentChanges":[{"text":"TRUNCATE t;"}]}`)
	if got := e.diagnostics(uri, 5).codes(); got != "" {
		t.Errorf("t is empty: %s", got)
	}
	c.write("m/1.sql", "SELECT 1;")
	e.notify("textDocument/didSave", `{"textDocument":{"uri":`+asJSON(uri)+`},"text":"TRUNCATE t;"}`)
	if got := e.diagnostics(uri, 5).codes(); got != "truncate 0:0-0:10" {
		t.Errorf("nobody knows t: %s", got)
	}
	e.notify("textDocument/didClose", `{"textDocument":{"uri":`+asJSON(uri)+`}}`)
	if got := e.diagnostics(uri, -1).codes(); got != "" {
		t.Errorf("closed: %s", got)
	}
	e.notify("textDocument/didOpen", strings.ReplaceAll(open(1, "TRUNCATE z;"), asJSON(uri), `"untitled:Untitled-1"`))
	if got := e.diagnostics("untitled:Untitled-1", 1).codes(); got != "truncate 0:0-0:10" {
		t.Errorf("untitled: %s", got)
	}

	e.write(`{"jsonrpc":`)
	if m := e.read(); m.Error == nil || m.Error.Code != -32700 {
		t.Errorf("no JSON: %+v", m)
	}
	if m := e.ask("shutdown", `null`); m.Error != nil || string(m.Result) != "null" {
		t.Errorf("shutdown: %+v", m)
	}
	e.notify("exit", `null`)
	if err := e.cmd.Wait(); err != nil {
		t.Errorf("exit: %v", err)
	}
}

// TestLSPWithoutGoodbye: an editor that dies leaves no server behind.
func TestLSPWithoutGoodbye(t *testing.T) {
	e := newEditor(newCLI(t, ""))
	e.ask("initialize", `{"capabilities":{}}`)
	if err := e.in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.cmd.Wait(); err == nil || e.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v", err)
	}
}
