package lint

import (
	"slices"

	"github.com/replank/replank/ddl"
)

// table is a relation that a source makes.
type table struct {
	// deployed says that a deployed migration made it, so that an application may have filled it.
	deployed bool
	// filled says that statements or code put more than a few rows into it.
	filled bool
	rows   int // that were written as VALUES
}

// few is what a migration may insert row by row into a table that it makes, which stays as good as empty.
const few = 1000

// age follows a change: which tables are new, and which are filled.
func (l *linter) age(op ddl.Op) {
	switch op := op.(type) {
	case ddl.CreateTable:
		// A partition of a table that is there already, or a table made from a query, is not empty for long.
		if l.schema.Relation(op.Table) == nil {
			l.tables[l.target(op.Table)] = table{deployed: l.src.Deployed, filled: op.Query != ""}
		}
	case ddl.CreateView:
		if l.schema.Relation(op.View) == nil {
			l.tables[l.target(op.View)] = table{deployed: l.src.Deployed, filled: op.Materialized && op.WithData}
		}
	case ddl.CreateEnum:
		if !l.src.Deployed {
			l.types[l.typeName(op.Type)] = true
			l.tx.types[l.typeName(op.Type)] = true
		}
	case ddl.RenameTable:
		l.rename(op.Table, func(n ddl.Name) ddl.Name { return ddl.Name{Schema: n.Schema, Name: op.To} })
	case ddl.RenameView:
		l.rename(op.View, func(n ddl.Name) ddl.Name { return ddl.Name{Schema: n.Schema, Name: op.To} })
	case ddl.SetSchema:
		l.rename(op.Object, func(n ddl.Name) ddl.Name { return ddl.Name{Schema: op.Schema, Name: n.Name} })
	case ddl.DropTable:
		delete(l.tables, l.target(op.Table))
	case ddl.DropView:
		delete(l.tables, l.target(op.View))
	case ddl.Insert:
		l.change(op.Table, func(t *table) {
			t.rows += op.Rows
			t.filled = t.filled || op.Query != "" || t.rows > few
		})
	case ddl.RefreshMaterializedView:
		l.change(op.View, func(t *table) { t.filled = true })
	case ddl.Truncate:
		l.change(op.Table, func(t *table) {
			if !t.deployed {
				t.filled, t.rows = false, 0
			}
		})
	case ddl.AttachPartition:
		// Rows of either are rows of both.
		if part, ok := l.tables[l.target(op.Partition)]; !ok || part.filled {
			l.change(op.Table, func(t *table) { t.filled = true })
		}
	case ddl.AddColumn:
		if n := l.target(op.Table); !l.src.Deployed && (l.schema.Relations[n] == nil || l.schema.Relations[n].Column(op.Column.Name) == nil) {
			if l.added[n] == nil {
				l.added[n] = map[string]bool{}
			}
			l.added[n][op.Column.Name] = true
		}
	case ddl.RenameColumn:
		if cols := l.added[l.target(op.Table)]; cols[op.From] {
			cols[op.To] = true
		}
	case ddl.Do:
		l.code()
	case ddl.Other:
		switch op.Tag {
		case "CREATE SCHEMA":
			for _, n := range op.Names {
				if !l.src.Deployed && !slices.Contains(l.schema.Schemas, n.Name) {
					l.schemas[n.Name] = true
				}
			}
		case "COPY", "MERGE", "CALL", "SELECT":
			l.fill(op.Objects)
		}
	}
}

// typeName is the full name of a type that a statement makes or names.
func (l *linter) typeName(n ddl.Name) ddl.Name {
	if t := l.schema.Type(n); t != nil {
		return t.Name
	}
	if n.Schema == "" && len(l.schema.SearchPath) > 0 {
		n.Schema = l.schema.SearchPath[0]
	}
	return n
}

// change changes what is known of a table that the sources make.
func (l *linter) change(n ddl.Name, do func(*table)) {
	n = l.target(n)
	if t, ok := l.tables[n]; ok {
		do(&t)
		l.tables[n] = t
	}
}

func (l *linter) fill(names []ddl.Name) {
	for _, n := range names {
		l.change(n, func(t *table) { t.filled = true })
	}
}

// target is the full name of a relation that exists, or that would be made under this name.
func (l *linter) target(n ddl.Name) ddl.Name {
	if r := l.schema.Relation(n); r != nil {
		return r.Name
	}
	if n.Schema == "" && len(l.schema.SearchPath) > 0 {
		n.Schema = l.schema.SearchPath[0]
	}
	return n
}

func (l *linter) rename(from ddl.Name, to func(ddl.Name) ddl.Name) {
	old := l.target(from)
	if t, ok := l.tables[old]; ok {
		delete(l.tables, old)
		l.tables[to(old)] = t
	}
	if cols := l.added[old]; cols != nil {
		delete(l.added, old)
		l.added[to(old)] = cols
	}
}

// isNew reports whether the sources that are judged add the column.
func (l *linter) isNew(table ddl.Name, column string) bool {
	return l.fresh(table) || l.added[l.target(table)][column]
}

// unseen reports whether a relation is known only from statements that name it.
func (l *linter) unseen(n ddl.Name) bool {
	r := l.schema.Relation(n)
	return r == nil || r.Assumed || r.Partial
}

// fresh reports whether no code can know the relation yet: the sources that are judged make it.
func (l *linter) fresh(n ddl.Name) bool {
	if t, ok := l.tables[l.target(n)]; ok {
		return !t.deployed
	}
	r := l.schema.Relation(n)
	return r != nil && r.Persistence == 't'
}

// weight is how long work on all of a relation's rows takes.
type weight byte

const (
	none    weight = iota // there are no rows yet
	light                 // known to be small
	unknown               // nobody said how many rows there are
	heavy                 // known to be big
)

// weigh judges a relation or index by its rows.
func (l *linter) weigh(n ddl.Name) weight {
	if i := l.schema.Index(n); i != nil && l.schema.Relation(n) == nil {
		n = i.Table
	}
	r := l.schema.Relation(n)
	if t, ok := l.tables[l.target(n)]; ok && !t.deployed && !t.filled {
		return none
	}
	switch {
	case r == nil || r.Rows < 0 || r.OID == 0:
		return unknown
	case r.Rows < l.SmallRows && r.Bytes < l.SmallBytes:
		return light
	}
	return heavy
}
