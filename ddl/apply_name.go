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
	for n, r := range s.Relations {
		if n.Schema == schema && r.Constraint(name) != nil {
			return true
		}
	}
	return false
}
