package catalog

import (
	"cmp"
	"context"
	"slices"

	"github.com/replank/replank/ddl"
)

// standing is a dependent together with what it is, so that its own dependents can be followed.
type standing struct {
	ddl.Dependent
	owner uint32 // the view itself for views, else the relation it belongs to
}

func (l *loader) dependents(ctx context.Context) error {
	onRel := map[uint32][]standing{}
	onType := map[uint32][]standing{}
	var rel, typ, obj, owner uint32
	var col int
	var schema, table string
	var d ddl.Dependent
	err := l.query(ctx, "depends", []any{&rel, &typ, &col, &d.Kind, &obj, &owner, &schema, &table, &d.Name.Name, &d.Text, &d.Function}, func() error {
		s := standing{Dependent: d, owner: owner}
		s.Name.Schema = schema
		s.Depth = 1
		switch d.Kind {
		case "view", "materialized view":
			s.Name.Name = table
		case "publication":
			s.Name.Schema, s.Table = "", ddl.Name{Schema: schema, Name: table}
		case "function", "type":
		default:
			if table != "" {
				s.Table = ddl.Name{Schema: schema, Name: table}
			}
			if d.Kind == "index" {
				s.Name = s.Table
				if x := l.indexes[obj]; x != nil {
					s.Table = x.Table
				}
			}
		}
		if rel != 0 {
			if c := l.cols[rel][col]; c != nil {
				s.Column = c.Name
			}
			onRel[rel] = append(onRel[rel], s)
		} else {
			onType[typ] = append(onType[typ], s)
		}
		return nil
	}, l.relOIDs, oidArray(l.types))
	if err != nil {
		return err
	}
	for oid, r := range l.rels {
		r.Dependents = closure(onRel[oid], onRel)
	}
	for oid, t := range l.types {
		t.Dependents = closure(onType[oid], onRel)
	}
	return nil
}

// closure follows views to what stands on them, column by column of the base, and orders the result so that
// each object comes after all it stands on.
func closure(direct []standing, onRel map[uint32][]standing) []ddl.Dependent {
	if len(direct) == 0 {
		return nil
	}
	type key struct {
		column, kind string
		name, table  ddl.Name
		text         string
	}
	found := map[key]*ddl.Dependent{}
	var visit func(column string, s standing, depth int, via ddl.Name)
	visit = func(column string, s standing, depth int, via ddl.Name) {
		d := s.Dependent
		d.Column, d.Depth, d.Via = column, depth, via
		k := key{column, d.Kind, d.Name, d.Table, d.Text}
		if old := found[k]; old != nil {
			if old.Depth >= depth {
				return
			}
			*old = d
		} else {
			found[k] = &d
		}
		if d.Kind == "view" || d.Kind == "materialized view" {
			for _, up := range onRel[s.owner] {
				visit(column, up, depth+1, d.Name)
			}
		}
	}
	for _, s := range direct {
		visit(s.Column, s, 1, ddl.Name{})
	}
	out := make([]ddl.Dependent, 0, len(found))
	for _, d := range found {
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b ddl.Dependent) int {
		return cmp.Or(cmp.Compare(a.Depth, b.Depth), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Name.Schema, b.Name.Schema), cmp.Compare(a.Name.Name, b.Name.Name),
			cmp.Compare(a.Table.Schema, b.Table.Schema), cmp.Compare(a.Table.Name, b.Table.Name), cmp.Compare(a.Text, b.Text))
	})
	return out
}
