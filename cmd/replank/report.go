package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/migrate"
	"github.com/replank/replank/plan"
)

// trouble is one error as people and machines see it.
type trouble struct {
	Verdict string   `json:"verdict"`        // name of the exit code it stands for
	Code    string   `json:"code,omitempty"` // of a refusal; docs/errors.md lists them
	Message string   `json:"message"`        // without the position
	Run     string   `json:"migration,omitempty"`
	Step    string   `json:"step,omitempty"`
	Items   []string `json:"items,omitempty"`
	Hint    string   `json:"hint,omitempty"`
	Pos     *ddl.Pos `json:"position,omitempty"`
	// TakenBack says that the migration was begun and is reverted.
	TakenBack bool   `json:"taken_back,omitempty"`
	Line      string `json:"-"` // the source line at Pos
}

// report tells the user how the command ended, unless it has said so itself.
func (a *app) report(err error, code int) {
	var told *toldError
	if err == nil || errors.As(err, &told) {
		return
	}
	list := a.troubles(err, code)
	for _, t := range list {
		a.messages.trouble(t)
	}
	if a.set.JSON {
		for i := range list {
			list[i].redact()
		}
		_ = a.printJSON(map[string]any{"kind": "error", "exit_code": code, "verdict": exitName(code), "errors": list})
	}
}

// troubles are the errors of a call, each once.
func (a *app) troubles(err error, code int) []trouble {
	var list []trouble
	for _, e := range each(err) {
		t := a.trouble(e)
		if c := codeOf(e); c == exitFailed && code != exitOK {
			t.Verdict = exitName(code)
		}
		list = append(list, t)
	}
	return list
}

func (a *app) trouble(err error) trouble {
	t := trouble{Verdict: exitName(codeOf(err)), Message: err.Error(), Hint: migrate.HintOf(err)}
	var (
		engine  *migrate.Error
		refused *migrate.RefusedError
		refusal *plan.Refusal
		syntax  *ddl.SyntaxError
		client  *ddl.ClientError
		setting *settingError
	)
	if errors.As(err, &engine) {
		t.Run, t.Step, t.TakenBack = engine.Run, engine.Step, engine.TakenBack
	}
	if errors.As(err, &refused) {
		t.Code = string(refused.Code)
		switch {
		case refused.Code == migrate.Input && refused.Err != nil:
			t.Message = refused.Err.Error()
		case refused.Err == nil:
			t.Message, t.Items = refused.Reason, refused.Items
		}
	}
	switch {
	case errors.As(err, &refusal):
		t.Code, t.Message, t.Hint = refusal.Code, refusal.Reason, refusal.Hint
		t.at(refusal.Pos, a.lineOf(refusal.Pos))
	case errors.As(err, &setting):
		t.Message = setting.message()
		t.at(setting.pos, "") // without the line, which may hold a password
	case errors.As(err, &syntax):
		t.Message = syntax.Message
		t.at(syntax.Pos, syntax.Line)
	case errors.As(err, &client):
		t.Message, t.Hint = client.Message, client.Hint
		t.at(client.Pos, client.Line)
	}
	return t
}

func (t *trouble) at(pos ddl.Pos, line string) {
	if pos.Line > 0 {
		t.Pos, t.Line = &pos, line
	}
}

// redact takes the values of cited SQL out, as everywhere in JSON.
func (t *trouble) redact() {
	t.Message, t.Hint = redactProse(t.Message), hidePasswords(t.Hint)
	for i, item := range t.Items {
		t.Items[i] = redactProse(item)
	}
}

// lineOf is the line of a source file that this process has read.
func (a *app) lineOf(pos ddl.Pos) string {
	lines := strings.Split(a.sources[pos.File], "\n")
	if pos.Line < 1 || pos.Line > len(lines) {
		return ""
	}
	return strings.TrimSuffix(lines[pos.Line-1], "\r")
}

// trouble writes one error: what, where, and what to do.
//
//	error: migrations/003.sql:2:10: syntax error at or near "FORM"
//	    2 | SELECT * FORM t
//	      |          ^
//	hint: …
func (p *printer) trouble(t trouble) {
	lead, color := "error: ", red
	switch t.Verdict {
	case exitName(exitRefused):
		lead, color = "refused: ", yellow
	case exitName(exitStopped), exitName(exitNotYet), exitName(exitBusy):
		lead, color = strings.ReplaceAll(t.Verdict, "-", " ")+": ", yellow
	}
	text := t.Message
	if t.Pos != nil {
		text = t.Pos.String() + ": " + text
	}
	if t.Code != "" && t.Verdict == exitName(exitRefused) {
		text += " (" + t.Code + ")"
	}
	p.wrapped(p.paint(color, lead), "", hidePasswords(text))
	if t.Line != "" {
		p.excerpt(*t.Pos, hidePasswords(t.Line))
	}
	for _, item := range t.Items {
		p.wrapped("  - ", "", hidePasswords(item))
	}
	if t.Hint != "" {
		p.wrapped(p.paint(cyan, "hint: "), "", hidePasswords(t.Hint))
	}
}

// longestExcerpt bounds the line that is shown; the caret stays inside.
const longestExcerpt = 120

// excerpt draws a source line with a caret below a column.
func (p *printer) excerpt(pos ddl.Pos, line string) {
	text, column := []rune(line), max(0, pos.Column-1)
	column = min(column, len(text))
	if len(text) > longestExcerpt {
		from := max(0, min(column-longestExcerpt/2, len(text)-longestExcerpt))
		text = text[from:min(len(text), from+longestExcerpt)]
		column -= from
	}
	gap := make([]rune, column)
	for i := range gap {
		gap[i] = ' '
		if text[i] == '\t' {
			gap[i] = '\t' // as wide as above, whatever that is
		}
	}
	margin := fmt.Sprintf("%5d | ", pos.Line)
	p.line("%s%s", p.paint(dim, margin), string(text))
	p.line("%s%s%s", p.paint(dim, strings.Repeat(" ", len(margin)-2)+"| "), string(gap), p.paint(red, "^"))
}

// printJSON writes one object: on one line, so that a stream of them can be read line by line.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printJSONDocument writes one object for people to look at, too.
func (a *app) printJSONDocument(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
