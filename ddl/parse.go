package ddl

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"
)

const bom = "\ufeff"

// ClientError is what Parse returns for text that is not SQL for the server but work for psql: meta-commands,
// client variables, and COPY FROM STDIN, whose data stands in the file.
type ClientError struct {
	Pos     Pos
	Message string
	Hint    string // what to do instead
	Line    string // the line of the file that holds Pos
}

// Error gives file:line:column: message (hint).
func (e *ClientError) Error() string {
	return e.Pos.String() + ": " + e.Message + " (" + e.Hint + ")"
}

// Parse splits a migration file into its statements and says what each of them does. The file's name only
// appears in positions. The error is a [*SyntaxError] where PostgreSQL would not accept the text, and a
// [*ClientError] where only psql would.
//
// The parser has the grammar of PostgreSQL 17; what 18 added is accepted too.
func Parse(file, text string) (*File, error) {
	s, stmts, err := parseText(file, text)
	if err != nil {
		return nil, err
	}
	f := &File{Name: file, Text: text}
	var spans []span
	for _, raw := range stmts {
		c := s.statement(raw)
		if c.first >= c.last {
			continue // nothing but comments
		}
		ops, err := c.ops(raw.Stmt)
		if err != nil {
			return nil, err
		}
		sp := span{s.toks[c.first].start, s.toks[c.last-1].end}
		spans = append(spans, sp)
		f.Statements = append(f.Statements, Statement{
			SQL:  text[sp.start:sp.end],
			Pos:  s.pos(sp.start),
			Ops:  ops,
			NoTx: noTx(raw.Stmt),
			tree: raw,
		})
	}
	if err := s.attach(f, spans); err != nil {
		return nil, err
	}
	return f, nil
}

// statement is one statement of a source: the tokens [first, last).
type statement struct {
	*source
	first, last int
}

func (s *source) statement(raw *pg.RawStmt) *statement {
	end := raw.StmtLocation + raw.StmtLen
	if raw.StmtLen == 0 {
		end = int32(len(s.text))
	}
	c := &statement{source: s, first: s.at(raw.StmtLocation), last: s.at(end)}
	for c.first < c.last && s.kind(c.first) == tokSemicolon {
		c.first++
	}
	return c
}

// parseText scans and parses text, with syntax newer than the parser's replaced where it would fail otherwise.
func parseText(file, text string) (*source, []*pg.RawStmt, error) {
	s := &source{file: file, text: text, parsed: text}
	if strings.HasPrefix(text, bom) {
		s.parsed = strings.Repeat(" ", len(bom)) + text[len(bom):]
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return nil, nil, s.errorAt(i, "invalid byte 0x00 in the text")
	}
	if !utf8.ValidString(text) {
		return nil, nil, s.errorAt(invalidUTF8(text), `invalid byte sequence for encoding "UTF8"`)
	}
	if err := s.scan(len(text)); err != nil {
		at := s.errorOffset(err)
		// psql's own commands, or the data of a COPY, may be what cannot be scanned.
		if s.scan(at) == nil {
			if err := s.refuseClient(); err != nil {
				return nil, nil, err
			}
		}
		return nil, nil, s.errorAt(at, err.Error())
	}
	if err := s.refuseClient(); err != nil {
		return nil, nil, err
	}
	tree, err := parseSQL(s.parsed)
	if err != nil && s.replaceNewer() {
		tree, err = parseSQL(s.parsed)
	}
	if err != nil {
		return nil, nil, s.syntaxError(err)
	}
	return s, tree.Stmts, nil
}

func invalidUTF8(text string) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(text)
}

// errorOffset is the byte offset of a parser error, which counts characters.
func (s *source) errorOffset(err error) int {
	var pe *parser.Error
	if !errors.As(err, &pe) || pe.Cursorpos <= 0 {
		return s.startOffset()
	}
	n := 0
	for i := range s.parsed {
		if n++; n == pe.Cursorpos {
			return i
		}
	}
	return len(strings.TrimRight(s.parsed, " \t\r\n"))
}

func (s *source) startOffset() int {
	if len(s.toks) > 0 {
		return s.toks[0].start
	}
	return 0
}

// syntaxError is the parser's error, or the reason behind it where psql would have replaced a variable.
func (s *source) syntaxError(err error) error {
	at := s.errorOffset(err)
	i := s.at(int32(at))
	if s.kind(i) == tokColon && i+1 < len(s.toks) && s.toks[i+1].start == s.toks[i].end {
		switch s.kind(i + 1) {
		case pg.Token_ICONST, pg.Token_FCONST:
		default:
			name := s.text[at:s.toks[i+1].end]
			return s.clientError(at, "the psql variable "+name+" cannot be replaced here",
				"write the value, or let the tool that makes the file replace it")
		}
	}
	return s.errorAt(at, err.Error())
}

func (s *source) clientError(at int, message, hint string) error {
	return &ClientError{Pos: s.pos(at), Message: message, Hint: hint, Line: s.lineAt(at)}
}

// refuseClient finds what only psql could execute.
func (s *source) refuseClient() error {
	for i, t := range s.toks {
		if t.kind == tokBackslash {
			command := firstWord(s.restOfLine(t.start))
			return s.clientError(t.start, fmt.Sprintf("the psql meta-command %s is not SQL", command),
				"leave it out, or put what it includes into the file")
		}
		if t.kind == pg.Token_COPY && (i == 0 || s.kind(i-1) == tokSemicolon) {
			end := s.findKind(i, len(s.toks), tokSemicolon)
			from := s.findKind(i, end, pg.Token_FROM)
			if s.kind(from+1) == pg.Token_STDIN && from < end {
				return s.clientError(t.start, "COPY FROM STDIN reads data that a client sends",
					"write the rows as INSERT … VALUES, or load them outside of the migration")
			}
		}
	}
	return nil
}

func (s *source) restOfLine(at int) string {
	rest := s.text[at:]
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	return strings.TrimSuffix(rest, "\r")
}

func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t"); i > 0 {
		return s[:i]
	}
	return s
}

// split gives the token ranges of the statements as psql would send them: a semicolon ends one, except
// between brackets and in the BEGIN ATOMIC … END body of a function.
func (s *source) split() []span {
	var list []span
	start, depth, begin, routine := 0, 0, 0, false
	for i := 0; i <= len(s.toks); i++ {
		if i == len(s.toks) || s.kind(i) == tokSemicolon && depth <= 0 && begin == 0 {
			if i > start {
				list = append(list, span{start, i})
			}
			start, depth, begin, routine = i+1, 0, 0, false
			continue
		}
		switch s.kind(i) {
		case tokParen:
			depth++
		case tokClose:
			depth--
		case pg.Token_FUNCTION, pg.Token_PROCEDURE:
			routine = routine || s.kind(start) == pg.Token_CREATE
		case pg.Token_BEGIN_P, pg.Token_CASE:
			if routine && depth == 0 && (begin > 0 || s.kind(i+1) == pg.Token_ATOMIC) {
				begin++
			}
		case pg.Token_END_P:
			if begin > 0 && depth == 0 {
				begin--
			}
		}
	}
	return list
}
