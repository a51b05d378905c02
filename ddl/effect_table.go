package ddl

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func (b *effects) createTable(o CreateTable) {
	if o.IfNotExists && b.s.Relation(o.Table) != nil {
		return
	}
	constraints := slices.Clone(o.Constraints)
	for _, c := range o.Columns {
		constraints = append(constraints, c.Constraints...)
	}
	for _, c := range constraints {
		if c.Kind == ForeignKey {
			b.lockReferenced(c.RefTable, ShareRowExclusive)
		}
	}
	for _, n := range o.Inherits {
		if p := b.relation(n); p != nil {
			b.lock(p.Name, ShareUpdateExclusive)
		}
	}
	for _, n := range o.Like {
		b.lockNamed(n, AccessShare)
	}
	if !o.PartitionOf.IsZero() {
		if p := b.relation(o.PartitionOf); p != nil {
			b.newPartition(p, o.Bound)
		}
	}
	if o.Query != "" {
		b.createAs()
	}
}

// createAs is CREATE TABLE AS and SELECT INTO; EXECUTE of a prepared statement is not looked into.
func (b *effects) createAs() {
	if create := first[pg.CreateTableAsStmt](b.tree()); create != nil {
		b.query(create.Query, create.Into.GetSkipData())
	} else if sel := first[pg.SelectStmt](b.tree()); sel != nil {
		b.query(sel, false, sel.IntoClause.GetRel())
	} else {
		b.worst("the query cannot be read")
	}
}

// newPartition is what CREATE TABLE PARTITION OF does to the parent and its other relations.
func (b *effects) newPartition(p *Relation, bound string) {
	b.lock(p.Name, AccessExclusive)
	for _, i := range p.Indexes {
		b.lock(i.Name, ShareUpdateExclusive)
	}
	for _, fk := range b.outgoing(p) {
		b.lockReferenced(fk.RefTable, ShareRowExclusive)
	}
	for _, fk := range b.incoming(p) {
		b.lock(fk.Table, b.referencingPartitionLock())
	}
	if d := b.defaultPartition(p); d != nil && !strings.EqualFold(bound, "DEFAULT") {
		b.lockAll(b.family(d), AccessExclusive)
		b.scanUnlessProven(d, p, bound, true)
	}
}

// referencingPartitionLock is taken on a table whose foreign key points to a partitioned one that gets a
// partition: 15 began to clone the triggers there.
func (b *effects) referencingPartitionLock() LockMode {
	if b.major() >= 15 {
		return ShareRowExclusive
	}
	return AccessShare
}

func (b *effects) dropTable(o DropTable) {
	r := b.s.Relation(o.Table)
	if r == nil {
		if !o.IfExists {
			b.relation(o.Table)
		}
		return
	}
	if r.IsPartition {
		b.lock(r.Parents[0], AccessExclusive)
		if d := b.siblingDefault(r); d != nil {
			b.lockAll(b.family(d), AccessExclusive)
		}
	}
	if len(r.Children) > 0 && r.Kind != 'p' && !o.Cascade {
		b.refuse("cannot drop table %s because other objects depend on it", r.Name)
	}
	for _, f := range b.family(r) {
		b.drop(f)
	}
	for _, f := range b.family(r) {
		for _, fk := range b.outgoing(f) {
			if fk.Parent == 0 {
				b.dropForeignKey(fk)
			}
		}
		for _, fk := range b.incoming(f) {
			if fk.Table != r.Name && !b.dropped[fk.Table] && !o.Cascade {
				b.refuse("cannot drop table %s because other objects depend on it", r.Name)
			}
			b.dropForeignKey(fk)
		}
		b.dropDependents(f, "", o.Cascade)
		b.dropRowType(f, o.Cascade)
	}
}

// dropRowType drops the columns that have the row type of r.
func (b *effects) dropRowType(r *Relation, cascade bool) {
	for _, u := range b.s.Relations {
		for _, c := range u.Columns {
			if c.TypeName != r.Name || u.Kind == 'v' || b.dropped[u.Name] {
				continue
			}
			if !cascade {
				b.refuse("cannot drop %s because column %s of %s has its row type", r.Name, QuoteIdent(c.Name), u.Name)
			}
			b.lock(u.Name, AccessExclusive)
			b.dropColumnOf(u, c.Name, true)
		}
	}
}

// siblingDefault is the default partition beside partition r, when r is not it.
func (b *effects) siblingDefault(r *Relation) *Relation {
	for _, p := range r.Parents {
		if parent := b.s.Relations[p]; parent != nil && r.IsPartition {
			if d := b.defaultPartition(parent); d != nil && d != r {
				return d
			}
		}
	}
	return nil
}

func (b *effects) defaultPartition(p *Relation) *Relation {
	for _, c := range p.Children {
		if r := b.s.Relations[c]; r != nil && r.Bound == "DEFAULT" {
			return r
		}
	}
	return nil
}

// dropDependents drops the views over a relation, or over one of its columns, and the views over those.
func (b *effects) dropDependents(r *Relation, column string, cascade bool) {
	for _, d := range r.Dependents {
		if d.Kind != "view" && d.Kind != "materialized view" {
			continue
		}
		v := b.s.Relations[d.Name]
		if v == nil || b.dropped[v.Name] || column != "" && d.Column != column {
			continue
		}
		if !cascade {
			b.refuse("cannot drop %s because other objects depend on it: %s", r.Name, d.Text)
		}
		b.drop(v)
		b.dropDependents(v, "", cascade)
	}
}

func (b *effects) truncate(o Truncate) {
	st := first[pg.TruncateStmt](b.tree())
	only := slices.ContainsFunc(rangeVars(st), func(v *pg.RangeVar) bool { return !v.Inh && relName(v) == o.Table })
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	rels := []*Relation{r}
	if !only {
		rels = b.family(r)
	}
	for i := 0; i < len(rels); i++ {
		for _, fk := range b.incoming(rels[i]) {
			if ref := b.s.Relations[fk.Table]; ref != nil && !slices.Contains(rels, ref) {
				if o.Cascade {
					for _, f := range b.family(ref) {
						if !slices.Contains(rels, f) {
							rels = append(rels, f)
						}
					}
				} else if !b.named(ref.Name) {
					b.refuse("cannot truncate a table referenced in a foreign key constraint")
				}
			}
		}
	}
	for _, f := range rels {
		b.lock(f.Name, AccessExclusive)
		if stored(f) {
			b.rewrites[f.Name] = true // an empty heap in a new file; nothing is read
			for _, i := range f.Indexes {
				b.lock(i.Name, AccessExclusive)
				b.reindexes[i.Name] = true
			}
		}
		if st.GetRestartSeqs() {
			for _, q := range b.ownedSequences(f, "") {
				b.lock(q, AccessExclusive)
			}
		}
	}
}

// named reports whether the statement itself names a relation.
func (b *effects) named(n Name) bool {
	for _, v := range rangeVars(b.tree()) {
		if r := b.s.Relation(relName(v)); r != nil && r.Name == n {
			return true
		}
	}
	return false
}

func (b *effects) rename(n Name, ifExists bool, m LockMode) {
	if !b.lockNamed(n, m) && !ifExists {
		b.refuse("relation %s does not exist", n)
	}
}

func (b *effects) setSchema(o SetSchema) {
	switch o.Kind {
	case "TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE", "FOREIGN TABLE":
		b.rename(o.Object, false, AccessExclusive)
		if r := b.s.Relation(o.Object); r != nil {
			for _, q := range b.ownedSequences(r, "") {
				b.lock(q, AccessExclusive)
			}
		}
	}
}

// columnFamily locks a table and everything below it, which is what most column subcommands do.
func (b *effects) columnFamily(n Name, only bool, m LockMode) {
	if r := b.relation(n); r != nil {
		b.lock(r.Name, m)
		if !only {
			b.lockAll(b.family(r), m)
		}
	}
}

var serialNames = map[string]bool{"serial2": true, "serial4": true, "serial8": true, "smallserial": true, "serial": true, "bigserial": true}

// filled reports whether rows that exist get a value in a new column.
func (b *effects) filled(c Column) bool {
	return c.Default != "" && !strings.EqualFold(c.Default, "NULL") || c.Generated != "" || c.Identity != 0 ||
		serialNames[c.Type.Name] || b.domainDefault(c.Type)
}

func (b *effects) domainDefault(t TypeName) bool { return b.defaultDomain(t) != nil }

// defaultDomain is the domain whose default a column of type t gets: that of the type or of one below it.
func (b *effects) defaultDomain(t TypeName) *Type {
	if t.Array > 0 {
		return nil
	}
	d := b.s.Type(Name{t.Schema, t.Name})
	for d != nil && d.Kind == 'd' && d.Default == "" && !strings.HasSuffix(d.Base, "[]") {
		d = b.s.Type(b.domainBase(d))
	}
	if d == nil || d.Kind != 'd' || d.Default == "" {
		return nil
	}
	return d
}

func (b *effects) addColumn(o AddColumn) {
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	if r.Column(o.Column.Name) != nil && !b.leavingColumns[o.Column.Name] {
		b.lock(r.Name, AccessExclusive)
		if !o.IfNotExists {
			b.refuse("column %s of relation %s already exists", o.Column.Name, r.Name)
		}
		return
	}
	c := o.Column
	rels := []*Relation{r}
	if !o.Only {
		rels = b.family(r)
	}
	b.lockAll(rels, AccessExclusive)
	b.defaultLocks(c.Default)
	if c.Virtual && !b.needs(18, "a virtual generated column") {
		return
	}
	if t := b.s.Type(Name{c.Type.Schema, c.Type.Name}); t != nil && t.Assumed && c.Type.Array == 0 {
		b.uncertain("column %s: type %s is not known here; were it a domain with constraints, the table would be written anew", c.Name, t.Name)
	}
	for _, why := range b.addColumnRewrites(c) {
		b.explain("column %s: %s", c.Name, why)
		for _, f := range rels {
			b.rewrite(f)
		}
	}
	if c.NotNull && (!b.filled(c) || c.Virtual) {
		b.scan(rels...)
		if !b.filled(c) && slices.ContainsFunc(rels, func(r *Relation) bool { return stored(r) && r.Rows > 0 }) {
			b.refuse("column %s of relation %s contains null values", c.Name, r.Name)
		}
	}
	for _, con := range c.Constraints {
		switch {
		case con.Kind == ForeignKey && !b.filled(c):
			b.lockReferenced(con.RefTable, ShareRowExclusive) // nothing to verify: all values are NULL
		default:
			b.addConstraint(AddConstraint{o.Table, o.Only, con})
		}
	}
}

// addColumnRewrites says why a new column cannot be added by writing the catalog alone.
func (b *effects) addColumnRewrites(c Column) []string {
	var why []string
	if c.Generated != "" && !c.Virtual {
		why = append(why, "a stored generated column is computed for every row")
	}
	if c.Identity != 0 || serialNames[c.Type.Name] {
		why = append(why, "every row gets a number from the sequence")
	}
	if c.Type.Array == 0 && b.domainChecked(Name{c.Type.Schema, c.Type.Name}) {
		why = append(why, "the domain has constraints, which every row must be tested for")
	}
	def := c.Default
	if d := b.defaultDomain(c.Type); def == "" && d != nil && b.major() > 12 { // 12 evaluates it once
		def = d.Default
	}
	if def != "" && b.volatile(def) {
		why = append(why, "a volatile default is evaluated for every row")
		for _, f := range functionNames(exprTree(def)) {
			if !b.s.knowsFunction(f) {
				b.uncertain("function %s is not known here and counts as volatile", QuoteIdent(f))
			}
		}
	}
	return why
}

// domainChecked reports whether a type is a domain with constraints of its own or of the domains below it.
func (b *effects) domainChecked(n Name) bool {
	d := b.s.Type(n)
	if d == nil || d.Kind != 'd' {
		return false
	}
	return d.NotNull || len(d.Constraints) > 0 || b.domainChecked(b.domainBase(d))
}

// domainBase is the name of the type below a domain, as far as it is the user's own.
func (b *effects) domainBase(d *Type) Name { return splitTypeName(d.Base) }

// volatile reports whether an expression must be evaluated anew for every row.
func (b *effects) volatile(expr string) bool {
	for _, f := range functionNames(exprTree(expr)) {
		if f == "timezone" && b.major() < 15 && !ofTimetz(expr) {
			continue // AT TIME ZONE was volatile for timetz alone
		}
		if b.s.FunctionVolatility(f) == 'v' && !b.inlined(f, 0) {
			return true
		}
	}
	return false
}

// ofTimetz reports whether an expression may have a time with a time zone.
func ofTimetz(expr string) bool {
	expr = strings.ToLower(expr)
	return strings.Contains(expr, "timetz") || strings.Contains(expr, "current_time") && !strings.Contains(expr, "current_timestamp") || strings.Contains(expr, "time with") || strings.Contains(expr, ") with")
}

// inlined reports whether the planner replaces calls of a volatile SQL function by its body, and nothing
// volatile is left then.
func (b *effects) inlined(function string, depth int) bool {
	var found *Function
	for _, f := range b.s.Functions {
		if f.Name.Name == function {
			if found != nil {
				return false
			}
			found = f
		}
	}
	if found == nil || found.Language != "sql" || found.Kind != 'f' || depth > 5 ||
		strings.Contains(found.Definition, "SECURITY DEFINER") || strings.Contains(found.Definition, "\n SET ") ||
		strings.Contains(found.Definition, "RETURNS SETOF") {
		return false
	}
	_, stmt, err := one(found.Body)
	sel := stmt.GetSelectStmt()
	if err != nil || sel == nil || sel.FromClause != nil || sel.WhereClause != nil || sel.WithClause != nil || first[pg.SubLink](sel.TargetList) != nil {
		return false
	}
	for _, f := range functionNames(sel.TargetList) {
		if b.s.FunctionVolatility(f) == 'v' && !b.inlined(f, depth+1) {
			return false
		}
	}
	return true
}

// defaultLocks locks the sequences that an expression advances.
func (b *effects) defaultLocks(expr string) {
	if expr != "" && strings.Contains(strings.ToLower(expr), "val") {
		b.sequenceCalls(exprTree(expr))
	}
}

// sequenceCalls locks what nextval, setval, currval and lastval are called for.
func (b *effects) sequenceCalls(root any) {
	for _, call := range all[pg.FuncCall](root) {
		if len(call.Args) == 0 || !slices.Contains([]string{"nextval", "setval", "currval"}, nameOf(call.Funcname).Name) {
			continue
		}
		if q := b.sequence(splitTypeName(constantOf(call.Args[0]))); q != nil {
			b.lock(q.Name, RowExclusive)
		}
	}
}

func (b *effects) dropColumn(o DropColumn) {
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	b.lock(r.Name, AccessExclusive)
	if r.Column(o.Column) == nil {
		if !o.IfExists {
			b.refuse("column %s of relation %s does not exist", o.Column, r.Name)
		}
		return
	}
	if r.Column(o.Column).Inherited > 0 {
		b.refuse("cannot drop inherited column %s", QuoteIdent(o.Column))
	}
	if slices.Contains(r.PartitionBy, o.Column) {
		b.refuse("cannot drop column %s because it is part of the partition key of relation %s", o.Column, r.Name)
	}
	rels := []*Relation{r}
	if !o.Only {
		rels = b.family(r)
	}
	b.lockAll(rels, AccessExclusive)
	for _, f := range rels {
		b.dropColumnOf(f, o.Column, o.Cascade)
	}
}

// dropColumnOf drops what hangs on a column of one relation.
func (b *effects) dropColumnOf(r *Relation, column string, cascade bool) {
	for _, i := range r.Indexes {
		if slices.Contains(i.Columns, column) {
			b.dropIndexTree(i, cascade)
		}
	}
	for _, fk := range b.outgoing(r) {
		if slices.Contains(fk.Columns, column) && fk.Parent == 0 {
			b.dropForeignKey(fk)
		}
	}
	for _, q := range b.ownedSequences(r, column) {
		b.remove(q)
	}
	b.dropDependents(r, column, cascade)
}

func (b *effects) renameColumn(o RenameColumn) {
	if r := b.s.Relation(o.Table); r != nil {
		if r.Kind == 'v' && slices.Contains(strings.Fields(strings.ToUpper(b.sql)), "VIEW") {
			b.needs(13, "ALTER VIEW … RENAME COLUMN")
		}
		b.lockAll(b.family(r), AccessExclusive)
		if c := r.Column(o.From); c != nil && c.Inherited > 0 {
			b.refuse("cannot rename inherited column %s", QuoteIdent(o.From))
		}
	} else if b.s.Type(o.Table) == nil {
		b.refuse("relation %s does not exist", o.Table)
	}
}

// setNotNull is SET NOT NULL and ADD NOT NULL: a scan wherever nothing proves the absence of NULLs already.
func (b *effects) setNotNull(table Name, only bool, column string, verify bool) {
	r := b.relation(table)
	if r == nil {
		return
	}
	b.lock(r.Name, AccessExclusive)
	if c := r.Column(column); c != nil && c.NotNull && !b.notNullPending(c) {
		return
	}
	family := b.family(r)
	if only {
		family = []*Relation{r}
	}
	for _, f := range family {
		b.lock(f.Name, AccessExclusive)
		if c := f.Column(column); verify && (c == nil || !c.NotNull || b.notNullPending(c)) && !b.provenNotNull(f, column) {
			b.scan(f)
		}
	}
}

// notNullPending reports whether a column's NOT NULL constraint is NOT VALID (18).
func (b *effects) notNullPending(c *RelColumn) bool {
	return c.NotNull && c.NotNullName != "" && !c.NotNullValid
}

// provenNotNull reports whether a valid CHECK constraint excludes NULLs, as the server itself would notice.
func (b *effects) provenNotNull(r *Relation, column string) bool {
	for _, c := range r.Constraints {
		if c.Kind != Check || !c.Valid || b.leaving[c.Name] {
			continue
		}
		for _, n := range conjuncts(checkExpr(c)) {
			if notNullOf(n) == column {
				return true
			}
		}
	}
	return false
}

// checkExpr is the expression of a CHECK constraint.
func checkExpr(c *TableConstraint) *pg.Node {
	def := strings.TrimSuffix(strings.TrimSpace(c.Definition), " NO INHERIT")
	return exprTree(strings.TrimPrefix(def, "CHECK "))
}

// identity locks what an ADD or SET GENERATED locks: seq on the sequences that exist.
func (b *effects) identity(table Name, column string, seq LockMode) {
	r := b.relation(table)
	if r == nil {
		return
	}
	b.lockAll(b.family(r), AccessExclusive)
	if c := r.Column(column); seq == NoLock && c != nil && !c.NotNull && !b.required[column] && !r.incomplete() {
		b.refuse("column %s of relation %s must be declared NOT NULL before identity can be added", QuoteIdent(column), r.Name)
	}
	if seq != NoLock {
		for _, q := range b.ownedSequences(r, column) {
			b.lock(q, seq)
		}
	}
	if r.Kind == 'p' {
		b.needs(17, "an identity column of a partitioned table")
	}
}

func (b *effects) dropIdentity(o DropIdentity) {
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	b.lockAll(b.family(r), AccessExclusive)
	if c := r.Column(o.Column); c != nil && c.Identity != 0 {
		for _, q := range b.ownedSequences(r, o.Column) {
			b.remove(q)
		}
	}
}
