package ddl

import (
	"slices"
	"strings"
)

func (s *Schema) createIndex(op CreateIndex) error {
	r, err := s.must(op.Table, "rpm")
	if err != nil {
		return err
	}
	if op.Name != "" && s.taken(Name{r.Name.Schema, op.Name}) {
		if op.IfNotExists {
			return nil
		}
		return refuse(duplicateTable, "", "relation %q already exists", op.Name)
	}
	r = s.mut(r)
	x := &Index{Name: Name{r.Name.Schema, op.Name}, Table: r.Name, Method: op.Method, Unique: op.Unique, NullsNotDistinct: op.NullsNotDistinct,
		Valid: true, Ready: true, Immediate: true, Include: slices.Clone(op.Include), Predicate: op.Where, Partitioned: r.Kind == 'p',
		Options: splitOptions(op.With), Tablespace: op.Tablespace}
	if x.Method == "" {
		x.Method = "btree"
	}
	for _, e := range op.Elems {
		x.Keys = append(x.Keys, e.Column)
		if e.Column != "" {
			if r.Column(e.Column) == nil {
				return s.noColumn(r, e.Column)
			}
			continue
		}
		columns, err := s.columnsOf(r, e.Expr)
		if err != nil {
			return err
		}
		x.HasExpr = true
		x.Columns = append(x.Columns, columns...)
	}
	for _, c := range op.Include {
		if r.Column(c) == nil {
			return s.noColumn(r, c)
		}
	}
	if op.Where != "" {
		columns, err := s.columnsOf(r, op.Where)
		if err != nil {
			return err
		}
		x.Columns = append(x.Columns, columns...)
	}
	if op.Name == "" {
		x.Name.Name = IndexName(r.Name.Name, op.ColumnNames(), LabelIndex, s.takenRelation(r.Name.Schema))
	}
	if err := uniqueFits(r, x); err != nil {
		return err
	}
	x.Definition = indexText(x, op)
	s.finishIndex(r, x)
	if r.Kind == 'p' && op.Only {
		x.Valid = len(r.Children) == 0
	}
	if r.Kind == 'p' && !op.Only {
		if err := s.eachChild(r, func(child *Relation) error { return s.cloneIndex(child, x, x) }); err != nil {
			return err
		}
	}
	r.sortParts()
	return nil
}

// uniqueFits refuses a unique index that does not hold all of a partition key.
func uniqueFits(r *Relation, x *Index) error {
	if r.Kind != 'p' || !x.Unique {
		return nil
	}
	for _, c := range r.PartitionBy {
		if !slices.Contains(x.Keys, c) {
			return refuse(notSupported, "", "unique constraint on partitioned table %q must include the partitioning column %q", r.Name.Name, c)
		}
	}
	return nil
}

// indexText is the definition of an index, much as pg_get_indexdef has it.
func indexText(x *Index, op CreateIndex) string {
	var elems []string
	for _, e := range op.Elems {
		t := QuoteIdent(e.Column)
		if e.Column == "" {
			t = e.Expr
			if !plainCall(t) {
				t = "(" + t + ")"
			}
		}
		if e.Collation != "" {
			t += " COLLATE " + e.Collation
		}
		if e.Opclass != "" {
			t += " " + e.Opclass
		}
		if e.Options != "" {
			t += " " + e.Options
		}
		elems = append(elems, t)
	}
	return indexTextOf(x, strings.Join(elems, ", "), op.With)
}

func indexTextOf(x *Index, elems, with string) string {
	text := "CREATE "
	if x.Unique {
		text += "UNIQUE "
	}
	text += "INDEX " + QuoteIdent(x.Name.Name) + " ON "
	if x.Partitioned {
		text += "ONLY "
	}
	text += x.Table.String() + " USING " + x.Method + " (" + elems + ")"
	if len(x.Include) > 0 {
		text += " INCLUDE (" + identList(x.Include) + ")"
	}
	if x.NullsNotDistinct {
		text += " NULLS NOT DISTINCT"
	}
	if with != "" {
		text += " WITH (" + with + ")"
	}
	if x.Predicate != "" {
		text += " WHERE (" + x.Predicate + ")"
	}
	return text
}

// plainCall reports whether an expression is a function call, which an index takes without brackets.
func plainCall(expr string) bool {
	open := strings.IndexByte(expr, '(')
	if open <= 0 || !strings.HasSuffix(expr, ")") || !plainIdent(strings.ReplaceAll(expr[:open], ".", "_")) {
		return false
	}
	depth := 0
	for i := open; i < len(expr); i++ {
		switch expr[i] {
		case '(':
			depth++
		case ')':
			depth--
			if depth == 0 && i < len(expr)-1 {
				return false
			}
		}
	}
	return true
}

// finishIndex completes an index's column list and puts it in place.
func (s *Schema) finishIndex(r *Relation, x *Index) {
	seen := map[string]bool{"": true}
	var all []string
	for _, c := range slices.Concat(x.Keys, x.Include, x.Columns) {
		if !seen[c] {
			seen[c] = true
			all = append(all, c)
		}
	}
	x.Columns = all
	if x.Definition == "" {
		x.Definition = indexTextOf(x, identList(x.Keys), "")
	}
	r.Indexes = append(r.Indexes, x)
	s.Indexes[x.Name] = x
}

// cloneIndex gives r an index like x; parent is the partitioned index it then belongs to, nil for LIKE. An equal
// index that r has already is attached instead.
func (s *Schema) cloneIndex(r *Relation, x, parent *Index) error {
	if parent != nil && uniqueFits(r, x) != nil {
		return uniqueFits(r, x)
	}
	if parent != nil {
		for _, have := range r.Indexes {
			if have.Parent.IsZero() && equalIndex(have, x) && (parent.Constraint == "") == (have.Constraint == "") && have.Valid {
				s.attachIndexTo(r, have, parent)
				return nil
			}
		}
	}
	n := &Index{Table: r.Name, Method: x.Method, Unique: x.Unique, NullsNotDistinct: x.NullsNotDistinct, Primary: x.Primary, Exclusion: x.Exclusion,
		Valid: true, Ready: true, Immediate: x.Immediate, Columns: slices.Clone(x.Columns), Keys: slices.Clone(x.Keys), Include: slices.Clone(x.Include),
		HasExpr: x.HasExpr, Predicate: x.Predicate, Options: slices.Clone(x.Options), Partitioned: r.Kind == 'p'}
	label, taken := LabelIndex, s.takenIndex(r.Name.Schema)
	switch {
	case x.Primary:
		label = LabelPrimaryKey
	case x.Exclusion:
		label = LabelExclude
	case x.Constraint != "":
		label = LabelUnique
	default:
		taken = s.takenRelation(r.Name.Schema)
	}
	n.Name = Name{r.Name.Schema, IndexName(r.Name.Name, append(s.indexAttributes(x), x.Include...), label, taken)}
	n.Definition = strings.Replace(renameInText(x.Definition, x.Table, r.Name), "INDEX "+QuoteIdent(x.Name.Name), "INDEX "+QuoteIdent(n.Name.Name), 1)
	if !n.Partitioned {
		n.Definition = strings.Replace(n.Definition, " ON ONLY ", " ON ", 1)
	}
	if parent != nil {
		n.Parent = parent.Name
	}
	if x.Constraint != "" {
		n.Constraint = n.Name.Name
		if from := s.Relations[x.Table]; from != nil {
			if c := from.Constraint(x.Constraint); c != nil {
				k := c.clone()
				k.OID, k.Comment, k.Name, k.Table, k.Index = 0, "", n.Constraint, r.Name, n.Name.Name
				k.Parent, k.Inherited, k.Local, k.NoInherit = 0, 0, true, true
				if parent != nil {
					k.Parent, k.Inherited, k.Local, k.NoInherit = c.OID, 1, false, false
				}
				r.Constraints = append(r.Constraints, k)
			}
		}
		if n.Primary {
			for _, col := range n.Keys {
				if c := r.Column(col); c != nil && !c.NotNull {
					s.notNull(r, c, "", false)
				}
			}
		}
	}
	s.finishIndex(r, n)
	r.sortParts()
	if r.Kind == 'p' && parent != nil {
		return s.eachChild(r, func(child *Relation) error { return s.cloneIndex(child, n, n) })
	}
	return nil
}

// indexAttributes names the key columns of an index that exists, expressions by the name they would get.
func (s *Schema) indexAttributes(x *Index) []string {
	if !x.HasExpr {
		return slices.Clone(x.Keys)
	}
	elems := indexElemsOf(x.Definition)
	if len(elems) != len(x.Keys) {
		return slices.Clone(x.Keys)
	}
	return CreateIndex{Elems: elems}.ColumnNames()
}

// equalIndex reports whether two indexes of different tables could be partitions of one.
func equalIndex(a, b *Index) bool {
	return a.Method == b.Method && a.Unique == b.Unique && a.Exclusion == b.Exclusion && a.NullsNotDistinct == b.NullsNotDistinct &&
		slices.Equal(a.Keys, b.Keys) && slices.Equal(a.Include, b.Include) && strings.TrimSpace(a.Predicate) == strings.TrimSpace(b.Predicate) &&
		(!a.HasExpr || indexBody(a.Definition) == indexBody(b.Definition))
}

// indexBody is what stands behind USING in a definition.
func indexBody(def string) string {
	_, body, _ := strings.Cut(def, " USING ")
	return body
}

func (s *Schema) attachIndexTo(r *Relation, x, parent *Index) {
	x.Parent = parent.Name
	if x.Constraint != "" && parent.Constraint != "" {
		if c := r.Constraint(x.Constraint); c != nil {
			c.Inherited, c.Local = 1, false
		}
	}
}

// inheritIndexes gives a new partition its parent's indexes.
func (s *Schema) inheritIndexes(r, parent *Relation) error {
	for _, x := range slices.Clone(parent.Indexes) {
		if err := s.cloneIndex(r, x, x); err != nil {
			return err
		}
	}
	return nil
}

func (s *Schema) findIndex(n Name) (*Relation, *Index, error) {
	x := s.Index(n)
	if x == nil {
		var there []string
		for known := range s.Indexes {
			if n.Schema == "" || known.Schema == n.Schema {
				there = append(there, known.Name)
			}
		}
		slices.Sort(there)
		return nil, nil, refuse(undefinedObject, didYouMean(n.Name, there), "index %q does not exist", unquoted(n))
	}
	if x.Assumed && s.Relations[x.Table] == nil {
		return nil, x, nil
	}
	r := s.mut(s.Relations[x.Table])
	return r, s.Indexes[x.Name], nil
}

func (s *Schema) dropIndex(op DropIndex) error {
	r, x, err := s.findIndex(op.Index)
	if err != nil {
		if op.IfExists {
			return nil
		}
		return err
	}
	if r == nil {
		s.went(x.Name)
		s.takeIndex(x)
		return nil
	}
	if x.Constraint != "" {
		return refuse(dependentObjects, "drop the constraint instead", "cannot drop index %s because constraint %s on table %s requires it",
			x.Name, QuoteIdent(x.Constraint), r.Name)
	}
	if !x.Parent.IsZero() {
		return refuse(dependentObjects, "drop the parent's index instead", "cannot drop index %s because index %s requires it", x.Name, x.Parent)
	}
	for _, f := range slices.Clone(r.ReferencedBy) {
		if f.Index == x.Name.Name {
			if !op.Cascade {
				return refuse(dependentObjects, "", "cannot drop index %s because constraint %s on table %s depends on it", x.Name, QuoteIdent(f.Name), f.Table)
			}
			s.removeConstraint(s.mut(s.Relations[f.Table]), f.Name)
		}
	}
	s.removeIndex(r, x)
	return nil
}

// removeIndex takes an index away with its constraint and its partitions' indexes.
func (s *Schema) removeIndex(r *Relation, x *Index) {
	s.went(x.Name)
	delete(s.Indexes, x.Name)
	r.Indexes = slices.DeleteFunc(r.Indexes, func(i *Index) bool { return i == x })
	if x.Constraint != "" {
		r.Constraints = slices.DeleteFunc(r.Constraints, func(c *TableConstraint) bool { return c.Name == x.Constraint })
	}
	if x.ReplIdent {
		r.ReplicaIdentity = 'i' // PostgreSQL keeps the setting, which then means NOTHING
	}
	for _, child := range slices.Clone(r.Children) {
		c := s.Relations[child]
		if c == nil {
			continue
		}
		for _, i := range c.Indexes {
			if i.Parent == x.Name {
				c = s.mut(c)
				s.removeIndex(c, s.Indexes[i.Name])
				break
			}
		}
	}
}

func (s *Schema) renameIndex(op RenameIndex) error {
	x := s.Index(op.Index)
	if x == nil {
		if r := s.lookup(op.Index); r != nil { // ALTER INDEX works on tables too
			return s.renameRelation(op.Index, op.To, op.IfExists)
		}
		if op.IfExists {
			return nil
		}
		_, _, err := s.findIndex(op.Index)
		err.(*SchemaError).Code = undefinedTable
		return err
	}
	to := Name{x.Name.Schema, op.To}
	if s.taken(to) {
		return refuse(duplicateTable, "", "relation %q already exists", op.To)
	}
	r, x, err := s.findIndex(op.Index)
	if err != nil {
		return err
	}
	was := x.Name
	delete(s.Indexes, was)
	x.Definition = renameIdent(x.Definition, was.Name, op.To)
	s.went(was)
	if r == nil {
		named := *x
		named.Name = to
		s.Indexes[to] = &named
		return nil
	}
	x.Name = to
	s.Indexes[to] = x
	if c := r.Constraint(x.Constraint); c != nil && x.Constraint != "" {
		c.Name, c.Index, x.Constraint = op.To, op.To, op.To
	}
	s.renameReferencedIndex(r, was.Name, op.To)
	if x.Partitioned {
		s.eachChild(r, func(child *Relation) error {
			for _, i := range child.Indexes {
				if i.Parent == was {
					i.Parent = to
				}
			}
			return nil
		})
	}
	r.sortParts()
	return nil
}

func (s *Schema) attachIndex(op AttachIndex) error {
	_, parent, err := s.findIndex(op.Index)
	if err != nil {
		return err
	}
	r, x, err := s.findIndex(op.Partition)
	if err != nil {
		return err
	}
	if x.Parent == parent.Name || r == nil || s.Relations[parent.Table] == nil {
		return nil
	}
	if !x.Parent.IsZero() {
		return refuse("55000", "", "cannot attach index %q as a partition of index %q: it is already attached to another index", x.Name.Name, parent.Name.Name)
	}
	s.attachIndexTo(r, x, parent)
	over := s.mut(s.Relations[parent.Table])
	valid := true
	for _, child := range over.Children {
		c := s.Relations[child]
		valid = valid && c != nil && slices.ContainsFunc(c.Indexes, func(i *Index) bool { return i.Parent == parent.Name && i.Valid })
	}
	s.Indexes[parent.Name].Valid = valid
	return nil
}
