package ddl

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func (b *effects) update(o Update) {
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	b.write(r, b.onlyTarget(o.Table))
	b.otherRelations(first[pg.UpdateStmt](b.tree()).GetRelation())
	var set []string
	for _, a := range o.Set {
		set = append(set, a.Column)
	}
	b.partners(r, set)
	for _, fk := range b.incoming(r) {
		if overlap(fk.RefColumns, set) {
			b.referrers(fk, "ON UPDATE")
		}
	}
	b.triggersFire(r, func(t *Trigger) bool { return t.OnUpdate })
}

func (b *effects) delete(o Delete) {
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	b.write(r, b.onlyTarget(o.Table))
	b.otherRelations(first[pg.DeleteStmt](b.tree()).GetRelation())
	for _, fk := range b.incoming(r) {
		b.referrers(fk, "ON DELETE")
	}
	b.triggersFire(r, func(t *Trigger) bool { return t.OnDelete })
}

func (b *effects) insert(o Insert) {
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	b.lock(r.Name, RowExclusive)
	if r.Kind == 'p' {
		b.lockAll(b.family(r), RowExclusive) // at most: only the partitions that get rows
	}
	if o.OnConflict != "" {
		b.planIndexes(r, RowExclusive)
	}
	b.otherRelations(first[pg.InsertStmt](b.tree()).GetRelation())
	for _, c := range r.Columns {
		if len(o.Columns) == 0 || !slices.Contains(o.Columns, c.Name) {
			b.defaultLocks(c.Default)
		}
	}
	all := make([]string, 0, len(r.Columns))
	for _, c := range r.Columns {
		if len(o.Columns) == 0 || slices.Contains(o.Columns, c.Name) || c.Default != "" {
			all = append(all, c.Name)
		}
	}
	b.partners(r, all)
	if o.Query == "" {
		for _, fk := range b.outgoing(r) {
			delete(b.scans, fk.RefTable) // a few rows are looked up by key
		}
	}
	b.triggersFire(r, func(t *Trigger) bool { return t.OnInsert })
}

// write is what the target of UPDATE and DELETE goes through.
func (b *effects) write(r *Relation, only bool) {
	rels := []*Relation{r}
	if !only {
		rels = b.family(r)
	}
	for _, f := range rels {
		b.plan(f, RowExclusive)
		b.scan(f)
	}
}

func (b *effects) onlyTarget(n Name) bool {
	for _, v := range rangeVars(b.tree()) {
		if relName(v) == n {
			return !v.Inh
		}
	}
	return false
}

// otherRelations are those which the statement reads beside its target.
func (b *effects) otherRelations(target *pg.RangeVar) { b.query(b.tree(), false, target) }

// partners are the rows that foreign keys over these columns look up.
func (b *effects) partners(r *Relation, columns []string) {
	for _, fk := range b.outgoing(r) {
		if to := b.s.Relations[fk.RefTable]; to != nil && overlap(fk.Columns, columns) && fk.Parent == 0 {
			for _, f := range b.partitions(to) {
				b.plan(f, RowShare)
				b.scan(f)
			}
		}
	}
}

// referrers are the rows that a foreign key looks for, or changes, when a row it refers to goes.
func (b *effects) referrers(fk *TableConstraint, event string) {
	from := b.s.Relations[fk.Table]
	if from == nil {
		return
	}
	m := RowShare
	for _, action := range []string{"CASCADE", "SET NULL", "SET DEFAULT"} {
		if strings.Contains(fk.Definition, event+" "+action) {
			m = RowExclusive
		}
	}
	for _, f := range b.partitions(from) {
		b.plan(f, m)
		b.scan(f)
	}
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
}

func (b *effects) triggersFire(r *Relation, on func(*Trigger) bool) {
	for _, f := range b.family(r) {
		for _, t := range f.Triggers {
			if on(t) && t.Enabled != 'D' {
				b.worst("trigger %s of %s can do anything", QuoteIdent(t.Name), f.Name)
			}
		}
	}
}

// other is a statement without an Op.
func (b *effects) other(o Other) {
	switch o.Tag {
	case "SELECT", "VALUES", "TABLE":
		b.selects()
	case "SELECT INTO", "CREATE TABLE AS":
		b.createAs()
	case "MERGE":
		b.merge()
	case "LOCK TABLE":
		b.lockTable(o)
	case "ANALYZE", "VACUUM":
		b.vacuum(o)
	case "CLUSTER":
		b.cluster(o)
	case "COMMENT":
		b.comment(o)
	case "GRANT", "REVOKE":
		if b.major() >= 18 { // not those of ALL TABLES IN SCHEMA
			b.lockObjects(o, AccessShare)
		}
	case "CREATE STATISTICS":
		b.lockObjects(o, ShareUpdateExclusive)
	case "ALTER STATISTICS":
		if first[pg.AlterStatsStmt](b.tree()) != nil {
			b.needs(13, "ALTER STATISTICS … SET STATISTICS")
		}
	case "ALTER TYPE":
		b.alterComposite(o)
	case "DROP STATISTICS":
		b.dropStatistics()
	case "CREATE RULE", "CREATE POLICY", "ALTER POLICY":
		b.ruleOrPolicy(o)
	case "DROP RULE", "DROP POLICY", "ALTER RULE":
		b.lockObjects(o, AccessExclusive)
	case "ALTER TRIGGER":
		b.renameTrigger(o)
	case "CREATE PUBLICATION", "ALTER PUBLICATION":
		for _, n := range o.Objects {
			if r := b.s.Relation(n); r != nil && r.Kind == 'p' {
				b.needs(13, "a partitioned table in a publication")
				b.lock(r.Name, ShareUpdateExclusive)
			} else if r != nil {
				b.lockAll(b.family(r), ShareUpdateExclusive)
			}
		}
	case "DROP FUNCTION", "DROP PROCEDURE", "DROP ROUTINE":
		b.dropFunction()
	case "CREATE FUNCTION", "CREATE PROCEDURE":
		b.createFunction()
	case "DROP SCHEMA":
		b.dropSchema()
	case "COPY":
		b.copy()
	case "EXPLAIN":
		b.explainStmt()
	case "PREPARE":
		b.rewritten(b.tree())
		for _, v := range written(b.tree()) {
			b.lockNamed(relName(v), RowExclusive)
		}
	default:
		if !harmless(o.Tag) {
			for _, n := range o.Objects {
				b.lockNamed(n, AccessExclusive)
			}
			b.worst("no rule for %s", o.Tag)
		}
	}
}

// harmless reports whether a statement touches no relation, as far as relations exist.
func harmless(tag string) bool {
	switch tag {
	case "SHOW", "DISCARD ALL", "DISCARD PLANS", "DISCARD SEQUENCES", "LISTEN", "NOTIFY", "UNLISTEN", "DEALLOCATE", "DEALLOCATE ALL",
		"CHECKPOINT", "SET CONSTRAINTS", "SECURITY LABEL", "ALTER DEFAULT PRIVILEGES", "GRANT ROLE", "REVOKE ROLE", "DROP OWNED":
		return tag != "DROP OWNED"
	}
	verb, object, _ := strings.Cut(tag, " ")
	if !slices.Contains([]string{"CREATE", "ALTER", "DROP"}, verb) {
		return false
	}
	switch object {
	case "SCHEMA", "FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE", "OPERATOR", "OPERATOR CLASS", "OPERATOR FAMILY", "CAST", "COLLATION",
		"CONVERSION", "TYPE", "DOMAIN", "ROLE", "USER", "GROUP", "DATABASE", "TABLESPACE", "LANGUAGE", "FOREIGN DATA WRAPPER",
		"SERVER", "USER MAPPING", "STATISTICS", "TEXT SEARCH CONFIGURATION", "TEXT SEARCH DICTIONARY", "TEXT SEARCH PARSER",
		"TEXT SEARCH TEMPLATE", "EVENT TRIGGER", "ACCESS METHOD", "TRANSFORM", "SYSTEM":
		return true
	case "EXTENSION":
		return verb == "CREATE"
	case "PUBLICATION", "SUBSCRIPTION":
		return true
	}
	return false
}

func (b *effects) lockObjects(o Other, m LockMode) {
	for _, n := range o.Objects {
		b.lockNamed(n, m)
	}
}

// selects is a query of its own: row locks show as ROW SHARE, and functions can do anything.
func (b *effects) selects() {
	root := b.tree()
	b.query(root, false)
	if first[pg.LockingClause](root) != nil {
		for _, v := range rangeVars(root) {
			if r := b.s.Relation(relName(v)); r != nil && r.Kind != 'v' {
				for _, f := range b.family(r) {
					b.plan(f, RowShare)
				}
			}
		}
	}
	for _, f := range functionNames(root) {
		if b.s.assuming && !b.s.knowsFunction(f) {
			b.uncertain("function %s is not known here: it can do anything", QuoteIdent(f))
		}
		for _, u := range b.s.Functions {
			if u.Name.Name == f && u.Volatile == 'v' {
				b.worst("function %s can do anything", u.Name)
			}
		}
	}
}

func (b *effects) merge() {
	if !b.needs(15, "MERGE") {
		return
	}
	target := first[pg.MergeStmt](b.tree()).GetRelation()
	if target == nil {
		b.worst("the statement cannot be read")
		return
	}
	if r := b.relation(relName(target)); r != nil {
		b.write(r, !target.Inh)
		b.otherRelations(target)
		b.triggersFire(r, func(*Trigger) bool { return true })
		for _, fk := range append(b.outgoing(r), b.incoming(r)...) {
			b.unknown = true
			b.explain("foreign key %s is followed when its columns change", QuoteIdent(fk.Name))
		}
	}
}

func (b *effects) lockTable(o Other) {
	m := LockMode(o.LockMode)
	for _, v := range rangeVars(b.tree()) {
		if r := b.relation(relName(v)); r != nil {
			b.lockBelow(r, !v.Inh, m)
		}
	}
}

func (b *effects) lockBelow(r *Relation, only bool, m LockMode) {
	b.lock(r.Name, m)
	if r.Kind == 'v' {
		for _, v := range rangeVars(parseTree(r.Definition)) {
			if below := b.s.Relation(relName(v)); below != nil {
				b.lockBelow(below, !v.Inh, m)
			}
		}
	} else if !only {
		b.lockAll(b.family(r), m)
	}
}

func (b *effects) vacuum(o Other) {
	rels := []*Relation{}
	for _, n := range o.Objects {
		if r := b.relation(n); r != nil {
			if b.major() >= 18 { // inheritance children are no longer left to themselves
				rels = append(rels, b.family(r)...)
			} else {
				rels = append(rels, b.partitions(r)...)
			}
		}
	}
	if len(o.Objects) == 0 {
		for _, r := range b.s.Relations {
			if stored(r) {
				rels = append(rels, r)
			}
		}
	}
	_, full := option(first[pg.VacuumStmt](b.tree()).GetOptions(), "full")
	for _, r := range rels {
		switch {
		case o.Tag == "VACUUM" && full:
			b.rewrite(r)
		case o.Tag == "VACUUM":
			b.lock(r.Name, ShareUpdateExclusive)
			b.planIndexes(r, RowExclusive)
			b.scan(r)
			b.explain("%s: ACCESS EXCLUSIVE for a moment where empty pages at its end can be cut off", r.Name)
		default:
			b.lock(r.Name, ShareUpdateExclusive)
			if r.Kind != 'p' {
				b.planIndexes(r, AccessShare)
				b.lockAll(b.family(r)[1:], AccessShare)
			}
		}
	}
}

func (b *effects) cluster(o Other) {
	if len(o.Objects) == 0 {
		for _, r := range b.s.Relations {
			if slices.ContainsFunc(r.Indexes, func(i *Index) bool { return i.Clustered }) {
				b.rewrite(r)
			}
		}
	}
	for _, n := range o.Objects {
		if r := b.s.Relation(n); r != nil {
			for _, f := range b.partitions(r) {
				b.rewrite(f)
			}
		}
	}
}

// comment on what is part of a table takes less than on the table.
func (b *effects) comment(o Other) {
	switch first[pg.CommentStmt](b.tree()).GetObjtype() {
	case pg.ObjectType_OBJECT_TABCONSTRAINT, pg.ObjectType_OBJECT_TRIGGER, pg.ObjectType_OBJECT_POLICY, pg.ObjectType_OBJECT_RULE:
		b.lockObjects(o, AccessShare)
	default:
		b.lockObjects(o, ShareUpdateExclusive)
	}
}

func (b *effects) dropStatistics() {
	for _, o := range first[pg.DropStmt](b.tree()).GetObjects() {
		n := nameOf(o.GetList().GetItems())
		for _, r := range b.s.Relations {
			for _, st := range r.Statistics {
				if st.Name.Name == n.Name && (n.Schema == "" || st.Name.Schema == n.Schema) {
					b.lock(r.Name, ShareUpdateExclusive)
				}
			}
		}
	}
}

// ruleOrPolicy locks its table, and what its expressions and actions name as these would.
func (b *effects) ruleOrPolicy(o Other) {
	root := b.tree()
	for _, v := range rangeVars(root) {
		b.lockNamed(relName(v), AccessShare)
	}
	for _, v := range written(root) {
		b.lockNamed(relName(v), RowExclusive)
	}
	var table *pg.RangeVar
	if st := first[pg.RuleStmt](root); st != nil {
		table = st.Relation
	} else if st := first[pg.CreatePolicyStmt](root); st != nil {
		table = st.Table
	} else if st := first[pg.AlterPolicyStmt](root); st != nil {
		table = st.Table
	} else {
		b.lockObjects(o, AccessExclusive) // ALTER POLICY … RENAME
		return
	}
	b.lockNamed(relName(table), AccessExclusive)
}

func (b *effects) renameTrigger(o Other) {
	for _, n := range o.Objects {
		r := b.s.Relation(n)
		if r == nil {
			continue
		}
		b.lock(r.Name, AccessExclusive)
		if r.Kind == 'p' && b.major() >= 15 && b.rowTrigger(r, first[pg.RenameStmt](b.tree()).GetSubname()) {
			b.lockAll(b.family(r), AccessExclusive)
		}
	}
}

func (b *effects) dropFunction() {
	drop := first[pg.DropStmt](b.tree())
	for _, o := range drop.GetObjects() {
		function := nameOf(o.GetObjectWithArgs().GetObjname()).Name
		for _, r := range b.s.Relations {
			for _, t := range r.Triggers {
				if splitTypeName(strings.TrimSuffix(t.Function, "()")).Name == function {
					b.lock(r.Name, AccessExclusive)
					if drop.Behavior != pg.DropBehavior_DROP_CASCADE {
						b.refuse("cannot drop function %s because trigger %s of %s needs it", function, QuoteIdent(t.Name), r.Name)
					}
				}
			}
		}
	}
}

// createFunction: the body of an SQL function is analysed, which locks what it names; others are only text.
func (b *effects) createFunction() {
	st := first[pg.CreateFunctionStmt](b.tree())
	if body := st.GetSqlBody(); body != nil {
		b.needs(14, "BEGIN ATOMIC")
		b.query(body, true)
		return
	}
	language, _ := option(st.GetOptions(), "language")
	if !strings.EqualFold(language.GetString_().GetSval(), "sql") {
		return
	}
	body, _ := option(st.GetOptions(), "as")
	root := parseTree(strings.Join(strs(body.GetList().GetItems()), ""))
	b.rewritten(root)
	for _, v := range written(root) {
		b.lockNamed(relName(v), RowExclusive)
	}
}

func (b *effects) dropSchema() {
	drop := first[pg.DropStmt](b.tree())
	for _, schema := range strs(drop.GetObjects()) {
		for name, r := range b.s.Relations {
			if name.Schema != schema {
				continue
			}
			if drop.Behavior != pg.DropBehavior_DROP_CASCADE {
				b.refuse("cannot drop schema %s because other objects depend on it", QuoteIdent(schema))
			}
			if b.dropped[r.Name] {
				continue
			}
			if r.Kind == 'v' || r.Kind == 'm' {
				b.dropView(DropView{View: name, DropOptions: DropOptions{Cascade: true}})
			} else {
				b.dropTable(DropTable{name, DropOptions{Cascade: true}})
			}
		}
		for name := range b.s.Sequences {
			if name.Schema == schema {
				b.dropSequence(DropSequence{name, DropOptions{Cascade: true}})
			}
		}
		for name := range b.s.Types {
			if name.Schema == schema {
				b.dropType(DropType{name, DropOptions{Cascade: true}})
			}
		}
	}
}

func (b *effects) copy() {
	st := first[pg.CopyStmt](b.tree())
	table := relName(st.GetRelation())
	switch {
	case table.IsZero():
		b.query(st.GetQuery(), false)
	case st.IsFrom:
		b.insert(Insert{Table: table, Query: "COPY"})
	default:
		if r := b.relation(table); r != nil {
			b.lock(r.Name, AccessShare)
			b.scan(r)
		}
	}
}

// rewritten is what analysing and rewriting a query locks: its relations and those behind views, no indexes.
func (b *effects) rewritten(root any) {
	for _, v := range rangeVars(root) {
		if r := b.s.Relation(relName(v)); r != nil {
			b.lock(r.Name, AccessShare)
			if r.Kind == 'v' {
				b.rewritten(parseTree(r.Definition))
			}
		}
	}
}

// explainStmt is planned, and executed with ANALYZE.
func (b *effects) explainStmt() {
	st := first[pg.ExplainStmt](b.tree())
	if st.GetQuery().GetSelectStmt() == nil {
		b.worst("EXPLAIN of anything but a query is not looked into")
		return
	}
	b.query(st.Query, false)
	if _, executed := option(st.Options, "analyze"); !executed {
		clear(b.scans)
	}
}
