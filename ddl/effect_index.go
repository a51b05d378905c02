package ddl

import (
	"slices"
	"strings"
)

func (b *effects) createIndex(o CreateIndex) {
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	if o.IfNotExists && o.Name != "" && b.s.Indexes[Name{r.Name.Schema, o.Name}] != nil {
		b.lock(r.Name, b.indexLock(o.Concurrently))
		return
	}
	if o.NullsNotDistinct {
		b.needs(15, "NULLS NOT DISTINCT")
	}
	if r.Kind == 'p' && o.Concurrently {
		b.refuse("cannot create index on partitioned table %s concurrently", r.Name)
	}
	if o.Concurrently || o.Only || r.Kind != 'p' {
		b.lock(r.Name, b.indexLock(o.Concurrently))
		if !o.Only || r.Kind != 'p' {
			b.scan(r)
		}
		return
	}
	b.buildIndex(r, Share, func(i *Index) bool { return sameIndex(o, i) })
}

func (b *effects) indexLock(concurrently bool) LockMode {
	if concurrently {
		return ShareUpdateExclusive
	}
	return Share
}

// buildIndex is an index over a table and its partitions. A partition that has a fitting index of its own keeps
// it: it is attached.
func (b *effects) buildIndex(r *Relation, m LockMode, fits func(*Index) bool) {
	b.lock(r.Name, m)
	if r.Kind != 'p' {
		b.scan(r)
		return
	}
	for _, n := range r.Children {
		child := b.s.Relations[n]
		if child == nil {
			continue
		}
		b.lockAll(b.family(child), m)
		if i := slices.IndexFunc(child.Indexes, fits); i >= 0 {
			b.lock(child.Indexes[i].Name, Share)
			continue
		}
		b.buildIndex(child, m, fits)
	}
}

// sameIndex reports whether the partition's index i can be attached to the index that o creates. Expressions,
// predicates and whatever the statement says beyond columns are not compared: an index is built then.
func sameIndex(o CreateIndex, i *Index) bool {
	method := o.Method
	if method == "" {
		method = "btree"
	}
	if !i.Parent.IsZero() || i.HasExpr || i.Predicate != "" || o.Where != "" || i.Unique != o.Unique ||
		i.Method != method || !i.Valid || len(i.Keys) != len(o.Elems) || len(i.Columns) != len(o.Elems)+len(o.Include) {
		return false
	}
	for k, e := range o.Elems {
		if e.Column != i.Keys[k] || e.Column == "" || e.Collation != "" || e.Opclass != "" {
			return false
		}
	}
	for _, c := range o.Include {
		if !slices.Contains(i.Columns, c) {
			return false
		}
	}
	return true
}

// attached are the indexes of partitions that belong to a partitioned index, all levels down.
func (b *effects) attached(i *Index) []*Index {
	var out []*Index
	for _, c := range b.s.Indexes {
		if c.Parent == i.Name {
			out = append(append(out, c), b.attached(c)...)
		}
	}
	return out
}

// dropIndexTree drops an index with those attached to it, and the foreign keys that lean on it.
func (b *effects) dropIndexTree(i *Index, cascade bool) {
	b.remove(i.Name)
	if t := b.s.Relations[i.Table]; t != nil {
		b.lock(t.Name, AccessExclusive)
		if i.Partitioned {
			b.lockAll(b.family(t), AccessExclusive)
		}
		for _, fk := range t.ReferencedBy {
			if fk.Index == i.Name.Name && fk.Parent == 0 {
				if !cascade {
					b.refuse("cannot drop index %s because foreign key %s of %s needs it", i.Name, QuoteIdent(fk.Name), fk.Table)
				}
				b.dropForeignKey(fk)
			}
		}
	}
	for _, c := range b.attached(i) {
		b.remove(c.Name)
	}
}

func (b *effects) dropIndex(o DropIndex) {
	i := b.s.Index(o.Index)
	if i == nil {
		if !o.IfExists {
			b.refuse("index %s does not exist", o.Index)
		}
		return
	}
	if i.Constraint != "" {
		b.refuse("cannot drop index %s because constraint %s requires it", i.Name, QuoteIdent(i.Constraint))
	}
	if i.Table.IsZero() {
		b.uncertain("the table of index %s is not known here: it is locked too (%s)", i.Name, map[bool]LockMode{true: ShareUpdateExclusive, false: AccessExclusive}[o.Concurrently])
	}
	if o.Concurrently {
		if i.Partitioned {
			b.refuse("cannot drop partitioned index %s concurrently", i.Name)
		}
		b.lock(i.Table, ShareUpdateExclusive)
		b.remove(i.Name)
		b.explain("index %s: ACCESS EXCLUSIVE only at the end, when nobody can use it any more", i.Name)
		return
	}
	b.dropIndexTree(i, o.Cascade)
}

func (b *effects) reindex(o Reindex) {
	switch o.Kind {
	case "INDEX":
		if i := b.s.Index(o.Name); i != nil {
			b.reindexOne(i, o.Concurrently)
			for _, c := range b.attached(i) {
				b.reindexOne(c, o.Concurrently)
			}
		} else {
			b.refuse("index %s does not exist", o.Name)
		}
	case "TABLE":
		if r := b.relation(o.Name); r != nil {
			for _, f := range b.partitions(r) {
				b.reindexTable(f, o.Concurrently)
			}
		}
	default:
		for _, r := range b.s.Relations {
			if o.Kind != "SCHEMA" || r.Name.Schema == o.Name.Name {
				b.reindexTable(r, o.Concurrently)
			}
		}
	}
}

// partitions are r and its partitions; inheritance children are left out.
func (b *effects) partitions(r *Relation) []*Relation {
	if r.Kind != 'p' {
		return []*Relation{r}
	}
	return b.family(r)
}

func (b *effects) reindexTable(r *Relation, concurrently bool) {
	if r.Kind != 'p' && !stored(r) {
		return
	}
	b.lock(r.Name, b.indexLock(concurrently))
	if r.Assumed {
		b.scan(r)
		b.explain("the indexes of %s are not known here: all of them are built anew", r.Name)
	}
	for _, i := range r.Indexes {
		b.reindexOne(i, concurrently)
	}
}

func (b *effects) reindexOne(i *Index, concurrently bool) {
	if i.Table.IsZero() {
		b.uncertain("the table of index %s is not known here: it is locked (%s) and read", i.Name, b.indexLock(concurrently))
	}
	b.lock(i.Table, b.indexLock(concurrently))
	if i.Partitioned {
		b.lock(i.Name, b.indexLock(concurrently))
		return
	}
	b.reindexes[i.Name] = true
	if concurrently {
		b.lock(i.Name, ShareUpdateExclusive)
	} else {
		b.lock(i.Name, AccessExclusive)
	}
	if r := b.s.Relations[i.Table]; r != nil {
		b.scan(r)
	}
}

func (b *effects) attachPartition(o AttachPartition) {
	p, r := b.relation(o.Table), b.relation(o.Partition)
	if p == nil || r == nil {
		return
	}
	b.lock(p.Name, ShareUpdateExclusive)
	b.lockAll(b.ancestors(p), AccessShare)
	b.lockAll(b.family(r), AccessExclusive)
	b.scanUnlessProven(r, p, o.Bound, false)
	for _, i := range p.Indexes {
		b.lock(i.Name, ShareUpdateExclusive)
		if !slices.ContainsFunc(r.Indexes, func(c *Index) bool { return attachable(i, c) }) {
			b.scan(b.family(r)...)
			b.explain("%s has no index like %s: one is built", r.Name, i.Name)
		}
	}
	for _, fk := range b.outgoing(p) {
		if slices.ContainsFunc(b.outgoing(r), func(c *TableConstraint) bool { return c.Definition == fk.Definition && c.Valid }) {
			b.lockReferenced(fk.RefTable, AccessExclusive) // its triggers give way to the parent's
			continue
		}
		to := b.lockReferenced(fk.RefTable, ShareRowExclusive)
		b.verifyForeignKey(r, to, false)
		b.explain("%s has no foreign key like %s: its rows are verified", r.Name, QuoteIdent(fk.Name))
	}
	for _, fk := range b.incoming(p) {
		b.lock(fk.Table, b.referencingPartitionLock())
	}
	if d := b.defaultPartition(p); d != nil && d != r {
		b.lockAll(b.family(d), AccessExclusive)
		b.scanUnlessProven(d, p, o.Bound, true)
	}
}

// attachable reports whether the index c of a table fits the index i of its parent to be.
func attachable(i, c *Index) bool {
	return c.Method == i.Method && c.Unique == i.Unique && c.Primary == i.Primary && !c.HasExpr && !i.HasExpr && c.Predicate == "" &&
		i.Predicate == "" && slices.Equal(c.Keys, i.Keys) && len(c.Columns) == len(i.Columns) && c.Parent.IsZero() && c.Valid
}

// scanUnlessProven reads a table that becomes a partition of p, or (without) its default partition, unless its
// constraints prove what the bound asks.
func (b *effects) scanUnlessProven(r, p *Relation, bound string, without bool) {
	if b.proves(r, p, bound, without) {
		return
	}
	b.scan(b.family(r)...)
	if p.incomplete() && len(p.PartitionBy) == 0 {
		b.uncertain("the partition key of %s is not known here: %s is read unless a valid CHECK proves that its rows are in their place", p.Name, r.Name)
	} else if !without {
		b.explain("no valid CHECK of %s proves that its rows belong to the partition", r.Name)
	}
}

// proves looks for a CHECK of the very condition, or for what people write themselves. A partition of a partition must
// lie within the bounds of all levels.
func (b *effects) proves(r, p *Relation, bound string, without bool) bool {
	condition, ok := b.s.PartitionCondition(p, bound)
	if without {
		condition, ok = b.s.DefaultCondition(p, bound)
	}
	if ok {
		asked := exprText(exprTree(condition))
		for _, c := range r.Constraints {
			if c.Kind == Check && c.Valid && asked != "" && exprText(checkExpr(c)) == asked {
				return true
			}
		}
	}
	if !b.comparisonsProve(r, p, bound, without) {
		return false
	}
	if without || !p.IsPartition {
		return true
	}
	above := b.s.Relation(p.Parents[0])
	return above != nil && b.proves(r, above, p.Bound, false)
}

// comparisonsProve judges one bound by comparisons of the only key column with constants.
func (b *effects) comparisonsProve(r, p *Relation, bound string, without bool) bool {
	if len(p.PartitionBy) != 1 {
		return false
	}
	key := p.PartitionBy[0]
	notNull := false
	if c := r.Column(key); c != nil {
		notNull = c.NotNull && !b.notNullPending(c)
	}
	var known []claim
	for _, c := range r.Constraints {
		if c.Kind != Check || !c.Valid {
			continue
		}
		for _, n := range conjuncts(checkExpr(c)) {
			notNull = notNull || notNullOf(n) == key
			known = append(known, claimsOf(n, key)...)
		}
	}
	lower, upper, list := boundConstants(bound)
	says := func(op, constant string) bool {
		return slices.ContainsFunc(known, func(c claim) bool { return c.implies(op, constant, b.ordered(r, key)) })
	}
	switch {
	case !notNull:
		return false
	case len(list) > 0 && without:
		return !slices.ContainsFunc(list, func(v string) bool { return !says("<>", v) })
	case len(list) > 0:
		return slices.ContainsFunc(known, func(c claim) bool { return c.within(list) })
	case without:
		return lower != "" && says("<", lower) || upper != "" && says(">=", upper)
	default:
		return (lower != "" || upper != "") && (lower == "" || says(">=", lower)) && (upper == "" || says("<", upper))
	}
}

// boundConstants reads FOR VALUES FROM (a) TO (b) and FOR VALUES IN (…). MINVALUE and MAXVALUE are "".
func boundConstants(bound string) (lower, upper string, list []string) {
	spec := readBound(bound)
	for _, d := range spec.GetListdatums() {
		list = append(list, constantOf(d))
	}
	if l := spec.GetLowerdatums(); len(l) == 1 {
		lower = constantOf(l[0])
	}
	if u := spec.GetUpperdatums(); len(u) == 1 {
		upper = constantOf(u[0])
	}
	return lower, upper, list
}

func (b *effects) detachPartition(o DetachPartition) {
	p, r := b.relation(o.Table), b.relation(o.Partition)
	if p == nil || r == nil {
		return
	}
	if o.Concurrently || o.Finalize {
		if !b.needs(14, "DETACH PARTITION CONCURRENTLY") {
			return
		}
		b.lock(p.Name, ShareUpdateExclusive)
		b.lock(r.Name, AccessExclusive)
		if b.defaultPartition(p) != nil {
			b.refuse("cannot detach partitions concurrently when a default partition exists")
		}
		b.explain("%s: ACCESS EXCLUSIVE only at the end, when nobody uses it as a partition any more", r.Name)
		return
	}
	b.lock(p.Name, AccessExclusive)
	if d := b.defaultPartition(p); d != nil {
		b.lockAll(b.family(d), AccessExclusive)
	}
	if b.major() >= 14 {
		b.lockAll(b.family(r), AccessExclusive)
	} else {
		b.lock(r.Name, ShareUpdateExclusive)
		b.lockAll(b.family(r)[1:], AccessExclusive)
	}
	for _, i := range r.Indexes {
		if !i.Parent.IsZero() {
			b.lock(i.Name, AccessExclusive)
		}
	}
	for _, fk := range b.outgoing(p) {
		b.lockReferenced(fk.RefTable, ShareRowExclusive)
	}
	for _, fk := range b.incoming(p) {
		b.lockAll(b.family(r), AccessExclusive)
		for _, f := range b.family(r) {
			b.planIndexes(f, AccessShare)
		}
		if from := b.s.Relations[fk.Table]; from != nil {
			b.lockAll(b.family(from), AccessExclusive)
			b.planIndexes(from, AccessShare)
			b.scan(from)
		}
		b.explain("%s is searched for rows that refer to %s", fk.Table, r.Name)
	}
}

func (b *effects) attachIndex(o AttachIndex) {
	p, c := b.s.Index(o.Index), b.s.Index(o.Partition)
	if p == nil || c == nil {
		b.refuse("index %s or %s does not exist", o.Index, o.Partition)
		return
	}
	b.lock(p.Name, ShareUpdateExclusive)
	b.lock(c.Name, AccessExclusive)
	b.lock(p.Table, AccessShare)
	b.lock(c.Table, AccessShare)
}

// uses reports whether the index needs a column, as a key or otherwise.
func (i *Index) uses(column string) bool { return slices.Contains(i.Columns, column) }

// splitTypeName reads a qualified name as PostgreSQL prints it; modifiers and [] are left out.
func splitTypeName(text string) Name {
	var parts []string
	for text != "" {
		var part string
		if strings.HasPrefix(text, `"`) {
			end := 1
			for end < len(text) && (text[end] != '"' || end+1 < len(text) && text[end+1] == '"') {
				if text[end] == '"' {
					end++
				}
				end++
			}
			part = strings.ReplaceAll(text[1:min(end, len(text))], `""`, `"`)
			text = strings.TrimPrefix(text[min(end+1, len(text)):], ".")
		} else {
			end := strings.IndexAny(text, ".([")
			if end < 0 {
				end = len(text)
			}
			part = text[:end]
			if end < len(text) && text[end] == '.' {
				text = text[end+1:]
			} else {
				text = ""
			}
		}
		parts = append(parts, part)
	}
	switch len(parts) {
	case 0:
		return Name{}
	case 1:
		return Name{Name: parts[0]}
	}
	return Name{parts[len(parts)-2], parts[len(parts)-1]}
}
