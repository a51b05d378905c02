package ddl

import (
	"math"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func (s *Schema) noType(n Name) error {
	var there []string
	for _, t := range s.Types {
		there = append(there, t.Name.Name)
	}
	slices.Sort(there)
	return refuse(undefinedObject, didYouMean(n.Name, there), "type %q does not exist", unquoted(n))
}

// newType gives a new type's full name.
func (s *Schema) newType(n Name) (Name, error) {
	full, err := s.home(n)
	if err != nil {
		return full, err
	}
	if s.Types[full] != nil || s.Relations[full] != nil {
		return full, refuse(duplicateObject, "", "type %q already exists", n.Name)
	}
	return full, nil
}

func (s *Schema) addType(t *Type) {
	s.Types[t.Name] = t
	s.took(t)
}

func (s *Schema) applyTypeOp(op Op) error {
	switch op := op.(type) {
	case CreateEnum:
		n, err := s.newType(op.Type)
		if err != nil {
			return err
		}
		s.addType(&Type{Name: n, Kind: 'e', Labels: slices.Clone(op.Labels), Owner: s.User, ACL: s.newACL('T', n.Schema, s.User)})
		return nil
	case CreateDomain:
		return s.createDomain(op)
	}
	var n Name
	var ifExists bool
	switch op := op.(type) {
	case AddEnumValue:
		n = op.Type
	case RenameEnumValue:
		n = op.Type
	case AlterDomain:
		n = op.Type
	case RenameType:
		n = op.Type
	case DropType:
		n, ifExists = op.Type, op.IfExists
	}
	t := s.Type(n)
	if t == nil {
		if ifExists {
			return nil
		}
		if op, ok := op.(RenameType); ok && s.lookup(n) != nil {
			return s.renameRelation(n, op.To, false)
		}
		return s.noType(n)
	}
	t = s.mutType(t)
	switch op := op.(type) {
	case AddEnumValue:
		return addEnumValue(t, op)
	case RenameEnumValue:
		i := slices.Index(t.Labels, op.From)
		if i < 0 && t.Assumed {
			i = len(t.Labels)
			t.Labels = append(t.Labels, op.From)
		}
		if i < 0 {
			return refuse("22023", didYouMean(op.From, t.Labels), "%q is not an existing enum label", op.From)
		}
		if slices.Contains(t.Labels, op.To) {
			return refuse(duplicateEnumLabel, "", "enum label %q already exists", op.To)
		}
		t.Labels[i] = op.To
	case AlterDomain:
		return s.alterDomain(t, op)
	case RenameType:
		to := Name{t.Name.Schema, op.To}
		if s.Types[to] != nil || s.Relations[to] != nil {
			return refuse(duplicateObject, "", "type %q already exists", op.To)
		}
		s.moveType(t, to)
	case DropType:
		return s.dropType(t, op)
	}
	return nil
}

func addEnumValue(t *Type, op AddEnumValue) error {
	if slices.Contains(t.Labels, op.Label) {
		if op.IfNotExists {
			return nil
		}
		return refuse(duplicateEnumLabel, "", "enum label %q already exists", op.Label)
	}
	at := len(t.Labels)
	if near := op.Before + op.After; near != "" {
		i := slices.Index(t.Labels, near)
		if i < 0 && t.Assumed {
			t.Labels = append(t.Labels, op.Label)
			return nil
		}
		if i < 0 {
			return refuse("22023", didYouMean(near, t.Labels), "%q is not an existing enum label", near)
		}
		at = i
		if op.After != "" {
			at++
		}
	}
	t.Labels = slices.Insert(t.Labels, at, op.Label)
	return nil
}

func (s *Schema) createDomain(op CreateDomain) error {
	n, err := s.newType(op.Type)
	if err != nil {
		return err
	}
	base, err := s.resolveType(op.Base)
	if err != nil {
		return err
	}
	t := &Type{Name: n, Kind: 'd', Base: base.text, NotNull: op.NotNull, Default: op.Default, DefaultVolatile: s.volatileDefault(op.Default), Owner: s.User, ACL: s.newACL('T', n.Schema, s.User)}
	s.addType(t)
	if op.NotNull && s.Version >= 180000 {
		t.Constraints = append(t.Constraints, &TableConstraint{Name: s.domainConstraintName(t, LabelNotNull), Kind: NotNull, Definition: "NOT NULL", Valid: true})
	}
	for _, c := range op.Constraints {
		s.addDomainConstraint(t, c)
	}
	return nil
}

func (s *Schema) domainConstraintName(t *Type, label string) string {
	return ConstraintName(t.Name.Name, nil, label, func(name string) bool {
		return slices.ContainsFunc(t.Constraints, func(c *TableConstraint) bool { return c.Name == name })
	})
}

func (s *Schema) addDomainConstraint(t *Type, c Constraint) {
	if c.Kind != Check {
		return
	}
	name := c.Name
	if name == "" {
		name = s.domainConstraintName(t, LabelCheck)
	}
	t.Constraints = append(t.Constraints, &TableConstraint{Name: name, Kind: Check, Definition: "CHECK ((" + c.Expr + "))", Valid: !c.NotValid})
	slices.SortStableFunc(t.Constraints, func(a, b *TableConstraint) int { return strings.Compare(a.Name, b.Name) })
}

func (s *Schema) alterDomain(t *Type, op AlterDomain) error {
	find := func() (int, error) {
		i := slices.IndexFunc(t.Constraints, func(c *TableConstraint) bool { return c.Name == op.Constraint.Name })
		if i < 0 {
			return i, refuse(undefinedObject, "", "constraint %q of domain %q does not exist", op.Constraint.Name, t.Name.Name)
		}
		return i, nil
	}
	notNull := func(on bool) {
		t.NotNull = on
		t.Constraints = slices.DeleteFunc(t.Constraints, func(c *TableConstraint) bool { return c.Kind == NotNull })
		if on && s.Version >= 180000 {
			t.Constraints = append(t.Constraints, &TableConstraint{Name: s.domainConstraintName(t, LabelNotNull), Kind: NotNull, Definition: "NOT NULL", Valid: true})
			slices.SortStableFunc(t.Constraints, func(a, b *TableConstraint) int { return strings.Compare(a.Name, b.Name) })
		}
	}
	switch op.Action {
	case "add constraint":
		if op.Constraint.Kind == NotNull {
			notNull(true)
			return nil
		}
		s.addDomainConstraint(t, op.Constraint)
	case "validate constraint":
		i, err := find()
		if err != nil && t.Assumed {
			return nil
		}
		if err != nil {
			return err
		}
		t.Constraints[i].Valid = true
	case "drop constraint":
		i, err := find()
		if err != nil {
			if op.IfExists || t.Assumed {
				return nil
			}
			return err
		}
		if t.Constraints[i].Kind == NotNull {
			t.NotNull = false
		}
		t.Constraints = slices.Delete(t.Constraints, i, i+1)
	case "set default":
		t.Default, t.DefaultVolatile = op.Default, s.volatileDefault(op.Default)
	case "drop default":
		t.Default, t.DefaultVolatile = "", false
	case "set not null":
		notNull(true)
	case "drop not null":
		notNull(false)
	}
	return nil
}

// moveType gives a type another name or schema, in the columns that have it too.
func (s *Schema) moveType(t *Type, to Name) {
	t = s.mutType(t)
	was := t.Name
	delete(s.Types, was)
	s.went(was)
	t.Name = to
	s.addType(t)
	for _, n := range s.sortedRelations() {
		r := s.Relations[n]
		if !slices.ContainsFunc(r.Columns, func(c *RelColumn) bool { return c.TypeName == was }) {
			continue
		}
		for _, c := range s.mut(r).Columns {
			if c.TypeName == was {
				c.TypeName = to
				c.Type = strings.Replace(c.Type, was.String(), to.String(), 1)
			}
		}
	}
	for _, o := range s.Types {
		if bareArray(o.Base) == was.String() {
			o = s.mutType(o)
			o.Base = strings.Replace(o.Base, was.String(), to.String(), 1)
		}
	}
}

func bareArray(t string) string { return strings.TrimSuffix(t, "[]") }

func (s *Schema) dropType(t *Type, op DropType) error {
	for _, n := range s.sortedRelations() {
		r := s.Relations[n]
		for _, c := range slices.Clone(r.Columns) {
			if c.TypeName != t.Name || s.Relations[n] == nil {
				continue
			}
			if !op.Cascade {
				return refuse(dependentObjects, "use DROP … CASCADE to drop the dependent objects too",
					"cannot drop type %s because column %s of table %s depends on it", t.Name, QuoteIdent(c.Name), n)
			}
			if r.Column(c.Name) != nil && c.Inherited == 0 {
				if err := s.removeColumn(s.Relations[n], c.Name, false, true); err != nil {
					return err
				}
			}
			r = s.Relations[n]
		}
	}
	for _, o := range s.Types {
		if o != t && o.Kind != 'm' && bareArray(o.Base) == t.Name.String() && !op.Cascade {
			return refuse(dependentObjects, "", "cannot drop type %s because type %s depends on it", t.Name, o.Name)
		}
	}
	delete(s.Types, t.Name)
	s.went(t.Name)
	if t.Kind == 'r' {
		for n, m := range s.Types {
			if m.Kind == 'm' && m.Base == t.Name.String() {
				delete(s.Types, n)
			}
		}
	}
	return nil
}

// Sequences.

func (s *Schema) sequence(n Name) *Sequence {
	if n.Schema != "" {
		return s.Sequences[n]
	}
	for _, sch := range s.SearchPath {
		if q := s.Sequences[Name{sch, n.Name}]; q != nil {
			return q
		}
	}
	return nil
}

// newSequence makes the sequence of a serial or identity column.
func (s *Schema) newSequence(table Name, column, typ string, identity bool) Name {
	n := Name{table.Schema, SequenceName(table.Name, column, s.takenRelation(table.Schema))}
	q := &Sequence{Name: n, OwnedTable: table, OwnedColumn: column, Identity: identity, Owner: s.User, Persistence: 'p'}
	if r := s.Relations[table]; r != nil {
		q.Owner = r.Owner
	}
	q.ACL = s.newACL('S', n.Schema, q.Owner)
	if r := s.Relations[table]; r != nil && s.Version >= 150000 {
		q.Persistence = r.Persistence
	}
	s.defaultSequence(q, typ)
	s.Sequences[n] = q
	s.took(q)
	return n
}

func (s *Schema) defaultSequence(q *Sequence, typ string) {
	q.Type, q.Start, q.Increment, q.Min, q.Cache = typ, 1, 1, 1, 1
	q.Max = sequenceMax(typ)
}

func sequenceMax(typ string) int64 {
	switch typ {
	case "smallint":
		return math.MaxInt16
	case "integer":
		return math.MaxInt32
	}
	return math.MaxInt64
}

// retypeSequence changes a sequence's type; bounds that were the old type's become the new one's.
func (s *Schema) retypeSequence(q *Sequence, typ string) {
	if q.Max == sequenceMax(q.Type) {
		q.Max = sequenceMax(typ)
	}
	if q.Min == -sequenceMax(q.Type)-1 {
		q.Min = -sequenceMax(typ) - 1
	}
	q.Type = typ
}

// sequenceOptions applies options as they stand in CREATE or ALTER SEQUENCE.
func (s *Schema) sequenceOptions(q *Sequence, options string) {
	if strings.TrimSpace(options) == "" {
		return
	}
	t, err := parseSQL("ALTER SEQUENCE x " + options)
	if err != nil {
		return
	}
	s.setSequence(q, t.Stmts[0].Stmt.GetAlterSeqStmt().GetOptions(), false)
}

func (s *Schema) setSequence(q *Sequence, options []*pg.Node, creating bool) {
	started := false
	for _, o := range options {
		e := o.GetDefElem()
		switch e.GetDefname() {
		case "as":
			if t, err := s.resolveType(typeName(e.Arg.GetTypeName())); err == nil {
				s.retypeSequence(q, t.text)
			}
		case "increment":
			q.Increment = seqNumber(e.Arg)
			if creating && q.Increment < 0 {
				q.Max, q.Min, q.Start = -1, -sequenceMax(q.Type)-1, -1
			}
		}
	}
	for _, o := range options {
		e := o.GetDefElem()
		switch e.GetDefname() {
		case "start":
			q.Start, started = seqNumber(e.Arg), true
		case "minvalue":
			switch {
			case e.Arg != nil:
				q.Min = seqNumber(e.Arg)
			case q.Increment < 0:
				q.Min = -sequenceMax(q.Type) - 1
			default:
				q.Min = 1
			}
		case "maxvalue":
			switch {
			case e.Arg != nil:
				q.Max = seqNumber(e.Arg)
			case q.Increment < 0:
				q.Max = -1
			default:
				q.Max = sequenceMax(q.Type)
			}
		case "cache":
			q.Cache = seqNumber(e.Arg)
		case "cycle":
			q.Cycle = e.Arg == nil || e.Arg.GetBoolean().GetBoolval()
		case "owned_by":
			s.ownedBy(q, strs(e.Arg.GetList().GetItems()))
		}
	}
	if creating && !started {
		q.Start = q.Min
		if q.Increment < 0 {
			q.Start = q.Max
		}
	}
}

func seqNumber(n *pg.Node) int64 {
	if n.GetInteger() != nil {
		return int64(n.GetInteger().Ival)
	}
	var v int64
	neg := false
	for _, r := range n.GetFloat().GetFval() {
		if r == '-' {
			neg = true
		} else if r >= '0' && r <= '9' {
			v = v*10 + int64(r-'0')
		}
	}
	if neg {
		return -v
	}
	return v
}

// ownedBy is OWNED BY table.column or NONE.
func (s *Schema) ownedBy(q *Sequence, parts []string) {
	if was := s.Relations[q.OwnedTable]; was != nil {
		if c := s.mut(was).Column(q.OwnedColumn); c != nil && c.Sequence == q.Name {
			c.Sequence = Name{}
		}
	}
	q.OwnedTable, q.OwnedColumn = Name{}, ""
	if len(parts) < 2 {
		return
	}
	column := parts[len(parts)-1]
	n := Name{Name: parts[len(parts)-2]}
	if len(parts) > 2 {
		n.Schema = parts[len(parts)-3]
	}
	if r := s.lookup(n); r != nil && r.Column(column) != nil {
		r = s.mut(r)
		q.OwnedTable, q.OwnedColumn = r.Name, column
		r.Column(column).Sequence = q.Name
	}
}

func (s *Schema) applySequenceOp(op Op, sql string) error {
	if c, ok := op.(CreateSequence); ok {
		return s.createSequence(c, sql)
	}
	var n Name
	var ifExists bool
	switch op := op.(type) {
	case AlterSequence:
		n = op.Sequence
	case DropSequence:
		n, ifExists = op.Sequence, op.IfExists
	case RenameSequence:
		n = op.Sequence
	}
	q := s.sequence(n)
	if q == nil {
		if ifExists {
			return nil
		}
		var there []string
		for known := range s.Sequences {
			there = append(there, known.Name)
		}
		slices.Sort(there)
		return refuse(undefinedTable, didYouMean(n.Name, there), "sequence %q does not exist", unquoted(n))
	}
	switch op := op.(type) {
	case AlterSequence:
		s.sequenceOptions(s.mutSequence(q), op.Options)
	case DropSequence:
		return s.dropSequence(q, op)
	case RenameSequence:
		to := Name{q.Name.Schema, op.To}
		if s.taken(to) {
			return refuse(duplicateTable, "", "relation %q already exists", op.To)
		}
		s.moveSequence(q, to)
	}
	return nil
}

func (s *Schema) createSequence(op CreateSequence, sql string) error {
	n, err := s.home(op.Sequence)
	if err != nil {
		return err
	}
	if s.taken(n) {
		if op.IfNotExists {
			return nil
		}
		return refuse(duplicateTable, "", "relation %q already exists", n.Name)
	}
	q := &Sequence{Name: n, Owner: s.User, Persistence: 'p', ACL: s.newACL('S', n.Schema, s.User)}
	s.defaultSequence(q, "bigint")
	s.Sequences[n] = q
	s.took(q)
	t, err := parseSQL(sql)
	if err == nil && len(t.Stmts) == 1 && t.Stmts[0].Stmt.GetCreateSeqStmt() != nil {
		c := t.Stmts[0].Stmt.GetCreateSeqStmt()
		q.Persistence = persistence(c.Sequence)
		s.setSequence(q, c.Options, true)
	} else if op.OwnedBy != "" {
		s.sequenceOptions(q, "OWNED BY "+op.OwnedBy)
	}
	return nil
}

func (s *Schema) dropSequence(q *Sequence, op DropSequence) error {
	if q.Identity {
		return refuse(dependentObjects, "drop the identity instead", "cannot drop sequence %s because column %s of table %s requires it",
			q.Name, QuoteIdent(q.OwnedColumn), q.OwnedTable)
	}
	use := "nextval(" + QuoteLiteral(q.Name.String()) + "::regclass)"
	for _, n := range s.sortedRelations() {
		for _, c := range s.Relations[n].Columns {
			if c.Default != use {
				continue
			}
			if !op.Cascade {
				return refuse(dependentObjects, "use DROP … CASCADE to drop the dependent objects too",
					"cannot drop sequence %s because default value for column %s of table %s depends on it", q.Name, QuoteIdent(c.Name), n)
			}
			cc := s.mut(s.Relations[n]).Column(c.Name)
			cc.Default, cc.Volatile = "", false
		}
	}
	if r := s.Relations[q.OwnedTable]; r != nil {
		if c := s.mut(r).Column(q.OwnedColumn); c != nil {
			c.Sequence = Name{}
		}
	}
	delete(s.Sequences, q.Name)
	s.went(q.Name)
	return nil
}

func (s *Schema) moveSequence(q *Sequence, to Name) {
	q = s.mutSequence(q)
	was := q.Name
	delete(s.Sequences, was)
	s.went(was)
	q.Name = to
	s.Sequences[to] = q
	s.took(q)
	from, into := QuoteLiteral(was.String()), QuoteLiteral(to.String())
	for _, n := range s.sortedRelations() {
		r := s.Relations[n]
		if slices.ContainsFunc(r.Columns, func(c *RelColumn) bool { return c.Sequence == was || strings.Contains(c.Default, from) }) {
			for _, c := range s.mut(r).Columns {
				if c.Sequence == was {
					c.Sequence = to
				}
				c.Default = strings.ReplaceAll(c.Default, from, into)
			}
		}
	}
}
