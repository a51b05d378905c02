package ddl

import (
	"maps"
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Mention is what a statement names, wherever in it, as written and without regard to what it does with it. The bodies
// of functions that are strings are not read.
type Mention struct {
	Relations []Name // tables, views, sequences; also by regclass constants and the type of table.column%TYPE
	Types     []Name // without pg_catalog's
	Functions []Name
	// Star says that it has a * for the columns of a relation, so that it names them all.
	Star bool

	idents map[string]bool
}

// Mentions reads a statement.
func Mentions(sql string) (Mention, error) {
	c, stmt, err := one(sql)
	if err != nil {
		return Mention{}, err
	}
	return mentionsOf(c, stmt), nil
}

func mentionsOf(c *statement, stmt *pg.Node) Mention {
	m := Mention{idents: map[string]bool{}}
	for i := c.first; i < c.last; i = c.skipIdent(i) {
		if k := c.kind(i); k != pg.Token_SCONST && k != pg.Token_USCONST {
			m.idents[c.identAt(i)] = true
		}
	}
	for _, v := range rangeVars(stmt) {
		add(&m.Relations, Name{v.Schemaname, v.Relname})
	}
	walk(stmt, func(n any) bool {
		switch n := n.(type) {
		case *pg.A_Star:
			m.Star = true
		case *pg.TypeName:
			name := nameOf(n.Names)
			switch {
			case n.PctType && len(n.Names) > 1:
				add(&m.Relations, nameOf(n.Names[:len(n.Names)-1]))
			case name.Schema != "pg_catalog":
				add(&m.Types, name)
			}
		case *pg.TypeCast:
			if t := nameOf(n.GetTypeName().GetNames()); t.Name == "regclass" {
				m.constant(n.Arg)
			}
		case *pg.FuncCall:
			name := nameOf(n.Funcname)
			add(&m.Functions, name)
			if (name.Name == "nextval" || name.Name == "currval" || name.Name == "setval") && len(n.Args) > 0 {
				m.constant(n.Args[0])
			}
		case *pg.ObjectWithArgs:
			add(&m.Functions, nameOf(n.Objname))
		case *pg.CreateFunctionStmt:
			add(&m.Functions, nameOf(n.Funcname))
		case *pg.CreateTrigStmt:
			add(&m.Functions, nameOf(n.Funcname))
		}
		return true
	})
	return m
}

// constant adds the relation that a string constant names.
func (m *Mention) constant(n *pg.Node) {
	add(&m.Relations, splitTypeName(constantOf(n)))
}

// Has reports whether a name occurs as an identifier. One that means something else counts, too.
func (m Mention) Has(name string) bool { return m.idents[name] }

// Idents are all identifiers and keywords of the statement, in order: among them is every name that it says.
func (m Mention) Idents() []string { return slices.Sorted(maps.Keys(m.idents)) }

func add(list *[]Name, n Name) {
	if n.Name != "" && !slices.Contains(*list, n) {
		*list = append(*list, n)
	}
}
