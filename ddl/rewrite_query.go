package ddl

import (
	"fmt"
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// renamer collects the edits that rename columns of one table in a statement, by SQL's rules of scope. Without a
// schema, a reference whose relation the text does not tell is unresolved, never guessed.
type renamer struct {
	*statement
	table      Name
	cols       map[string]string // old to new
	edits      []edit
	unresolved []Pos
	renamed    map[*pg.ColumnRef]bool
	known      *Schema         // what other relations expose, and which one a name means
	names      map[string]bool // of the columns found, where it is not nil
}

// found notes a column that is read or written.
func (r *renamer) found(col string) {
	if r.names != nil {
		r.names[col] = true
	}
}

// rangeItem is something in a FROM list.
type rangeItem struct {
	name    string // alias, or else the relation's name
	schema  string // as written, "" with an alias
	target  bool   // the table whose columns are renamed
	aliased []string
	// columns are the names that the item exposes, nil when the text does not tell.
	columns []string
	joined  bool // alias of a join that holds the target: its column names would change
	// qualified says that its columns are meant only with its name before them.
	qualified bool
}

func (it rangeItem) exposes(col string) bool { return slices.Contains(it.columns, col) }

// scope is one level of name resolution.
type scope struct {
	parent       *scope
	items        []rangeItem
	merged       []string            // columns of JOIN … USING
	ctes         map[string][]string // WITH queries and their columns (nil = not known)
	anyQualifier bool
}

// oneTable is the scope of an expression over one table, however that is called.
func oneTable() *scope { return &scope{items: []rangeItem{{target: true}}, anyQualifier: true} }

func tableScope(rel *pg.RangeVar) *scope {
	return &scope{items: []rangeItem{{name: rel.Relname, schema: rel.Schemaname, target: true}}}
}

func (sc *scope) target() bool {
	return slices.ContainsFunc(sc.items, func(it rangeItem) bool { return it.target })
}

// cte finds a WITH query by name.
func (sc *scope) cte(name string) ([]string, bool) {
	for ; sc != nil; sc = sc.parent {
		if cols, ok := sc.ctes[name]; ok {
			return cols, true
		}
	}
	return nil, false
}

// RenameInQuery gives a statement (a query, CREATE VIEW, UPDATE, DELETE, INSERT) in which the columns of table
// are renamed by cols (old to new) wherever it reads or writes them. The columns that a query gives back keep
// their names. A name without a schema is taken for table. Where the text does not tell (SELECT *, NATURAL and
// USING joins, a whole row, an unqualified name between several relations of unknown columns) the place is
// returned and the text there left as it is.
func RenameInQuery(sql string, table Name, cols map[string]string) (string, []Pos, error) {
	c, stmt, err := one(sql)
	if err != nil {
		return "", nil, fmt.Errorf("query: %w", err)
	}
	r := &renamer{statement: c, table: table, cols: cols}
	switch n := stmt.Node.(type) {
	case *pg.Node_ViewStmt:
		if c.recursiveView(n.ViewStmt) {
			return "", nil, fmt.Errorf("query: CREATE RECURSIVE VIEW is not supported; write it WITH RECURSIVE")
		}
		stmt = n.ViewStmt.Query
	case *pg.Node_CreateTableAsStmt:
		stmt = n.CreateTableAsStmt.Query
	}
	if !r.dml(stmt, nil) {
		return "", nil, fmt.Errorf("query: cannot rename columns in a %s", c.tag(stmt))
	}
	return c.apply(r.edits), r.unresolved, nil
}

// dml renames in a query or data change and reports whether stmt is one.
func (r *renamer) dml(stmt *pg.Node, parent *scope) bool {
	switch n := stmt.GetNode().(type) {
	case *pg.Node_SelectStmt:
		r.query(n.SelectStmt, parent)
	case *pg.Node_UpdateStmt:
		u := n.UpdateStmt
		sc := r.newScope(u.WithClause, parent)
		r.from(fromRange(u.Relation), sc)
		for _, f := range u.FromClause {
			r.from(f, sc)
		}
		r.assigned(u.TargetList, u.Relation)
		for _, t := range u.TargetList {
			r.expr(t.GetResTarget().GetVal(), sc)
		}
		r.expr(u.WhereClause, sc)
		r.targets(u.ReturningList, sc)
	case *pg.Node_DeleteStmt:
		d := n.DeleteStmt
		sc := r.newScope(d.WithClause, parent)
		r.from(fromRange(d.Relation), sc)
		for _, f := range d.UsingClause {
			r.from(f, sc)
		}
		r.expr(d.WhereClause, sc)
		r.targets(d.ReturningList, sc)
	case *pg.Node_InsertStmt:
		r.insertInto(n.InsertStmt, parent)
	default:
		return false
	}
	return true
}

func fromRange(rel *pg.RangeVar) *pg.Node {
	return &pg.Node{Node: &pg.Node_RangeVar{RangeVar: rel}}
}

// assigned renames the columns that an UPDATE or INSERT names as its targets.
func (r *renamer) assigned(targets []*pg.Node, rel *pg.RangeVar) {
	if !r.isTarget(rel) {
		return
	}
	for _, t := range targets {
		if to, ok := r.cols[t.GetResTarget().GetName()]; ok {
			r.found(t.GetResTarget().GetName())
			i := r.at(t.GetResTarget().Location)
			r.edits = append(r.edits, r.replaceTokens(i, r.skipIdent(i), QuoteIdent(to)))
		}
	}
}

func (r *renamer) insertInto(n *pg.InsertStmt, parent *scope) {
	with := r.newScope(n.WithClause, parent)
	r.assigned(n.Cols, n.Relation)
	r.dml(n.SelectStmt, with)
	sc := &scope{parent: with}
	r.from(fromRange(n.Relation), sc)
	if k := n.OnConflictClause; k != nil {
		if k.Infer != nil {
			if open := r.at(k.Infer.Location); r.isTarget(n.Relation) && r.kind(open) == tokParen {
				r.indexElems(k.Infer.IndexElems, open, r.closer(open, r.last))
			}
			r.expr(k.Infer.WhereClause, sc)
		}
		r.assigned(k.TargetList, n.Relation)
		excluded := &scope{parent: with, items: slices.Clone(sc.items)}
		excluded.items = append(excluded.items, rangeItem{name: "excluded", target: r.isTarget(n.Relation)})
		for _, t := range k.TargetList {
			r.expr(t.GetResTarget().GetVal(), excluded)
		}
		r.expr(k.WhereClause, excluded)
	}
	r.targets(n.ReturningList, sc)
}

func (r *renamer) isTarget(rel *pg.RangeVar) bool {
	if r.known != nil {
		t := r.known.lookup(relName(rel))
		return t != nil && t.Name == r.table
	}
	return rel.GetRelname() == r.table.Name &&
		(rel.Schemaname == "" || r.table.Schema == "" || rel.Schemaname == r.table.Schema)
}

// newScope opens a scope and reads the WITH queries of a statement into it.
func (r *renamer) newScope(with *pg.WithClause, parent *scope) *scope {
	sc := &scope{parent: parent, ctes: map[string][]string{}}
	for _, n := range with.GetCtes() {
		if cte := n.GetCommonTableExpr(); with.Recursive {
			sc.ctes[cte.Ctename] = strs(cte.Aliascolnames)
		}
	}
	for _, n := range with.GetCtes() {
		cte := n.GetCommonTableExpr()
		var cols []string
		if q := cte.Ctequery.GetSelectStmt(); q != nil {
			cols = r.query(q, sc)
		} else {
			r.dml(cte.Ctequery, sc)
		}
		if names := strs(cte.Aliascolnames); len(names) > 0 {
			cols = names
		}
		sc.ctes[cte.Ctename] = cols
	}
	return sc
}

// query renames in a SELECT and gives the names of its columns, nil when the text does not tell them.
func (r *renamer) query(n *pg.SelectStmt, parent *scope) []string {
	sc := r.newScope(n.WithClause, parent)
	if n.Op != pg.SetOperation_SETOP_NONE {
		cols := r.query(n.Larg, sc)
		r.query(n.Rarg, sc)
		return cols // ORDER BY of a set operation can only name these
	}
	for _, f := range n.FromClause {
		r.from(f, sc)
	}
	names := r.targets(n.TargetList, sc)
	r.expr(n.WhereClause, sc)
	r.exprs(n.GroupClause, sc)
	r.expr(n.HavingClause, sc)
	r.exprs(n.WindowClause, sc)
	r.exprs(n.ValuesLists, sc)
	r.ordering(n.DistinctClause, names, sc)
	r.ordering(n.SortClause, names, sc)
	r.expr(n.LimitCount, sc)
	r.expr(n.LimitOffset, sc)
	if len(n.ValuesLists) > 0 {
		for i := range n.ValuesLists[0].GetList().GetItems() {
			names = append(names, fmt.Sprintf("column%d", i+1))
		}
	}
	return names
}

// ordering renames in ORDER BY and DISTINCT ON, where a bare name is first that of an output column.
func (r *renamer) ordering(list []*pg.Node, names []string, sc *scope) {
	for _, n := range list {
		key := n
		if s := n.GetSortBy(); s != nil {
			key = s.Node
		}
		if ref := key.GetColumnRef(); ref != nil && len(ref.Fields) == 1 && slices.Contains(names, columnOf(ref)) {
			continue
		}
		r.expr(key, sc)
	}
}

// targets renames in a list of output columns, whose names it keeps and gives back.
func (r *renamer) targets(list []*pg.Node, sc *scope) []string {
	var names []string
	known := true
	for _, n := range list {
		t := n.GetResTarget()
		r.expr(t.GetVal(), sc)
		if t.GetName() != "" {
			names = append(names, t.Name)
			continue
		}
		name, ref := outputName(t.GetVal())
		names = append(names, name)
		if fields := t.GetVal().GetColumnRef().GetFields(); len(fields) > 0 && fields[len(fields)-1].GetAStar() != nil {
			known = false
		}
		if ref != nil && r.renamed[ref] {
			end := r.toks[r.targetEnd(r.at(t.Location))-1].end
			r.edits = append(r.edits, edit{end, end, " AS " + QuoteIdent(name)})
		}
	}
	if !known {
		return nil
	}
	return names
}

// targetEnd gives the token behind the output column that starts at token i.
func (r *renamer) targetEnd(i int) int {
	return r.find(i, r.last, func(j int) bool {
		switch r.kind(j) {
		case tokComma, tokClose, tokSemicolon, pg.Token_FROM, pg.Token_WHERE, pg.Token_GROUP_P, pg.Token_HAVING,
			pg.Token_WINDOW, pg.Token_UNION, pg.Token_INTERSECT, pg.Token_EXCEPT, pg.Token_ORDER, pg.Token_LIMIT,
			pg.Token_OFFSET, pg.Token_FETCH, pg.Token_FOR, pg.Token_INTO:
			return true
		case pg.Token_WITH: // CREATE VIEW … WITH CHECK OPTION
			return r.has(j+1, pg.Token_CHECK) || r.has(j+2, pg.Token_CHECK) || r.word(j+1, "data") || r.word(j+2, "data")
		}
		return false
	})
}

// from adds an item of a FROM list to a scope and renames inside it.
func (r *renamer) from(n *pg.Node, sc *scope) {
	switch n := n.GetNode().(type) {
	case *pg.Node_RangeVar:
		sc.items = append(sc.items, r.relation(n.RangeVar, sc))
	case *pg.Node_RangeSubselect:
		s := n.RangeSubselect
		outer := &scope{parent: sc.parent, ctes: sc.ctes}
		if s.Lateral {
			outer = sc
		}
		cols := r.query(s.Subquery.GetSelectStmt(), outer)
		sc.items = append(sc.items, rangeItem{name: s.Alias.GetAliasname(), columns: aliasColumns(s.Alias, cols)})
	case *pg.Node_JoinExpr:
		r.join(n.JoinExpr, sc)
	case *pg.Node_RangeTableSample:
		r.from(n.RangeTableSample.Relation, sc)
		r.exprs(n.RangeTableSample.Args, sc)
	case *pg.Node_RangeFunction:
		r.exprs(n.RangeFunction.Functions, sc)
		sc.items = append(sc.items, rangeItem{name: n.RangeFunction.Alias.GetAliasname()})
	case *pg.Node_RangeTableFunc:
		r.expr(n.RangeTableFunc.Docexpr, sc)
		r.expr(n.RangeTableFunc.Rowexpr, sc)
		sc.items = append(sc.items, rangeItem{name: n.RangeTableFunc.Alias.GetAliasname()})
	case *pg.Node_JsonTable:
		r.expr(n.JsonTable.ContextItem.GetRawExpr(), sc)
		sc.items = append(sc.items, rangeItem{name: n.JsonTable.Alias.GetAliasname()})
	}
}

func aliasColumns(a *pg.Alias, cols []string) []string {
	names := strs(a.GetColnames())
	if len(names) >= len(cols) {
		if len(names) == 0 {
			return cols
		}
		return names
	}
	return append(names, cols[len(names):]...)
}

func (r *renamer) relation(rel *pg.RangeVar, sc *scope) rangeItem {
	it := rangeItem{name: rel.Relname, schema: rel.Schemaname}
	if rel.Alias != nil {
		it.name, it.schema, it.aliased = rel.Alias.Aliasname, "", strs(rel.Alias.Colnames)
	}
	if rel.Schemaname == "" {
		if cols, ok := sc.cte(rel.Relname); ok {
			it.columns = aliasColumns(rel.Alias, cols)
			return it
		}
	}
	if it.target = r.isTarget(rel); !it.target {
		it.columns = r.exposed(rel)
	}
	return it
}

// join adds both sides of a join. USING and NATURAL compare columns by name, which a rename breaks.
func (r *renamer) join(j *pg.JoinExpr, sc *scope) {
	inner := sc
	if j.Alias != nil {
		inner = &scope{parent: sc.parent, ctes: sc.ctes, items: slices.Clone(sc.items)}
	}
	before := len(inner.items)
	r.from(j.Larg, inner)
	r.from(j.Rarg, inner)
	target := slices.ContainsFunc(inner.items[before:], func(it rangeItem) bool { return it.target })
	for _, name := range strs(j.UsingClause) {
		if _, ok := r.cols[name]; ok && target && r.names != nil {
			r.found(name)
		} else if ok && target {
			r.unresolvedWord(pg.Token_USING, name)
		}
		inner.merged = append(inner.merged, name)
	}
	if j.IsNatural && target {
		r.unresolvedWord(pg.Token_NATURAL, "")
	}
	r.expr(j.Quals, inner)
	if j.Alias != nil {
		sc.items = append(sc.items, rangeItem{name: j.Alias.Aliasname, aliased: strs(j.Alias.Colnames), joined: target})
	}
}

// unresolvedWord notes each NATURAL, or each column name in a USING list, as unresolved: the parse tree does not
// say where it stands.
func (r *renamer) unresolvedWord(kind pg.Token, name string) {
	note := func(i int) {
		if p := r.pos(r.toks[i].start); !slices.Contains(r.unresolved, p) {
			r.unresolved = append(r.unresolved, p)
		}
	}
	for i := r.first; i < r.last; i++ {
		if r.kind(i) != kind {
			continue
		}
		if name == "" {
			note(i)
			continue
		}
		for _, part := range r.elements(i+2, r.closer(i+1, r.last)) {
			if r.identAt(part.start) == name {
				note(part.start)
			}
		}
	}
}

func (r *renamer) exprs(list []*pg.Node, sc *scope) {
	for _, n := range list {
		r.expr(n, sc)
	}
}

// expr renames the references of an expression.
func (r *renamer) expr(n *pg.Node, sc *scope) {
	walk(n, func(m any) bool {
		switch m := m.(type) {
		case *pg.ColumnRef:
			r.reference(m, sc)
			return false
		case *pg.SelectStmt:
			r.query(m, sc)
			return false
		}
		return true
	})
}

// reference renames one reference where it is to the target.
func (r *renamer) reference(ref *pg.ColumnRef, sc *scope) {
	fields := ref.Fields
	last := fields[len(fields)-1]
	col := last.GetString_().GetSval()
	_, wanted := r.cols[col]
	if len(fields) > 1 {
		it := sc.qualified(strs(fields[:len(fields)-1]))
		switch {
		case it == nil || !it.target && !it.joined:
		case last.GetAStar() != nil || wanted && it.joined && !slices.Contains(it.aliased, col):
			r.note(ref)
		case wanted && it.target && !slices.Contains(it.aliased, col):
			r.rename(ref, col)
		}
		return
	}
	if last.GetAStar() != nil {
		if sc.target() {
			r.note(ref)
		}
		return
	}
	if !wanted {
		// The whole row of the target: its fields would be called differently.
		if it := sc.qualified([]string{col}); it != nil && it.target && !sc.anyQualifier {
			r.note(ref)
		}
		return
	}
	r.unqualified(ref, col, sc)
}

// unqualified resolves a bare column name that the target has, from the innermost scope outwards.
func (r *renamer) unqualified(ref *pg.ColumnRef, col string, sc *scope) {
	unknown := false
	for ; sc != nil; sc = sc.parent {
		for _, it := range sc.items {
			switch {
			case it.qualified:
			case it.target && slices.Contains(it.aliased, col), it.exposes(col):
				return // another column of that name
			case r.names != nil && it.target && slices.Contains(sc.merged, col):
				r.found(col)
				return
			case it.joined, it.target && (unknown || slices.Contains(sc.merged, col)):
				r.note(ref)
				return
			case it.target:
				// Another relation of this level cannot have the column too: the name would be ambiguous.
				r.rename(ref, col)
				return
			}
		}
		for _, it := range sc.items {
			unknown = unknown || it.columns == nil && !it.qualified
		}
	}
}

// qualified finds the item that a qualifier names.
func (sc *scope) qualified(q []string) *rangeItem {
	for ; sc != nil; sc = sc.parent {
		for i, it := range sc.items {
			if sc.anyQualifier && it.target || it.name == q[len(q)-1] && (len(q) == 1 || it.schema == q[len(q)-2]) {
				return &sc.items[i]
			}
		}
	}
	return nil
}

// note notes a reference as unresolved. What the grammar made up (TABLE t is SELECT * FROM t) stands nowhere: it
// is noted at the start of the statement.
func (r *renamer) note(ref *pg.ColumnRef) {
	at := r.toks[r.first].start
	if ref.Location >= 0 {
		at = int(ref.Location)
	}
	r.unresolved = append(r.unresolved, r.pos(at))
}

// rename changes the last name of a reference.
func (r *renamer) rename(ref *pg.ColumnRef, col string) {
	r.found(col)
	if ref.Location < 0 {
		r.note(ref)
		return
	}
	i := r.at(ref.Location)
	for range len(ref.Fields) - 1 {
		i = r.skipIdent(i) + 1 // name and dot
	}
	if r.renamed == nil {
		r.renamed = map[*pg.ColumnRef]bool{}
	}
	r.renamed[ref] = true
	r.edits = append(r.edits, r.replaceTokens(i, r.skipIdent(i), QuoteIdent(r.cols[col])))
}

// outputName is FigureColname of PostgreSQL: the name of an output column without AS, "" for ?column?, and the
// reference that it comes from where it does.
func outputName(n *pg.Node) (string, *pg.ColumnRef) {
	name, ref, _ := figureName(n)
	return name, ref
}

// figureName also gives how strong the name is: 0 none, 1 a type's or construct's, 2 a column's or function's.
func figureName(n *pg.Node) (string, *pg.ColumnRef, int) {
	switch n := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		if name := columnOf(n.ColumnRef); name != "" {
			return name, n.ColumnRef, 2
		}
	case *pg.Node_AIndirection:
		fields := n.AIndirection.Indirection
		for i := len(fields) - 1; i >= 0; i-- {
			if s := fields[i].GetString_(); s != nil {
				return s.Sval, nil, 2
			}
		}
		return figureName(n.AIndirection.Arg)
	case *pg.Node_FuncCall:
		names := strs(n.FuncCall.Funcname)
		return names[len(names)-1], nil, 2
	case *pg.Node_AExpr:
		if n.AExpr.Kind == pg.A_Expr_Kind_AEXPR_NULLIF {
			return "nullif", nil, 2
		}
	case *pg.Node_TypeCast:
		if name, ref, strength := figureName(n.TypeCast.Arg); strength > 1 {
			return name, ref, strength
		}
		return nameOf(n.TypeCast.TypeName.GetNames()).Name, nil, 1
	case *pg.Node_CollateClause:
		return figureName(n.CollateClause.Arg)
	case *pg.Node_GroupingFunc:
		return "grouping", nil, 2
	case *pg.Node_SubLink:
		return figureSubLink(n.SubLink)
	case *pg.Node_CaseExpr:
		if name, ref, strength := figureName(n.CaseExpr.Defresult); strength > 1 {
			return name, ref, strength
		}
		return "case", nil, 1
	case *pg.Node_AArrayExpr:
		return "array", nil, 2
	case *pg.Node_RowExpr:
		return "row", nil, 2
	case *pg.Node_CoalesceExpr:
		return "coalesce", nil, 2
	case *pg.Node_MinMaxExpr:
		if n.MinMaxExpr.Op == pg.MinMaxOp_IS_LEAST {
			return "least", nil, 2
		}
		return "greatest", nil, 2
	case *pg.Node_SqlvalueFunction:
		return sqlValueNames[n.SqlvalueFunction.Op], nil, 2
	case *pg.Node_XmlExpr:
		return xmlNames[n.XmlExpr.Op], nil, 2
	case *pg.Node_XmlSerialize:
		return "xmlserialize", nil, 2
	}
	return "", nil, 0
}

func figureSubLink(n *pg.SubLink) (string, *pg.ColumnRef, int) {
	switch n.SubLinkType {
	case pg.SubLinkType_EXISTS_SUBLINK:
		return "exists", nil, 2
	case pg.SubLinkType_ARRAY_SUBLINK:
		return "array", nil, 2
	case pg.SubLinkType_EXPR_SUBLINK:
		// The name of the query's only column, which keeps it: no reference of this level.
		sel := n.Subselect.GetSelectStmt()
		for sel.GetLarg() != nil {
			sel = sel.Larg
		}
		if len(sel.GetTargetList()) == 1 {
			t := sel.TargetList[0].GetResTarget()
			if t.Name != "" {
				return t.Name, nil, 2
			}
			name, _, strength := figureName(t.Val)
			return name, nil, strength
		}
	}
	return "", nil, 0
}

var sqlValueNames = map[pg.SQLValueFunctionOp]string{
	pg.SQLValueFunctionOp_SVFOP_CURRENT_DATE: "current_date", pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME: "current_time",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N:      "current_time",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP:   "current_timestamp",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N: "current_timestamp",
	pg.SQLValueFunctionOp_SVFOP_LOCALTIME:           "localtime", pg.SQLValueFunctionOp_SVFOP_LOCALTIME_N: "localtime",
	pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP:   "localtimestamp",
	pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N: "localtimestamp",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_ROLE:     "current_role", pg.SQLValueFunctionOp_SVFOP_CURRENT_USER: "current_user",
	pg.SQLValueFunctionOp_SVFOP_USER: "user", pg.SQLValueFunctionOp_SVFOP_SESSION_USER: "session_user",
	pg.SQLValueFunctionOp_SVFOP_CURRENT_CATALOG: "current_catalog", pg.SQLValueFunctionOp_SVFOP_CURRENT_SCHEMA: "current_schema",
}

var xmlNames = map[pg.XmlExprOp]string{
	pg.XmlExprOp_IS_XMLCONCAT: "xmlconcat", pg.XmlExprOp_IS_XMLELEMENT: "xmlelement",
	pg.XmlExprOp_IS_XMLFOREST: "xmlforest", pg.XmlExprOp_IS_XMLPARSE: "xmlparse", pg.XmlExprOp_IS_XMLPI: "xmlpi",
	pg.XmlExprOp_IS_XMLROOT: "xmlroot", pg.XmlExprOp_IS_XMLSERIALIZE: "xmlserialize",
}
