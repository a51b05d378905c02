package ddl

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// errUtility says that a text is no query but a utility statement.
var errUtility = errors.New("a utility statement")

// IsUtility reports whether err is what ReadQuery says about a utility statement.
func IsUtility(err error) bool { return errors.Is(err, errUtility) }

// Query is a normalised statement of a workload, made so that a server can prepare it.
type Query struct {
	// SQL is what to send: the text, in the server's grammar.
	SQL string
	// Upsert says that it has an ON CONFLICT with columns: whether there is an index for that only planning tells.
	Upsert bool

	mention Mention
}

// place is where a parameter stands in SQL, in characters as the server counts.
type place struct{ number, at int }

// Names reports whether the query has the name as an identifier.
func (q Query) Names(name string) bool { return q.mention.Has(name) }

// Relations are what it reads and writes, as written.
func (q Query) Relations() []Name { return q.mention.Relations }

// Near are the numbers of the parameters, those nearest to the position (of an error of the server) first.
func (q Query) Near(position int) []int {
	places := q.places()
	slices.SortStableFunc(places, func(a, b place) int {
		return cmp.Compare(max(a.at-position, position-a.at), max(b.at-position, position-b.at))
	})
	var out []int
	for _, p := range places {
		if !slices.Contains(out, p.number) {
			out = append(out, p.number)
		}
	}
	return out
}

// ReadQuery reads a normalised text. What the normalisation has made of literals with their type before them (interval
// $1) and of extract($1 FROM …) is no SQL for a server; it becomes a cast and a call of the function. version is the
// server's.
func ReadQuery(text string, version int) (Query, error) {
	c, stmt, err := oneQuery(text)
	if err != nil {
		return Query{}, err
	}
	q := Query{SQL: strings.TrimSpace(c.text), mention: mentionsOf(c, stmt)}
	if respell(stmt, version) {
		if q.SQL, err = pg.Deparse(&pg.ParseResult{Version: treeVersion(), Stmts: []*pg.RawStmt{{Stmt: stmt}}}); err != nil {
			return Query{}, fmt.Errorf("write the query anew: %w", err)
		}
	}
	if q.Names("conflict") {
		infer := first[pg.InferClause](stmt)
		q.Upsert = infer != nil && infer.Conname == ""
	}
	return q, nil
}

// treeVersion is what the parser calls its trees.
var treeVersion = sync.OnceValue(func() int32 {
	tree, err := parseSQL("SELECT")
	if err != nil {
		panic(err) // the parser is part of the binary
	}
	return tree.Version
})

// places are those of the parameters, in order.
func (q Query) places() []place {
	res, err := pg.Scan(q.SQL)
	if err != nil {
		return nil // it was scanned before
	}
	var out []place
	chars, at := 0, 0
	for _, t := range res.Tokens {
		if t.Token != pg.Token_PARAM {
			continue
		}
		chars += utf8.RuneCountInString(q.SQL[at:t.Start])
		at = int(t.Start)
		if n, err := strconv.Atoi(q.SQL[t.Start+1 : t.End]); err == nil {
			out = append(out, place{n, chars + 1})
		}
	}
	return out
}

// Params is the highest number of a parameter.
func (q Query) Params() int {
	highest := 0
	for _, p := range q.places() {
		highest = max(highest, p.number)
	}
	return highest
}

// oneQuery parses a query, also one with normalised modifiers of a type (interval($1) $2), which are left out.
func oneQuery(text string) (*statement, *pg.Node, error) {
	c, stmt, err := one(text)
	if err != nil {
		if !startsQuery(text) {
			return nil, nil, errUtility // SAVEPOINT $1, and more that is normalised so
		}
		without, changed := withoutModifiers(text)
		if !changed {
			return nil, nil, err
		}
		if c, stmt, err = one(without); err != nil {
			return nil, nil, err
		}
	}
	if !isQuery(stmt) {
		return nil, nil, errUtility
	}
	return c, stmt, nil
}

func startsQuery(text string) bool {
	word := strings.FieldsFunc(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) })
	if len(word) == 0 || strings.HasPrefix(strings.TrimSpace(text), "(") {
		return true
	}
	switch strings.ToLower(word[0]) {
	case "select", "insert", "update", "delete", "merge", "with", "values", "table":
		return true
	}
	return false
}

func isQuery(stmt *pg.Node) bool {
	switch n := stmt.GetNode().(type) {
	case *pg.Node_SelectStmt:
		return n.SelectStmt.IntoClause == nil
	case *pg.Node_InsertStmt, *pg.Node_UpdateStmt, *pg.Node_DeleteStmt, *pg.Node_MergeStmt:
		return true
	}
	return false
}

// withoutModifiers takes ($n) out of "interval($1) $2".
func withoutModifiers(text string) (string, bool) {
	s := &source{text: text, parsed: text}
	if s.scan(len(text)) != nil {
		return text, false
	}
	var edits []edit
	for i := 1; i+1 < len(s.toks); i++ {
		if s.kind(i) != tokParen || s.kind(i+1) != pg.Token_PARAM {
			continue
		}
		if end := s.closer(i, len(s.toks)-1); s.kind(end) == tokClose && s.kind(end+1) == pg.Token_PARAM {
			edits = append(edits, s.replaceTokens(i, end+1, " "))
		}
	}
	return s.apply(edits), len(edits) > 0
}

// respell changes what is no SQL for a server, and reports whether there was any.
func respell(stmt *pg.Node, version int) bool {
	changed := false
	walk(stmt, func(n any) bool {
		switch n := n.(type) {
		case *pg.TypeCast:
			p := n.Arg.GetParamRef()
			changed = changed || p != nil && n.TypeName.GetLocation() < p.Location
		case *pg.FuncCall:
			if nameOf(n.Funcname).Name != "extract" || len(n.Args) == 0 || n.Args[0].GetParamRef() == nil {
				break
			}
			changed = true
			n.Funcformat = pg.CoercionForm_COERCE_EXPLICIT_CALL
			if version < 140000 { // there extract is only a way to write date_part
				n.Funcname[len(n.Funcname)-1] = pg.MakeStrNode("date_part")
			}
		}
		return true
	})
	return changed
}
