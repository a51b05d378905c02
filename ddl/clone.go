package ddl

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// cow is what a Schema knows about sharing since it was cloned.
type cow struct {
	maps  bool         // the maps are this Schema's own
	owned map[any]bool // objects, by pointer, that only this Schema points to
}

// Clone gives a copy that Apply can move forward without touching s. It costs the same for ten tables and for
// ten thousand: both share everything until one of them changes a part, which is then copied alone. Code that
// writes to a Schema's objects other than through Apply must not do so after a Clone.
func (s *Schema) Clone() *Schema {
	s.cow = &cow{owned: map[any]bool{}}
	c := *s
	c.cow = &cow{owned: map[any]bool{}}
	c.constraints = constraintNames{}
	c.SearchPath = slices.Clip(s.SearchPath)
	c.PathSetting = slices.Clip(s.PathSetting)
	c.Schemas = slices.Clip(s.Schemas)
	return &c
}

// own makes the maps writable.
func (s *Schema) own() {
	if s.cow != nil && !s.cow.maps {
		s.Relations, s.Indexes = maps.Clone(s.Relations), maps.Clone(s.Indexes)
		s.Sequences, s.Types = maps.Clone(s.Sequences), maps.Clone(s.Types)
		s.Functions, s.Owned = maps.Clone(s.Functions), maps.Clone(s.Owned)
		s.gone = maps.Clone(s.gone)
		s.cow.maps = true
	}
	if s.Relations == nil {
		s.Relations = map[Name]*Relation{}
	}
	if s.Indexes == nil {
		s.Indexes = map[Name]*Index{}
	}
	if s.Sequences == nil {
		s.Sequences = map[Name]*Sequence{}
	}
	if s.Types == nil {
		s.Types = map[Name]*Type{}
	}
	if s.Functions == nil {
		s.Functions = map[string]*Function{}
	}
	if s.Owned == nil {
		s.Owned = map[Thing]Owned{}
	}
	if s.gone == nil {
		s.gone = map[Name]bool{}
	}
}

// mine reports whether an object may be changed in place.
func (s *Schema) mine(p any) bool { return s.cow == nil || s.cow.owned[p] }

func (s *Schema) took(p any) {
	if s.cow != nil {
		s.cow.owned[p] = true
	}
}

// mut gives a relation to write to: the present one of r's name, which another change may have copied since r
// was looked up.
func (s *Schema) mut(r *Relation) *Relation {
	s.own()
	if now := s.Relations[r.Name]; now != nil {
		r = now
	}
	if s.mine(r) {
		s.constraints.touch(r)
		return r
	}
	c := r.clone()
	for _, x := range c.Indexes {
		s.Indexes[x.Name] = x
	}
	s.Relations[c.Name] = c
	s.took(c)
	s.constraints.touch(c)
	return c
}

func (s *Schema) mutSequence(q *Sequence) *Sequence {
	s.own()
	if s.mine(q) {
		return q
	}
	c := *q
	c.ACL = slices.Clone(q.ACL)
	s.Sequences[c.Name] = &c
	s.took(&c)
	return &c
}

func (s *Schema) mutType(t *Type) *Type {
	s.own()
	if s.mine(t) {
		return t
	}
	c := *t
	c.Labels, c.ACL = slices.Clone(t.Labels), slices.Clone(t.ACL)
	c.Attributes, c.Dependents = slices.Clone(t.Attributes), slices.Clone(t.Dependents)
	c.Constraints = clonePointers(t.Constraints, (*TableConstraint).clone)
	s.Types[c.Name] = &c
	s.took(&c)
	return &c
}

func (s *Schema) mutFunction(f *Function) *Function {
	s.own()
	if s.mine(f) {
		return f
	}
	c := *f
	c.ACL = slices.Clone(f.ACL)
	s.Functions[c.Signature] = &c
	s.took(&c)
	return &c
}

func (s *Schema) addRelation(r *Relation) {
	s.own()
	s.Relations[r.Name] = r
	s.took(r)
	s.constraints.touch(r)
}

func clonePointers[T any](v []*T, clone func(*T) *T) []*T {
	if v == nil {
		return nil
	}
	out := make([]*T, len(v))
	for i, p := range v {
		out[i] = clone(p)
	}
	return out
}

func (r *Relation) clone() *Relation {
	c := *r
	c.Columns = clonePointers(r.Columns, func(x *RelColumn) *RelColumn {
		n := *x
		n.Options, n.ACL = slices.Clone(x.Options), slices.Clone(x.ACL)
		return &n
	})
	c.Constraints = clonePointers(r.Constraints, (*TableConstraint).clone)
	c.Indexes = clonePointers(r.Indexes, func(x *Index) *Index {
		n := *x
		n.Columns, n.Keys, n.Include = slices.Clone(x.Columns), slices.Clone(x.Keys), slices.Clone(x.Include)
		n.Options, n.StatsTarget = slices.Clone(x.Options), maps.Clone(x.StatsTarget)
		return &n
	})
	c.Triggers = clonePointers(r.Triggers, func(x *Trigger) *Trigger {
		n := *x
		n.Columns, n.UsesColumns = slices.Clone(x.Columns), slices.Clone(x.UsesColumns)
		return &n
	})
	c.Policies = clonePointers(r.Policies, func(x *Policy) *Policy {
		n := *x
		n.Columns = slices.Clone(x.Columns)
		return &n
	})
	c.Rules = clonePointers(r.Rules, func(x *Rule) *Rule {
		n := *x
		n.Columns = slices.Clone(x.Columns)
		return &n
	})
	c.ReferencedBy = slices.Clone(r.ReferencedBy)
	for i, f := range c.ReferencedBy { // one's own foreign keys point to the copies
		if f.Table == r.Name {
			if own := c.Constraint(f.Name); own != nil {
				c.ReferencedBy[i] = own
			}
		}
	}
	c.Parents, c.Children = slices.Clone(r.Parents), slices.Clone(r.Children)
	c.PartitionBy, c.Options, c.ACL = slices.Clone(r.PartitionBy), slices.Clone(r.Options), slices.Clone(r.ACL)
	c.Dependents, c.Publications = slices.Clone(r.Dependents), slices.Clone(r.Publications)
	c.Statistics = slices.Clone(r.Statistics)
	for i, x := range c.Statistics {
		c.Statistics[i].Columns = slices.Clone(x.Columns)
	}
	return &c
}

func (c *TableConstraint) clone() *TableConstraint {
	n := *c
	n.Columns, n.RefColumns = slices.Clone(c.Columns), slices.Clone(c.RefColumns)
	return &n
}

func compareNames(a, b Name) int {
	return cmp.Or(strings.Compare(a.Schema, b.Schema), strings.Compare(a.Name, b.Name))
}

func (s *Schema) sortedRelations() []Name {
	return slices.SortedFunc(maps.Keys(s.Relations), compareNames)
}

// sortParts puts the parts of a relation in the order in which the catalog is read.
func (r *Relation) sortParts() {
	slices.SortStableFunc(r.Constraints, func(a, b *TableConstraint) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(r.Indexes, func(a, b *Index) int { return strings.Compare(a.Name.Name, b.Name.Name) })
	slices.SortStableFunc(r.Triggers, func(a, b *Trigger) int { return strings.Compare(a.Name, b.Name) })
}

// relink brings the ReferencedBy of everything that r refers to, or once referred to, up to date with r's
// foreign keys. was is r's name before the change.
func (s *Schema) relink(was Name, r *Relation) {
	targets := map[Name]bool{}
	for _, c := range r.Constraints {
		if c.Kind == ForeignKey {
			targets[c.RefTable] = true
		}
	}
	for n := range targets {
		if to := s.Relations[n]; to != nil {
			to = s.mut(to)
			to.ReferencedBy = slices.DeleteFunc(to.ReferencedBy, func(c *TableConstraint) bool { return c.Table == was || c.Table == r.Name })
			for _, c := range s.Relations[r.Name].Constraints {
				if c.Kind == ForeignKey && c.RefTable == n {
					to.ReferencedBy = append(to.ReferencedBy, c)
				}
			}
			slices.SortStableFunc(to.ReferencedBy, func(a, b *TableConstraint) int {
				return cmp.Or(compareNames(a.Table, b.Table), strings.Compare(a.Name, b.Name))
			})
		}
	}
}

// unlink takes the foreign key f of table out of the ReferencedBy of its target.
func (s *Schema) unlink(f *TableConstraint) {
	if to := s.Relations[f.RefTable]; to != nil {
		to = s.mut(to)
		to.ReferencedBy = slices.DeleteFunc(to.ReferencedBy, func(c *TableConstraint) bool { return c.Table == f.Table && c.Name == f.Name })
	}
}
