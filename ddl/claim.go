package ddl

import (
	"math/big"
	"regexp"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// claim is what a conjunct of a CHECK says of a column: that it compares with a constant in this way, or that it is one
// of several constants (op "=").
type claim struct {
	op        string
	constants []string
}

// claimsOf reads column op constant, column IN (…), which the server writes = ANY (ARRAY[…]), and BETWEEN, which it
// writes as two comparisons.
func claimsOf(n *pg.Node, column string) []claim {
	if col, op, constant := comparison(n); col == column && constant != "" {
		return []claim{{op, []string{constant}}}
	}
	e := n.GetAExpr()
	if e == nil || columnOf(e.Lexpr.GetColumnRef()) != column {
		return nil
	}
	var elements []*pg.Node
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_BETWEEN:
		ends := e.Rexpr.GetList().GetItems()
		if len(ends) == 2 && constantOf(ends[0]) != "" && constantOf(ends[1]) != "" {
			return []claim{{">=", []string{constantOf(ends[0])}}, {"<=", []string{constantOf(ends[1])}}}
		}
		return nil
	case pg.A_Expr_Kind_AEXPR_OP_ANY:
		array := e.Rexpr
		for array.GetTypeCast() != nil {
			array = array.GetTypeCast().Arg
		}
		elements = array.GetAArrayExpr().GetElements()
	case pg.A_Expr_Kind_AEXPR_IN:
		elements = e.Rexpr.GetList().GetItems()
	}
	c := claim{op: "="}
	for _, el := range elements {
		c.constants = append(c.constants, constantOf(el))
	}
	if len(elements) == 0 || nameOf(e.Name).Name != "=" || slices.Contains(c.constants, "") {
		return nil
	}
	return []claim{c}
}

// within reports whether the column is one of the list's values.
func (c claim) within(list []string) bool {
	return c.op == "=" && !slices.ContainsFunc(c.constants, func(v string) bool { return !slices.Contains(list, v) })
}

// implies reports whether the server concludes from the claim that the column compares with a constant in this way. It
// knows the order of the type, and nothing of what lies between two values of it.
func (c claim) implies(op, constant string, kind order) bool {
	for _, v := range c.constants {
		if v == constant && c.op == op {
			continue
		}
		sign, ok := kind.compare(v, constant)
		if !ok || !follows(c.op, op, sign) {
			return false
		}
	}
	return true
}

// follows reports whether x have v implies x want w, where v compares with w as sign says.
func follows(have, want string, sign int) bool {
	switch want {
	case ">=":
		return slices.Contains([]string{"=", ">", ">="}, have) && sign >= 0
	case "<":
		return have == "<" && sign <= 0 || (have == "=" || have == "<=") && sign < 0
	case "<>":
		return have == "<>" && sign == 0
	}
	return false
}

// order is how the constants of a type can be compared by their text.
type order byte

const (
	noOrder order = iota
	numbers
	days // dates and times as ISO 8601 has them
)

// ordered says how the constants of a column compare.
func (b *effects) ordered(r *Relation, column string) order {
	c := r.Column(column)
	if c == nil || c.Array {
		return noOrder
	}
	name, _, _ := strings.Cut(c.Type, "(")
	switch strings.TrimSpace(name) {
	case "smallint", "integer", "bigint", "numeric":
		return numbers
	case "date", "timestamp", "timestamp without time zone":
		return days
	}
	return noOrder
}

var isoTime = regexp.MustCompile(`^[1-9][0-9]{3}-[01][0-9]-[0-3][0-9]( [0-2][0-9]:[0-5][0-9]:[0-5][0-9])?$`)

// compare compares two constants by their texts.
func (o order) compare(a, b string) (sign int, ok bool) {
	switch o {
	case numbers:
		x, okX := new(big.Rat).SetString(a)
		y, okY := new(big.Rat).SetString(b)
		if okX && okY {
			return x.Cmp(y), true
		}
	case days:
		if isoTime.MatchString(a) && isoTime.MatchString(b) {
			const midnight = " 00:00:00"
			return strings.Compare((a + midnight)[:19], (b + midnight)[:19]), true
		}
	}
	return 0, false
}
