package ddl

import (
	"encoding/json"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// ast is a syntax tree as plain JSON: the rules ask it for the few things that an Op does not carry.
type ast struct{ root any }

// parseTree parses a statement; text that is none gives a tree in which nothing is found.
func parseTree(sql string) *ast {
	src, _, err := parseText("", sql)
	if err != nil {
		return &ast{}
	}
	text, err := pg.ParseToJSON(src.parsed) // with what 18 added replaced
	if err != nil {
		return &ast{}
	}
	var root any
	if json.Unmarshal([]byte(text), &root) != nil {
		return &ast{}
	}
	return &ast{root}
}

// exprTree parses an expression, such as that of USING, and gives its node.
func exprTree(expr string) map[string]any {
	for n := range parseTree("SELECT " + expr).nodes() {
		if target, ok := n["ResTarget"].(map[string]any); ok {
			val, _ := target["val"].(map[string]any)
			return val
		}
	}
	return nil
}

// nodes visits every object of the tree, outer ones first.
func (t *ast) nodes() func(yield func(map[string]any) bool) { return walkNodes(t.root) }

func walkNodes(root any) func(yield func(map[string]any) bool) {
	return func(yield func(map[string]any) bool) {
		var walk func(any) bool
		walk = func(v any) bool {
			switch v := v.(type) {
			case map[string]any:
				if !yield(v) {
					return false
				}
				for _, child := range v {
					if !walk(child) {
						return false
					}
				}
			case []any:
				for _, child := range v {
					if !walk(child) {
						return false
					}
				}
			}
			return true
		}
		walk(root)
	}
}

// node finds the first node of a kind: node("TruncateStmt").
func (t *ast) node(kind string) map[string]any {
	for n := range t.nodes() {
		if found, ok := n[kind].(map[string]any); ok {
			return found
		}
	}
	return nil
}

// rangeVar is a relation that a statement names.
type rangeVar struct {
	Name
	only bool
}

// rangeVars are the relations which the statement names, without the names of its WITH queries.
func rangeVars(root any) []rangeVar {
	ctes := map[string]bool{}
	for n := range walkNodes(root) {
		if name, ok := n["ctename"].(string); ok {
			ctes[name] = true
		}
	}
	var out []rangeVar
	for n := range walkNodes(root) {
		v, ok := asRangeVar(n)
		if ok && (v.Schema != "" || !ctes[v.Name.Name]) {
			out = append(out, v)
		}
	}
	return out
}

func asRangeVar(n map[string]any) (rangeVar, bool) {
	name, ok := n["relname"].(string)
	if _, persistent := n["relpersistence"]; !ok || !persistent {
		return rangeVar{}, false
	}
	schema, _ := n["schemaname"].(string)
	inh, _ := n["inh"].(bool)
	return rangeVar{Name{schema, name}, !inh}, true
}

// functionNames are the functions that an expression calls, without their schemas, and whether it uses a
// keyword that reads the clock (they are stable).
func functionNames(root any) []string {
	var out []string
	for n := range walkNodes(root) {
		if call, ok := n["FuncCall"].(map[string]any); ok {
			if parts := stringList(call["funcname"]); len(parts) > 0 {
				out = append(out, parts[len(parts)-1])
			}
		}
	}
	return out
}

// stringList reads a list of String nodes.
func stringList(v any) []string {
	var out []string
	list, _ := v.([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		s, _ := m["String"].(map[string]any)
		if text, ok := s["sval"].(string); ok {
			out = append(out, text)
		}
	}
	return out
}

// bareColumn is the column that a node is, when it is nothing but a column.
func bareColumn(n map[string]any) string {
	ref, _ := n["ColumnRef"].(map[string]any)
	if parts := stringList(ref["fields"]); len(parts) > 0 {
		return parts[len(parts)-1]
	}
	return ""
}

// conjuncts are the operands of the outermost ANDs.
func conjuncts(n map[string]any) []map[string]any {
	be, ok := n["BoolExpr"].(map[string]any)
	if !ok || be["boolop"] != "AND_EXPR" {
		return []map[string]any{n}
	}
	var out []map[string]any
	args, _ := be["args"].([]any)
	for _, a := range args {
		if m, ok := a.(map[string]any); ok {
			out = append(out, conjuncts(m)...)
		}
	}
	return out
}

// notNullOf is the column that n says to be NOT NULL: c IS NOT NULL, or NOT (c IS NULL).
func notNullOf(n map[string]any) string {
	if be, ok := n["BoolExpr"].(map[string]any); ok && be["boolop"] == "NOT_EXPR" {
		args, _ := be["args"].([]any)
		if len(args) == 1 {
			inner, _ := args[0].(map[string]any)
			if test, ok := inner["NullTest"].(map[string]any); ok && test["nulltesttype"] == "IS_NULL" {
				arg, _ := test["arg"].(map[string]any)
				return bareColumn(arg)
			}
		}
		return ""
	}
	test, ok := n["NullTest"].(map[string]any)
	if !ok || test["nulltesttype"] != "IS_NOT_NULL" {
		return ""
	}
	arg, _ := test["arg"].(map[string]any)
	return bareColumn(arg)
}

// comparison reads "column op constant": both as text.
func comparison(n map[string]any) (column, op, constant string) {
	e, ok := n["A_Expr"].(map[string]any)
	if !ok || e["kind"] != "AEXPR_OP" {
		return "", "", ""
	}
	l, _ := e["lexpr"].(map[string]any)
	r, _ := e["rexpr"].(map[string]any)
	name := stringList(e["name"])
	if column = bareColumn(l); column == "" || len(name) != 1 {
		return "", "", ""
	}
	return column, name[0], constantOf(r)
}

// constantOf is the text of a constant, through casts; "" for anything else.
func constantOf(n map[string]any) string {
	if c, ok := n["TypeCast"].(map[string]any); ok {
		arg, _ := c["arg"].(map[string]any)
		return constantOf(arg)
	}
	c, ok := n["A_Const"].(map[string]any)
	if !ok {
		return ""
	}
	for kind, key := range map[string]string{"ival": "ival", "fval": "fval", "sval": "sval"} {
		if v, ok := c[kind].(map[string]any); ok {
			if x, ok := v[key]; ok {
				text, _ := json.Marshal(x)
				return strings.Trim(string(text), `"`)
			}
			return "0" // the JSON form leaves zero out
		}
	}
	return ""
}
