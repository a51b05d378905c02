package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// privileges gives a relation or sequence that is made anew the privileges it had and no others: ALTER DEFAULT
// PRIVILEGES may have given it more. maker is the role whose default privileges count. kind and name are for SQL.
func (c *compiler) privileges(kind byte, name ddl.Name, maker, owner string, had []ddl.Grant) []string {
	on := name.String()
	if kind == 'S' {
		on = "SEQUENCE " + on
	}
	var got []string
	for _, d := range c.now.DefaultACLs {
		if d.Kind != kind || d.Role != maker || d.Schema != "" && d.Schema != name.Schema {
			continue
		}
		for _, g := range d.ACL {
			if g.Grantee == maker {
				g.Grantee = owner // ALTER … OWNER hands them over
			}
			if who := grantee(g); !slices.Contains(got, who) {
				got = append(got, who)
			}
		}
	}
	if had == nil {
		if len(got) == 0 {
			return nil
		}
		had = []ddl.Grant{{Grantee: owner, Privilege: "ALL"}}
	}
	if !slices.Contains(got, qi(owner)) {
		got = append(got, qi(owner))
	}
	return append([]string{fmt.Sprintf("REVOKE ALL ON %s FROM %s", on, strings.Join(got, ", "))}, regrants(on, "", had)...)
}

func columnGrants(r *ddl.Relation, col string, acl []ddl.Grant) []string {
	return regrants(r.Name.String(), columnList(col), acl)
}

// regrants gives privileges again, each in the name of its grantor: the owner's, for whom the role at work acts, and
// then those of roles that had them WITH GRANT OPTION.
func regrants(on, column string, acl []ddl.Grant) []string {
	var out []string
	acting := ""
	for _, g := range byGrantor(acl) {
		if g.Grantor != acting {
			if acting == "" {
				out = append(out, "SELECT pg_catalog.set_config('replank.role', pg_catalog.current_setting('role'), true)")
			}
			out = append(out, "SET LOCAL ROLE "+qi(g.Grantor))
			acting = g.Grantor
		}
		out = append(out, fmt.Sprintf("GRANT %s%s ON %s TO %s%s", g.Privilege, column, on, grantee(g), grantOption(g)))
	}
	if acting != "" {
		out = append(out, "SELECT pg_catalog.set_config('role', pg_catalog.current_setting('replank.role'), true)")
	}
	return out
}

// byGrantor puts grants into an order in which they can be made: the owner's first, a grantor's behind its own. What
// nobody can give in the name of its grantor, the owner gives.
func byGrantor(acl []ddl.Grant) []ddl.Grant {
	var out, rest []ddl.Grant
	for _, g := range acl {
		if g.Foreign {
			g.Grantor = ""
		}
		if g.Grantor == "" {
			out = append(out, g)
		} else {
			rest = append(rest, g)
		}
	}
	for len(rest) > 0 {
		i := slices.IndexFunc(rest, func(g ddl.Grant) bool {
			return slices.ContainsFunc(out, func(h ddl.Grant) bool {
				return h.Grantee == g.Grantor && h.Privilege == g.Privilege && h.Grantable
			})
		})
		i = max(i, 0) // a column's may rest on what its table's grantor has
		out = append(out, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	return out
}

// noticeGrantors names the grantors that privileges lose when what they are on is made again.
func (c *compiler) noticeGrantors(what string, acl []ddl.Grant) {
	for _, g := range acl {
		if g.Foreign {
			c.notice("grantor", "from complete on the owner of %s is the grantor of privileges that %s granted: Replank may not act as that role", what, qi(g.Grantor))
		}
	}
}

func grantee(g ddl.Grant) string {
	if g.Grantee == "" {
		return "PUBLIC"
	}
	return qi(g.Grantee)
}

func grantOption(g ddl.Grant) string {
	if g.Grantable {
		return " WITH GRANT OPTION"
	}
	return ""
}

// restored are the statements that bring privileges from what they are in one schema to what they are in another. First
// goes what is too much: from a table it goes from the columns as well, and with its grantor's basis from others.
func restored(from, to *ddl.Schema) []string {
	var out []string
	trial := from.Clone()
	for _, x := range ddl.PrivilegeChanges(from, to) {
		for _, sql := range tooMuch(x) {
			new(effects).add(trial, sql)
			out = append(out, sql)
		}
	}
	for _, x := range ddl.PrivilegeChanges(trial, to) {
		missing := slices.DeleteFunc(slices.Clone(x.To), func(g ddl.Grant) bool {
			i := sameGrant(x.From, g)
			return i >= 0 && (!g.Grantable || x.From[i].Grantable)
		})
		for _, sql := range regrants(x.On, columnList(x.Column), missing) {
			out = append(out, x.Before+sql)
		}
	}
	return out
}

// tooMuch revokes what somebody has and should not have.
func tooMuch(x ddl.PrivilegeChange) []string {
	var out []string
	revoke := func(option string, g ddl.Grant, cascade string) {
		sql := fmt.Sprintf("%sREVOKE %s%s%s ON %s FROM %s%s", x.Before, option, g.Privilege, columnList(x.Column), x.On, grantee(g), cascade)
		if !slices.Contains(out, sql) {
			out = append(out, sql)
		}
	}
	for _, g := range x.From {
		i := sameGrant(x.To, g)
		switch {
		case i < 0 && g.Grantor != "":
			for _, basis := range x.From {
				if basis.Grantor == "" && basis.Grantable && basis.Privilege == g.Privilege {
					revoke("", basis, " CASCADE")
				}
			}
		case i < 0:
			revoke("", g, "")
		case g.Grantor == "" && g.Grantable && !x.To[i].Grantable:
			revoke("GRANT OPTION FOR ", g, "")
		}
	}
	return out
}

func sameGrant(acl []ddl.Grant, g ddl.Grant) int {
	return slices.IndexFunc(acl, func(h ddl.Grant) bool {
		return h.Grantee == g.Grantee && h.Privilege == g.Privilege && h.Grantor == g.Grantor
	})
}

func columnList(column string) string {
	if column == "" {
		return ""
	}
	return " (" + qi(column) + ")"
}

// grant runs GRANT, REVOKE and ALTER DEFAULT PRIVILEGES. The way back gives everybody what they had.
func (c *compiler) grant(op ddl.Other, sql string) error {
	if _, schemas := ddl.AllInSchemas(sql); len(schemas) > 0 && len(c.late) > 0 {
		return c.wait(op, sql) // it means what comes only then as well
	}
	st := Step{Phase: Expand, Kind: Transaction, Title: title(sql), SQL: []string{sql}}
	c.livePath(&st)
	before, after := c.live.Clone(), c.live.Clone()
	switch unknown := before.GrantsUnknown(sql); {
	case strings.HasSuffix(op.Tag, " ROLE"):
		st.Reverse, st.Irreversible = c.revokeRole(sql)
	case len(unknown) > 0:
		st.Irreversible = "Replank does not know who has which privileges on " + strings.Join(unknown, ", ")
	case after.ApplyOp(op, sql) != nil:
		st.Irreversible = "Replank does not know the statement that takes it back"
	default:
		st.Reverse = restored(after, before)
	}
	c.step(st)
	return nil
}

// revokeRole takes back GRANT of roles to those that were no members before.
func (c *compiler) revokeRole(sql string) (reverse []string, irreversible string) {
	revoke, members, err := ddl.Memberships(sql, c.live)
	if err != nil {
		return nil, "Replank does not know the statement that takes it back"
	}
	if len(members) > 0 {
		m := members[0]
		return nil, fmt.Sprintf("%s was a member of %s before, and Replank does not know who made it that with which options", qi(m.Member), qi(m.Role))
	}
	return []string{revoke}, ""
}
