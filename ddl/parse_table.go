package ddl

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func (c *statement) createTable(n *pg.CreateStmt) (CreateTable, error) {
	t := CreateTable{
		Table:       relName(n.Relation),
		IfNotExists: n.IfNotExists,
		Persistence: persistence(n.Relation),
		OfType:      nameOf(n.GetOfTypename().GetNames()),
		Tablespace:  n.Tablespacename,
	}
	for _, e := range n.TableElts {
		switch {
		case e.GetColumnDef() != nil:
			d := e.GetColumnDef()
			col, err := c.column(d, c.elementEnd(c.at(d.Location), c.last))
			if err != nil {
				return t, err
			}
			t.Columns = append(t.Columns, col)
		case e.GetConstraint() != nil:
			d := e.GetConstraint()
			con, err := c.constraint(d, c.elementEnd(c.at(d.Location), c.last))
			if err != nil {
				return t, err
			}
			t.Constraints = append(t.Constraints, con)
		case e.GetTableLikeClause() != nil:
			like := e.GetTableLikeClause()
			at := c.at(like.Relation.Location)
			t.Like = append(t.Like, relName(like.Relation))
			t.LikeOptions = append(t.LikeOptions, c.slice(c.skipRelation(at), c.elementEnd(at, c.last)))
		}
	}
	for _, p := range n.InhRelations {
		t.Inherits = append(t.Inherits, relName(p.GetRangeVar()))
	}
	if n.Partbound != nil {
		t.PartitionOf, t.Inherits = t.Inherits[0], nil
		t.Bound = c.bound(n.Partbound)
	}
	if n.Partspec != nil {
		by := c.at(n.Partspec.Location) + 2 // PARTITION BY
		t.PartitionBy = c.slice(by, c.closer(c.findKind(by, c.last, tokParen), c.last)+1)
	}
	t.With = c.storage(c.skipRelation(c.at(n.Relation.Location)), n.Options)
	return t, nil
}

// storage is the text inside WITH ( … ) behind the token i, where the statement has options.
func (c *statement) storage(i int, options []*pg.Node) string {
	if len(options) == 0 {
		return ""
	}
	with := c.find(i, c.last, func(j int) bool { return c.has(j, pg.Token_WITH, tokParen) })
	if with == c.last {
		return "" // WITH OIDS and its like
	}
	return c.slice(with+2, c.closer(with+1, c.last))
}

func persistence(r *pg.RangeVar) byte {
	if r.GetRelpersistence() == "" {
		return 'p'
	}
	return r.Relpersistence[0]
}

// bound is FOR VALUES … or DEFAULT.
func (c *statement) bound(b *pg.PartitionBoundSpec) string {
	at := c.at(b.Location)
	if b.IsDefault {
		return "DEFAULT"
	}
	open := c.findKind(at, c.last, tokParen)
	end := c.closer(open, c.last) + 1
	if c.has(end, pg.Token_TO, tokParen) {
		end = c.closer(end+1, c.last) + 1
	}
	for at > c.first && c.kind(at) != pg.Token_FOR {
		at--
	}
	return c.slice(at, end)
}

// column reads a column definition that ends before token end.
func (c *statement) column(d *pg.ColumnDef, end int) (Column, error) {
	col := Column{
		Name:        d.Colname,
		Type:        typeName(d.TypeName),
		Compression: d.Compression,
		Storage:     strings.ToUpper(d.StorageName),
	}
	bounds := c.columnBounds(d, end)
	behind := func(loc int32) int { // where the clause that starts at loc ends
		at := c.at(loc)
		for _, b := range bounds {
			if b > at {
				return b
			}
		}
		return end
	}
	if d.CollClause != nil {
		col.Collation = nameOf(d.CollClause.Collname).String()
	}
	for i, n := range d.Constraints {
		k := n.GetConstraint()
		at, to := c.at(k.Location), behind(k.Location)
		if c.kind(at) == pg.Token_CONSTRAINT {
			at = c.skipIdent(at + 1)
		}
		virtual := c.marked(markVirtual, at, to)
		switch {
		case virtual:
			open := at + 3 // GENERATED ALWAYS AS
			col.Generated, col.Virtual = c.slice(open+1, c.closer(open, to)), true
		case k.Contype == pg.ConstrType_CONSTR_DEFAULT:
			col.Default = c.slice(at+1, to)
		case k.Contype == pg.ConstrType_CONSTR_GENERATED:
			open := c.findKind(at, to, tokParen)
			col.Generated = c.slice(open+1, c.closer(open, to))
		case k.Contype == pg.ConstrType_CONSTR_IDENTITY:
			col.Identity = k.GeneratedWhen[0]
			if open := c.findKind(at, to, tokParen); open < to {
				col.IdentityOptions = c.slice(open+1, c.closer(open, to))
			}
		case k.Contype == pg.ConstrType_CONSTR_NOTNULL:
			col.NotNull, col.NotNullName = true, k.Conname
			col.NotNullNoInherit = c.marked(markNoInherit, at, to)
		case k.Contype == pg.ConstrType_CONSTR_CHECK, k.Contype == pg.ConstrType_CONSTR_PRIMARY,
			k.Contype == pg.ConstrType_CONSTR_UNIQUE, k.Contype == pg.ConstrType_CONSTR_FOREIGN:
			con, err := c.columnConstraint(d, i, at, to)
			if err != nil {
				return col, err
			}
			col.Constraints = append(col.Constraints, con)
		}
	}
	return col, nil
}

// columnBounds are the token indexes at which the clauses of a column definition start, in order, without the
// attributes (DEFERRABLE …), which belong to the constraint before them.
func (c *statement) columnBounds(d *pg.ColumnDef, end int) []int {
	var bounds []int
	collate := end
	if d.CollClause != nil {
		collate = c.at(d.CollClause.Location)
	}
	for _, n := range d.Constraints {
		k := n.GetConstraint()
		if isAttribute(k) {
			continue
		}
		at := c.at(k.Location)
		if collate < at {
			bounds, collate = append(bounds, collate), end
		}
		bounds = append(bounds, at)
	}
	return append(bounds, collate, end)
}

func isAttribute(k *pg.Constraint) bool {
	switch k.Contype {
	case pg.ConstrType_CONSTR_ATTR_DEFERRABLE, pg.ConstrType_CONSTR_ATTR_NOT_DEFERRABLE,
		pg.ConstrType_CONSTR_ATTR_DEFERRED, pg.ConstrType_CONSTR_ATTR_IMMEDIATE:
		return true
	}
	return false
}

// columnConstraint rewrites the i-th constraint of a column, whose text is the tokens [at, to), as a table
// constraint over that column.
func (c *statement) columnConstraint(d *pg.ColumnDef, i, at, to int) (Constraint, error) {
	k := d.Constraints[i].GetConstraint()
	con := c.constraintBase(k, at, to)
	for _, n := range d.Constraints[i+1:] {
		a := n.GetConstraint()
		if !isAttribute(a) {
			break
		}
		con.Deferrable = con.Deferrable || a.Contype == pg.ConstrType_CONSTR_ATTR_DEFERRABLE
		con.InitiallyDeferred = con.InitiallyDeferred || a.Contype == pg.ConstrType_CONSTR_ATTR_DEFERRED
	}
	con.Deferrable = con.Deferrable || con.InitiallyDeferred
	if con.Kind != Check {
		con.Columns = []string{d.Colname}
	}
	list := " (" + QuoteIdent(d.Colname) + ")"
	split := at
	switch con.Kind {
	case PrimaryKey:
		split = at + 2
	case Unique:
		split = at + 1
		if c.kind(split) == pg.Token_NULLS_P {
			split = c.findKind(split, to, pg.Token_DISTINCT) + 1
		}
	case ForeignKey:
		con.Body = "FOREIGN KEY" + list + " " + con.Body
		return con, nil
	default:
		return con, nil
	}
	con.Body = c.slice(at, split) + list
	if split < to {
		con.Body += " " + c.slice(split, to)
	}
	return con, nil
}

// constraint reads a table constraint that ends before token end.
func (c *statement) constraint(k *pg.Constraint, end int) (Constraint, error) {
	at := c.at(k.Location)
	if c.kind(at) == pg.Token_CONSTRAINT {
		at = c.skipIdent(at + 1)
	}
	if c.marked(markNotNull, at, at+1) {
		con := c.constraintBase(k, at, end)
		fields := k.RawExpr.GetColumnRef().GetFields()
		if len(fields) != 1 || fields[0].GetString_() == nil {
			return con, c.errorAt(c.toks[at+2].start, "syntax error: NOT NULL needs the name of a column")
		}
		con.Kind, con.Expr, con.Columns = NotNull, "", strs(fields)
		return con, nil
	}
	return c.constraintBase(k, at, end), nil
}

var constraintKinds = map[pg.ConstrType]ConstraintKind{
	pg.ConstrType_CONSTR_CHECK: Check, pg.ConstrType_CONSTR_FOREIGN: ForeignKey,
	pg.ConstrType_CONSTR_PRIMARY: PrimaryKey, pg.ConstrType_CONSTR_UNIQUE: Unique,
	pg.ConstrType_CONSTR_EXCLUSION: Exclude, pg.ConstrType_CONSTR_NOTNULL: NotNull,
}

// constraintBase reads a constraint whose text without CONSTRAINT name is the tokens [at, end).
func (c *statement) constraintBase(k *pg.Constraint, at, end int) Constraint {
	con := Constraint{
		Name:              k.Conname,
		Kind:              constraintKinds[k.Contype],
		Columns:           strs(k.Keys),
		Include:           strs(k.Including),
		RefTable:          relName(k.Pktable),
		RefColumns:        strs(k.PkAttrs),
		NotValid:          k.SkipValidation,
		NoInherit:         k.IsNoInherit,
		NotEnforced:       c.marked(markNotEnforced, at, end),
		Temporal:          c.marked(markTemporal, at, end),
		Deferrable:        k.Deferrable,
		InitiallyDeferred: k.Initdeferred,
		NullsNotDistinct:  k.NullsNotDistinct,
		UsingIndex:        k.Indexname,
	}
	switch con.Kind {
	case Check:
		if open := c.findKind(at, end, tokParen); open < end {
			con.Expr = c.slice(open+1, c.closer(open, end))
		}
	case ForeignKey:
		con.Columns = strs(k.FkAttrs)
	case Exclude:
		con.Method = k.AccessMethod
		if open := c.findKind(at, end, tokParen); open < end {
			for _, e := range k.Exclusions {
				if pair := e.GetList().GetItems(); len(pair) > 0 {
					con.Columns = append(con.Columns, pair[0].GetIndexElem().GetName())
				}
			}
		}
	}
	notValid := func(i int) bool { return false }
	if k.SkipValidation {
		if i := c.find(at, end, func(j int) bool { return c.has(j, pg.Token_NOT, pg.Token_VALID) }); i < end {
			notValid = func(j int) bool { return j == i || j == i+1 }
		}
	}
	con.Body = c.join(at, end, notValid)
	return con
}
