package ddl

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ParseEach reads a text that Parse refuses: statement by statement, so that one which PostgreSQL would not
// accept does not hide the others. The errors are those of Parse, in order; what they belong to is missing from
// the file.
func ParseEach(file, text string) (*File, []error) {
	f := &File{Name: file, Text: text}
	var errs []error
	for part := range Parts(text, 0) {
		if err := f.add(part); err != nil {
			errs = append(errs, err)
		}
	}
	return f, errs
}

// biggestStatement is what is parsed: the syntax of a bigger statement takes hundreds of megabytes, and a thousand
// times as much where it is data in the disguise of SQL.
const biggestStatement = 1 << 20

// Parse is the function Parse for a part of a file, with the positions of the whole. Statements that PostgreSQL would
// not accept are left out, as by ParseEach.
func (p Part) Parse(file string) (*File, []error) {
	if p.At == (Pos{}) {
		p.At = beginning
	}
	f := &File{Name: file, Text: p.Text}
	if len(p.Text) <= biggestStatement && f.add(p) == nil {
		return f, nil
	}
	f = &File{Name: file, Text: p.Text}
	var errs []error
	for one := range Parts(p.Text, 0) {
		one.At = shift(one.At, p.At)
		if err := f.add(one); err != nil {
			errs = append(errs, err)
		}
	}
	return f, errs
}

// add adds the statements of a part of the file.
func (f *File) add(p Part) error {
	at := p.At
	at.File = f.Name
	if len(p.Text) > biggestStatement {
		first := p.Text[:len(p.Text)-len(strings.TrimLeft(p.Text, spaces))]
		return &SyntaxError{Pos: behind(at, first), Message: fmt.Sprintf("a statement of %d kB is too much to be read: rows do not belong in a migration, load them beside it", len(p.Text)>>10)}
	}
	part, err := Parse(f.Name, p.Text)
	if err != nil {
		return shiftError(err, at)
	}
	for _, d := range part.Directives {
		if len(f.Statements) == 0 {
			d.Pos = shift(d.Pos, at)
			f.Directives = append(f.Directives, d)
		}
	}
	for _, st := range part.Statements {
		st.Pos = shift(st.Pos, at)
		for i := range st.Directives {
			st.Directives[i].Pos = shift(st.Directives[i].Pos, at)
		}
		f.Statements = append(f.Statements, st)
	}
	return nil
}

// behind is the position after a text that begins at a position.
func behind(at Pos, text string) Pos {
	at.Offset += len(text)
	if n := strings.Count(text, "\n"); n > 0 {
		at.Line += n
		at.Column = 1
		text = text[strings.LastIndexByte(text, '\n')+1:]
	}
	at.Column += utf8.RuneCountInString(text)
	return at
}

// shift is a position of a part as one of the whole text.
func shift(p, part Pos) Pos {
	if p.Line == 1 {
		p.Column += part.Column - 1
	}
	p.Line += part.Line - 1
	p.Offset += part.Offset
	return p
}

func shiftError(err error, part Pos) error {
	var syntax *SyntaxError
	var client *ClientError
	switch {
	case errors.As(err, &syntax):
		syntax.Pos = shift(syntax.Pos, part)
	case errors.As(err, &client):
		client.Pos = shift(client.Pos, part)
	}
	return err
}
