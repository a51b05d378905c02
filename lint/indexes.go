package lint

import (
	"fmt"
	"slices"

	"github.com/replank/replank/ddl"
)

// indexes reports debris, traps and waste among indexes.
func indexes(p *pass) {
	for _, op := range p.st.Ops {
		switch op := op.(type) {
		case ddl.CreateIndex:
			p.createIndex(op)
		case ddl.CreateTable:
			if op.IfNotExists && p.schema.Relation(op.Table) != nil {
				p.report("if-not-exists", fmt.Sprintf("%s exists: this does nothing, even where its columns are others", p.name(op.Table)), p.on(p.target(op.Table)))
			}
		case ddl.AddColumn:
			c := p.column(op.Table, op.Column.Name)
			if op.IfNotExists && c != nil {
				p.report("if-not-exists", fmt.Sprintf("%s.%s exists (%s): this does nothing, even where type or default are others", p.name(op.Table), c.Name, c.Type), p.on(p.target(op.Table)))
			}
		}
	}
}

func (p *pass) createIndex(op ddl.CreateIndex) {
	r := p.schema.Relation(op.Table)
	if r == nil {
		r = &ddl.Relation{}
	}
	if op.IfNotExists && op.Concurrently {
		p.report("if-not-exists", "CREATE INDEX CONCURRENTLY leaves an INVALID index behind when it fails, and IF NOT EXISTS then takes that one for done: it is written to, never read, and a unique one guarantees nothing", p.on(p.target(op.Table)))
	}
	for _, i := range r.Indexes {
		if !i.Valid {
			p.report("invalid-index", fmt.Sprintf("%s has the INVALID index %s, left by a CREATE INDEX CONCURRENTLY that failed: every write pays for it, no query uses it", p.name(op.Table), i.Name.Name), p.on(r.Name), mendedBy(func(op ddl.Op) bool {
				switch op := op.(type) {
				case ddl.DropIndex:
					return op.Index.Name == i.Name.Name
				case ddl.Reindex:
					return op.Name.Name == i.Name.Name
				}
				return false
			}))
		}
	}
	keys := make([]string, len(op.Elems))
	for i, e := range op.Elems {
		keys[i] = e.Column
	}
	if op.Unique || op.Where != "" || slices.Contains(keys, "") || slices.ContainsFunc(op.Elems, func(e ddl.IndexElem) bool { return e.Opclass != "" || e.Collation != "" }) {
		return
	}
	for _, i := range r.Indexes {
		if i.Valid && !i.HasExpr && i.Predicate == "" && i.Method == op.Method && len(i.Keys) >= len(keys) && slices.Equal(i.Keys[:len(keys)], keys) && (i.Method == "btree" || len(i.Keys) == len(keys)) {
			made := ddl.Name{Schema: r.Name.Schema, Name: op.Name}
			s := Notice // it is smaller than the other, and some queries are faster for that
			if len(i.Keys) == len(keys) {
				s = Warning
			}
			p.report("duplicate-index", fmt.Sprintf("the index %s on %s begins with the same columns and serves the same queries", i.Name.Name, p.name(op.Table)), p.on(r.Name), at(s), mendedBy(func(op ddl.Op) bool {
				d, ok := op.(ddl.DropIndex)
				dropped := p.schema.Index(d.Index)
				return ok && dropped != nil && (dropped.Name == i.Name || dropped.Name == made)
			}))
			return
		}
	}
}

// foreignKey is one that a statement makes.
type foreignKey struct {
	st         *ddl.Statement
	table      ddl.Name
	constraint ddl.Constraint
}

func foreignKeys(st *ddl.Statement) []foreignKey {
	var keys []foreignKey
	add := func(table ddl.Name, constraints ...ddl.Constraint) {
		for _, c := range constraints {
			if c.Kind == ddl.ForeignKey {
				keys = append(keys, foreignKey{st, table, c})
			}
		}
	}
	for _, op := range st.Ops {
		switch op := op.(type) {
		case ddl.AddConstraint:
			add(op.Table, op.Constraint)
		case ddl.AddColumn:
			add(op.Table, op.Column.Constraints...)
		case ddl.CreateTable:
			add(op.Table, op.Constraints...)
			for _, col := range op.Columns {
				add(op.Table, col.Constraints...)
			}
		}
	}
	return keys
}

// endOfSource reports what is known only behind the last statement of a source.
func (l *linter) endOfSource() {
	for _, k := range l.keys {
		(&pass{linter: l, st: k.st}).foreignKeyIndex(k.table, k.constraint)
	}
}

// foreignKeyIndex looks for an index that a DELETE or UPDATE of the referenced table can use.
func (p *pass) foreignKeyIndex(table ddl.Name, c ddl.Constraint) {
	r := p.schema.Relation(table)
	if c.NotEnforced || r == nil || r.Kind == 'f' {
		return
	}
	for _, col := range c.Columns {
		if r.Column(col) == nil {
			return // a later statement took it away, or nobody knows the table's columns
		}
	}
	for _, i := range r.Indexes {
		if i.Predicate == "" && len(i.Keys) >= len(c.Columns) && sameColumns(i.Keys[:len(c.Columns)], c.Columns) {
			return
		}
	}
	if p.unseen(table) {
		return // its indexes are not known
	}
	p.report("foreign-key-index", fmt.Sprintf("no index of %s begins with (%s): every DELETE of a referenced row, and every UPDATE of its key, reads all of %s", p.name(table), ddl.QuoteIdents(c.Columns), p.name(table)), p.on(r.Name))
}

func sameColumns(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
