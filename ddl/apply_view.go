package ddl

import (
	"slices"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func (s *Schema) createView(op CreateView) error {
	n, err := s.home(op.View)
	if err != nil {
		return err
	}
	kind := byte('v')
	if op.Materialized {
		kind = 'm'
	}
	if old := s.Relations[n]; old != nil && op.Replace && old.Kind == 'v' {
		s.eachDependent(func(d *Dependent) bool { return d.Name == n && d.Kind == "view" }, nil)
		old = s.mut(s.Relations[n])
		old.Columns, old.Definition, old.Options, old.UsedAttributes = nil, op.Query, splitOptions(op.With), 0
		s.columnsOfQuery(old, op.Query, nameColumns(op.Columns))
		s.viewDependsOn(old, op.Query)
		return nil
	}
	if s.taken(n) || s.Types[n] != nil {
		if op.IfNotExists {
			return nil
		}
		return refuse(duplicateTable, "", "relation %q already exists", n.Name)
	}
	for _, from := range relationsOf(op.Query) {
		if s.lookup(from) == nil && s.sequence(from) == nil && (from.Schema == "" || slices.Contains(s.Schemas, from.Schema)) && !systemRelation(from) {
			return s.noRelation(from)
		}
	}
	r := &Relation{Name: n, Kind: kind, Persistence: 'p', Owner: s.User, ACL: s.newACL('r', n.Schema, s.User), Definition: op.Query, Populated: op.Materialized && op.WithData,
		Options: splitOptions(op.With), ReplicaIdentity: 'n'}
	if kind == 'm' {
		r.AccessMethod, r.ReplicaIdentity = "heap", 'd'
	}
	s.addRelation(r)
	s.columnsOfQuery(r, op.Query, nameColumns(op.Columns))
	s.viewDependsOn(r, op.Query)
	return nil
}

// systemRelation guesses whether a name without a schema is one of pg_catalog's.
func systemRelation(n Name) bool {
	return strings.HasPrefix(n.Name, "pg_") || n.Schema == "information_schema" || n.Schema == "pg_catalog"
}

func nameColumns(names []string) []Column {
	var out []Column
	for _, n := range names {
		out = append(out, Column{Name: n})
	}
	return out
}

func relationsOf(query string) []Name {
	t, err := parseSQL(query)
	if err != nil {
		return nil
	}
	return relations(t)
}

// viewDependsOn records that view v stands on the relations of its query, column by column.
func (s *Schema) viewDependsOn(v *Relation, query string) {
	t, err := parseSQL(query)
	if err != nil {
		return
	}
	kind := "view"
	if v.Kind == 'm' {
		kind = "materialized view"
	}
	s.dependOn(query, t, Dependent{Kind: kind, Name: v.Name, Text: kind + " " + v.Name.String()})
}

// dependOn notes that d, which sql defines, stands on the columns of the relations that a tree of it names, and on all
// that these stand on.
func (s *Schema) dependOn(sql string, tree any, d Dependent) {
	add := func(base *Relation, columns []string, depth int, via Name) {
		base = s.mut(base)
		for _, c := range columns {
			d.Column, d.Depth, d.Via = c, depth, via
			base.Dependents = append(base.Dependents, d)
		}
	}
	for _, n := range relations(tree) {
		base := s.lookup(n)
		if base == nil {
			continue
		}
		cols := s.columnsRead(sql, base)
		if len(cols) == 0 {
			cols = []string{""}
		}
		add(base, cols, 1, Name{})
		// Whatever the base itself stands on carries d too.
		for _, below := range s.sortedRelations() {
			b := s.Relations[below]
			depth, seen := 0, []string{}
			for _, on := range b.Dependents {
				if on.Name == base.Name && (on.Kind == "view" || on.Kind == "materialized view") {
					depth = max(depth, on.Depth)
					if !slices.Contains(seen, on.Column) {
						seen = append(seen, on.Column)
					}
				}
			}
			if depth > 0 {
				add(b, seen, depth+1, base.Name)
			}
		}
	}
}

// columnsOfQuery gives a view, or a table made from a query, its columns: names as PostgreSQL would choose them and
// types where a column or cast tells them, "" otherwise.
func (s *Schema) columnsOfQuery(r *Relation, sql string, names []Column) {
	for _, n := range relationsOf(sql) {
		if from := s.lookup(n); from != nil && from.incomplete() {
			r.Partial = true
		}
	}
	t, err := parseSQL(sql)
	if err != nil || len(t.Stmts) != 1 {
		for _, c := range names {
			s.addQueryColumn(r, RelColumn{Name: c.Name, Mod: -1})
		}
		return
	}
	sel := t.Stmts[0].Stmt.GetSelectStmt()
	cols := s.outputColumns(sel)
	for i := range names {
		if i < len(cols) {
			cols[i].Name = names[i].Name
		} else {
			cols = append(cols, RelColumn{Name: names[i].Name, Mod: -1})
		}
	}
	for _, c := range cols {
		s.addQueryColumn(r, c)
	}
}

func (s *Schema) addQueryColumn(r *Relation, c RelColumn) {
	r.UsedAttributes++
	n := RelColumn{Number: r.UsedAttributes, Name: c.Name, Type: c.Type, TypeName: c.TypeName, Mod: c.Mod, Array: c.Array, Collation: c.Collation,
		Storage: c.Storage, StatsTarget: -1, Local: true}
	r.Columns = append(r.Columns, &n)
}

// outputColumns names and, where it can, types what a SELECT gives.
func (s *Schema) outputColumns(sel *pg.SelectStmt) []RelColumn {
	if sel == nil {
		return nil
	}
	if sel.Larg != nil {
		return s.outputColumns(sel.Larg)
	}
	if len(sel.ValuesLists) > 0 {
		var out []RelColumn
		for i := range sel.ValuesLists[0].GetList().GetItems() {
			out = append(out, RelColumn{Name: "column" + strconv.Itoa(i+1), Mod: -1})
		}
		return out
	}
	sources := s.fromSources(sel)
	var out []RelColumn
	for _, n := range sel.TargetList {
		res := n.GetResTarget()
		ref := res.GetVal().GetColumnRef()
		if ref != nil && ref.Fields[len(ref.Fields)-1].GetAStar() != nil {
			for _, src := range sources {
				if len(ref.Fields) == 1 || src.alias == ref.Fields[len(ref.Fields)-2].GetString_().GetSval() {
					out = append(out, src.columns...)
				}
			}
			continue
		}
		c := s.typeOf(res.GetVal(), sources)
		c.Name = res.GetName()
		if c.Name == "" {
			c.Name, _ = outputName(res.GetVal())
		}
		if c.Name == "" {
			c.Name = "?column?"
		}
		out = append(out, c)
	}
	return out
}

type fromSource struct {
	alias   string
	columns []RelColumn
}

func (s *Schema) fromSources(sel *pg.SelectStmt) []fromSource {
	ctes := map[string][]RelColumn{}
	for _, c := range sel.GetWithClause().GetCtes() {
		cte := c.GetCommonTableExpr()
		cols := s.outputColumns(cte.GetCtequery().GetSelectStmt())
		for i, a := range strs(cte.Aliascolnames) {
			if i < len(cols) {
				cols[i].Name = a
			}
		}
		ctes[cte.Ctename] = cols
	}
	var out []fromSource
	var visit func(n *pg.Node)
	visit = func(n *pg.Node) {
		switch x := n.GetNode().(type) {
		case *pg.Node_RangeVar:
			v := x.RangeVar
			src := fromSource{alias: v.Relname}
			if a := v.GetAlias(); a != nil {
				src.alias = a.Aliasname
			}
			if cols, ok := ctes[v.Relname]; ok && v.Schemaname == "" {
				src.columns = slices.Clone(cols)
			} else if r := s.lookup(relName(v)); r != nil {
				for _, c := range r.Columns {
					src.columns = append(src.columns, *c)
				}
			}
			for i, a := range strs(v.GetAlias().GetColnames()) {
				if i < len(src.columns) {
					src.columns[i].Name = a
				}
			}
			out = append(out, src)
		case *pg.Node_JoinExpr:
			visit(x.JoinExpr.Larg)
			visit(x.JoinExpr.Rarg)
		case *pg.Node_RangeSubselect:
			out = append(out, fromSource{alias: x.RangeSubselect.GetAlias().GetAliasname(), columns: s.outputColumns(x.RangeSubselect.Subquery.GetSelectStmt())})
		}
	}
	for _, n := range sel.FromClause {
		visit(n)
	}
	return out
}

// typeOf knows the types of columns and casts.
func (s *Schema) typeOf(n *pg.Node, sources []fromSource) RelColumn {
	switch x := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		f := x.ColumnRef.Fields
		name := f[len(f)-1].GetString_().GetSval()
		for _, src := range sources {
			if len(f) > 1 && f[len(f)-2].GetString_().GetSval() != src.alias {
				continue
			}
			for _, c := range src.columns {
				if c.Name == name {
					return c
				}
			}
		}
	case *pg.Node_TypeCast:
		if t, err := s.resolveType(typeName(x.TypeCast.TypeName)); err == nil {
			return RelColumn{Type: t.text, TypeName: t.name, Mod: t.mod, Array: t.array, Storage: t.storage}
		}
	}
	return RelColumn{Mod: -1}
}
