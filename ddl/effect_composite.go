package ddl

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// alterComposite is ALTER TYPE … ADD, DROP or ALTER ATTRIBUTE: with CASCADE it changes the tables that were made OF the
// type, which an attribute of another type rewrites.
func (b *effects) alterComposite(o Other) {
	st := first[pg.AlterTableStmt](b.tree())
	if st.GetObjtype() != pg.ObjectType_OBJECT_TYPE || len(o.Objects) == 0 {
		return
	}
	t := b.s.Type(o.Objects[0])
	if t == nil {
		return
	}
	var typed []*Relation
	for _, r := range b.s.Relations {
		if r.OfType && r.RowType == t.Name {
			typed = append(typed, r)
		}
	}
	for _, n := range st.Cmds {
		cmd := n.GetAlterTableCmd()
		if len(typed) > 0 && cmd.Behavior != pg.DropBehavior_DROP_CASCADE {
			b.refuse("cannot alter type %s because it is the type of a typed table", t.Name)
		}
		if cmd.Subtype == pg.AlterTableType_AT_AlterColumnType {
			b.refuseHeld(t)
		}
		for _, r := range typed {
			b.lockAll(b.family(r), AccessExclusive)
			for _, f := range b.family(r) {
				c := f.Column(cmd.Name)
				if c == nil {
					continue
				}
				switch cmd.Subtype {
				case pg.AlterTableType_AT_AlterColumnType:
					b.retype(f, c, AlterColumnType{Table: f.Name, Column: c.Name, Type: typeName(cmd.Def.GetColumnDef().GetTypeName())})
				case pg.AlterTableType_AT_DropColumn:
					for _, i := range f.Indexes {
						if i.uses(c.Name) {
							b.remove(i.Name)
						}
					}
				}
			}
		}
	}
}

// refuseHeld refuses a change of a type whose values are part of other values that tables hold.
func (b *effects) refuseHeld(t *Type) {
	for _, r := range b.s.Relations {
		if !stored(r) {
			continue
		}
		for _, c := range r.Columns {
			u := b.s.Type(c.TypeName)
			if u == t && t.Kind == 'c' || u == t && c.Array || u != nil && u != t && b.partOf(t, u, 0) {
				b.refuse("cannot alter type %s because column %s.%s uses it", t.Name, r.Name, QuoteIdent(c.Name))
			}
		}
	}
}

// partOf reports whether values of type whole hold such of t: as fields, elements or ends. A domain is no part of one
// over it.
func (b *effects) partOf(t, whole *Type, depth int) bool {
	is := func(text string) bool {
		element, array := strings.CutSuffix(text, "[]")
		u := b.s.Type(splitTypeName(element))
		return u != nil && (u == t && (array || whole.Kind != 'd') || u != whole && depth < 16 && b.partOf(t, u, depth+1))
	}
	for _, a := range whole.Attributes {
		if is(a.Type) {
			return true
		}
	}
	return whole.Base != "" && is(whole.Base)
}
