package ddl

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// Hash is the drift hash of some relations: equal as long as nothing a plan for them rests on has changed. It
// covers the relations themselves, what stands on them (by definition), the types of their columns, the sequences
// they own and the foreign keys from and to them. It does not cover sizes, estimates, OIDs, attribute numbers,
// and other partitions or children of the relations: a new daily partition is no drift.
// A relation that does not exist counts as such. Equal schemas give equal hashes in every process.
func (s *Schema) Hash(relations []Name) string {
	names := slices.Clone(relations)
	for i, n := range names {
		if r := s.lookup(n); r != nil {
			names[i] = r.Name
		}
	}
	slices.SortFunc(names, compareNames)
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, n := range slices.Compact(names) {
		_ = enc.Encode(n) // plain data into a hash: neither can fail
		if r := s.Relations[n]; r != nil {
			_ = enc.Encode(s.shape(r))
			for _, d := range s.shapesOn(r) {
				_ = enc.Encode(d)
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// shapeOf is what the hash sees of a relation.
type shapeOf struct {
	Relation  *Relation
	Refs      []*TableConstraint
	Types     []*Type
	Sequences []*Sequence
}

// shape copies a relation without what may differ between equal shapes.
func (s *Schema) shape(r *Relation) shapeOf {
	c := r.clone()
	c.OID, c.Rows, c.Bytes, c.IndexBytes, c.UsedAttributes = 0, 0, 0, 0, 0
	c.Children, c.Dependents = nil, nil
	out := shapeOf{Relation: c}
	for _, f := range c.ReferencedBy {
		if f.Parent == 0 && f.Inherited == 0 && f.Table != r.Name {
			n := f.clone()
			n.OID = 0
			out.Refs = append(out.Refs, n)
		}
	}
	c.ReferencedBy = nil
	slices.SortFunc(out.Refs, func(a, b *TableConstraint) int {
		if d := compareNames(a.Table, b.Table); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, x := range c.Columns {
		x.Number, x.AvgWidth, x.NullFrac, x.HasMissing = 0, 0, 0, false
		if t := s.Types[x.TypeName]; t != nil && !slices.ContainsFunc(out.Types, func(o *Type) bool { return o.Name == t.Name }) {
			n := *t
			n.OID, n.Dependents = 0, nil
			n.Constraints = clonePointers(t.Constraints, func(k *TableConstraint) *TableConstraint { m := k.clone(); m.OID = 0; return m })
			out.Types = append(out.Types, &n)
		}
		if q := s.Sequences[x.Sequence]; q != nil {
			n := *q
			n.OID, n.UsedBy = 0, nil
			out.Sequences = append(out.Sequences, &n)
		}
	}
	for _, x := range c.Constraints {
		x.OID, x.Parent = 0, 0
	}
	for _, x := range c.Indexes {
		x.OID, x.Bytes = 0, 0
	}
	for _, x := range c.Triggers {
		x.OID, x.Parent = 0, 0
	}
	for _, x := range c.Policies {
		x.OID = 0
	}
	for _, x := range c.Rules {
		x.OID = 0
	}
	for i := range c.Statistics {
		c.Statistics[i].OID = 0
	}
	c.sortParts()
	return out
}

// onTop is what the hash sees of an object that stands on a relation.
type onTop struct {
	Dependent  Dependent
	Definition string
	Options    []string
	ACL        []Grant
}

func (s *Schema) shapesOn(r *Relation) []onTop {
	var out []onTop
	for _, d := range r.Dependents {
		t := onTop{Dependent: d}
		if v := s.Relations[d.Name]; v != nil && (d.Kind == "view" || d.Kind == "materialized view") {
			t.Definition, t.Options, t.ACL = v.Definition, v.Options, v.ACL
		}
		if f := s.Functions[d.Function]; f != nil {
			t.Definition = f.Definition
		}
		out = append(out, t)
	}
	return out
}
