package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// swapDependents takes away what PostgreSQL would find in the way of dropping a column, found by OID, and
// brings it back on the twin: triggers, policies, statistics, views and what is built on views.
func (c *compiler) swapDependents(s *swap, tables []*ddl.Relation, byTable map[ddl.Name][]*twin, columns map[ddl.Name]map[string]string) error {
	policies := map[string]bool{}
	var views []*ddl.Relation
	depth := map[*ddl.Relation]int{}
	for _, r := range tables {
		for _, t := range byTable[r.Name] {
			c.swapTriggers(s, t)
		}
		for _, m := range c.family(r) {
			cols := columns[m.Name]
			for _, p := range m.Policies {
				if uses(p.Columns, cols) {
					policies[part(m.Name, p.Name)] = true
					c.swapPolicy(s, m, p)
				}
			}
			c.swapStatistics(s, m, cols)
			for _, d := range m.Dependents {
				if _, ok := cols[d.Column]; !ok {
					continue
				}
				if t := c.now.Relation(d.Table); d.Kind == "policy" && t != nil && !policies[part(t.Name, d.Name.Name)] {
					policies[part(t.Name, d.Name.Name)] = true
					for _, p := range t.Policies {
						if p.Name == d.Name.Name {
							c.touch("table", t.Name, "")
							c.swapPolicy(s, t, p)
						}
					}
				}
				if d.Kind != "view" && d.Kind != "materialized view" {
					continue
				}
				if v := c.now.Relation(d.Name); v != nil {
					if depth[v] == 0 {
						views = append(views, v)
					}
					depth[v] = max(depth[v], d.Depth)
				}
			}
		}
	}
	// A view stands deeper than what it reads, on whichever table.
	slices.SortStableFunc(views, func(a, b *ddl.Relation) int { return cmp.Compare(depth[a], depth[b]) })
	drops, creates, err := c.recreateViews(views, columns)
	if err != nil {
		return err
	}
	// Policies may read views.
	s.detach = append(s.detach, drops...)
	s.attach = append(creates, s.attach...)
	return nil
}

func (c *compiler) swapTriggers(s *swap, t *twin) {
	for _, m := range c.family(t.rel) {
		for _, tr := range m.Triggers {
			if tr.Parent != 0 || !slices.Contains(tr.UsesColumns, t.col.Name) {
				continue
			}
			c.late[part(m.Name, tr.Name)] = true
			s.detach = append(s.detach, fmt.Sprintf("DROP TRIGGER %s ON %s", qi(tr.Name), m.Name))
			s.attach = append(s.attach, tr.Definition)
			s.attach = append(s.attach, c.triggerState(m, tr)...)
		}
	}
}

func (c *compiler) swapPolicy(s *swap, m *ddl.Relation, p *ddl.Policy) {
	c.late[part(m.Name, p.Name)] = true
	s.detach = append(s.detach, fmt.Sprintf("DROP POLICY %s ON %s", qi(p.Name), m.Name))
	s.attach = append(s.attach, p.Definition)
	if p.Comment != "" {
		s.attach = append(s.attach, fmt.Sprintf("COMMENT ON POLICY %s ON %s IS %s", qi(p.Name), m.Name, ddl.QuoteLiteral(p.Comment)))
	}
}

func (c *compiler) swapStatistics(s *swap, m *ddl.Relation, cols map[string]string) {
	for _, x := range m.Statistics {
		if !uses(x.Columns, cols) {
			continue
		}
		c.late[x.Name.String()] = true
		s.detach = append(s.detach, "DROP STATISTICS "+x.Name.String())
		s.attach = append(s.attach, x.Definition)
		if x.Target >= 0 {
			s.attach = append(s.attach, fmt.Sprintf("ALTER STATISTICS %s SET STATISTICS %d", x.Name, x.Target))
		}
		if x.Comment != "" {
			s.attach = append(s.attach, fmt.Sprintf("COMMENT ON STATISTICS %s IS %s", x.Name, ddl.QuoteLiteral(x.Comment)))
		}
	}
}

// recreateViews drops views, dependents first, and creates them again in the opposite order with everything
// that belongs to them. The list is in order of creation.
func (c *compiler) recreateViews(views []*ddl.Relation, columns map[ddl.Name]map[string]string) (drops, creates []string, err error) {
	for _, v := range views {
		c.late[v.Name.String()] = true
		c.noticeGrantors(v.Name.String(), v.ACL)
		for _, k := range v.Columns {
			c.noticeGrantors(v.Name.String()+"."+qi(k.Name), k.ACL)
		}
		if v.Definition == "" {
			return nil, nil, c.refuse("held-column", "rename it in a migration of its own, applied after this one is complete",
				"view %s reads a column that the file renames in a way that its text does not tell, such as JOIN … USING", v.Name)
		}
		kind := "VIEW"
		made := c.viewSQL(v)
		if v.Kind == 'm' {
			kind = "MATERIALIZED VIEW"
			if v.Populated {
				if made, err = c.prebuild(v, columns); err != nil {
					return nil, nil, err
				}
			}
		}
		drops = append([]string{"DROP " + kind + " " + v.Name.String()}, drops...)
		creates = append(creates, made...)
	}
	return drops, creates, nil
}

// prebuild fills a materialized view on the twins, with its indexes, beside the application and under names of
// ours; in the swap it only takes the name (RULES 12). It returns the statements of the swap.
func (c *compiler) prebuild(v *ddl.Relation, columns map[ddl.Name]map[string]string) ([]string, error) {
	query := strings.TrimRight(strings.TrimSpace(v.Definition), ";")
	m, err := ddl.Mentions(query)
	if err != nil {
		return nil, fmt.Errorf("materialized view %s: %w", v.Name, err)
	}
	on, old := query, query // over the columns that there are now, and without the twins
	for _, n := range m.Relations {
		n = c.resolve(n)
		now := c.presently(n, columns[n])
		on = renamedIn(on, n, now)
		maps.DeleteFunc(now, func(col, _ string) bool { _, twin := columns[n][col]; return twin })
		old = renamedIn(old, n, now)
	}
	if on == old {
		if c.big(v) {
			return nil, c.refuse("big-materialized-view", "drop the materialized view first and create it again after the change",
				"materialized view %s does not name the changed column itself, so it would be filled again inside the swap", v.Name)
		}
		return c.viewSQL(v), nil
	}
	tmp := ddl.Name{Schema: v.Name.Schema, Name: internalName(v.Name.Name)}
	built := *v
	built.Name, built.Definition = tmp, on
	built.Indexes = nil
	var swap []string
	swap = append(swap, fmt.Sprintf("ALTER MATERIALIZED VIEW %s RENAME TO %s", tmp, qi(v.Name.Name)))
	for _, i := range v.Indexes {
		name := internalName(i.Name.Name)
		def, err := ddl.RenameIndexDef(i.Definition, name, &tmp, nil, false)
		if err != nil {
			return nil, fmt.Errorf("index %s: %w", i.Name, err)
		}
		twin := *i
		twin.Definition, twin.Comment = def, ""
		built.Indexes = append(built.Indexes, &twin)
		swap = append(swap, fmt.Sprintf("ALTER INDEX %s RENAME TO %s", ddl.Name{Schema: i.Name.Schema, Name: name}, qi(i.Name.Name)))
		if i.Comment != "" {
			swap = append(swap, fmt.Sprintf("COMMENT ON INDEX %s IS %s", i.Name, ddl.QuoteLiteral(i.Comment)))
		}
	}
	rows, bytes := c.size(v)
	c.step(Step{Phase: Verify, Kind: Long, Title: "fill " + v.Name.String() + " again beside itself", SQL: c.viewSQL(&built),
		Reverse: []string{"DROP MATERIALIZED VIEW " + tmp.String()}, Rows: rows, Bytes: bytes})
	return swap, nil
}

// renamedIn is a query over other columns of a table, or as it is where its text does not tell.
func renamedIn(query string, table ddl.Name, cols map[string]string) string {
	renamed, unresolved, err := ddl.RenameInQuery(query, table, cols)
	if err != nil || len(unresolved) > 0 {
		return query
	}
	return renamed
}

// viewSQL creates a view as it is now: columns, options, owner, grants, comments, defaults, triggers, indexes.
func (c *compiler) viewSQL(v *ddl.Relation) []string {
	kind := "VIEW"
	if v.Kind == 'm' {
		kind = "MATERIALIZED VIEW"
	}
	name := v.Name.String()
	var cols []string
	for _, k := range v.Columns {
		cols = append(cols, k.Name)
	}
	with := ""
	if len(v.Options) > 0 {
		with = " WITH (" + strings.Join(v.Options, ", ") + ")"
	}
	data := ""
	if v.Kind == 'm' && !v.Populated {
		data = " WITH NO DATA"
	}
	out := []string{fmt.Sprintf("CREATE %s %s (%s)%s AS %s%s", kind, name, qis(cols), with, strings.TrimRight(strings.TrimSpace(v.Definition), ";"), data)}
	for _, i := range v.Indexes {
		out = append(out, i.Definition)
		if i.Comment != "" {
			out = append(out, fmt.Sprintf("COMMENT ON INDEX %s IS %s", i.Name, ddl.QuoteLiteral(i.Comment)))
		}
	}
	for _, k := range v.Columns {
		if k.Default != "" {
			out = append(out, fmt.Sprintf("ALTER VIEW %s ALTER COLUMN %s SET DEFAULT %s", name, qi(k.Name), k.Default))
		}
		if k.Comment != "" {
			out = append(out, fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", name, qi(k.Name), ddl.QuoteLiteral(k.Comment)))
		}
	}
	for _, x := range v.Rules {
		out = append(out, x.Definition)
		if word := map[byte]string{'D': "DISABLE", 'R': "ENABLE REPLICA", 'A': "ENABLE ALWAYS"}[x.Enabled]; word != "" {
			out = append(out, fmt.Sprintf("ALTER TABLE %s %s RULE %s", name, word, qi(x.Name)))
		}
		if x.Comment != "" {
			out = append(out, fmt.Sprintf("COMMENT ON RULE %s ON %s IS %s", qi(x.Name), name, ddl.QuoteLiteral(x.Comment)))
		}
	}
	for _, t := range v.Triggers {
		out = append(out, t.Definition)
		out = append(out, c.triggerState(v, t)...)
	}
	if v.Comment != "" {
		out = append(out, fmt.Sprintf("COMMENT ON %s %s IS %s", kind, name, ddl.QuoteLiteral(v.Comment)))
	}
	out = append(out, fmt.Sprintf("ALTER %s %s OWNER TO %s", kind, name, qi(v.Owner)))
	out = append(out, c.privileges('r', v.Name, c.now.User, v.Owner, v.ACL)...)
	for _, k := range v.Columns {
		out = append(out, columnGrants(v, k.Name, k.ACL)...)
	}
	return out
}

// columnOrder asks for consent where code counts columns from the left (RULES 10): until complete a second column stands
// at the end of the table, and a swapped one stays there.
func (c *compiler) columnOrder(t *twin, swapped bool) {
	what := fmt.Sprintf("until complete %s has one more column at its end", t.rel.Name)
	if last := t.rel.Columns[len(t.rel.Columns)-1]; swapped && last.Name != t.col.Name {
		what = fmt.Sprintf("column %s of %s moves to the end of the table", qi(t.col.Name), t.rel.Name)
	}
	if swapped {
		c.notice("column-order", "column %s of %s moves to the end of the table at complete", qi(t.col.Name), t.rel.Name)
	}
	var who []string
	for _, f := range c.now.Functions {
		if ddl.UsesColumnOrder(f.Body, t.rel.Name) {
			who = append(who, "function "+f.Signature)
		}
	}
	for _, m := range c.family(t.rel) {
		for _, tr := range m.Triggers {
			if f := c.now.Functions[tr.Function+"()"]; f != nil && tr.Row && ddl.ExpandsRow(f.Body) {
				who = append(who, "function "+f.Signature)
			}
		}
	}
	slices.Sort(who)
	if len(who) > 0 {
		c.consent("column-order", "%s, and these count columns: %s", what, strings.Join(slices.Compact(who), ", "))
	}
}

// noticeBefore names the triggers that read or write a column before the sync trigger has brought to it what a client
// wrote through the new shape.
func (c *compiler) noticeBefore(r *ddl.Relation, col string) {
	for _, m := range c.family(r) {
		for _, tr := range m.Triggers {
			f := c.now.Functions[tr.Function+"()"]
			if tr.Row && tr.Before && tr.Parent == 0 && tr.Enabled != 'D' && f != nil && ddl.NamesColumn(f.Body, col) {
				c.notice("before-trigger", "until complete, BEFORE trigger %s of %s does not see what is written through the new shape of %s, and fails a statement that writes it where the trigger gives %s another value",
					qi(tr.Name), m.Name, qi(col), qi(col))
			}
		}
	}
}
