package ddl

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// columnsRead are the columns of a relation that a query, a policy or a rule stands on, by SQL's rules of scope. Where
// the text does not tell, every column counts whose name occurs: too much rather than too little.
func (s *Schema) columnsRead(sql string, r *Relation) []string {
	all := map[string]string{}
	for _, c := range r.Columns {
		all[c.Name] = c.Name
	}
	c, stmt, err := one(sql)
	if err != nil {
		return nil
	}
	found := &renamer{statement: c, table: r.Name, cols: all, known: s, names: map[string]bool{}}
	if found.definition(stmt) && len(found.unresolved) == 0 {
		return existing(r, found.names)
	}
	used := columnRefs(stmt)
	walk(stmt, func(m any) bool {
		if _, star := m.(*pg.A_Star); star {
			for name := range all {
				used[name] = true
			}
		}
		return true
	})
	return existing(r, used)
}

// renamedIn gives a query, a policy or a rule with a column of a relation under its new name, and false where the text
// does not tell. The relation has the old name still.
func (s *Schema) renamedIn(sql string, r *Relation, from, to string) (string, bool) {
	c, stmt, err := one(sql)
	if err != nil {
		return sql, false
	}
	found := &renamer{statement: c, table: r.Name, cols: map[string]string{from: to}, known: s}
	if !found.definition(stmt) || len(found.unresolved) > 0 {
		return sql, false
	}
	return c.apply(found.edits), true
}

// definition reads what stands on columns and reports whether stmt is that.
func (r *renamer) definition(stmt *pg.Node) bool {
	switch n := stmt.GetNode().(type) {
	case *pg.Node_CreatePolicyStmt:
		p := n.CreatePolicyStmt
		sc := &scope{items: []rangeItem{r.relation(p.Table, nil)}}
		r.expr(p.Qual, sc)
		r.expr(p.WithCheck, sc)
		return true
	case *pg.Node_RuleStmt:
		// OLD and NEW are rows of the table, of which no column is meant without them.
		row := r.relation(n.RuleStmt.Relation, nil)
		row.qualified = true
		sc := &scope{}
		for _, row.name = range []string{"old", "new"} {
			row.schema = ""
			sc.items = append(sc.items, row)
		}
		r.expr(n.RuleStmt.WhereClause, sc)
		for _, action := range n.RuleStmt.Actions {
			r.dml(action, sc)
		}
		return true
	}
	return r.dml(stmt, nil)
}

// exposed are the columns of another relation than the target, nil when nobody knows.
func (r *renamer) exposed(rel *pg.RangeVar) []string {
	if r.known == nil {
		return nil
	}
	other := r.known.lookup(relName(rel))
	if other == nil {
		return nil
	}
	cols := []string{}
	for i, c := range other.Columns {
		if names := strs(rel.GetAlias().GetColnames()); i < len(names) {
			cols = append(cols, names[i])
		} else {
			cols = append(cols, c.Name)
		}
	}
	return slices.Clip(cols)
}
