package ddl

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Statements are those of the block's body which stand there as they are, or as the constant of an EXECUTE: in the order
// of the text, those of all branches. all is false when the block may execute others too, which it makes up.
func (d Do) Statements() (statements []Statement, all bool) {
	if d.Language != "" && !strings.EqualFold(d.Language, "plpgsql") {
		return nil, false
	}
	text, err := pg.ParsePlPgSqlToJSON("CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS " + QuoteLiteral(d.Body))
	var tree any
	if err != nil || json.Unmarshal([]byte(text), &tree) != nil {
		return nil, false
	}
	r := blockReader{all: true}
	r.read(tree)
	return r.statements, r.all
}

// blockReader collects the statements of a PL/pgSQL syntax tree.
type blockReader struct {
	statements []Statement
	all        bool
}

func (r *blockReader) read(n any) {
	switch n := n.(type) {
	case []any:
		for _, e := range n {
			r.read(e)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(n)) {
			switch key {
			case "PLpgSQL_expr":
				r.expr(n[key])
			case "PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors":
				r.execute(n[key])
			case "dynquery", "PLpgSQL_stmt_call":
				r.all = false
			default:
				r.read(n[key])
			}
		}
	}
}

// expr is a statement, or an expression where PL/pgSQL wants one.
func (r *blockReader) expr(n any) {
	e, _ := n.(map[string]any)
	sql, _ := e["query"].(string)
	mode, _ := e["parseMode"].(float64)
	switch {
	case mode == 0:
		r.add(sql)
	case mode == 2 && strings.Contains(sql, "("): // without it no function or query
		r.add("SELECT " + sql)
	case mode > 2: // an assignment
		if _, value, ok := strings.Cut(sql, "="); ok && strings.Contains(value, "(") {
			r.add("SELECT " + value)
		}
	}
}

// execute is EXECUTE, whose text can be known only when it is a constant.
func (r *blockReader) execute(n any) {
	e, _ := n.(map[string]any)
	query, _ := e["query"].(map[string]any)
	inner, _ := query["PLpgSQL_expr"].(map[string]any)
	text, _ := inner["query"].(string)
	constant := constantOf(exprTree(text))
	if constant == "" {
		r.all = false
	} else {
		r.add(constant)
	}
	delete(e, "query")
	r.read(e) // the body of a loop
}

func (r *blockReader) add(sql string) {
	f, err := Parse("", sql)
	if err != nil {
		r.all = false
		return
	}
	r.statements = append(r.statements, f.Statements...)
}

// do is what the statements of a block do together, each as if it were the first. What the server would refuse
// without those before it, or answers with an exception that the block catches, is no refusal of the block.
func (b *effects) do(o Do) {
	statements, all := o.Statements()
	switch {
	case !b.s.assuming:
		b.worst("a DO block can do anything")
	case !all:
		b.worst("the DO block may execute statements which it makes up")
	}
	for _, st := range statements {
		e := Effects(b.s, st)
		for _, l := range e.Locks {
			b.lock(l.Relation, l.Mode)
		}
		for set, names := range map[*map[Name]bool][]Name{&b.rewrites: e.Rewrites, &b.scans: e.Scans, &b.reindexes: e.Reindexes, &b.gone: e.Gone} {
			for _, n := range names {
				(*set)[n] = true
			}
		}
		b.unknown = b.unknown || e.Unknown
		for _, why := range e.Why {
			b.explain("%s", why)
		}
	}
}

// applyDo follows a block as far as it adds to the schema: it cannot be told which branches are taken, so what a
// statement would take away stays.
func (s *Schema) applyDo(o Do) {
	s.opaque = true
	if !s.assuming {
		return
	}
	statements, _ := o.Statements()
	for _, st := range statements {
		for _, op := range st.Ops {
			switch op.(type) {
			case DropTable, DropColumn, DropView, DropType, DropIndex, DropSequence, DropConstraint, DropTrigger:
			default:
				s.dispatch(op, st.SQL, st.tree) // an error is an exception that the block expects
			}
		}
	}
}
