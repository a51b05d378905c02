package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// versionSchema shows the new shape of every table that differs as a view in a schema of its own, for clients
// that select it by search_path, connection options or ALTER ROLE … IN DATABASE … SET. A view is writable as
// its table is, and the sync triggers of the table do the rest. At complete the views go first: the tables then
// have the shape that the views showed, and the same search_path finds them.
func (c *compiler) versionSchema() error {
	if c.opt.VersionSchema == "" {
		return nil
	}
	schema := qi(c.opt.VersionSchema)
	st := Step{Phase: Verify, Kind: Transaction, Temporary: true, Title: "show the new shape in schema " + schema,
		SQL: []string{"CREATE SCHEMA " + schema}}
	var drops, grantees []string
	var names []ddl.Name
	for n := range c.held {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b ddl.Name) int { return strings.Compare(a.String(), b.String()) })
	for _, n := range names {
		h := c.held[n]
		logical := n
		if h.renamedTo != "" {
			logical.Name = h.renamedTo
		}
		r := c.now.Relations[logical]
		old := c.start.Relations[n]
		if r == nil || old == nil || c.late[logical.String()] || r.Kind != 'r' && r.Kind != 'p' {
			continue // dropped, or not a table: nothing to show
		}
		if old.RowSecurity && c.now.Version < 150000 {
			return c.refuse("version-schema-rls", "upgrade to PostgreSQL 15, or use twin columns",
				"before PostgreSQL 15 a view runs with its owner's policies, so it would show rows of %s that a policy hides", n)
		}
		view := ddl.Name{Schema: c.opt.VersionSchema, Name: logical.Name}
		st.SQL = append(st.SQL, c.versionView(view, n, r)...)
		drops = append([]string{"DROP VIEW " + view.String()}, drops...)
		for _, g := range old.ACL {
			if g.Grantee != old.Owner && viewPrivilege[g.Privilege] {
				st.SQL = append(st.SQL, fmt.Sprintf("GRANT %s ON %s TO %s%s", g.Privilege, view, grantee(g), grantOption(g)))
				if who := grantee(g); !slices.Contains(grantees, who) {
					grantees = append(grantees, who)
				}
			}
		}
		st.SQL = append(st.SQL, fmt.Sprintf("ALTER VIEW %s OWNER TO %s", view, qi(old.Owner)))
		if who := qi(old.Owner); !slices.Contains(grantees, who) {
			grantees = append(grantees, who)
		}
	}
	if len(drops) == 0 {
		return nil
	}
	for _, who := range grantees {
		st.SQL = append(st.SQL, fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", schema, who))
	}
	drops = append(drops, "DROP SCHEMA "+schema)
	st.Reverse = drops
	c.step(st)
	// In front of everything else that complete does: the views stand on the columns that go.
	rest := c.contract
	c.contract = nil
	c.later(Step{Kind: Transaction, Leaves: true, Title: "remove schema " + schema, SQL: drops})
	for _, s := range rest {
		c.later(s)
	}
	return nil
}

// versionView is the view of one table: its columns as they will be after complete, in their present order.
func (c *compiler) versionView(view, table ddl.Name, r *ddl.Relation) []string {
	with := ""
	if c.now.Version >= 150000 {
		with = " WITH (security_invoker = true)"
	}
	cols, _ := c.shownColumns(table, r)
	return []string{fmt.Sprintf("CREATE VIEW %s%s AS SELECT %s FROM %s", view, with, cols, table)}
}

// shownColumns selects the columns of a table as they will be after complete, each from the column that will carry it,
// so that complete need not take the view away before the others go. It tells whether all of them are there.
func (c *compiler) shownColumns(table ddl.Name, r *ddl.Relation) (list string, there bool) {
	live := c.live.Relations[table]
	there = live != nil
	var cols []string
	for _, k := range r.Columns {
		phys := c.physical(table, k.Name)
		there = there && live.Column(phys) != nil && (phys != k.Name || !c.occupiedColumn(r, k.Name))
		if phys != k.Name {
			cols = append(cols, qi(phys)+" AS "+qi(k.Name))
		} else {
			cols = append(cols, qi(k.Name))
		}
	}
	return strings.Join(cols, ", "), there
}
