package ddl

import (
	"maps"
	"slices"
	"strings"
)

func (b *effects) update(o Update) {
	r := b.relation(o.Table)
	if r == nil {
		return
	}
	b.write(r, b.onlyTarget(o.Table))
	b.otherRelations("UpdateStmt")
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
	b.otherRelations("DeleteStmt")
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
	b.otherRelations("InsertStmt")
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
	for _, v := range rangeVars(b.tree().root) {
		if v.Name == n {
			return v.only
		}
	}
	return false
}

// otherRelations are those which the statement reads beside its target.
func (b *effects) otherRelations(kind string) {
	if n := maps.Clone(b.tree().node(kind)); n != nil {
		delete(n, "relation")
		b.query(n, false)
	}
}

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
	root := b.tree().root
	b.query(root, false)
	for n := range walkNodes(root) {
		if _, ok := n["LockingClause"]; ok {
			for _, v := range rangeVars(root) {
				if r := b.s.Relation(v.Name); r != nil && r.Kind != 'v' {
					for _, f := range b.family(r) {
						b.plan(f, RowShare)
					}
				}
			}
		}
	}
	for _, f := range functionNames(root) {
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
	n := b.tree().node("MergeStmt")
	target, _ := n["relation"].(map[string]any)
	v, ok := asRangeVar(target)
	if !ok {
		b.worst("the statement cannot be read")
		return
	}
	if r := b.relation(v.Name); r != nil {
		b.write(r, v.only)
		b.otherRelations("MergeStmt")
		b.triggersFire(r, func(*Trigger) bool { return true })
		for _, fk := range append(b.outgoing(r), b.incoming(r)...) {
			b.unknown = true
			b.explain("foreign key %s is followed when its columns change", QuoteIdent(fk.Name))
		}
	}
}

func (b *effects) lockTable(o Other) {
	m := LockMode(o.LockMode)
	for _, v := range rangeVars(b.tree().root) {
		if r := b.relation(v.Name); r != nil {
			b.lockBelow(r, v.only, m)
		}
	}
}

func (b *effects) lockBelow(r *Relation, only bool, m LockMode) {
	b.lock(r.Name, m)
	if r.Kind == 'v' {
		for _, v := range rangeVars(parseTree(r.Definition).root) {
			if below := b.s.Relation(v.Name); below != nil {
				b.lockBelow(below, v.only, m)
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
	full := false
	for n := range b.tree().nodes() {
		if def, ok := n["DefElem"].(map[string]any); ok && def["defname"] == "full" {
			full = true
		}
	}
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
	n := b.tree().node("CommentStmt")
	kind, _ := n["objtype"].(string)
	switch kind {
	case "OBJECT_TABCONSTRAINT", "OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE":
		b.lockObjects(o, AccessShare)
	default:
		b.lockObjects(o, ShareUpdateExclusive)
	}
}

func (b *effects) dropStatistics() {
	n := b.tree().node("DropStmt")
	for m := range walkNodes(n["objects"]) {
		list, ok := m["List"].(map[string]any)
		if !ok {
			continue
		}
		parts := stringList(list["items"])
		for _, r := range b.s.Relations {
			for _, st := range r.Statistics {
				if len(parts) > 0 && st.Name.Name == parts[len(parts)-1] && (len(parts) == 1 || st.Name.Schema == parts[0]) {
					b.lock(r.Name, ShareUpdateExclusive)
				}
			}
		}
	}
}

// ruleOrPolicy locks its table, and what its expressions and actions name as these would.
func (b *effects) ruleOrPolicy(o Other) {
	root := b.tree().root
	for _, v := range rangeVars(root) {
		b.lockNamed(v.Name, AccessShare)
	}
	for n := range walkNodes(root) {
		for _, kind := range []string{"InsertStmt", "UpdateStmt", "DeleteStmt"} {
			if st, ok := n[kind].(map[string]any); ok {
				rel, _ := st["relation"].(map[string]any)
				if v, ok := asRangeVar(rel); ok {
					b.lockNamed(v.Name, RowExclusive)
				}
			}
		}
	}
	for _, kind := range []string{"RuleStmt", "CreatePolicyStmt", "AlterPolicyStmt"} {
		if n := b.tree().node(kind); n != nil {
			for _, key := range []string{"relation", "table"} {
				rel, _ := n[key].(map[string]any)
				if v, ok := asRangeVar(rel); ok {
					b.lockNamed(v.Name, AccessExclusive)
				}
			}
			return
		}
	}
	b.lockObjects(o, AccessExclusive) // ALTER POLICY … RENAME
}

func (b *effects) renameTrigger(o Other) {
	for _, n := range o.Objects {
		r := b.s.Relation(n)
		if r == nil {
			continue
		}
		b.lock(r.Name, AccessExclusive)
		rename := b.tree().node("RenameStmt")
		name, _ := rename["subname"].(string)
		if r.Kind == 'p' && b.major() >= 15 && b.rowTrigger(r, name) {
			b.lockAll(b.family(r), AccessExclusive)
		}
	}
}

func (b *effects) dropFunction() {
	drop := b.tree().node("DropStmt")
	cascade := drop["behavior"] == "DROP_CASCADE"
	for n := range walkNodes(drop["objects"]) {
		object, ok := n["ObjectWithArgs"].(map[string]any)
		if !ok {
			continue
		}
		parts := stringList(object["objname"])
		if len(parts) == 0 {
			continue
		}
		for _, r := range b.s.Relations {
			for _, t := range r.Triggers {
				if splitTypeName(strings.TrimSuffix(t.Function, "()")).Name == parts[len(parts)-1] {
					b.lock(r.Name, AccessExclusive)
					if !cascade {
						b.refuse("cannot drop function %s because trigger %s of %s needs it", parts[len(parts)-1], QuoteIdent(t.Name), r.Name)
					}
				}
			}
		}
	}
}

// createFunction: the body of an SQL function is analysed, which locks what it names; others are only text.
func (b *effects) createFunction() {
	n := b.tree().node("CreateFunctionStmt")
	if body := n["sql_body"]; body != nil {
		b.query(body, true)
		return
	}
	language, body := "", ""
	for m := range walkNodes(n["options"]) {
		def, ok := m["DefElem"].(map[string]any)
		if !ok {
			continue
		}
		arg, _ := def["arg"].(map[string]any)
		switch def["defname"] {
		case "language":
			s, _ := arg["String"].(map[string]any)
			language, _ = s["sval"].(string)
		case "as":
			list, _ := arg["List"].(map[string]any)
			body = strings.Join(stringList(list["items"]), "")
		}
	}
	if strings.EqualFold(language, "sql") {
		root := parseTree(body).root
		b.rewritten(root)
		for m := range walkNodes(root) {
			for _, kind := range []string{"InsertStmt", "UpdateStmt", "DeleteStmt"} {
				if st, ok := m[kind].(map[string]any); ok {
					rel, _ := st["relation"].(map[string]any)
					if v, ok := asRangeVar(rel); ok {
						b.lockNamed(v.Name, RowExclusive)
					}
				}
			}
		}
	}
}

func (b *effects) dropSchema() {
	n := b.tree().node("DropStmt")
	cascade := n["behavior"] == "DROP_CASCADE"
	for _, schema := range stringList(n["objects"]) {
		for name, r := range b.s.Relations {
			if name.Schema != schema {
				continue
			}
			if !cascade {
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
	n := b.tree().node("CopyStmt")
	rel, _ := n["relation"].(map[string]any)
	v, ok := asRangeVar(rel)
	from, _ := n["is_from"].(bool)
	switch {
	case !ok:
		b.query(n["query"], false)
	case from:
		b.insert(Insert{Table: v.Name, Query: "COPY"})
	default:
		if r := b.relation(v.Name); r != nil {
			b.lock(r.Name, AccessShare)
			b.scan(r)
		}
	}
}

// rewritten is what analysing and rewriting a query locks: its relations and those behind views, no indexes.
func (b *effects) rewritten(root any) {
	for _, v := range rangeVars(root) {
		if r := b.s.Relation(v.Name); r != nil {
			b.lock(r.Name, AccessShare)
			if r.Kind == 'v' {
				b.rewritten(parseTree(r.Definition).root)
			}
		}
	}
}

// explainStmt is planned, and executed with ANALYZE.
func (b *effects) explainStmt() {
	n := b.tree().node("ExplainStmt")
	inner, _ := n["query"].(map[string]any)
	if inner["SelectStmt"] == nil {
		b.worst("EXPLAIN of anything but a query is not looked into")
		return
	}
	b.query(inner, false)
	for m := range walkNodes(n["options"]) {
		if def, ok := m["DefElem"].(map[string]any); ok && def["defname"] == "analyze" {
			return
		}
	}
	clear(b.scans)
}
