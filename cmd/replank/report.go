package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/replank/replank/ddl"
	"github.com/replank/replank/internal/pg"
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
	TakenBack bool     `json:"taken_back,omitempty"`
	excerpt   *excerpt // the source at Pos
}

// excerpt is a line of a migration, without its secrets, and the column of it that is meant.
type excerpt struct {
	line   string
	column int // in characters, from 0
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
		stopped *migrate.StoppedError
		refused *migrate.RefusedError
		refusal *plan.Refusal
		syntax  *ddl.SyntaxError
		client  *ddl.ClientError
		setting *settingError
		wrong   *plan.StatementError
	)
	if errors.As(err, &engine) {
		t.Run, t.Step, t.TakenBack = engine.Run, engine.Step, engine.TakenBack
	}
	if errors.As(err, &stopped) && stopped.Run != "" {
		t.Run, t.Step = stopped.Run, stopped.Step
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
		a.at(&t, refusal.Pos)
	case errors.As(err, &setting):
		t.Message = setting.message()
		if setting.pos.Line > 0 {
			t.Pos = &setting.pos // without the line, which may hold a password
		}
	case errors.As(err, &syntax):
		t.Message = syntax.Message
		a.at(&t, syntax.Pos)
	case errors.As(err, &wrong):
		t.Message = wrong.Err.Error()
		a.at(&t, wrong.Pos)
	case errors.As(err, &client):
		t.Message, t.Hint = client.Message, client.Hint
		a.at(&t, client.Pos)
	}
	return t
}

// at says where an error is, with the line where this process has read the source. What the parser stumbled over
// is in the message: it goes where it is a secret.
func (a *app) at(t *trouble, pos ddl.Pos) {
	if pos.Line == 0 {
		return
	}
	t.Pos = &pos
	text, known := a.sources[pos.File]
	if !known || pos.Offset > len(text) {
		return
	}
	x, secret := cutOut(text, pos.Offset)
	t.excerpt = &x
	if i := strings.Index(t.Message, ` at or near "`); secret && i >= 0 {
		t.Message = t.Message[:i] + ` at or near "'…'"`
	}
}

// cutOut is the line of a source that holds a byte; secret reports whether the byte is part of a secret.
func cutOut(text string, offset int) (x excerpt, secret bool) {
	begin, end := strings.LastIndexByte(text[:offset], '\n')+1, len(text)
	if i := strings.IndexByte(text[offset:], '\n'); i >= 0 {
		end = offset + i
	}
	var b strings.Builder
	show := func(from, to int) {
		if from <= offset && offset <= to {
			x.column = runes(b.String()) + runes(strings.TrimPrefix(text[from:offset], bom))
		}
		b.WriteString(strings.TrimPrefix(text[from:to], bom))
	}
	at := begin
	for _, s := range pg.Secrets(text) { // of all of the text: a constant may have begun on another line
		if s.End <= begin || s.Start >= end {
			continue
		}
		show(at, max(at, s.Start))
		if s.Start <= offset && offset < s.End {
			x.column, secret = runes(b.String()), true
		}
		b.WriteString("'…'")
		at = min(s.End, end)
	}
	if at < end || !secret {
		show(at, end)
	}
	x.line = strings.TrimSuffix(b.String(), "\r")
	return x, secret
}

// bom may begin a file, and is no part of its first line.
const bom = "\ufeff"

// redact takes the values of cited SQL out, as everywhere in JSON.
func (t *trouble) redact() {
	t.Message, t.Hint = redactProse(t.Message), hideSecretsInProse(t.Hint)
	for i, item := range t.Items {
		t.Items[i] = redactProse(item)
	}
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
	p.wrapped(p.paint(color, lead), "", hideSecretsInProse(text))
	if t.excerpt != nil {
		p.excerpt(t.Pos.Line, *t.excerpt)
	}
	for _, item := range t.Items {
		p.wrapped("  - ", "", hideSecretsInProse(item))
	}
	if t.Hint != "" {
		p.wrapped(p.paint(cyan, "hint: "), "", hideSecretsInProse(t.Hint))
	}
}

// longestExcerpt bounds the line that is shown; the caret stays inside.
const longestExcerpt = 120

// excerpt draws a source line with a caret below a column.
func (p *printer) excerpt(number int, x excerpt) { p.excerptMarked(number, x, 1, red) }

// excerptMarked draws a source line, with carets below so many of its characters, and none below 0.
func (p *printer) excerptMarked(number int, x excerpt, carets int, s style) {
	text := []rune(x.line)
	column := min(x.column, len(text))
	if len(text) > longestExcerpt {
		from := max(0, min(column-longestExcerpt/2, len(text)-longestExcerpt))
		text = text[from:min(len(text), from+longestExcerpt)]
		column -= from
	}
	margin := fmt.Sprintf("%5d | ", number)
	if number == 0 {
		margin = "      | " // the text stands in no file
	}
	p.line("%s%s", p.paint(dim, margin), string(text))
	if carets <= 0 {
		return
	}
	gap := make([]rune, column)
	for i := range gap {
		gap[i] = ' '
		if text[i] == '\t' {
			gap[i] = '\t' // as wide as above, whatever that is
		}
	}
	carets = max(1, min(carets, len(text)-column))
	p.line("%s%s%s", p.paint(dim, strings.Repeat(" ", len(margin)-2)+"| "), string(gap), p.paint(s, strings.Repeat("^", carets)))
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
