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
	for _, d := range c.now.DefaultGrants {
		if d.Kind == kind && d.Role == maker && (d.Schema == "" || d.Schema == name.Schema) {
			if d.Grantee == maker {
				d.Grantee = owner // ALTER … OWNER hands them over
			}
			if who := grantee(d.Grant); !slices.Contains(got, who) {
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
	return regrants(r.Name.String(), " ("+qi(col)+")", acl)
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

// owners are the grants that the owner made.
func owners(acl []ddl.Grant) []ddl.Grant {
	return slices.DeleteFunc(slices.Clone(acl), func(g ddl.Grant) bool { return g.Grantor != "" })
}
