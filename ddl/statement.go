package ddl

import (
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Name is the name of a schema-bound object. Schema is empty where the statement did not write one.
type Name struct{ Schema, Name string }

// IsZero reports whether n names nothing.
func (n Name) IsZero() bool { return n == Name{} }

// String is the name as SQL, quoted where PostgreSQL needs quotes.
func (n Name) String() string {
	if n.Schema == "" {
		return QuoteIdent(n.Name)
	}
	return QuoteIdent(n.Schema) + "." + QuoteIdent(n.Name)
}

// Pos is a place in a migration file. Line and Column count from 1, Column in characters, Offset in bytes.
type Pos struct {
	File   string `json:"file,omitempty"`
	Offset int    `json:"offset"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func (p Pos) String() string {
	s := strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
	if p.File == "" {
		return s
	}
	return p.File + ":" + s
}

// Directive is a comment of the form "-- replank: verb argument".
type Directive struct {
	Pos  Pos
	Verb string // first word, lower case
	Arg  string // the rest, trimmed
}

// File is a parsed migration file.
type File struct {
	Name       string
	Text       string
	Statements []Statement
	// Directives are those that stand before the first statement and belong to the whole file. A directive
	// directly above a statement, or inside it, belongs to that statement; both lists hold it when it stands
	// above the first one.
	Directives []Directive
}

// Statement is one statement of a file.
type Statement struct {
	// SQL is the text exactly as written, without the comments before it and without the final semicolon.
	SQL        string
	Pos        Pos
	Directives []Directive
	Ops        []Op
	// NoTx is true for what PostgreSQL refuses inside a transaction block (CREATE INDEX CONCURRENTLY, VACUUM …).
	NoTx bool

	tree *pg.RawStmt // of the file it was read from; nil where only SQL and Ops are known
}

// SyntaxError is what Parse returns for text that PostgreSQL would not accept.
type SyntaxError struct {
	Pos     Pos
	Message string
	Line    string // the line of the file that holds Pos
}

// Error gives file:line:column: message. Callers that own a terminal draw Line with a caret below Pos.Column.
func (e *SyntaxError) Error() string { return e.Pos.String() + ": " + e.Message }
