package ddl

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// NormalizeQuery takes out of a statement of pg_stat_statements what that leaves in it: comments, the constants of
// GROUP BY (which it keeps, while it replaces those of the same expression in the select list), and all constants where
// it had to store a text as it was sent. Each becomes a parameter: that of the equal expression in the select list where
// there is one, so that both are one expression again, else a new one. Ordinals and modifiers of types stay.
// Of a statement around a query (DECLARE CURSOR, PREPARE, CREATE TABLE AS, COPY) only the query is left; that of
// COPY with a list of columns reads or writes these.
// A text in which a literal may be left is an error, and so is a utility statement (see IsUtility).
func NormalizeQuery(text string) (string, error) {
	if query, ok := innerQuery(text); ok {
		return NormalizeQuery(query)
	}
	c, stmt, err := oneQuery(text)
	if err != nil {
		if IsUtility(err) {
			return "", err
		}
		return bareText(text)
	}
	n := &normalizer{statement: c, keep: map[int32]bool{}, param: map[int32]int32{}, equal: map[int32]int32{}}
	walk(stmt, func(node any) bool {
		switch node := node.(type) {
		case *pg.ParamRef:
			n.last = max(n.last, node.Number)
		case *pg.TypeName:
			for _, m := range node.Typmods {
				n.keep[m.GetAConst().GetLocation()] = true
			}
		case *pg.SelectStmt:
			n.ordinals(node.GroupClause)
			n.ordinals(node.SortClause)
			n.ordinals(node.DistinctClause)
		}
		return true
	})
	for _, q := range all[pg.SelectStmt](stmt) {
		n.grouped(q)
	}
	for _, k := range all[pg.A_Const](stmt) {
		if !n.keep[k.Location] {
			n.constant(k)
		}
	}
	return bareText(c.apply(n.edits), n.kept()...)
}

type normalizer struct {
	*statement
	last  int32           // highest number of a parameter
	keep  map[int32]bool  // places of constants that stay
	param map[int32]int32 // numbers of the parameters for the constants at a place
	equal map[int32]int32 // places of constants that are those of GROUP BY once more
	edits []edit
}

// ordinals are the numbers of output columns.
func (n *normalizer) ordinals(list []*pg.Node) {
	for _, e := range list {
		if s := e.GetSortBy(); s != nil {
			e = s.Node
		}
		if k := e.GetAConst(); k.GetIval() != nil {
			n.keep[k.Location] = true
		}
	}
}

func isLiteral(k pg.Token) bool {
	switch k {
	case pg.Token_SCONST, pg.Token_USCONST, pg.Token_ICONST, pg.Token_FCONST, pg.Token_BCONST, pg.Token_XCONST:
		return true
	}
	return false
}

// constant replaces a constant by a parameter. TRUE, FALSE and NULL tell nothing, and stay.
func (n *normalizer) constant(k *pg.A_Const) {
	i := n.at(k.Location)
	end := i + 1
	if n.kind(i) == '-' || n.kind(i) == '+' { // the sign is part of the number
		end++
	}
	at := k.Location
	if group, again := n.equal[at]; again {
		at = group
	}
	number, bound := n.param[at]
	if !bound && !isLiteral(n.kind(end-1)) {
		return
	}
	if !bound {
		n.last++
		number = n.last
		n.param[at] = number
	}
	n.edits = append(n.edits, n.replaceTokens(i, end, fmt.Sprintf("$%d", number)))
}

// grouped gives the constants of GROUP BY the parameters of the equal expressions elsewhere in the query, and makes
// these one where each has its own.
func (n *normalizer) grouped(q *pg.SelectStmt) {
	var items []*pg.Node
	for _, g := range q.GroupClause {
		if k := first[pg.A_Const](g); k != nil && !n.keep[k.Location] {
			items = append(items, g)
		}
	}
	if len(items) == 0 {
		return
	}
	var clauses [][]*pg.Node
	clauses = append(clauses, q.TargetList, []*pg.Node{q.HavingClause}, q.SortClause, q.DistinctClause)
	for _, clause := range clauses {
		used := map[*pg.Node]bool{}
		walk(clause, func(m any) bool {
			node, ok := m.(*pg.Node)
			if !ok {
				return true
			}
			var chosen *pg.Node
			for _, item := range items {
				if sameQuery(item, node, nil) && (chosen == nil || used[chosen] && !used[item]) {
					chosen = item
				}
			}
			if chosen == nil {
				return true
			}
			used[chosen] = true
			sameQuery(chosen, node, n.bind)
			return false
		})
	}
}

// bind makes a constant of GROUP BY and what stands in its place elsewhere, a parameter or the constant, one.
func (n *normalizer) bind(k *pg.A_Const, other *pg.Node) {
	p := other.GetParamRef()
	if p == nil {
		n.equal[other.GetAConst().Location] = k.Location
		return
	}
	number, bound := n.param[k.Location]
	if !bound {
		n.param[k.Location] = p.Number
	} else if number != p.Number {
		i := n.at(p.Location)
		n.edits = append(n.edits, n.replaceTokens(i, i+1, fmt.Sprintf("$%d", number)))
	}
}

// sameQuery reports whether two trees are equal but for their places in the text and for constants of a that are
// parameters in b.
func sameQuery(a, b *pg.Node, bind func(*pg.A_Const, *pg.Node)) bool {
	return a != nil && b != nil && sameValue(reflect.ValueOf(a), reflect.ValueOf(b), bind)
}

func sameValue(a, b reflect.Value, bind func(*pg.A_Const, *pg.Node)) bool {
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		x, isNode := a.Interface().(*pg.Node)
		if isNode && x.GetAConst() != nil {
			y := b.Interface().(*pg.Node)
			same := y.GetParamRef() != nil || y.GetAConst() != nil && sameValue(a.Elem(), b.Elem(), nil)
			if same && bind != nil {
				bind(x.GetAConst(), y)
			}
			return same
		}
		return sameValue(a.Elem(), b.Elem(), bind)
	case reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return sameValue(a.Elem(), b.Elem(), bind)
	case reflect.Struct:
		for i := range a.NumField() {
			f := a.Type().Field(i)
			if f.IsExported() && f.Name != "Location" && !sameValue(a.Field(i), b.Field(i), bind) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !sameValue(a.Index(i), b.Index(i), bind) {
				return false
			}
		}
		return true
	}
	return a.Interface() == b.Interface()
}

// kept are the texts of the constants that stay.
func (n *normalizer) kept() []string {
	var out []string
	for at := range n.keep {
		if i := n.at(at); isLiteral(n.kind(i)) && n.kind(i) == pg.Token_ICONST {
			out = append(out, n.slice(i, i+1))
		}
	}
	return out
}

var errLiteral = errors.New("a literal is left in the text")

// bareText takes the comments out of a text, and refuses one with other literals than those allowed.
func bareText(text string, allowed ...string) (string, error) {
	if strings.IndexByte(text, 0) >= 0 || !utf8.ValidString(text) {
		return "", errLiteral // the scanner stops there
	}
	s := &source{text: text, parsed: text}
	if err := s.scan(len(text)); err != nil {
		return "", err
	}
	for _, t := range s.toks {
		if isLiteral(t.kind) && !slices.Contains(allowed, text[t.start:t.end]) {
			return "", errLiteral
		}
	}
	var edits []edit
	for _, c := range s.comments {
		edits = append(edits, edit{c.start, c.end, " "})
	}
	return strings.TrimRight(strings.TrimSpace(s.apply(edits)), "; \n\t"), nil
}
