package lsp

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/replank/replank/lint"
)

type (
	position struct {
		Line      int `json:"line"`
		Character int `json:"character"` // in UTF-16 units
	}
	span struct {
		Start position `json:"start"`
		End   position `json:"end"`
	}
	textDocument struct {
		URI     string `json:"uri"`
		Version *int   `json:"version"`
		Text    string `json:"text"`
	}
	change struct {
		Range *span  `json:"range"`
		Text  string `json:"text"`
	}
	documentParams struct {
		Document textDocument `json:"textDocument"`
		Changes  []change     `json:"contentChanges"`
		Text     *string      `json:"text"` // of didSave
		Position position     `json:"position"`
		Range    span         `json:"range"`
	}
	diagnostic struct {
		Range    span   `json:"range"`
		Severity int    `json:"severity"`
		Code     string `json:"code,omitempty"`
		Source   string `json:"source"`
		Message  string `json:"message"`
	}
	textEdit struct {
		Range   span   `json:"range"`
		NewText string `json:"newText"`
	}
	codeAction struct {
		Title       string        `json:"title"`
		Kind        string        `json:"kind"`
		Diagnostics []diagnostic  `json:"diagnostics"`
		Preferred   bool          `json:"isPreferred,omitempty"`
		Edit        workspaceEdit `json:"edit"`
	}
)

// notification keeps the documents as the editor has them.
func (s *server) notification(m message) {
	var p documentParams
	if !strings.HasPrefix(m.Method, "textDocument/") || json.Unmarshal(m.Params, &p) != nil {
		return
	}
	uri := p.Document.URI
	if m.Method == "textDocument/didOpen" {
		s.documents[uri] = &document{path: pathOf(uri), text: p.Document.Text, version: p.Document.Version}
		s.dirty[uri] = true
		return
	}
	d := s.documents[uri]
	if d == nil {
		return
	}
	switch m.Method {
	case "textDocument/didChange":
		for _, c := range p.Changes {
			d.change(c)
		}
		d.version = p.Document.Version
		s.dirty[uri] = true
	case "textDocument/didSave":
		if p.Text != nil {
			d.text = *p.Text
		}
		// The history of every open file may have changed on disk.
		for open := range s.documents {
			s.dirty[open] = true
		}
	case "textDocument/didClose":
		delete(s.documents, uri)
		delete(s.dirty, uri)
		s.publish(uri, nil, []diagnostic{})
	}
}

func (d *document) change(c change) {
	if c.Range == nil {
		d.text = c.Text
		return
	}
	from, to := offsetOf(d.text, c.Range.Start), offsetOf(d.text, c.Range.End)
	d.text = d.text[:from] + c.Text + d.text[max(from, to):]
}

// judgeOne judges one of the documents that have changed.
func (s *server) judgeOne(ctx context.Context) {
	for uri := range s.dirty {
		delete(s.dirty, uri)
		d := s.documents[uri]
		found, err := s.Judge(ctx, d.path, d.text)
		if err != nil {
			d.findings, d.judged, d.fixed = nil, d.text, nil
			s.publish(uri, d.version, []diagnostic{{Severity: 1, Source: "replank", Message: err.Error()}})
			return
		}
		d.findings, d.judged, d.fixed = found, d.text, nil
		list := []diagnostic{}
		for _, f := range found {
			list = append(list, d.diagnostic(f))
		}
		s.publish(uri, d.version, list)
		return
	}
}

func (s *server) publish(uri string, version *int, list []diagnostic) {
	s.notify("textDocument/publishDiagnostics", struct {
		URI         string       `json:"uri"`
		Version     *int         `json:"version,omitempty"`
		Diagnostics []diagnostic `json:"diagnostics"`
	}{uri, version, list})
}

func (d *document) diagnostic(f Finding) diagnostic {
	return diagnostic{
		Range:    span{positionOf(d.judged, f.From), positionOf(d.judged, f.To)},
		Severity: map[lint.Severity]int{lint.Error: 1, lint.Warning: 2, lint.Notice: 3}[f.Severity],
		Code:     f.Rule, Source: "replank", Message: strings.Join(append([]string{f.Message}, f.Why...), "\n"),
	}
}

// at are the findings that touch a part of the text, as long as the text is the one that was judged.
func (d *document) at(from, to int) []Finding {
	if d.text != d.judged {
		return nil
	}
	var list []Finding
	for _, f := range d.findings {
		if f.From <= to && from <= f.To {
			list = append(list, f)
		}
	}
	return list
}

// hover tells the stories of the rules at a place.
func (s *server) hover(params json.RawMessage) (any, *rpcError) {
	var p documentParams
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, &rpcError{invalidParams, err.Error()}
	}
	d := s.documents[p.Document.URI]
	if d == nil {
		return nil, nil
	}
	at := offsetOf(d.text, p.Position)
	var texts, told []string
	for _, f := range d.at(at, at) {
		rule := lint.RuleByID(f.Rule)
		if rule == nil || slices.Contains(told, f.Rule) {
			continue
		}
		told = append(told, f.Rule)
		texts = append(texts, fmt.Sprintf("**%s** (%s): %s\n\n%s", f.Rule, f.Severity, rule.Title, s.Story(*rule)))
	}
	if len(texts) == 0 {
		return nil, nil
	}
	return map[string]any{"contents": map[string]string{"kind": "markdown", "value": strings.Join(texts, "\n\n---\n\n")}}, nil
}

// offsetOf is the byte of a text at a position; one behind the end of its line is that end.
func offsetOf(text string, p position) int {
	at := 0
	for range p.Line {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			return len(text)
		}
		at += i + 1
	}
	for units := 0; at < len(text) && text[at] != '\n'; {
		r, n := utf8.DecodeRuneInString(text[at:])
		if units += utf16.RuneLen(r); units > p.Character {
			break
		}
		at += n
	}
	return at
}

// positionOf is the position of a byte of a text.
func positionOf(text string, offset int) position {
	offset = max(0, min(offset, len(text)))
	begin := strings.LastIndexByte(text[:offset], '\n') + 1
	p := position{Line: strings.Count(text[:begin], "\n")}
	for _, r := range text[begin:offset] {
		p.Character += max(1, utf16.RuneLen(r))
	}
	return p
}
