package ddl

import (
	"slices"
	"strings"
)

func (b *effects) alterColumnType(o AlterColumnType) {
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	b.lock(r.Name, AccessExclusive)
	c := r.Column(o.Column)
	if c == nil {
		b.refuse("column %s of relation %s does not exist", o.Column, r.Name)
		return
	}
	if c.Inherited > 0 {
		b.refuse("cannot alter inherited column %s", QuoteIdent(c.Name))
	}
	if slices.Contains(r.PartitionBy, o.Column) {
		b.refuse("cannot alter column %s because it is part of the partition key of relation %s", QuoteIdent(o.Column), r.Name)
	}
	b.lockAll(b.family(r), AccessExclusive)
	for _, f := range b.family(r) {
		if c := f.Column(o.Column); c != nil {
			b.retype(f, c, o)
		}
	}
	if c.Identity != 0 {
		for _, q := range b.ownedSequences(r, o.Column) {
			b.lock(q, ShareRowExclusive)
			b.explain("the sequence of the identity column gets the type too")
		}
	}
}

// retype gives a column of one relation another type.
func (b *effects) retype(r *Relation, c *RelColumn, o AlterColumnType) {
	b.retypeObstacles(r, c)
	change := TypeChange(b.s, c, o.Type, o.Collation, o.Using)
	if c.Generated == 'v' {
		change.Rewrite, change.Why = false, "a virtual generated column is not stored"
	}
	b.explain("column %s: %s", c.Name, change.Why)
	if change.Refused != "" {
		b.refuse("column %s %s", QuoteIdent(c.Name), change.Refused)
	}
	if change.Unknown {
		b.unknown = true
		if b.s.Facts != nil && b.s.writtenType(o.Type).missing {
			b.refuse("type %s does not exist", o.Type.SQL)
		}
	}
	if change.Rewrite {
		b.rewrite(r)
	}
	for _, i := range r.Indexes {
		if !i.uses(c.Name) {
			continue
		}
		b.replace(i)
		if i.Partitioned || !stored(r) {
			continue
		}
		keyed := slices.Contains(i.Keys, c.Name)
		if want := b.s.bottom(b.s.writtenType(o.Type)); keyed && i.Method == "btree" && !want.array && slices.Contains(unordered, want.text) {
			b.refuse("type %s has no order for index %s", want.text, i.Name)
		}
		reindex := change.Reindex && !(change.collation && collated(i, c.Name)) || b.keyless(i, o.Type)
		if change.Rewrite || reindex && keyed || i.HasExpr || i.Predicate != "" || !i.Parent.IsZero() || !i.Valid {
			b.reindexes[i.Name] = true
			b.scan(r)
			if !change.Rewrite {
				b.explain("index %s is built anew", i.Name)
			}
		}
	}
	b.retypeConstraints(r, c, change)
}

// collated reports whether an index names the collation of a column itself.
func collated(i *Index, column string) bool {
	for _, e := range indexElemsOf(i.Definition) {
		if e.Column == column && e.Collation != "" {
			return true
		}
	}
	return false
}

// keyless reports whether an index over arrays, enums or ranges holds something else than the values: their hashes, their
// elements, their union. The server takes it for an index of another type, even where the type stays.
func (b *effects) keyless(i *Index, t TypeName) bool {
	w := b.s.writtenType(t)
	switch i.Method {
	case "hash", "gin":
		return b.s.polymorphic(w)
	case "brin":
		return b.s.polymorphic(w) && strings.HasSuffix(b.s.bottom(w).text, "range")
	}
	return false
}

// unordered are the types without operators for a btree.
var unordered = []string{"json", "xml", "point", "box", "lseg", "path", "polygon", "circle", "line", "jsonpath", "xid", "cid", "txid_snapshot", "pg_snapshot"}

// retypeConstraints drops and adds again what stands on the column: CHECK constraints are tested anew, foreign
// keys only when the values were.
func (b *effects) retypeConstraints(r *Relation, c *RelColumn, change Change) {
	for _, con := range r.Constraints {
		if con.Kind == Check && con.Valid && !b.leaving[con.Name] && slices.Contains(con.Columns, c.Name) {
			b.scan(r)
		}
	}
	for _, fk := range b.outgoing(r) {
		if slices.Contains(fk.Columns, c.Name) {
			b.readdForeignKey(fk, change)
		}
	}
	for _, fk := range b.incoming(r) {
		if slices.Contains(fk.RefColumns, c.Name) {
			b.readdForeignKey(fk, change)
		}
	}
}

func (b *effects) readdForeignKey(fk *TableConstraint, change Change) {
	b.dropForeignKey(fk)
	if from := b.s.Relations[fk.Table]; from != nil && fk.Valid && !b.leaving[fk.Name] && (change.Rewrite || change.Reindex && !change.collation) {
		b.verifyForeignKey(from, b.s.Relations[fk.RefTable], false)
	}
}

// retypeObstacles are the dependents under which the server does not change a column's type.
func (b *effects) retypeObstacles(r *Relation, c *RelColumn) {
	for _, d := range r.Dependents {
		if d.Column != c.Name || d.Kind == "generated column" && b.leavingColumns[d.Name.Name] {
			continue
		}
		switch d.Kind {
		case "view", "materialized view", "rule", "function", "policy", "generated column":
			b.refuse("cannot alter type of a column used by %s %s", d.Kind, d.Text)
		}
	}
	for _, t := range r.Triggers {
		if slices.Contains(t.UsesColumns, c.Name) || slices.Contains(t.Columns, c.Name) {
			b.refuse("cannot alter type of a column used in the definition of trigger %s", QuoteIdent(t.Name))
		}
	}
	for _, p := range r.Policies {
		if slices.Contains(p.Columns, c.Name) {
			b.refuse("cannot alter type of a column used in the definition of policy %s", QuoteIdent(p.Name))
		}
	}
}

// setExpression computes a generated column anew (17).
func (b *effects) setExpression(o AlterTable) {
	if !b.needs(17, "SET EXPRESSION") {
		return
	}
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	b.lockAll(b.family(r), AccessExclusive)
	for _, f := range b.family(r) {
		c := f.Column(o.Column)
		if c == nil {
			continue
		}
		if c.Generated == 's' {
			b.rewrite(f)
			for _, i := range f.Indexes {
				if i.uses(c.Name) {
					b.replace(i)
				}
			}
		} else if c.NotNull {
			b.scan(f)
		}
		b.retypeConstraints(f, c, Change{})
	}
}
