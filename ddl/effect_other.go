package ddl

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Views.

// query is what reading a query locks: every relation it names and, unless it is only analysed, what stands
// behind its views, with all indexes.
func (b *effects) query(root any, onlyAnalysed bool, without ...*pg.RangeVar) {
	for _, v := range rangeVars(root, without...) {
		if r := b.s.Relation(relName(v)); r != nil {
			b.read(r, !v.Inh, onlyAnalysed)
		}
	}
	if !onlyAnalysed {
		b.sequenceCalls(root)
	}
}

func (b *effects) read(r *Relation, only, onlyAnalysed bool) {
	b.lock(r.Name, AccessShare)
	if onlyAnalysed {
		return
	}
	if r.Kind == 'v' {
		b.query(parseTree(r.Definition), false)
		return
	}
	rels := []*Relation{r}
	if !only {
		rels = b.family(r)
	}
	for _, f := range rels {
		b.plan(f, AccessShare)
		b.scan(f)
	}
}

func (b *effects) createView(o CreateView) {
	if have := b.s.Relation(o.View); have != nil {
		if o.IfNotExists {
			return
		}
		if !o.Replace {
			b.refuse("relation %s already exists", have.Name)
		}
		b.lock(have.Name, AccessExclusive)
	}
	b.query(parseTree(o.Query), !o.Materialized || !o.WithData)
}

func (b *effects) dropView(o DropView) {
	r := b.s.Relation(o.View)
	if r == nil {
		if !o.IfExists {
			b.relation(o.View)
		}
		return
	}
	b.drop(r)
	b.dropDependents(r, "", o.Cascade)
}

func (b *effects) refresh(o RefreshMaterializedView) {
	r := b.relation(o.View)
	if r == nil {
		return
	}
	if o.Concurrently {
		b.lock(r.Name, Exclusive)
		for _, i := range r.Indexes {
			b.lock(i.Name, RowExclusive)
		}
		b.scan(r)
		b.query(parseTree(r.Definition), false)
		return
	}
	b.rewrite(r)
	if r.incomplete() {
		b.uncertain("the query of %s is not known here: what it reads is locked (ACCESS SHARE) too", r.Name)
	}
	if first[pg.RefreshMatViewStmt](b.tree()).GetSkipData() {
		delete(b.scans, r.Name)
		return
	}
	b.query(parseTree(r.Definition), false)
}

// Sequences.

func (b *effects) ownedBy(column string) {
	if column == "" || strings.EqualFold(column, "NONE") {
		return
	}
	// table.column or schema.table.column
	if i := strings.LastIndexByte(column, '.'); i > 0 {
		b.lockNamed(splitTypeName(column[:i]), AccessShare)
	}
}

func (b *effects) alterSequence(o AlterSequence) {
	q := b.sequence(o.Sequence)
	if q == nil {
		b.refuse("sequence %s does not exist", o.Sequence)
		return
	}
	b.lock(q.Name, ShareRowExclusive)
	owner, _ := option(first[pg.AlterSeqStmt](b.tree()).GetOptions(), "owned_by")
	if column := owner.GetList().GetItems(); len(column) > 1 { // not NONE
		b.lockNamed(nameOf(column[:len(column)-1]), AccessShare)
	}
}

func (b *effects) dropSequence(o DropSequence) {
	q := b.sequence(o.Sequence)
	if q == nil {
		if !o.IfExists {
			b.refuse("sequence %s does not exist", o.Sequence)
		}
		return
	}
	b.remove(q.Name)
	for _, r := range b.s.Relations {
		for _, c := range r.Columns {
			if r.Kind != 'v' && (c.Sequence == q.Name || q.OwnedTable == r.Name && q.OwnedColumn == c.Name) && c.Default != "" {
				b.lock(r.Name, AccessExclusive)
				if !o.Cascade {
					b.refuse("cannot drop sequence %s because the default of %s.%s needs it", q.Name, r.Name, QuoteIdent(c.Name))
				}
			}
		}
	}
}

// Types.

// alterDomain tests the columns of the domain, and of domains over it, when a constraint must hold at once.
func (b *effects) alterDomain(o AlterDomain) {
	d := b.s.Type(o.Type)
	if d == nil {
		b.refuse("type %s does not exist", o.Type)
		return
	}
	switch o.Action {
	case "add constraint":
		if o.Constraint.NotValid {
			return
		}
	case "validate constraint", "set not null":
	default:
		return
	}
	b.refuseHeld(d)
	if d.Assumed {
		b.uncertain("the columns of domain %s are not known here: their tables are locked (SHARE) and read", d.Name)
	}
	for _, r := range b.s.Relations {
		if !stored(r) {
			continue
		}
		for _, c := range r.Columns {
			if !c.Array && b.domainOver(c.TypeName, d) {
				b.lock(r.Name, Share)
				b.scan(r)
			}
		}
	}
}

// domainOver reports whether a type is domain d or a domain over it.
func (b *effects) domainOver(n Name, d *Type) bool {
	t := b.s.Type(n)
	return t != nil && t.Kind == 'd' && (t == d || b.domainOver(b.domainBase(t), d))
}

func (b *effects) dropType(o DropType) {
	t := b.s.Type(o.Type)
	if t == nil {
		if !o.IfExists {
			b.refuse("type %s does not exist", o.Type)
		}
		return
	}
	if t.Assumed && o.Cascade {
		b.uncertain("the columns of type %s are not known here: they are dropped with it", t.Name)
	}
	for _, r := range b.s.Relations {
		for _, c := range r.Columns {
			if u := b.s.Type(c.TypeName); u == nil || u != t && !b.domainOver(c.TypeName, t) {
				continue
			}
			if !o.Cascade {
				b.refuse("cannot drop type %s because column %s of %s has it", t.Name, QuoteIdent(c.Name), r.Name)
			}
			b.lock(r.Name, AccessExclusive)
			b.dropColumnOf(r, c.Name, true)
		}
	}
}

// Triggers.

func (b *effects) createTrigger(o CreateTrigger) {
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	b.lock(r.Name, ShareRowExclusive)
	st := first[pg.CreateTrigStmt](b.tree())
	if r.Kind == 'p' && (st == nil || st.Row) {
		b.lockAll(b.family(r), ShareRowExclusive)
	}
	if from := st.GetConstrrel(); from != nil {
		b.lockNamed(relName(from), AccessShare)
	}
}

func (b *effects) dropTrigger(o DropTrigger) {
	r := b.s.Relation(o.Table)
	if r == nil {
		if !o.IfExists {
			b.relation(o.Table)
		}
		return
	}
	b.lock(r.Name, AccessExclusive)
	if r.Kind == 'p' && b.rowTrigger(r, o.Name) {
		b.lockAll(b.family(r), AccessExclusive)
	}
}

// rowTrigger reports whether a trigger of a partitioned table has clones in the partitions. One that is not
// known has.
func (b *effects) rowTrigger(r *Relation, name string) bool {
	for _, t := range r.Triggers {
		if t.Name == name {
			return t.Row
		}
	}
	return true
}

// alterTable is every subcommand of ALTER TABLE, INDEX, VIEW … without an Op of its own.
func (b *effects) alterTable(o AlterTable) {
	r := b.s.Relation(o.Table)
	if r == nil {
		b.alterOther(o)
		return
	}
	switch o.Action {
	case "SetStatistics":
		b.lockAll(b.family(r), ShareUpdateExclusive)
	case "SetOptions", "ResetOptions", "DropCluster":
		b.lock(r.Name, ShareUpdateExclusive)
	case "ClusterOn":
		b.lock(r.Name, ShareUpdateExclusive)
		b.lock(Name{r.Name.Schema, o.Arg}, ShareUpdateExclusive)
	case "SetStorage":
		b.lockAll(b.family(r), AccessExclusive)
	case "SetRelOptions", "ResetRelOptions", "ReplaceRelOptions":
		b.lock(r.Name, optionsLock(o.With))
		if r.Kind == 'v' {
			b.lock(r.Name, AccessExclusive)
		}
	case "EnableTrig", "EnableAlwaysTrig", "EnableReplicaTrig", "DisableTrig":
		b.lock(r.Name, ShareRowExclusive)
		if r.Kind == 'p' && b.major() >= 11 && b.rowTrigger(r, o.Arg) {
			b.lockAll(b.family(r), ShareRowExclusive)
		}
	case "EnableTrigAll", "EnableTrigUser", "DisableTrigAll", "DisableTrigUser":
		b.lock(r.Name, ShareRowExclusive)
		for _, t := range r.Triggers {
			if r.Kind == 'p' && t.Row {
				b.lockAll(b.family(r), ShareRowExclusive)
			}
		}
	case "SetLogged", "SetUnLogged":
		b.setPersistence(r, o.Action)
	case "SetIdentity":
		b.identity(o.Table, o.Column, ShareRowExclusive)
	case "SetExpression":
		b.setExpression(o)
	case "AddInherit", "DropInherit":
		b.lock(r.Name, AccessExclusive)
		m := ShareUpdateExclusive
		if o.Action == "DropInherit" {
			m = AccessShare
		}
		b.lockNamed(splitTypeName(o.Arg), m)
	case "ReplicaIdentity":
		b.lock(r.Name, AccessExclusive)
		if i, ok := strings.CutPrefix(o.Arg, "USING INDEX "); ok {
			b.lock(Name{r.Name.Schema, splitTypeName(i).Name}, Share)
		}
	case "AlterConstraint":
		b.alterConstraint(r, o)
	case "ChangeOwner":
		b.changeOwner(r, o.Arg)
	case "SetTableSpace":
		b.setTablespace(r, o.Arg)
	case "SetAccessMethod":
		b.setAccessMethod(r, o.Arg)
	case "SetCompression":
		b.needs(14, "SET COMPRESSION")
		b.lock(r.Name, AccessExclusive)
	default:
		// Row security, rules, compression, OF and what later servers add: the lock of an ALTER TABLE that says
		// nothing else.
		b.lock(r.Name, AccessExclusive)
		if !slices.Contains(plainActions, o.Action) {
			b.worst("no rule for ALTER TABLE %s", o.Action)
		}
	}
}

// plainActions take ACCESS EXCLUSIVE on the one relation, write the catalog, and are done.
var plainActions = []string{
	"EnableRowSecurity", "DisableRowSecurity", "ForceRowSecurity", "NoForceRowSecurity", "EnableRule", "EnableAlwaysRule",
	"EnableReplicaRule", "DisableRule", "AddOf", "DropOf", "DropOids", "GenericOptions", "AlterColumnGenericOptions",
	"ColumnDefault",
}

// alterOther is ALTER TABLE, or ALTER INDEX and ALTER SEQUENCE, for what is no relation with rows.
func (b *effects) alterOther(o AlterTable) {
	m := AccessExclusive
	switch o.Action {
	case "SetRelOptions", "ResetRelOptions", "ReplaceRelOptions":
		m = optionsLock(o.With)
	case "SetStatistics":
		m = ShareUpdateExclusive
	}
	if !b.lockNamed(o.Table, m) {
		b.refuse("relation %s does not exist", o.Table)
		return
	}
	if i := b.s.Index(o.Table); i != nil && o.Action == "SetTableSpace" && !sameTablespace(i.Tablespace, o.Arg) {
		b.reindexes[i.Name] = true
		b.explain("the files of %s are copied", i.Name)
	}
}

// heavyOptions are the storage parameters whose change takes ACCESS EXCLUSIVE; that of the others takes SHARE
// UPDATE EXCLUSIVE.
var heavyOptions = []string{
	"user_catalog_table", "fastupdate", "buffering", "autosummarize", "gin_pending_list_limit", "pages_per_range",
	"security_barrier", "security_invoker", "check_option", "length", "m", "ef_construction", "lists",
}

func optionsLock(names []string) LockMode {
	for _, n := range names {
		if slices.Contains(heavyOptions, n) || strings.HasPrefix(n, "col") {
			return AccessExclusive
		}
	}
	return ShareUpdateExclusive
}

func (b *effects) setPersistence(r *Relation, action string) {
	b.lock(r.Name, AccessExclusive)
	if r.Kind == 'v' || r.Kind == 'm' || r.Kind == 'f' {
		b.refuse("%s is no table", r.Name)
		return
	}
	want := byte('p')
	if action == "SetUnLogged" {
		want = 'u'
	}
	if r.Persistence == want || r.Kind == 'p' {
		return
	}
	// A reference must not outlive what it refers to.
	if want == 'p' {
		for _, fk := range b.outgoing(r) {
			if to := b.s.Relations[fk.RefTable]; to != nil && to != r && to.Persistence == 'u' {
				b.refuse("could not change table %s to logged because it references unlogged table %s", r.Name, to.Name)
			}
		}
	} else {
		for _, fk := range b.incoming(r) {
			if from := b.s.Relations[fk.Table]; from != nil && from != r && from.Persistence == 'p' {
				b.refuse("could not change table %s to unlogged because logged table %s references it", r.Name, from.Name)
			}
		}
	}
	b.rewrite(r)
	if b.major() >= 15 {
		for _, q := range b.ownedSequences(r, "") {
			b.lock(q, AccessExclusive)
		}
	}
}

func (b *effects) alterConstraint(r *Relation, o AlterTable) {
	b.lock(r.Name, AccessExclusive)
	if slices.Contains(o.With, "INHERIT") {
		b.inheritNotNull(r, o.Arg)
		return
	}
	c := r.Constraint(o.Arg)
	if c == nil && r.incomplete() {
		b.lockAll(b.family(r), AccessExclusive)
		b.uncertain("constraint %s is not known here: the table it refers to may be locked too", QuoteIdent(o.Arg))
		return
	}
	if c == nil {
		b.refuse("constraint %s of relation %s does not exist", QuoteIdent(o.Arg), r.Name)
		return
	}
	if c.Kind == ForeignKey && r.Kind == 'p' {
		b.lockAll(b.family(r), AccessExclusive)
	}
	text := strings.ToUpper(strings.Join(o.With, " ") + " " + b.sql)
	if !strings.Contains(text, "ENFORCED") || !b.needs(18, "ALTER CONSTRAINT … ENFORCED") {
		return
	}
	if strings.Contains(text, "NOT ENFORCED") {
		b.lockReferenced(c.RefTable, AccessExclusive) // its triggers go
		return
	}
	b.verifyForeignKey(r, b.lockReferenced(c.RefTable, ShareRowExclusive), false)
}

// inheritNotNull gives the children of a table a NOT NULL that was its own (18).
func (b *effects) inheritNotNull(r *Relation, name string) {
	if !b.needs(18, "ALTER CONSTRAINT … INHERIT") {
		return
	}
	c := b.notNullNamed(r, name)
	for _, f := range b.family(r)[1:] {
		b.lock(f.Name, AccessExclusive)
		if c == nil || f.Column(c.Name) == nil || !f.Column(c.Name).NotNull {
			b.scan(f)
		}
	}
}

// changeOwner takes the indexes and sequences along, unless the owner stays.
func (b *effects) changeOwner(r *Relation, to string) {
	b.lock(r.Name, AccessExclusive)
	name := splitTypeName(to).Name
	if strings.EqualFold(to, "CURRENT_USER") || strings.EqualFold(to, "SESSION_USER") || strings.EqualFold(to, "CURRENT_ROLE") {
		name = b.s.User
	}
	if name == r.Owner {
		return
	}
	for _, i := range r.Indexes {
		b.lock(i.Name, AccessExclusive)
	}
	for _, q := range b.ownedSequences(r, "") {
		b.lock(q, AccessExclusive)
	}
}

func sameTablespace(have, want string) bool {
	return have == want || (have == "" || have == "pg_default") && (want == "" || want == "pg_default")
}

func (b *effects) setTablespace(r *Relation, to string) {
	b.lock(r.Name, AccessExclusive)
	if !sameTablespace(r.Tablespace, to) && stored(r) {
		b.rewrites[r.Name] = true
		b.explain("the files of %s are copied; its indexes stay where they are", r.Name)
	}
}

func (b *effects) setAccessMethod(r *Relation, to string) {
	if !b.needs(15, "SET ACCESS METHOD") {
		return
	}
	b.lock(r.Name, AccessExclusive)
	if to == "" {
		to = "heap" // DEFAULT, where default_table_access_method is what it is by default
	}
	if have := r.AccessMethod; have != "" && have != to || have == "" && to != "heap" {
		b.rewrite(r)
	}
}
