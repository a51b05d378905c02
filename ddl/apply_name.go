package ddl

// taken reports whether a schema has a relation, index or sequence of that name.
func (s *Schema) taken(n Name) bool {
	return s.Relations[n] != nil || s.Indexes[n] != nil || s.Sequences[n] != nil
}

// takenRelation is for [IndexName] and [SequenceName].
func (s *Schema) takenRelation(schema string) func(string) bool {
	return func(name string) bool { return s.taken(Name{schema, name}) }
}

// takenIndex is takenRelation for the indexes of constraints, which must be free among constraints too.
func (s *Schema) takenIndex(schema string) func(string) bool {
	return func(name string) bool { return s.taken(Name{schema, name}) || s.constraintNamed(schema, name) }
}

// takenConstraint is for [ConstraintName].
func (s *Schema) takenConstraint(schema string) func(string) bool {
	return func(name string) bool { return s.constraintNamed(schema, name) }
}

func (s *Schema) constraintNamed(schema, name string) bool {
	if !s.constraints.maybe(s, name) {
		return false
	}
	for n, r := range s.Relations {
		if n.Schema == schema && r.Constraint(name) != nil {
			return true
		}
	}
	return false
}

// constraintNames remembers every name that a constraint has or had, so that a new name is known to be free without a
// look at each table: a history of thousands of tables asks for each primary key.
type constraintNames struct {
	seen    map[string]bool // nil until somebody asks
	touched []*Relation     // that the operation at hand may have given constraints to
}

// touch remembers a relation that is about to change. Every change of one begins with mut or addRelation.
func (c *constraintNames) touch(r *Relation) {
	if c.seen != nil {
		c.touched = append(c.touched, r)
	}
}

// maybe reports whether a constraint may have the name; false is certain.
func (c *constraintNames) maybe(s *Schema, name string) bool {
	if c.seen == nil {
		c.seen = map[string]bool{}
		for _, r := range s.Relations {
			c.add(r)
		}
	}
	for _, r := range c.touched { // again each time: the operation goes on changing them
		c.add(r)
	}
	return c.seen[name]
}

func (c *constraintNames) add(r *Relation) {
	for _, k := range r.Constraints {
		c.seen[k.Name] = true
	}
}

// next is the end of an operation: what it touched has its constraints now.
func (c *constraintNames) next() {
	for _, r := range c.touched {
		c.add(r)
	}
	c.touched = c.touched[:0]
}
