package lsp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/replank/replank/lint"
)

type (
	// workspaceEdit is a change of one document, or with others that it makes.
	workspaceEdit struct {
		Changes         map[string][]textEdit `json:"changes,omitempty"`
		DocumentChanges []any                 `json:"documentChanges,omitempty"` // documentEdit, createFile
	}
	documentEdit struct {
		Document struct {
			URI     string `json:"uri"`
			Version *int   `json:"version"`
		} `json:"textDocument"`
		Edits []textEdit `json:"edits"`
	}
	createFile struct {
		Kind string `json:"kind"` // create
		URI  string `json:"uri"`
	}
)

// createsFiles reports whether an editor takes changes that make files.
func createsFiles(params json.RawMessage) bool {
	var p struct {
		Capabilities struct {
			Workspace struct {
				Edit struct {
					DocumentChanges bool     `json:"documentChanges"`
					Operations      []string `json:"resourceOperations"`
				} `json:"workspaceEdit"`
			} `json:"workspace"`
		} `json:"capabilities"`
	}
	_ = json.Unmarshal(params, &p) // one that says nothing can do nothing
	edit := p.Capabilities.Workspace.Edit
	return edit.DocumentChanges && slices.Contains(edit.Operations, "create")
}

// codeActions offers what mends the findings of a part of the text, or allows them.
func (s *server) codeActions(ctx context.Context, params json.RawMessage) (any, *rpcError) {
	var p documentParams
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, &rpcError{invalidParams, err.Error()}
	}
	actions := []codeAction{}
	uri := p.Document.URI
	d := s.documents[uri]
	if d == nil {
		return actions, nil
	}
	found := d.at(offsetOf(d.text, p.Range.Start), offsetOf(d.text, p.Range.End))
	if len(found) == 0 {
		return actions, nil
	}
	if a, ok := s.rewrite(ctx, uri, d, found); ok {
		actions = append(actions, a)
	}
	for _, f := range found {
		if f.Statement != "" { // what is said of a whole file has no statement that a comment could stand above
			actions = append(actions, codeAction{Title: "Allow " + f.Rule + " here", Kind: "quickfix", Diagnostics: []diagnostic{d.diagnostic(f)},
				Edit: workspaceEdit{Changes: map[string][]textEdit{uri: {d.allow(f)}}}})
		}
	}
	return actions, nil
}

// rewrite offers the file in its safe form, when that mends one of the findings.
func (s *server) rewrite(ctx context.Context, uri string, d *document, found []Finding) (codeAction, bool) {
	if d.fixed == nil {
		fixed, err := s.Rewrite(ctx, d.path, d.text)
		if err != nil { // the findings have said what is wrong, or the next ones will
			fixed = lint.Fixed{}
		}
		d.fixed = &fixed
	}
	files := d.fixed.Files
	if len(files) == 0 || len(files) > 1 && (!s.creates || d.path == "") {
		return codeAction{}, false
	}
	a := codeAction{Kind: "quickfix", Preferred: true}
	for _, f := range found {
		if slices.ContainsFunc(d.fixed.Mended, func(m lint.Finding) bool { return m.Rule == f.Rule && m.Pos.Offset == f.Pos.Offset }) {
			a.Diagnostics = append(a.Diagnostics, d.diagnostic(f))
		}
	}
	if len(a.Diagnostics) == 0 {
		return codeAction{}, false
	}
	a.Title = "Rewrite the file into its safe form"
	if n := len(d.fixed.Mended); n > 1 {
		a.Title += fmt.Sprintf(" (mends %d findings)", n)
	}
	edit := difference(d.text, files[0].Text)
	if len(files) == 1 {
		a.Edit.Changes = map[string][]textEdit{uri: {edit}}
		return a, true
	}
	a.Title += fmt.Sprintf(", divided into %d files", len(files))
	here := documentEdit{Edits: []textEdit{edit}}
	here.Document.URI, here.Document.Version = uri, d.version
	a.Edit.DocumentChanges = []any{here}
	for _, f := range files[1:] {
		there := documentEdit{Edits: []textEdit{{NewText: f.Text}}}
		there.Document.URI = uriOf(f.Path)
		a.Edit.DocumentChanges = append(a.Edit.DocumentChanges, createFile{"create", there.Document.URI}, there)
	}
	return a, true
}

// difference is the one edit, of whole lines, that makes a text another one.
func difference(was, is string) textEdit {
	a, b := strings.SplitAfter(was, "\n"), strings.SplitAfter(is, "\n")
	from, to := 0, len(was)
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		from += len(a[head])
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		to -= len(a[len(a)-1-tail])
		tail++
	}
	return textEdit{span{positionOf(was, from), positionOf(was, to)}, is[from : len(is)-(len(was)-to)]}
}

// allow writes the comment above the statement by which it may break the rule. The reason is left to the author.
func (d *document) allow(f Finding) textEdit {
	line := strings.LastIndexByte(d.text[:f.From], '\n') + 1
	before := d.text[line:f.From]
	comment := "-- replank: allow " + f.Rule + " because \n"
	at := positionOf(d.text, f.From)
	if strings.TrimSpace(before) != "" { // another statement stands before it on the line
		return textEdit{span{at, at}, "\n" + comment}
	}
	return textEdit{span{at, at}, comment + before}
}

// uriOf is the URI of a file.
func uriOf(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // C:/…
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}
