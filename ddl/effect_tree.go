package ddl

import (
	"slices"
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// The rules ask the syntax tree for the few things that an Op does not carry.

// parseTree parses statements; text that is none gives a tree in which nothing is found.
func parseTree(sql string) []*pg.RawStmt {
	_, stmts, err := parseText("", sql)
	if err != nil {
		return nil
	}
	return stmts
}

// trees is the statement's syntax, with positions of nothing: it may be that of the file.
func (st *Statement) trees() []*pg.RawStmt {
	if st.tree != nil {
		return []*pg.RawStmt{st.tree}
	}
	return parseTree(st.SQL)
}

// exprTree parses an expression, such as that of USING.
func exprTree(expr string) *pg.Node {
	_, n, err := parseExpr(expr)
	if err != nil {
		return nil
	}
	return n
}

// rangeVars are the relations which a tree names, without the names of its WITH queries and without those given.
func rangeVars(root any, without ...*pg.RangeVar) []*pg.RangeVar {
	var ctes []string
	var out []*pg.RangeVar
	walk(root, func(n any) bool {
		switch n := n.(type) {
		case *pg.CommonTableExpr:
			ctes = append(ctes, n.Ctename)
		case *pg.RangeVar:
			out = append(out, n)
		}
		return true
	})
	return slices.DeleteFunc(out, func(v *pg.RangeVar) bool {
		return v.Schemaname == "" && slices.Contains(ctes, v.Relname) || slices.Contains(without, v)
	})
}

// written are the targets of the INSERT, UPDATE and DELETE in a tree.
func written(root any) []*pg.RangeVar {
	var out []*pg.RangeVar
	walk(root, func(n any) bool {
		switch n := n.(type) {
		case *pg.InsertStmt:
			out = append(out, n.Relation)
		case *pg.UpdateStmt:
			out = append(out, n.Relation)
		case *pg.DeleteStmt:
			out = append(out, n.Relation)
		}
		return true
	})
	return out
}

// functionNames are the functions that an expression calls, without their schemas.
func functionNames(root any) []string {
	var out []string
	for _, call := range all[pg.FuncCall](root) {
		out = append(out, nameOf(call.Funcname).Name)
	}
	return out
}

// option reports whether a list of options has one of a name, and gives its argument.
func option(options []*pg.Node, name string) (arg *pg.Node, found bool) {
	for _, o := range options {
		if def := o.GetDefElem(); def != nil && def.Defname == name {
			return def.Arg, true
		}
	}
	return nil, false
}

// conjuncts are the operands of the outermost ANDs.
func conjuncts(n *pg.Node) []*pg.Node {
	be := n.GetBoolExpr()
	if be == nil || be.Boolop != pg.BoolExprType_AND_EXPR {
		return []*pg.Node{n}
	}
	var out []*pg.Node
	for _, a := range be.Args {
		out = append(out, conjuncts(a)...)
	}
	return out
}

// notNullOf is the column that n says to be NOT NULL: c IS NOT NULL, or NOT (c IS NULL).
func notNullOf(n *pg.Node) string {
	want := pg.NullTestType_IS_NOT_NULL
	if be := n.GetBoolExpr(); be != nil && be.Boolop == pg.BoolExprType_NOT_EXPR && len(be.Args) == 1 {
		n, want = be.Args[0], pg.NullTestType_IS_NULL
	}
	test := n.GetNullTest()
	if test == nil || test.Nulltesttype != want {
		return ""
	}
	return columnOf(test.Arg.GetColumnRef())
}

// comparison reads "column op constant".
func comparison(n *pg.Node) (column, op, constant string) {
	e := n.GetAExpr()
	if e == nil || e.Kind != pg.A_Expr_Kind_AEXPR_OP || len(e.Name) != 1 {
		return "", "", ""
	}
	if column = columnOf(e.Lexpr.GetColumnRef()); column == "" {
		return "", "", ""
	}
	return column, nameOf(e.Name).Name, constantOf(e.Rexpr)
}

// constantOf is the text of a constant, through casts; "" for anything else.
func constantOf(n *pg.Node) string {
	if c := n.GetTypeCast(); c != nil {
		return constantOf(c.Arg)
	}
	switch c := n.GetAConst().GetVal().(type) {
	case *pg.A_Const_Ival:
		return strconv.Itoa(int(c.Ival.GetIval()))
	case *pg.A_Const_Fval:
		return c.Fval.GetFval()
	case *pg.A_Const_Sval:
		return c.Sval.GetSval()
	}
	return ""
}
