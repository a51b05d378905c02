package ddl

import (
	"fmt"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// edit replaces the bytes [start, end) of a source.
type edit struct {
	start, end int
	text       string
}

// apply gives the text with the edits made.
func (s *source) apply(edits []edit) string {
	slices.SortStableFunc(edits, func(a, b edit) int { return a.start - b.start })
	var b strings.Builder
	at := 0
	for _, e := range edits {
		if e.start < at {
			continue // the same place twice
		}
		b.WriteString(s.text[at:e.start])
		b.WriteString(e.text)
		at = e.end
	}
	return b.String() + s.text[at:]
}

// replaceTokens is the edit that puts text in the place of the tokens [i, j).
func (s *source) replaceTokens(i, j int, text string) edit {
	return edit{s.toks[i].start, s.toks[j-1].end, text}
}

// identAt is the identifier at token i as PostgreSQL reads it, which for a U&"…" needs the parser.
func (s *source) identAt(i int) string {
	text := s.slice(i, s.skipIdent(i))
	switch s.kind(i) {
	case pg.Token_UIDENT:
		if _, n, err := parseExpr(text); err == nil {
			return columnOf(n.GetColumnRef())
		}
	case pg.Token_IDENT:
		if strings.HasPrefix(text, `"`) {
			return clip(strings.ReplaceAll(text[1:len(text)-1], `""`, `"`), maxIdent)
		}
	}
	return clip(lowerASCII(text), maxIdent)
}

// lowerASCII folds an unquoted identifier as PostgreSQL does in a UTF-8 database.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// renameList makes the edits for a list of column names in the tokens (i, j): PERIOD and WITHOUT OVERLAPS may
// stand beside the names.
func (s *source) renameList(i, j int, cols map[string]string) []edit {
	var edits []edit
	for _, part := range s.elements(i, j) {
		at := part.start
		if s.word(at, "period") && s.skipIdent(at) < part.end {
			at++
		}
		if to, ok := cols[s.identAt(at)]; ok {
			edits = append(edits, s.replaceTokens(at, s.skipIdent(at), QuoteIdent(to)))
		}
	}
	return edits
}

// one parses text that must hold exactly one statement.
func one(text string) (*statement, *pg.Node, error) {
	s, stmts, err := parseText("", text)
	if err != nil {
		return nil, nil, err
	}
	if len(stmts) != 1 {
		return nil, nil, fmt.Errorf("%d statements where one is expected: %s", len(stmts), text)
	}
	return s.statement(stmts[0]), stmts[0].Stmt, nil
}

const exprPrefix, exprSuffix = "SELECT (", "\n)"

// parseExpr parses an expression. The positions of its statement are those of the text with exprPrefix.
// Nobody may change them: the same text gives the same ones.
func parseExpr(expr string) (*statement, *pg.Node, error) {
	e := expressions.get(expr, parseExprAnew)
	return e.statement, e.node, e.err
}

// expression is what parseExpr gives.
type expression struct {
	statement *statement
	node      *pg.Node
	err       error
}

var expressions memo[expression]

func parseExprAnew(expr string) (e expression) {
	e.statement, e.node, e.err = readExpr(expr)
	return e
}

func readExpr(expr string) (*statement, *pg.Node, error) {
	c, stmt, err := one(exprPrefix + expr + exprSuffix)
	if err != nil {
		return nil, nil, fmt.Errorf("expression %s: %w", expr, err)
	}
	sel := stmt.GetSelectStmt()
	row := len(sel.GetTargetList()) == 1 && sel.TargetList[0].GetResTarget().GetVal().GetRowExpr().GetLocation() == int32(len(exprPrefix)-1)
	if len(sel.GetTargetList()) != 1 || len(sel.FromClause) > 0 || row || c.closer(c.first+1, c.last) != c.last-1 {
		return nil, nil, fmt.Errorf("not one expression: %s", expr)
	}
	return c, sel.TargetList[0].GetResTarget().Val, nil
}

func columnOf(ref *pg.ColumnRef) string {
	fields := ref.GetFields()
	if len(fields) == 0 {
		return ""
	}
	return fields[len(fields)-1].GetString_().GetSval()
}

// Columns are the names of the columns that an expression refers to, each once, in order. In a sub-select they
// may belong to another relation: the list is never too short.
func Columns(expr string) ([]string, error) {
	_, n, err := parseExpr(expr)
	if err != nil {
		return nil, err
	}
	var cols []string
	walk(n, func(m any) bool {
		if ref, ok := m.(*pg.ColumnRef); ok {
			if name := columnOf(ref); name != "" && !slices.Contains(cols, name) {
				cols = append(cols, name)
			}
		}
		return true
	})
	return cols, nil
}

// RenameColumns gives an expression over one table with its columns renamed by m (old to new). A reference
// qualified with a table is renamed where that is one of tables (names or aliases of the one table); without
// any, every qualifier is taken for it. Sub-selects are read by SQL's rules of scope, and it is an error when
// they do not tell which relation a column belongs to.
func RenameColumns(expr string, m map[string]string, tables ...string) (string, error) {
	c, n, err := parseExpr(expr)
	if err != nil {
		return "", err
	}
	r := &renamer{statement: c, cols: m}
	sc := &scope{anyQualifier: len(tables) == 0}
	for _, t := range tables {
		sc.items = append(sc.items, rangeItem{name: t, target: true})
	}
	if len(tables) == 0 {
		sc.items = []rangeItem{{target: true}}
	}
	r.expr(n, sc)
	if len(r.unresolved) > 0 {
		return "", fmt.Errorf("expression %s: cannot tell whose column stands at character %d; write its table",
			expr, r.unresolved[0].Offset-len(exprPrefix)+1)
	}
	return strings.TrimSuffix(strings.TrimPrefix(c.apply(r.edits), exprPrefix), exprSuffix), nil
}

// RenameIndexDef gives a CREATE INDEX statement (pg_get_indexdef) for another index: with the name name, on
// table where that is not nil, over the columns that cols names anew (old to new), and with CONCURRENTLY as
// asked. Everything else stays as it is.
func RenameIndexDef(def, name string, table *Name, cols map[string]string, concurrently bool) (string, error) {
	c, stmt, err := one(def)
	if err != nil {
		return "", fmt.Errorf("index definition: %w", err)
	}
	n := stmt.GetIndexStmt()
	if n == nil {
		return "", fmt.Errorf("not an index definition: %s", def)
	}
	r := &renamer{statement: c, cols: cols}
	rel := c.at(n.Relation.Location)
	on := rel - 1
	for c.kind(on) != pg.Token_ON {
		on--
	}
	index := c.findKind(c.first, on, pg.Token_INDEX)
	head := "INDEX "
	if concurrently {
		head += "CONCURRENTLY "
	}
	if n.IfNotExists {
		head += "IF NOT EXISTS "
	}
	r.edits = append(r.edits, c.replaceTokens(index, on, head+QuoteIdent(name)))
	if table != nil {
		r.edits = append(r.edits, c.replaceTokens(rel, c.skipName(rel), table.String()))
	}
	l := c.indexLayout(n)
	r.indexElems(n.IndexParams, l.open, l.close)
	if l.include < l.end && len(n.IndexIncludingParams) > 0 {
		r.edits = append(r.edits, c.renameList(l.include+2, c.closer(l.include+1, l.end), cols)...)
	}
	r.expr(n.WhereClause, tableScope(n.Relation))
	return r.done("index definition")
}

// indexElems renames the elements of an index, which stand between the brackets open and close.
func (r *renamer) indexElems(elems []*pg.Node, open, close int) {
	for i, part := range r.elements(open+1, close) {
		if i >= len(elems) {
			return
		}
		e := elems[i].GetIndexElem()
		if to, ok := r.cols[e.GetName()]; ok && e.GetName() != "" {
			r.edits = append(r.edits, r.replaceTokens(part.start, r.skipIdent(part.start), QuoteIdent(to)))
		}
		r.expr(e.GetExpr(), oneTable())
	}
}

// done gives the text with all edits made, or an error where a reference could not be resolved.
func (r *renamer) done(what string) (string, error) {
	if len(r.unresolved) > 0 {
		return "", fmt.Errorf("%s: cannot tell whose column stands at character %d of %s",
			what, r.unresolved[0].Offset+1, r.text)
	}
	return r.apply(r.edits), nil
}

const constraintPrefix = "ALTER TABLE t ADD "

// RenameConstraintDef gives a table constraint (pg_get_constraintdef) over the columns that cols names anew. Of
// a foreign key refTable and refCols, where not nil, change the referenced side.
func RenameConstraintDef(def string, cols map[string]string, refTable *Name, refCols map[string]string) (string, error) {
	c, stmt, err := one(constraintPrefix + def)
	if err != nil {
		return "", fmt.Errorf("constraint definition %s: %w", def, err)
	}
	cmds := stmt.GetAlterTableStmt().GetCmds()
	if len(cmds) != 1 || cmds[0].GetAlterTableCmd().GetDef().GetConstraint() == nil {
		return "", fmt.Errorf("not a constraint definition: %s", def)
	}
	k := cmds[0].GetAlterTableCmd().GetDef().GetConstraint()
	r := &renamer{statement: c, cols: cols}
	r.constraintDef(k, refTable, refCols)
	sql, err := r.done("constraint definition")
	return strings.TrimPrefix(sql, constraintPrefix), err
}

func (r *renamer) constraintDef(k *pg.Constraint, refTable *Name, refCols map[string]string) {
	at := r.at(k.Location)
	if r.kind(at) == pg.Token_CONSTRAINT {
		at = r.skipIdent(at + 1)
	}
	if r.marked(markNotNull, at, at+1) || k.Contype == pg.ConstrType_CONSTR_NOTNULL {
		r.edits = append(r.edits, r.renameList(at+2, r.skipIdent(at+2), r.cols)...)
		return
	}
	open := r.findKind(at, r.last, tokParen)
	if open == r.last {
		return // USING INDEX
	}
	close := r.closer(open, r.last)
	switch k.Contype {
	case pg.ConstrType_CONSTR_CHECK:
		r.expr(k.RawExpr, oneTable())
	case pg.ConstrType_CONSTR_EXCLUSION:
		var elems []*pg.Node
		for _, pair := range k.Exclusions {
			elems = append(elems, pair.GetList().GetItems()[0])
		}
		r.indexElems(elems, open, close)
		r.expr(k.WhereClause, oneTable())
	default:
		r.edits = append(r.edits, r.renameList(open+1, close, r.cols)...)
	}
	if include := r.findKind(close, r.last, pg.Token_INCLUDE); include < r.last {
		r.edits = append(r.edits, r.renameList(include+2, r.closer(include+1, r.last), r.cols)...)
	}
	if k.Contype == pg.ConstrType_CONSTR_FOREIGN {
		r.referenced(k, refTable, refCols)
	}
}

// referenced changes the side of a foreign key behind REFERENCES, and the columns of ON DELETE SET NULL (…).
func (r *renamer) referenced(k *pg.Constraint, refTable *Name, refCols map[string]string) {
	table := r.at(k.Pktable.Location)
	behind := r.skipName(table)
	if refTable != nil {
		r.edits = append(r.edits, r.replaceTokens(table, behind, refTable.String()))
	}
	if r.kind(behind) == tokParen {
		close := r.closer(behind, r.last)
		r.edits = append(r.edits, r.renameList(behind+1, close, refCols)...)
		behind = close
	}
	if open := r.findKind(behind+1, r.last, tokParen); open < r.last {
		r.edits = append(r.edits, r.renameList(open+1, r.closer(open, r.last), r.cols)...)
	}
}

// ReferColumns gives a foreign key (as behind ADD) with the columns it refers to, where it leaves them to the primary key.
func ReferColumns(def string, cols []string) (string, error) {
	c, stmt, err := one(constraintPrefix + def)
	if err != nil {
		return "", fmt.Errorf("constraint definition %s: %w", def, err)
	}
	k := first[pg.Constraint](stmt)
	if k == nil || k.Contype != pg.ConstrType_CONSTR_FOREIGN || len(k.PkAttrs) > 0 {
		return def, nil
	}
	end := c.toks[c.skipName(c.at(k.Pktable.Location))-1].end
	sql := c.apply([]edit{{end, end, " (" + QuoteIdents(cols) + ")"}})
	return strings.TrimPrefix(sql, constraintPrefix), nil
}

// RenameTriggerDef gives a CREATE TRIGGER statement (pg_get_triggerdef) for another trigger: with the name name
// where that is not "", on table where that is not nil, over the columns that cols names anew. What the
// function reads inside is not touched.
func RenameTriggerDef(def, name string, table *Name, cols map[string]string) (string, error) {
	c, stmt, err := one(def)
	if err != nil {
		return "", fmt.Errorf("trigger definition: %w", err)
	}
	n := stmt.GetCreateTrigStmt()
	if n == nil {
		return "", fmt.Errorf("not a trigger definition: %s", def)
	}
	r := &renamer{statement: c, cols: cols}
	trigger := c.findKind(c.first, c.last, pg.Token_TRIGGER) + 1
	if name != "" {
		r.edits = append(r.edits, c.replaceTokens(trigger, c.skipIdent(trigger), QuoteIdent(name)))
	}
	rel := c.at(n.Relation.Location)
	if table != nil {
		r.edits = append(r.edits, c.replaceTokens(rel, c.skipName(rel), table.String()))
	}
	if of := c.findKind(trigger, rel, pg.Token_OF); of < rel && len(n.Columns) > 0 {
		end := c.find(of, rel, func(i int) bool { return c.kind(i) == pg.Token_ON || c.kind(i) == pg.Token_OR })
		r.edits = append(r.edits, c.renameList(of+1, end, cols)...)
	}
	r.expr(n.WhenClause, &scope{items: []rangeItem{{name: "new", target: true}, {name: "old", target: true}}})
	return r.done("trigger definition")
}

// RenameStatisticsDef gives a CREATE STATISTICS statement (pg_get_statisticsobjdef) for another object: with
// the name name and on table where those are not nil, over the columns that cols names anew.
func RenameStatisticsDef(def string, name, table *Name, cols map[string]string) (string, error) {
	c, stmt, err := one(def)
	if err != nil {
		return "", fmt.Errorf("statistics definition: %w", err)
	}
	n := stmt.GetCreateStatsStmt()
	if n == nil || len(n.Relations) != 1 || n.Relations[0].GetRangeVar() == nil {
		return "", fmt.Errorf("not a statistics definition over one table: %s", def)
	}
	r := &renamer{statement: c, cols: cols}
	rel := c.at(n.Relations[0].GetRangeVar().Location)
	if table != nil {
		r.edits = append(r.edits, c.replaceTokens(rel, c.skipName(rel), table.String()))
	}
	i := c.findKind(c.first, rel, pg.Token_STATISTICS) + 1
	if c.has(i, pg.Token_IF_P, pg.Token_NOT, pg.Token_EXISTS) {
		i += 3
	}
	if len(n.Defnames) > 0 && name != nil {
		r.edits = append(r.edits, c.replaceTokens(i, c.skipName(i), name.String()))
	}
	on := c.findKind(i, rel, pg.Token_ON)
	for k, part := range c.elements(on+1, rel-1) {
		if e := n.Exprs[k].GetStatsElem(); e.GetExpr() != nil {
			r.expr(e.Expr, oneTable())
		} else if to, ok := cols[e.GetName()]; ok {
			r.edits = append(r.edits, c.replaceTokens(part.start, c.skipIdent(part.start), QuoteIdent(to)))
		}
	}
	return r.done("statistics definition")
}

// RenamePolicyDef gives a CREATE POLICY statement on table where that is not nil, over the columns that cols
// names anew. self is the table of the policy with its schema, under which sub-selects may name it.
func RenamePolicyDef(def string, self Name, table *Name, cols map[string]string) (string, error) {
	c, stmt, err := one(def)
	if err != nil {
		return "", fmt.Errorf("policy definition: %w", err)
	}
	n := stmt.GetCreatePolicyStmt()
	if n == nil {
		return "", fmt.Errorf("not a policy definition: %s", def)
	}
	r := &renamer{statement: c, cols: cols, table: self}
	rel := c.at(n.Table.Location)
	if table != nil {
		r.edits = append(r.edits, c.replaceTokens(rel, c.skipName(rel), table.String()))
	}
	r.expr(n.Qual, tableScope(n.Table))
	r.expr(n.WithCheck, tableScope(n.Table))
	return r.done("policy definition")
}

// Alone is the i-th Op of a statement as a statement of its own: ALTER TABLE with only that subcommand, DROP or
// TRUNCATE of only that object. The order in which the parts are executed is the caller's business. A statement
// with one Op is given as it is.
func (f Statement) Alone(i int) string {
	c, stmt, err := one(f.SQL)
	if err != nil || len(f.Ops) < 2 || i < 0 || i >= len(f.Ops) {
		return f.SQL
	}
	switch n := stmt.Node.(type) {
	case *pg.Node_AlterTableStmt:
		parts := c.subcommands(n.AlterTableStmt.Relation)
		return c.slice(c.first, parts[0].start) + " " + c.slice(parts[i].start, parts[i].end)
	case *pg.Node_DropStmt:
		n.DropStmt.Objects = n.DropStmt.Objects[i : i+1]
	case *pg.Node_TruncateStmt:
		n.TruncateStmt.Relations = n.TruncateStmt.Relations[i : i+1]
	}
	return deparse(stmt)
}
