package ddl

import "slices"

func (s *Schema) attachPartition(op AttachPartition) error {
	parent, err := s.must(op.Table, "p")
	if err != nil {
		return err
	}
	r, err := s.must(op.Partition, "rpf")
	if err != nil {
		return err
	}
	if r.IsPartition {
		return refuse(wrongObjectType, "", "%q is already a partition", r.Name.Name)
	}
	if err := s.fits(r, parent); err != nil {
		return err
	}
	r, parent = s.mut(r), s.mut(parent)
	s.adopt(r, parent, true)
	r.IsPartition, r.Bound = true, op.Bound
	if err := s.inheritIndexes(r, parent); err != nil {
		return err
	}
	s.inheritForeignKeys(r, parent)
	s.inheritTriggers(r, parent)
	r.sortParts()
	s.relink(r.Name, r)
	return nil
}

// fits refuses a child that lacks what its parent demands.
func (s *Schema) fits(r, parent *Relation) error {
	if r.incomplete() || parent.incomplete() {
		return nil
	}
	for _, c := range parent.Columns {
		have := r.Column(c.Name)
		switch {
		case have == nil:
			return refuse("42804", "", "child table is missing column %q", c.Name)
		case have.Type != c.Type:
			return refuse("42804", "", "child table %q has different type for column %q", r.Name.Name, c.Name)
		case c.NotNull && !have.NotNull:
			return refuse("42804", "", "column %q in child table %q must be marked NOT NULL", c.Name, r.Name.Name)
		}
	}
	for _, c := range parent.Constraints {
		if c.Kind == Check && !c.NoInherit && r.Constraint(c.Name) == nil {
			return refuse("42804", "", "child table is missing constraint %q", c.Name)
		}
	}
	if len(r.Columns) > len(parent.Columns) && parent.Kind == 'p' {
		for _, c := range r.Columns {
			if parent.Column(c.Name) == nil {
				return refuse("42804", "", "table %q contains column %q not found in parent %q", r.Name.Name, c.Name, parent.Name.Name)
			}
		}
	}
	return nil
}

// adopt makes r a child of parent; both are writable.
func (s *Schema) adopt(r, parent *Relation, partition bool) {
	for _, c := range parent.Columns {
		have := r.Column(c.Name)
		if have == nil {
			continue // only where r or its parent is not all known
		}
		have.Inherited++
		if partition {
			have.Local = false
			if s.Version >= 170000 && c.Identity != 0 {
				have.Identity = c.Identity
			}
		}
		s.adoptConstraint(r, parent.Constraint(c.NotNullName), r.Constraint(have.NotNullName), partition)
	}
	for _, c := range parent.Constraints {
		if c.Kind == Check && !c.NoInherit {
			s.adoptConstraint(r, c, r.Constraint(c.Name), partition)
		}
	}
	parent.Children = append(parent.Children, r.Name)
	r.Parents = append(r.Parents, parent.Name)
}

func (s *Schema) adoptConstraint(r *Relation, parent, child *TableConstraint, partition bool) {
	if parent == nil || child == nil {
		return
	}
	child.Inherited++
	if partition {
		child.Local = false
	}
}

// release undoes adopt.
func (s *Schema) release(r, parent *Relation) {
	for _, c := range parent.Columns {
		have := r.Column(c.Name)
		if have == nil || have.Inherited == 0 {
			continue
		}
		have.Inherited--
		if have.Inherited == 0 {
			have.Local = true
		}
	}
	for _, c := range r.Constraints {
		if c.Inherited == 0 || c.Kind != Check && c.Kind != NotNull {
			continue
		}
		up := parent.Constraint(c.Name)
		if c.Kind == NotNull {
			if pc := parent.Column(c.Columns[0]); pc != nil {
				up = parent.Constraint(pc.NotNullName)
			}
		}
		if up != nil && up.Kind == c.Kind {
			c.Inherited--
			if c.Inherited == 0 {
				c.Local = true
			}
		}
	}
	parent.Children = slices.DeleteFunc(parent.Children, func(n Name) bool { return n == r.Name })
	r.Parents = slices.DeleteFunc(r.Parents, func(n Name) bool { return n == parent.Name })
}

func (s *Schema) detachPartition(op DetachPartition) error {
	parent, err := s.must(op.Table, "p")
	if err != nil {
		return err
	}
	r, err := s.must(op.Partition, "rpf")
	if err != nil {
		return err
	}
	if !slices.Contains(parent.Children, r.Name) {
		return refuse(undefinedTable, "", "relation %q is not a partition of relation %q", r.Name.Name, parent.Name.Name)
	}
	r, parent = s.mut(r), s.mut(parent)
	if op.Concurrently && r.Kind == 'r' {
		// The bound stays behind as a CHECK constraint, whose text only the server can say.
		cols := s.PartitionColumns(parent)
		name := ConstraintName(r.Name.Name, cols, LabelCheck, s.takenConstraint(r.Name.Schema))
		r.Constraints = append(r.Constraints, &TableConstraint{Name: name, Table: r.Name, Kind: Check, Columns: cols, Valid: true, Local: true})
	}
	s.release(r, parent)
	r.IsPartition, r.Bound = false, ""
	for _, x := range r.Indexes {
		if x.Parent.IsZero() {
			continue
		}
		x.Parent = Name{}
		if c := r.Constraint(x.Constraint); c != nil {
			c.Inherited, c.Local, c.Parent = 0, true, 0
		}
	}
	for _, c := range r.Constraints {
		if c.Kind == ForeignKey && c.Inherited > 0 {
			c.Inherited, c.Local, c.Parent = 0, true, 0
		}
	}
	r.Triggers = slices.DeleteFunc(r.Triggers, func(t *Trigger) bool {
		return t.Parent != 0 || slices.ContainsFunc(parent.Triggers, func(p *Trigger) bool { return p.Name == t.Name && p.Row })
	})
	if s.Version >= 170000 {
		for _, c := range r.Columns {
			if c.Identity != 0 {
				c.Identity = 0
			}
		}
	}
	r.sortParts()
	s.relink(r.Name, r)
	return nil
}

// inheritTriggers gives a partition its parent's row triggers.
func (s *Schema) inheritTriggers(r, parent *Relation) {
	for _, t := range parent.Triggers {
		if !t.Row || slices.ContainsFunc(r.Triggers, func(h *Trigger) bool { return h.Name == t.Name }) {
			continue
		}
		n := *t
		n.OID, n.Comment, n.Parent = 0, "", max(t.OID, 1) // it has no OID yet
		n.Definition = renameInText(t.Definition, parent.Name, r.Name)
		n.Columns, n.UsesColumns = slices.Clone(t.Columns), slices.Clone(t.UsesColumns)
		r.Triggers = append(r.Triggers, &n)
	}
	r.sortParts()
	if r.Kind == 'p' {
		s.eachChild(r, func(child *Relation) error { s.inheritTriggers(child, r); return nil })
	}
}
