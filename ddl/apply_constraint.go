package ddl

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func (s *Schema) applyConstraintOp(op Op) error {
	switch op := op.(type) {
	case AddConstraint:
		r, err := s.must(op.Table, "rpf")
		if err != nil {
			return err
		}
		r = s.mut(r)
		if err := s.addConstraint(r, op.Constraint, op.Only, nil); err != nil {
			return err
		}
		r.sortParts()
		s.relink(r.Name, r)
		return nil
	case ValidateConstraint:
		r, err := s.must(op.Table, "rpf")
		if err != nil {
			return err
		}
		if r.Constraint(op.Name) == nil {
			return s.noConstraint(r, op.Name)
		}
		s.validate(r, op.Name)
		return nil
	case DropConstraint:
		r := s.lookup(op.Table)
		if r == nil && op.IfExists {
			if _, err := s.must(op.Table, "rpf"); err != nil {
				return err
			}
		}
		r, err := s.must(op.Table, "rpf")
		if err != nil {
			return err
		}
		return s.dropConstraint(r, op)
	case RenameConstraint:
		return s.renameConstraint(op)
	}
	return nil
}

func (s *Schema) noConstraint(r *Relation, name string) error {
	var there []string
	for _, c := range r.Constraints {
		there = append(there, c.Name)
	}
	return refuse(undefinedObject, didYouMean(name, there), "constraint %q of relation %q does not exist", name, r.Name.Name)
}

// addConstraint adds a constraint to a writable relation and to all that must have it too. from is the parent's
// constraint when the relation gets it by inheritance.
func (s *Schema) addConstraint(r *Relation, c Constraint, only bool, from *TableConstraint) error {
	for _, list := range [][]string{c.Columns, c.Include} {
		for _, col := range list {
			if col != "" && r.Column(col) == nil {
				if c.Kind == ForeignKey {
					return refuse(undefinedColumn, s.noColumn(r, col).(*SchemaError).Hint, "column %q referenced in foreign key constraint does not exist", col)
				}
				return refuse(undefinedColumn, s.noColumn(r, col).(*SchemaError).Hint, "column %q named in key does not exist", col)
			}
		}
	}
	if c.Name != "" && r.Constraint(c.Name) != nil && c.Kind != NotNull && from == nil {
		return refuse(duplicateObject, "", "constraint %q for relation %q already exists", c.Name, r.Name.Name)
	}
	switch c.Kind {
	case NotNull:
		return s.addNotNull(r, c, only, from)
	case Check:
		return s.addCheck(r, c, only, from)
	case ForeignKey:
		return s.addForeignKey(r, c)
	}
	return s.addIndexConstraint(r, c, only)
}

func (s *Schema) addNotNull(r *Relation, c Constraint, only bool, from *TableConstraint) error {
	col := r.Column(c.Columns[0])
	s.notNull(r, col, c.Name, from != nil)
	con := r.Constraint(col.NotNullName)
	if con != nil && c.NotValid {
		con.Valid, col.NotNullValid = false, false
	}
	if con != nil {
		con.NoInherit = c.NoInherit
	}
	if only || c.NoInherit {
		return nil
	}
	return s.eachChild(r, func(child *Relation) error {
		n := c
		n.Name = col.NotNullName
		return s.addConstraint(child, n, false, con)
	})
}

// eachChild calls do with each child, writable, and sorts its parts.
func (s *Schema) eachChild(r *Relation, do func(child *Relation) error) error {
	for _, name := range slices.Clone(r.Children) {
		child := s.Relations[name]
		if child == nil {
			continue
		}
		child = s.mut(child)
		if err := do(child); err != nil {
			return err
		}
		child.sortParts()
	}
	return nil
}

func (s *Schema) addCheck(r *Relation, c Constraint, only bool, from *TableConstraint) error {
	columns, err := s.columnsOf(r, c.Expr)
	if err != nil {
		return err
	}
	con := &TableConstraint{Name: c.Name, Table: r.Name, Kind: Check, Columns: columns, Definition: "CHECK ((" + c.Expr + "))",
		Valid: !c.NotValid && !c.NotEnforced, NotEnforced: c.NotEnforced, NoInherit: c.NoInherit, Local: from == nil}
	if c.NoInherit {
		con.Definition += " NO INHERIT"
	}
	if c.NotEnforced {
		con.Definition += " NOT ENFORCED"
	}
	if con.Name == "" {
		con.Name = ConstraintName(r.Name.Name, con.Columns, LabelCheck, s.takenConstraint(r.Name.Schema))
	}
	if from != nil {
		if have := r.Constraint(con.Name); have != nil {
			have.Inherited++
			return nil
		}
		con.Inherited = 1
	}
	r.Constraints = append(r.Constraints, con)
	if only || c.NoInherit {
		return nil
	}
	c.Name = con.Name
	return s.eachChild(r, func(child *Relation) error { return s.addConstraint(child, c, false, con) })
}

// columnsOf is columnsIn for an expression that must not name a column which r does not have.
func (s *Schema) columnsOf(r *Relation, expr string) ([]string, error) {
	t := exprTree(expr)
	if t == nil {
		return nil, nil // the server will say
	}
	var missing error
	walk(t, func(m any) bool {
		if ref, ok := m.(*pg.ColumnRef); ok && missing == nil && len(ref.Fields) == 1 {
			name := ref.Fields[0].GetString_().GetSval()
			if name != "" && name != r.Name.Name && r.Column(name) == nil && !systemColumns[name] {
				missing = refuse(undefinedColumn, s.noColumn(r, name).(*SchemaError).Hint, "column %q does not exist", name)
			}
		}
		return missing == nil
	})
	return existing(r, columnRefs(t)), missing
}

var systemColumns = map[string]bool{"tableoid": true, "ctid": true, "xmin": true, "xmax": true, "cmin": true, "cmax": true}

func (s *Schema) addForeignKey(r *Relation, c Constraint) error {
	to := s.lookup(c.RefTable)
	if to == nil {
		return s.noRelation(c.RefTable)
	}
	if to.Kind != 'r' && to.Kind != 'p' {
		return refuse(wrongObjectType, "", "referenced relation %q is not a table", to.Name.Name)
	}
	refs, index := slices.Clone(c.RefColumns), ""
	if len(refs) == 0 {
		pk := to.PrimaryKey()
		if pk == nil && !to.incomplete() {
			return refuse(undefinedObject, "", "there is no primary key for referenced table %q", to.Name.Name)
		}
		if pk != nil {
			refs, index = slices.Clone(pk.Columns), pk.Index
		}
	} else {
		for _, col := range refs {
			if to.Column(col) == nil {
				return refuse(undefinedColumn, s.noColumn(to, col).(*SchemaError).Hint, "column %q referenced in foreign key constraint does not exist", col)
			}
		}
		index = s.uniqueOver(to, refs)
		if index == "" && !to.incomplete() {
			return refuse(invalidForeignKey, "", "there is no unique constraint matching given keys for referenced table %q", to.Name.Name)
		}
	}
	if len(refs) != len(c.Columns) && (len(refs) > 0 || !to.incomplete()) {
		return refuse(invalidForeignKey, "", "number of referencing and referenced columns for foreign key disagree")
	}
	con := &TableConstraint{Name: c.Name, Table: r.Name, Kind: ForeignKey, Columns: slices.Clone(c.Columns), RefTable: to.Name, RefColumns: refs,
		Index: index, Valid: !c.NotValid && !c.NotEnforced, NotEnforced: c.NotEnforced, NoInherit: r.Kind != 'p', Local: true,
		Deferrable: c.Deferrable, Deferred: c.InitiallyDeferred}
	con.Definition = foreignKeyText(con, c)
	if con.Name == "" {
		con.Name = ConstraintName(r.Name.Name, c.Columns, LabelForeignKey, s.takenConstraint(r.Name.Schema))
	}
	r.Constraints = append(r.Constraints, con)
	if r.Kind == 'p' {
		return s.eachChild(r, func(child *Relation) error { s.inheritForeignKey(child, con); return nil })
	}
	return nil
}

// uniqueOver finds the unique index that a foreign key to these columns would use.
func (s *Schema) uniqueOver(to *Relation, cols []string) string {
	want := slices.Sorted(slices.Values(cols))
	for _, primary := range []bool{true, false} {
		for _, x := range to.Indexes {
			if x.Unique && x.Primary == primary && x.Predicate == "" && !x.HasExpr && x.Immediate &&
				slices.Equal(slices.Sorted(slices.Values(x.Keys)), want) {
				return x.Name.Name
			}
		}
	}
	return ""
}

// foreignKeyText prints a foreign key as pg_get_constraintdef does; its actions come from the text.
func foreignKeyText(con *TableConstraint, c Constraint) string {
	text := "FOREIGN KEY (" + identList(con.Columns) + ") REFERENCES " + con.RefTable.String() + "(" + identList(con.RefColumns) + ")"
	if !actionsWritten(c.Body) {
		return text + deferText(c)
	}
	t, err := parseSQL("ALTER TABLE x ADD " + c.Body)
	if err == nil {
		k := t.Stmts[0].Stmt.GetAlterTableStmt().GetCmds()[0].GetAlterTableCmd().GetDef().GetConstraint()
		if k.GetFkMatchtype() == "f" {
			text += " MATCH FULL"
		}
		actions := map[string]string{"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT", "r": "RESTRICT"}
		if a := actions[k.GetFkUpdAction()]; a != "" {
			text += " ON UPDATE " + a
		}
		if a := actions[k.GetFkDelAction()]; a != "" {
			text += " ON DELETE " + a
			if cols := strs(k.GetFkDelSetCols()); len(cols) > 0 {
				text += " (" + identList(cols) + ")"
			}
		}
	}
	return text + deferText(c)
}

// actionsWritten reports whether a foreign key may say how it matches, or what follows a change of a key.
func actionsWritten(body string) bool {
	toks, ok := lex(body)
	return !ok || slices.ContainsFunc(toks, func(t token) bool { return t.kind == pg.Token_MATCH || t.kind == pg.Token_ON })
}

func deferText(c Constraint) string {
	text := ""
	if c.Deferrable {
		text = " DEFERRABLE"
	}
	if c.InitiallyDeferred {
		text += " INITIALLY DEFERRED"
	}
	if c.NotEnforced {
		text += " NOT ENFORCED"
	}
	return text
}

func identList(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, QuoteIdent(n))
	}
	return strings.Join(out, ", ")
}

// inheritForeignKeys gives a new partition its parent's foreign keys.
func (s *Schema) inheritForeignKeys(r, parent *Relation) {
	for _, f := range slices.Clone(parent.Constraints) {
		if f.Kind == ForeignKey {
			s.inheritForeignKey(r, f)
		}
	}
}

func (s *Schema) inheritForeignKey(r *Relation, f *TableConstraint) {
	for _, have := range r.Constraints {
		if have.Kind == ForeignKey && have.RefTable == f.RefTable && slices.Equal(have.Columns, f.Columns) &&
			slices.Equal(have.RefColumns, f.RefColumns) && have.Inherited == 0 {
			have.Inherited, have.Local = 1, false // NO INHERIT stays
			return
		}
	}
	n := f.clone()
	n.OID, n.Comment = 0, ""
	n.Parent = f.OID
	n.Table, n.Inherited, n.Local, n.NoInherit = r.Name, 1, false, false
	if r.Constraint(n.Name) != nil {
		n.Name = ConstraintName(r.Name.Name, n.Columns, LabelForeignKey, s.takenConstraint(r.Name.Schema))
	}
	r.Constraints = append(r.Constraints, n)
	r.sortParts()
	s.relink(r.Name, r)
	if r.Kind == 'p' {
		s.eachChild(r, func(child *Relation) error { s.inheritForeignKey(child, n); return nil })
	}
}

// addIndexConstraint is PRIMARY KEY, UNIQUE and EXCLUDE.
func (s *Schema) addIndexConstraint(r *Relation, c Constraint, only bool) error {
	if c.Kind == PrimaryKey && r.PrimaryKey() != nil {
		return refuse(invalidTable, "", "multiple primary keys for table %q are not allowed", r.Name.Name)
	}
	if c.UsingIndex != "" {
		return s.usingIndex(r, c)
	}
	x := &Index{Table: r.Name, Method: "btree", Unique: c.Kind != Exclude, Primary: c.Kind == PrimaryKey, Exclusion: c.Kind == Exclude,
		Valid: true, Ready: true, Immediate: !c.Deferrable, NullsNotDistinct: c.NullsNotDistinct,
		Keys: slices.Clone(c.Columns), Include: slices.Clone(c.Include), Partitioned: r.Kind == 'p'}
	label := map[ConstraintKind]string{PrimaryKey: LabelPrimaryKey, Unique: LabelUnique, Exclude: LabelExclude}[c.Kind]
	named := append(slices.Clone(c.Columns), c.Include...)
	if c.Kind == Exclude {
		elems, where := excludeElems(c)
		named = CreateIndex{Elems: elems, Include: c.Include}.ColumnNames()
		if c.Method != "" {
			x.Method = c.Method
		}
		for i, e := range elems {
			if e.Expr != "" {
				x.HasExpr = true
				x.Columns = append(x.Columns, columnsIn(r, e.Expr)...)
				x.Keys[i] = ""
			}
		}
		x.Predicate = where
		x.Columns = append(x.Columns, columnsIn(r, where)...)
	}
	if c.Temporal {
		x.Method = "gist"
	}
	name := c.Name
	if name == "" {
		name = IndexName(r.Name.Name, named, label, s.takenIndex(r.Name.Schema))
	} else if s.taken(Name{r.Name.Schema, name}) {
		return refuse(duplicateTable, "", "relation %q already exists", name)
	}
	x.Name, x.Constraint = Name{r.Name.Schema, name}, name
	if err := uniqueFits(r, x); err != nil {
		return err
	}
	s.finishIndex(r, x)
	if c.Kind == PrimaryKey {
		for _, col := range c.Columns {
			s.pkNotNull(r, r.Column(col), only)
		}
	}
	r.Constraints = append(r.Constraints, indexConstraint(x, c))
	if r.Kind == 'p' && !only {
		return s.eachChild(r, func(child *Relation) error { return s.cloneIndex(child, x, x) })
	}
	x.Valid = r.Kind != 'p' || len(r.Children) == 0
	return nil
}

// pkNotNull marks a primary key's column, in children too.
func (s *Schema) pkNotNull(r *Relation, col *RelColumn, only bool) {
	if col.NotNull {
		return
	}
	s.notNull(r, col, "", false)
	if only {
		return
	}
	s.eachChild(r, func(child *Relation) error {
		if c := child.Column(col.Name); c != nil {
			s.inheritNotNull(child, c, col.NotNullName)
		}
		return nil
	})
}

func (s *Schema) inheritNotNull(r *Relation, c *RelColumn, name string) {
	s.notNull(r, c, name, true)
	s.eachChild(r, func(child *Relation) error {
		if cc := child.Column(c.Name); cc != nil {
			s.inheritNotNull(child, cc, name)
		}
		return nil
	})
}

// indexConstraint is the constraint of an index.
func indexConstraint(x *Index, c Constraint) *TableConstraint {
	kind := c.Kind
	words := map[ConstraintKind]string{PrimaryKey: "PRIMARY KEY", Unique: "UNIQUE"}
	con := &TableConstraint{Name: x.Constraint, Table: x.Table, Kind: kind, Columns: append(slices.Clone(x.Keys), x.Include...), Valid: true, Local: true,
		NoInherit: true, Deferrable: c.Deferrable, Deferred: c.InitiallyDeferred, Index: x.Name.Name}
	if kind != Exclude {
		con.Columns = slices.Clone(x.Keys)
		con.Definition = words[kind]
		if c.NullsNotDistinct {
			con.Definition += " NULLS NOT DISTINCT"
		}
		con.Definition += " (" + identList(x.Keys) + ")"
		if len(x.Include) > 0 {
			con.Definition += " INCLUDE (" + identList(x.Include) + ")"
		}
		con.Definition += deferText(c)
	} else {
		con.Columns = slices.Clone(x.Keys)
		con.Definition = c.Body
	}
	return con
}

// excludeElems reads the elements and predicate of an EXCLUDE constraint.
func excludeElems(c Constraint) ([]IndexElem, string) {
	t, err := parseSQL("ALTER TABLE x ADD " + c.Body)
	if err != nil {
		return nil, ""
	}
	k := t.Stmts[0].Stmt.GetAlterTableStmt().GetCmds()[0].GetAlterTableCmd().GetDef().GetConstraint()
	var elems []IndexElem
	for _, e := range k.GetExclusions() {
		ie := e.GetList().GetItems()[0].GetIndexElem()
		elem := IndexElem{Column: ie.GetName()}
		if ie.GetExpr() != nil {
			elem.Expr = deparseExpr(ie.GetExpr())
		}
		elems = append(elems, elem)
	}
	where := ""
	if k.GetWhereClause() != nil {
		where = deparseExpr(k.GetWhereClause())
	}
	return elems, where
}

func (s *Schema) usingIndex(r *Relation, c Constraint) error {
	var x *Index
	for _, i := range r.Indexes {
		if i.Name.Name == c.UsingIndex {
			x = i
		}
	}
	if x == nil {
		return refuse(undefinedObject, "", "index %q does not exist", c.UsingIndex)
	}
	if !x.Unique || x.HasExpr || x.Predicate != "" {
		return refuse(wrongObjectType, "", "%q is not a unique index over plain columns", c.UsingIndex)
	}
	if x.Constraint != "" {
		return refuse("55000", "", "index %q is already associated with a constraint", c.UsingIndex)
	}
	name := c.Name
	if name == "" {
		name = c.UsingIndex
	}
	if name != c.UsingIndex {
		to := Name{r.Name.Schema, name}
		if s.taken(to) {
			return refuse(duplicateTable, "", "relation %q already exists", name)
		}
		delete(s.Indexes, x.Name)
		x.Definition = renameIdent(x.Definition, x.Name.Name, name)
		x.Name = to
		s.Indexes[to] = x
	}
	x.Constraint, x.Primary, x.Immediate = name, c.Kind == PrimaryKey, !c.Deferrable
	if x.Primary {
		for _, k := range x.Keys {
			s.pkNotNull(r, r.Column(k), false)
		}
	}
	c.Columns, c.NullsNotDistinct = x.Keys, x.NullsNotDistinct
	r.Constraints = append(r.Constraints, indexConstraint(x, c))
	return nil
}

// validate marks a constraint valid, in children too.
func (s *Schema) validate(r *Relation, name string) {
	r = s.mut(r)
	c := r.Constraint(name)
	if c == nil {
		return
	}
	c.Valid = true
	if c.Kind == NotNull {
		if col := r.Column(c.Columns[0]); col != nil {
			col.NotNullValid = true
		}
	}
	if c.Kind == ForeignKey {
		s.relink(r.Name, r)
	}
	for _, child := range slices.Clone(r.Children) {
		if ch := s.Relations[child]; ch != nil {
			s.validate(ch, name)
		}
	}
}

func (s *Schema) dropConstraint(r *Relation, op DropConstraint) error {
	c := r.Constraint(op.Name)
	if c == nil {
		if op.IfExists {
			return nil
		}
		return s.noConstraint(r, op.Name)
	}
	if c.Inherited > 0 {
		return refuse(invalidTable, "", "cannot drop inherited constraint %q of relation %q", c.Name, r.Name.Name)
	}
	if c.Kind == PrimaryKey || c.Kind == Unique {
		for _, f := range slices.Clone(r.ReferencedBy) {
			if f.Index != c.Index {
				continue
			}
			if !op.Cascade {
				return refuse(dependentObjects, "use DROP … CASCADE to drop the dependent objects too",
					"cannot drop constraint %s on table %s because constraint %s on table %s depends on it",
					QuoteIdent(c.Name), r.Name, QuoteIdent(f.Name), f.Table)
			}
			s.removeConstraint(s.mut(s.Relations[f.Table]), f.Name)
		}
	}
	if c.Kind == NotNull {
		if pk := r.PrimaryKey(); pk != nil && slices.Contains(pk.Columns, c.Columns[0]) {
			return refuse(invalidTable, "", "column %q is in a primary key", c.Columns[0])
		}
	}
	s.removeConstraint(s.mut(r), op.Name)
	return nil
}

// removeConstraint takes a constraint away, with its index, and from the children that have it by inheritance.
func (s *Schema) removeConstraint(r *Relation, name string) {
	c := r.Constraint(name)
	if c == nil {
		return
	}
	switch c.Kind {
	case ForeignKey:
		s.unlink(c)
	case NotNull:
		if col := r.Column(c.Columns[0]); col != nil {
			col.NotNull, col.NotNullName, col.NotNullValid = false, "", false
		}
	}
	r.Constraints = slices.DeleteFunc(r.Constraints, func(x *TableConstraint) bool { return x == c })
	if c.Kind == PrimaryKey || c.Kind == Unique || c.Kind == Exclude {
		for _, x := range slices.Clone(r.Indexes) {
			if x.Constraint == name {
				x.Constraint = ""
				s.removeIndex(r, x)
			}
		}
		return
	}
	if c.NoInherit && c.Kind != ForeignKey {
		return
	}
	for _, child := range slices.Clone(r.Children) {
		ch := s.Relations[child]
		if ch == nil {
			continue
		}
		ch = s.mut(ch)
		var down *TableConstraint
		for _, x := range ch.Constraints {
			if x.Kind == c.Kind && x.Inherited > 0 && (x.Name == name || c.Kind == ForeignKey && slices.Equal(x.Columns, c.Columns) && x.RefTable == c.RefTable && slices.Equal(x.RefColumns, c.RefColumns) ||
				c.Kind == NotNull && slices.Equal(x.Columns, c.Columns)) {
				down = x
				break
			}
		}
		if down == nil {
			continue
		}
		down.Inherited--
		if down.Inherited == 0 && !down.Local {
			s.removeConstraint(ch, down.Name)
		}
	}
}

func (s *Schema) renameConstraint(op RenameConstraint) error {
	r, err := s.must(op.Table, "rpf")
	if err != nil {
		return err
	}
	c := r.Constraint(op.From)
	if c == nil {
		return s.noConstraint(r, op.From)
	}
	if r.Constraint(op.To) != nil {
		return refuse(duplicateObject, "", "constraint %q for relation %q already exists", op.To, r.Name.Name)
	}
	if c.Inherited > 0 && c.Kind != ForeignKey {
		return refuse(invalidTable, "", "cannot rename inherited constraint %q", op.From)
	}
	s.renameConstraintIn(r, op.From, op.To, c.Kind == Check || c.Kind == NotNull)
	return nil
}

func (s *Schema) renameConstraintIn(r *Relation, from, to string, recurse bool) {
	r = s.mut(r)
	c := r.Constraint(from)
	if c == nil {
		return
	}
	if c.Kind == ForeignKey {
		s.unlink(c)
	}
	c.Name = to
	for _, col := range r.Columns {
		if c.Kind == NotNull && col.NotNullName == from {
			col.NotNullName = to
		}
	}
	for _, x := range r.Indexes {
		if x.Constraint == from {
			delete(s.Indexes, x.Name)
			x.Definition = renameIdent(x.Definition, x.Name.Name, to)
			s.renameReferencedIndex(r, x.Name.Name, to)
			x.Name.Name, x.Constraint, c.Index = to, to, to
			s.Indexes[x.Name] = x
		}
	}
	r.sortParts()
	s.relink(r.Name, r)
	if recurse {
		s.eachChild(r, func(child *Relation) error { s.renameConstraintIn(child, from, to, true); return nil })
	}
}

// renameReferencedIndex tells the foreign keys that rest on an index its new name.
func (s *Schema) renameReferencedIndex(r *Relation, from, to string) {
	for _, f := range slices.Clone(r.ReferencedBy) {
		if f.Index == from {
			if owner := s.Relations[f.Table]; owner != nil {
				if c := s.mut(owner).Constraint(f.Name); c != nil {
					c.Index = to
					s.relink(owner.Name, s.Relations[owner.Name])
				}
			}
		}
	}
}
