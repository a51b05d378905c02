package ddl

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func (s *Schema) applyColumnOp(op Op) error {
	switch op := op.(type) {
	case AddColumn:
		r, err := s.must(op.Table, "rpf")
		if err != nil {
			return err
		}
		return s.addColumn(r, op)
	case DropColumn:
		r, err := s.must(op.Table, "rpf")
		if err != nil {
			return err
		}
		return s.dropColumn(r, op)
	case RenameColumn:
		return s.renameColumn(op)
	case AlterColumnType:
		return s.eachColumn(op.Table, op.Column, "rpf", true, func(r *Relation, c *RelColumn) error { return s.alterType(r, c, op) })
	case SetDefault:
		return s.eachColumn(op.Table, op.Column, "rpfv", !op.Only, func(r *Relation, c *RelColumn) error {
			if c.Identity != 0 {
				return refuse("42601", "", "column %q of relation %q is an identity column", c.Name, r.Name.Name)
			}
			if c.Generated != 0 {
				return refuse("42601", "", "column %q of relation %q is a generated column", c.Name, r.Name.Name)
			}
			c.Default, c.Volatile = op.Expr, s.volatileDefault(op.Expr)
			if strings.EqualFold(strings.TrimSpace(op.Expr), "null") {
				c.Default = ""
			}
			return nil
		})
	case SetNotNull:
		name := ""
		return s.eachColumn(op.Table, op.Column, "rpf", !op.Only, func(r *Relation, c *RelColumn) error {
			inherited := name != "" || !c.NotNull && len(r.Parents) > 0 && r.Name != s.lookup(op.Table).Name
			s.notNull(r, c, name, inherited)
			name = c.NotNullName
			return nil
		})
	case DropNotNull:
		return s.eachColumn(op.Table, op.Column, "rpf", !op.Only, func(r *Relation, c *RelColumn) error {
			if pk := r.PrimaryKey(); pk != nil && slices.Contains(pk.Columns, c.Name) {
				return refuse(invalidTable, "", "column %q is in a primary key", c.Name)
			}
			if c.Identity != 0 {
				return refuse("42601", "", "column %q of relation %q is an identity column", c.Name, r.Name.Name)
			}
			s.dropNotNull(r, c)
			return nil
		})
	case AddIdentity:
		return s.eachColumn(op.Table, op.Column, "rp", false, func(r *Relation, c *RelColumn) error { return s.addIdentity(r, c, op) })
	case DropIdentity:
		return s.eachColumn(op.Table, op.Column, "rp", false, func(r *Relation, c *RelColumn) error {
			if c.Identity == 0 && !op.IfExists {
				return refuse("55000", "", "column %q of relation %q is not an identity column", c.Name, r.Name.Name)
			}
			if c.Identity != 0 {
				delete(s.Sequences, c.Sequence)
				c.Sequence = Name{}
				s.identityBelow(r, c.Name, 0)
			}
			return nil
		})
	case DropExpression:
		return s.eachColumn(op.Table, op.Column, "rpf", true, func(r *Relation, c *RelColumn) error {
			if c.Generated == 0 && !op.IfExists {
				return refuse("55000", "", "column %q of relation %q is not a generated column", c.Name, r.Name.Name)
			}
			if c.Generated != 0 {
				c.Generated, c.Default, c.Volatile = 0, "", false
			}
			return nil
		})
	}
	return nil
}

// eachColumn calls do with a column of a table and, when recurse is set, of all that inherit it. The relations
// it gives are writable.
func (s *Schema) eachColumn(table Name, column, kinds string, recurse bool, do func(*Relation, *RelColumn) error) error {
	r, err := s.must(table, kinds)
	if err != nil {
		return err
	}
	if r.Column(column) == nil {
		return s.noColumn(r, column)
	}
	var visit func(r *Relation) error
	visit = func(r *Relation) error {
		r = s.mut(r)
		c := r.Column(column)
		if c == nil {
			return nil
		}
		if err := do(r, c); err != nil {
			return err
		}
		r.sortParts()
		if recurse {
			for _, child := range r.Children {
				if c := s.Relations[child]; c != nil {
					if err := visit(c); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
	return visit(r)
}

// defineColumn adds a column's definition to r and gives back its constraints.
func (s *Schema) defineColumn(r *Relation, c Column) ([]Constraint, error) {
	have := r.Column(c.Name)
	if have != nil && (have.Local || have.Inherited == 0) && !r.OfType {
		return nil, refuse(duplicateColumn, "", "column %q specified more than once", c.Name)
	}
	if have == nil || c.Type.Name != "" {
		t, err := s.resolveType(c.Type)
		if err != nil {
			return nil, err
		}
		if have == nil {
			r.UsedAttributes++
			have = &RelColumn{Number: r.UsedAttributes, Name: c.Name, StatsTarget: -1}
			r.Columns = append(r.Columns, have)
		}
		have.Type, have.TypeName, have.Mod, have.Array, have.Storage = t.text, t.name, t.mod, t.array, t.storage
		have.Collation = qualifiedCollation(c.Collation)
		have.Assumed = false
		if t.serial {
			have.Sequence = s.newSequence(r.Name, c.Name, t.text, false)
			have.Default = "nextval(" + QuoteLiteral(have.Sequence.String()) + "::regclass)"
			have.Volatile = true
			s.notNull(r, have, c.NotNullName, false)
		}
	}
	have.Local = !r.IsPartition
	if c.Storage != "" {
		have.Storage = strings.ToLower(c.Storage)[0]
	}
	if c.Compression != "" && c.Compression != "default" {
		have.Compression = c.Compression[0]
	}
	if c.Default != "" && !strings.EqualFold(strings.TrimSpace(c.Default), "null") {
		have.Default, have.Volatile = c.Default, s.volatileDefault(c.Default)
	}
	if c.Generated != "" {
		have.Default, have.Generated = c.Generated, 's'
		if c.Virtual {
			have.Generated = 'v'
		}
	}
	if c.Identity != 0 {
		have.Identity = c.Identity
		have.Sequence = s.newSequence(r.Name, c.Name, have.Type, true)
		s.sequenceOptions(s.Sequences[have.Sequence], c.IdentityOptions)
		s.notNull(r, have, c.NotNullName, false)
	}
	if c.NotNull {
		s.notNull(r, have, c.NotNullName, false)
		if con := r.Constraint(have.NotNullName); con != nil {
			con.NoInherit = c.NotNullNoInherit
		}
	}
	return c.Constraints, nil
}

func (s *Schema) addColumn(r *Relation, op AddColumn) error {
	if r.Column(op.Column.Name) != nil {
		if op.IfNotExists {
			return nil
		}
		return refuse(duplicateColumn, "", "column %q of relation %q already exists", op.Column.Name, r.Name.Name)
	}
	if r.IsPartition {
		return refuse(wrongObjectType, "", "cannot add column to a partition")
	}
	r = s.mut(r)
	cs, err := s.defineColumn(r, op.Column)
	if err != nil {
		return err
	}
	col := r.Column(op.Column.Name)
	col.HasMissing = (r.Kind == 'r') && col.Default != "" && !col.Volatile && col.Generated == 0
	s.addColumnBelow(r, col)
	if err := s.addConstraints(r, cs); err != nil {
		return err
	}
	r.sortParts()
	s.relink(r.Name, r)
	return nil
}

// addColumnBelow passes a new column on to children, where a column of that name merges with it.
func (s *Schema) addColumnBelow(r *Relation, col *RelColumn) {
	for _, name := range r.Children {
		child := s.Relations[name]
		if child == nil {
			continue
		}
		child = s.mut(child)
		if have := child.Column(col.Name); have != nil {
			have.Inherited++
			continue
		}
		n := *col
		child.UsedAttributes++
		n.Number, n.Inherited, n.Local, n.Sequence = child.UsedAttributes, 1, false, Name{}
		if n.Identity != 0 && (!child.IsPartition || s.Version < 170000) {
			n.Identity = 0
		}
		child.Columns = append(child.Columns, &n)
		if n.NotNull {
			n.NotNull = false
			n.NotNullName = ""
			s.notNull(child, &n, col.NotNullName, true)
		}
		child.sortParts()
		s.addColumnBelow(child, &n)
	}
}

// notNull sets NOT NULL; from 18 on it is a constraint with a name.
func (s *Schema) notNull(r *Relation, c *RelColumn, name string, inherited bool) {
	if s.Version >= 180000 {
		con := r.Constraint(c.NotNullName)
		if c.NotNullName == "" || con == nil {
			if name == "" || r.Constraint(name) != nil {
				name = ConstraintName(r.Name.Name, []string{c.Name}, LabelNotNull, s.takenConstraint(r.Name.Schema))
			}
			con = &TableConstraint{Name: name, Table: r.Name, Kind: NotNull, Columns: []string{c.Name},
				Definition: "NOT NULL " + QuoteIdent(c.Name), Local: !inherited}
			r.Constraints = append(r.Constraints, con)
			c.NotNullName = name
		} else if !inherited {
			con.Local = true
		}
		if inherited {
			con.Inherited++
		}
		con.Valid = true
	}
	c.NotNull, c.NotNullValid = true, true
}

func (s *Schema) dropNotNull(r *Relation, c *RelColumn) {
	if c.NotNullName != "" {
		name := c.NotNullName
		r.Constraints = slices.DeleteFunc(r.Constraints, func(x *TableConstraint) bool { return x.Kind == NotNull && x.Name == name })
	}
	c.NotNull, c.NotNullName, c.NotNullValid = false, "", false
}

func (s *Schema) dropColumn(r *Relation, op DropColumn) error {
	col := r.Column(op.Column)
	if col == nil {
		if op.IfExists {
			return nil
		}
		return s.noColumn(r, op.Column)
	}
	if col.Inherited > 0 {
		return refuse(invalidTable, "", "cannot drop inherited column %q", op.Column)
	}
	if slices.Contains(r.PartitionBy, op.Column) {
		return refuse(invalidTable, "", "cannot drop column %q because it is part of the partition key of relation %q", op.Column, r.Name.Name)
	}
	return s.removeColumn(r, op.Column, op.Only, op.Cascade)
}

// removeColumn takes a column away with its indexes, constraints, statistics and owned sequence.
func (s *Schema) removeColumn(r *Relation, name string, only, cascade bool) error {
	r = s.mut(r)
	inTheWay := func(what string) error {
		return refuse(dependentObjects, "use DROP … CASCADE to drop the dependent objects too",
			"cannot drop column %s of table %s because %s depends on it", QuoteIdent(name), r.Name, what)
	}
	for _, f := range slices.Clone(r.ReferencedBy) {
		if !slices.Contains(f.RefColumns, name) || f.Table == r.Name && slices.Contains(f.Columns, name) {
			continue
		}
		if !cascade {
			return inTheWay("constraint " + QuoteIdent(f.Name) + " on table " + f.Table.String())
		}
		s.removeConstraint(s.mut(s.Relations[f.Table]), f.Name)
	}
	if err := s.clearColumn(r, name, cascade, inTheWay); err != nil {
		return err
	}
	for _, c := range slices.Clone(r.Constraints) {
		if slices.Contains(c.Columns, name) {
			s.removeConstraint(r, c.Name)
		}
	}
	for _, x := range slices.Clone(r.Indexes) {
		if slices.Contains(x.Columns, name) {
			s.removeIndex(r, x)
		}
	}
	r.Statistics = slices.DeleteFunc(r.Statistics, func(x StatisticsObject) bool { return slices.Contains(x.Columns, name) })
	for n, q := range s.Sequences {
		if q.OwnedTable == r.Name && q.OwnedColumn == name {
			delete(s.Sequences, n)
		}
	}
	r.Columns = slices.DeleteFunc(r.Columns, func(c *RelColumn) bool { return c.Name == name })
	r.Dependents = slices.DeleteFunc(r.Dependents, func(d Dependent) bool { return d.Column == name })
	for _, child := range slices.Clone(r.Children) {
		c := s.Relations[child]
		if c == nil || c.Column(name) == nil {
			continue
		}
		c = s.mut(c)
		cc := c.Column(name)
		cc.Inherited--
		if only && cc.Inherited == 0 {
			cc.Local = true
		}
		if cc.Inherited == 0 && !cc.Local {
			if err := s.removeColumn(c, name, false, cascade); err != nil {
				return err
			}
		}
	}
	return nil
}

// clearColumn refuses because of views, policies, triggers and generated columns that need the column, or drops them.
func (s *Schema) clearColumn(r *Relation, name string, cascade bool, inTheWay func(string) error) error {
	for _, d := range slices.Clone(r.Dependents) {
		if d.Column != name || d.Depth > 1 || d.Kind == "statistics" || d.Kind == "index" {
			continue
		}
		if !cascade && !(d.Kind == "generated column" && s.Version < 150000) {
			return inTheWay(d.Text)
		}
		switch d.Kind {
		case "view", "materialized view":
			if v := s.Relations[d.Name]; v != nil {
				if err := s.remove(v, true); err != nil {
					return err
				}
			}
		case "generated column":
			if r.Column(d.Name.Name) != nil {
				if err := s.removeColumn(r, d.Name.Name, false, true); err != nil {
					return err
				}
			}
		case "policy":
			s.dropPolicy(d.Table, d.Name.Name)
		case "rule":
			s.dropRule(d.Table, d.Name.Name)
		case "trigger":
			r.Triggers = slices.DeleteFunc(r.Triggers, func(t *Trigger) bool { return t.Name == d.Name.Name })
		}
	}
	for _, p := range slices.Clone(r.Policies) {
		if !slices.Contains(p.Columns, name) {
			continue
		}
		if !cascade {
			return inTheWay("policy " + QuoteIdent(p.Name) + " on table " + r.Name.String())
		}
		s.dropPolicy(r.Name, p.Name)
	}
	for _, t := range r.Triggers {
		if slices.Contains(t.UsesColumns, name) && !cascade {
			return inTheWay("trigger " + QuoteIdent(t.Name) + " on table " + r.Name.String())
		}
	}
	if cascade {
		r.Triggers = slices.DeleteFunc(r.Triggers, func(t *Trigger) bool { return slices.Contains(t.UsesColumns, name) })
	}
	for _, g := range slices.Clone(r.Columns) {
		if g.Generated == 0 || g.Name == name || !slices.Contains(columnsIn(r, g.Default), name) {
			continue
		}
		if !cascade && s.Version >= 150000 { // until 14 it silently went with the column
			return inTheWay("column " + QuoteIdent(g.Name) + " of table " + r.Name.String())
		}
		if err := s.removeColumn(r, g.Name, false, true); err != nil {
			return err
		}
	}
	return nil
}

func (s *Schema) renameColumn(op RenameColumn) error {
	r := s.lookup(op.Table)
	if r == nil {
		if t := s.Type(op.Table); t != nil && t.Kind == 'c' {
			t = s.mutType(t)
			for i := range t.Attributes {
				if t.Attributes[i].Name == op.From {
					t.Attributes[i].Name = op.To
				}
			}
			return nil
		}
		return s.noRelation(op.Table)
	}
	if r.Column(op.From) == nil {
		return s.noColumn(r, op.From)
	}
	if r.Column(op.To) != nil {
		return refuse(duplicateColumn, "", "column %q of relation %q already exists", op.To, r.Name.Name)
	}
	if r.Column(op.From).Inherited > 0 {
		return refuse(invalidTable, "", "cannot rename inherited column %q", op.From)
	}
	s.renameColumnIn(r, op.From, op.To)
	return nil
}

func (s *Schema) renameColumnIn(r *Relation, from, to string) {
	r = s.mut(r)
	c := r.Column(from)
	if c == nil {
		return
	}
	s.renameInDependents(r, from, to)
	c.Name = to
	list := func(l []string) {
		for i := range l {
			if l[i] == from {
				l[i] = to
			}
		}
	}
	text := func(sql *string) { *sql = renameIdent(*sql, from, to) }
	list(r.PartitionBy)
	text(&r.PartitionKey)
	for _, o := range r.Columns {
		if o.Generated != 0 {
			text(&o.Default)
		}
	}
	for _, k := range r.Constraints {
		if slices.Contains(k.Columns, from) {
			list(k.Columns)
			text(&k.Definition)
		}
	}
	for _, x := range r.Indexes {
		if slices.Contains(x.Columns, from) {
			list(x.Columns)
			list(x.Keys)
			list(x.Include)
			text(&x.Definition)
			text(&x.Predicate)
		}
	}
	for _, t := range r.Triggers {
		if slices.Contains(t.UsesColumns, from) || slices.Contains(t.Columns, from) {
			list(t.Columns)
			list(t.UsesColumns)
			text(&t.Definition)
		}
	}
	for _, p := range r.Policies {
		list(p.Columns)
	}
	for _, x := range r.Rules {
		list(x.Columns)
	}
	for i := range r.Statistics {
		list(r.Statistics[i].Columns)
		text(&r.Statistics[i].Definition)
	}
	for i := range r.Dependents {
		if r.Dependents[i].Column == from {
			r.Dependents[i].Column = to
		}
	}
	for _, q := range s.Sequences {
		if q.OwnedTable == r.Name && q.OwnedColumn == from {
			s.mutSequence(q).OwnedColumn = to
		}
	}
	for _, f := range slices.Clone(r.ReferencedBy) {
		if owner := s.Relations[f.Table]; owner != nil && slices.Contains(f.RefColumns, from) {
			if k := s.mut(owner).Constraint(f.Name); k != nil {
				list(k.RefColumns)
				text(&k.Definition)
			}
			s.relink(f.Table, s.Relations[f.Table])
		}
	}
	s.relink(r.Name, r)
	for _, child := range r.Children {
		if c := s.Relations[child]; c != nil {
			s.renameColumnIn(c, from, to)
		}
	}
}

// renameInDependents gives a column its new name in the definitions of what stands on it.
func (s *Schema) renameInDependents(r *Relation, from, to string) {
	rename := func(def *string) {
		text, told := s.renamedIn(*def, r, from, to)
		if !told {
			text = renameIdent(*def, from, to)
		}
		*def = text
	}
	policy := func(of *Relation, name string) {
		for _, p := range s.mut(of).Policies {
			if p.Name == name {
				rename(&p.Definition)
			}
		}
	}
	rule := func(of *Relation, name string) {
		for _, x := range s.mut(of).Rules {
			if x.Name == name {
				rename(&x.Definition)
			}
		}
	}
	done := map[Dependent]bool{}
	for _, d := range slices.Clone(r.Dependents) {
		of := s.Relations[d.Table]
		if d.Depth > 1 || d.Column != from || done[d] || of == r {
			continue
		}
		done[d] = true
		switch v := s.Relations[d.Name]; {
		case (d.Kind == "view" || d.Kind == "materialized view") && v != nil:
			v = s.mut(v)
			if text, told := s.renamedIn(v.Definition, r, from, to); told {
				v.Definition = text
			} else {
				v.Definition = ""
			}
		case d.Kind == "policy" && of != nil:
			policy(of, d.Name.Name)
		case d.Kind == "rule" && of != nil:
			rule(of, d.Name.Name)
		}
	}
	for _, p := range r.Policies {
		if slices.Contains(p.Columns, from) {
			policy(r, p.Name)
		}
	}
	for _, x := range r.Rules {
		if slices.Contains(x.Columns, from) {
			rule(r, x.Name)
		}
	}
}

func (s *Schema) alterType(r *Relation, c *RelColumn, op AlterColumnType) error {
	t, err := s.resolveType(op.Type)
	if err != nil {
		return err
	}
	if slices.Contains(r.PartitionBy, c.Name) {
		return refuse(invalidTable, "", "cannot alter column %q because it is part of the partition key of relation %q", c.Name, r.Name.Name)
	}
	c.Type, c.TypeName, c.Mod, c.Array, c.Storage = t.text, t.name, t.mod, t.array, t.storage
	c.Collation = qualifiedCollation(op.Collation)
	c.Assumed = false
	c.HasMissing, c.AvgWidth = false, 0
	if q := s.Sequences[c.Sequence]; q != nil && c.Identity != 0 {
		s.retypeSequence(s.mutSequence(q), t.text)
	}
	return nil
}

func (s *Schema) addIdentity(r *Relation, c *RelColumn, op AddIdentity) error {
	if !c.NotNull {
		return refuse("55000", "", "column %q of relation %q must be declared NOT NULL before identity can be added", c.Name, r.Name.Name)
	}
	if c.Identity != 0 {
		return refuse("55000", "", "column %q of relation %q is already an identity column", c.Name, r.Name.Name)
	}
	if c.Default != "" {
		return refuse("55000", "", "column %q of relation %q already has a default value", c.Name, r.Name.Name)
	}
	kind := byte('d')
	if op.Always {
		kind = 'a'
	}
	c.Sequence = s.newSequence(r.Name, c.Name, c.Type, true)
	s.sequenceOptions(s.Sequences[c.Sequence], op.Options)
	s.identityBelow(r, c.Name, kind)
	return nil
}

// identityBelow sets the identity of a column; from 17 on partitions share it.
func (s *Schema) identityBelow(r *Relation, column string, kind byte) {
	r = s.mut(r)
	if c := r.Column(column); c != nil {
		c.Identity = kind
	}
	if s.Version < 170000 || r.Kind != 'p' {
		return
	}
	for _, child := range r.Children {
		if c := s.Relations[child]; c != nil {
			s.identityBelow(c, column, kind)
		}
	}
}

// volatileDefault is Volatile for a default, which may be missing.
func (s *Schema) volatileDefault(expr string) bool { return expr != "" && s.Volatile(expr) }

// renameIdent puts another identifier in the place of every use of one in SQL text, leaving function calls alone.
func renameIdent(sql, from, to string) string {
	if !strings.Contains(sql, from) {
		return sql
	}
	scan, err := pg.Scan(sql)
	if err != nil {
		return sql
	}
	var b strings.Builder
	end := 0
	for i, t := range scan.Tokens {
		word := sql[t.Start:t.End]
		if word != from && word != QuoteIdent(from) {
			continue
		}
		if i+1 < len(scan.Tokens) && scan.Tokens[i+1].Token == pg.Token_ASCII_40 && int(scan.Tokens[i+1].Start) == int(t.End) {
			continue
		}
		b.WriteString(sql[end:t.Start])
		b.WriteString(QuoteIdent(to))
		end = int(t.End)
	}
	return b.String() + sql[end:]
}

// renameInText puts a relation's new name in the place of its qualified old one.
func renameInText(sql string, was, to Name) string {
	old := was.String()
	var b strings.Builder
	for {
		i := strings.Index(sql, old)
		if i < 0 {
			return b.String() + sql
		}
		end := i + len(old)
		b.WriteString(sql[:i])
		if i > 0 && identByte(sql[i-1]) || end < len(sql) && identByte(sql[end]) {
			b.WriteString(old) // a part of a longer name
		} else {
			b.WriteString(to.String())
		}
		sql = sql[end:]
	}
}

func identByte(c byte) bool {
	return c == '_' || c == '$' || c == '"' || c == '.' || c >= 0x80 || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
