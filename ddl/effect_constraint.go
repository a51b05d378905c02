package ddl

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// outgoing are the foreign keys of a relation.
func (b *effects) outgoing(r *Relation) []*TableConstraint {
	var out []*TableConstraint
	for _, c := range r.Constraints {
		if c.Kind == ForeignKey {
			out = append(out, c)
		}
	}
	return out
}

// incoming are the foreign keys, each once, by which other tables (or r itself) refer to r: also as a partition
// of the referenced table. What PostgreSQL keeps for single partitions on either side counts as its root.
func (b *effects) incoming(r *Relation) []*TableConstraint {
	var out []*TableConstraint
	for _, target := range append([]*Relation{r}, b.ancestors(r)...) {
		for _, fk := range target.ReferencedBy {
			if fk.Parent == 0 && !slices.Contains(out, fk) {
				out = append(out, fk)
			}
		}
	}
	return out
}

// lockReferenced locks a referenced table with its partitions.
func (b *effects) lockReferenced(n Name, m LockMode) *Relation {
	r := b.s.Relation(n)
	if r != nil {
		b.lockAll(b.partitions(r), m)
	}
	return r
}

// dropForeignKey removes the triggers on both sides. Before 15 partitioned partitions of the referenced table
// had none.
func (b *effects) dropForeignKey(fk *TableConstraint) {
	if from := b.s.Relations[fk.Table]; from != nil {
		b.lockAll(b.family(from), AccessExclusive)
	}
	if to := b.s.Relations[fk.RefTable]; to != nil {
		for _, f := range b.family(to) {
			if f == to || f.Kind != 'p' || b.major() >= 15 {
				b.lock(f.Name, AccessExclusive)
			}
		}
	}
}

// verifyForeignKey is the query which looks for rows without a partner: it is planned over both sides, so
// their indexes are locked too. nothing is true when all values are NULL, so that partners are not read.
func (b *effects) verifyForeignKey(from, to *Relation, nothing bool) {
	for _, f := range b.partitions(from) {
		if stored(f) {
			b.planIndexes(f, AccessShare)
			b.scan(f)
		}
	}
	if to == nil {
		return
	}
	for _, t := range b.partitions(to) {
		b.plan(t, AccessShare)
		if !nothing {
			b.scan(t)
		}
	}
}

func (b *effects) addConstraint(o AddConstraint) {
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	c := o.Constraint
	if c.NotEnforced && !b.needs(18, "NOT ENFORCED") {
		return
	}
	switch c.Kind {
	case ForeignKey:
		b.addForeignKey(r, c)
	case Check:
		rels := b.family(r)
		if c.NoInherit {
			rels = rels[:1]
			if b.major() >= 18 {
				b.lockAll(b.family(r), AccessExclusive)
			}
		}
		b.lockAll(rels, AccessExclusive)
		if !c.NotValid && !c.NotEnforced {
			b.scan(rels...)
		}
	case NotNull:
		if b.needs(18, "ADD NOT NULL") && len(c.Columns) == 1 {
			b.setNotNull(o.Table, false, c.Columns[0], !c.NotValid)
		}
	default:
		b.addIndexConstraint(r, c)
	}
}

func (b *effects) addForeignKey(r *Relation, c Constraint) {
	to := b.s.Relation(c.RefTable)
	if to == nil {
		b.refuse("relation %s does not exist", c.RefTable)
	}
	if b.major() >= 18 { // it locks inheritance children too, which have foreign keys of their own
		b.lockAll(b.family(r), ShareRowExclusive)
	}
	b.lockAll(b.partitions(r), ShareRowExclusive)
	b.lockReferenced(c.RefTable, ShareRowExclusive)
	if r.Kind == 'p' && c.NotValid {
		b.needs(18, "a foreign key NOT VALID on a partitioned table")
	}
	if c.NotValid || c.NotEnforced {
		return
	}
	nothing := slices.ContainsFunc(c.Columns, func(col string) bool { return b.coming[col] })
	b.verifyForeignKey(r, to, nothing)
}

// addIndexConstraint is PRIMARY KEY, UNIQUE and EXCLUDE.
func (b *effects) addIndexConstraint(r *Relation, c Constraint) {
	b.lock(r.Name, AccessExclusive)
	if c.NullsNotDistinct {
		b.needs(15, "NULLS NOT DISTINCT")
	}
	columns := c.Columns
	if c.UsingIndex != "" {
		i := b.s.Index(Name{r.Name.Schema, c.UsingIndex})
		if i != nil && i.Assumed && c.Kind == PrimaryKey {
			b.scan(r)
			b.uncertain("the columns of index %s are not known here: the table is read unless they are NOT NULL already", i.Name)
		}
		if i == nil {
			b.refuse("index %s does not exist", QuoteIdent(c.UsingIndex))
			return
		}
		b.lock(i.Name, AccessShare)
		if c.Name != "" && c.Name != i.Name.Name {
			b.lock(i.Name, ShareUpdateExclusive) // renamed
		}
		columns = i.Keys
	} else {
		partition := Share
		if b.major() >= 18 {
			partition = AccessExclusive
		}
		b.buildIndex(r, partition, func(*Index) bool { return false })
		b.lock(r.Name, AccessExclusive)
		if b.major() >= 18 {
			b.lockAll(b.family(r), AccessExclusive)
		}
	}
	if c.Kind == PrimaryKey {
		if r.Kind != 'p' {
			b.lockAll(b.family(r), AccessExclusive) // their columns become NOT NULL too
		}
		for _, col := range columns {
			if have := r.Column(col); have != nil {
				b.setNotNull(r.Name, false, col, true)
			}
		}
	}
}

func (b *effects) validateConstraint(o ValidateConstraint) {
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	b.lock(r.Name, ShareUpdateExclusive)
	c := r.Constraint(o.Name)
	if c == nil {
		if col := b.notNullNamed(r, o.Name); col != nil && !col.NotNullValid {
			b.lockAll(b.family(r), ShareUpdateExclusive)
			b.scan(b.family(r)...)
			return
		}
		if b.added(r, o.Name) {
			return
		}
		if r.incomplete() {
			b.lockAll(b.family(r), ShareUpdateExclusive)
			b.scan(b.family(r)...)
			b.uncertain("constraint %s is not known here: if it is a foreign key, the table it refers to is locked (ROW SHARE) and read too", QuoteIdent(o.Name))
		} else {
			b.refuse("constraint %s of relation %s does not exist", QuoteIdent(o.Name), r.Name)
		}
		return
	}
	if c.Valid {
		return
	}
	if c.Kind == ForeignKey {
		b.lockAll(b.family(r), ShareUpdateExclusive)
		to := b.s.Relations[c.RefTable]
		if to != nil {
			b.lock(to.Name, RowShare)
		}
		b.verifyForeignKey(r, to, false)
		return
	}
	rels := b.family(r)
	if c.NoInherit {
		rels = rels[:1]
	}
	b.lockAll(rels, ShareUpdateExclusive)
	b.scan(rels...)
}

// added is for constraints that the same statement adds.
func (b *effects) added(r *Relation, name string) bool {
	for _, c := range all[pg.Constraint](b.tree()) {
		if c.Conname == name {
			b.scan(b.family(r)...)
			return true
		}
	}
	return false
}

// notNullNamed finds the column whose NOT NULL constraint has a name (18).
func (b *effects) notNullNamed(r *Relation, name string) *RelColumn {
	for _, c := range r.Columns {
		if c.NotNullName != "" && c.NotNullName == name {
			return c
		}
	}
	return nil
}

func (b *effects) dropConstraint(o DropConstraint) {
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	b.lock(r.Name, AccessExclusive)
	c := r.Constraint(o.Name)
	if c == nil {
		if b.notNullNamed(r, o.Name) != nil {
			b.lockAll(b.family(r), AccessExclusive)
		} else if r.incomplete() {
			b.lockAll(b.family(r), AccessExclusive)
			b.uncertain("constraint %s is not known here: if it is a foreign key, the table it refers to is locked (ACCESS EXCLUSIVE) too", QuoteIdent(o.Name))
		} else if !o.IfExists {
			b.refuse("constraint %s of relation %s does not exist", QuoteIdent(o.Name), r.Name)
		}
		return
	}
	switch c.Kind {
	case ForeignKey:
		b.dropForeignKey(c)
	case Check, NotNull:
		if !c.NoInherit {
			b.lockAll(b.family(r), AccessExclusive)
		}
	default:
		if i := b.s.Index(Name{r.Name.Schema, c.Index}); i != nil {
			b.dropIndexTree(i, o.Cascade)
		}
	}
}

func (b *effects) renameConstraint(o RenameConstraint) {
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	b.lock(r.Name, AccessExclusive)
	c := r.Constraint(o.From)
	switch {
	case c == nil:
		if b.notNullNamed(r, o.From) != nil || r.incomplete() {
			b.lockAll(b.family(r), AccessExclusive)
		}
	case c.Kind == Check && !c.NoInherit:
		b.lockAll(b.family(r), AccessExclusive)
	case c.Index != "" && c.Kind != ForeignKey:
		b.lock(Name{r.Name.Schema, c.Index}, ShareUpdateExclusive)
	}
}
