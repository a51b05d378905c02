package ddl

import (
	"cmp"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// The privileges that ALL means, by what they are of.
var (
	tablePrivileges    = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"}
	columnPrivileges   = []string{"SELECT", "INSERT", "UPDATE", "REFERENCES"}
	sequencePrivileges = []string{"SELECT", "UPDATE", "USAGE"}
)

func (s *Schema) allPrivileges(kind byte) []string {
	switch {
	case kind == 'S':
		return sequencePrivileges
	case s.Version >= 170000:
		return append(slices.Clone(tablePrivileges), "MAINTAIN")
	}
	return tablePrivileges
}

// grant follows GRANT and REVOKE on relations, their columns and sequences. Whoever may run a migration acts for the
// owner, so that the owner is the grantor.
func (s *Schema) grant(n *pg.GrantStmt) {
	kind := byte('r')
	if n.Objtype == pg.ObjectType_OBJECT_SEQUENCE {
		kind = 'S'
	} else if n.Objtype != pg.ObjectType_OBJECT_TABLE {
		return
	}
	for _, o := range n.Objects {
		switch n.Targtype {
		case pg.GrantTargetType_ACL_TARGET_OBJECT:
			name := objectName(o)
			if r := s.lookup(name); r != nil {
				s.grantOn(s.mut(r), n)
			} else if q := s.sequence(name); q != nil {
				q = s.mutSequence(q)
				q.ACL = s.granted(q.ACL, q.Owner, 'S', n)
			}
		case pg.GrantTargetType_ACL_TARGET_ALL_IN_SCHEMA:
			schema := o.GetString_().GetSval()
			for _, name := range s.sortedRelations() {
				if name.Schema == schema && kind == 'r' {
					s.grantOn(s.mut(s.Relations[name]), n)
				}
			}
			for name, q := range s.Sequences {
				if name.Schema == schema && kind == 'S' {
					q = s.mutSequence(q)
					q.ACL = s.granted(q.ACL, q.Owner, 'S', n)
				}
			}
		}
	}
}

func (s *Schema) grantOn(r *Relation, n *pg.GrantStmt) {
	whole := len(n.Privileges) == 0
	for _, p := range n.Privileges {
		whole = whole || len(p.GetAccessPriv().Cols) == 0
	}
	if whole {
		r.ACL = s.granted(r.ACL, r.Owner, 'r', n)
	}
	for _, c := range r.Columns {
		for _, g := range s.grantees(n) {
			for _, p := range privilegesOf(n, columnPrivileges, c.Name) {
				c.ACL = changed(c.ACL, Grant{Grantee: g, Privilege: p}, n)
			}
			if n.IsGrant {
				continue
			}
			for _, p := range privilegesOf(n, columnPrivileges, "") { // what goes from the table goes from its columns
				c.ACL = changed(c.ACL, Grant{Grantee: g, Privilege: p}, n)
			}
		}
		if len(c.ACL) == 0 {
			c.ACL = nil
		}
	}
}

// granted is an ACL of a whole object after a statement.
func (s *Schema) granted(acl []Grant, owner string, kind byte, n *pg.GrantStmt) []Grant {
	if acl == nil {
		acl = s.ownersAll(owner, kind)
	}
	for _, g := range s.grantees(n) {
		for _, p := range privilegesOf(n, s.allPrivileges(kind), "") {
			acl = changed(acl, Grant{Grantee: g, Privilege: p}, n)
		}
	}
	return acl
}

func (s *Schema) ownersAll(owner string, kind byte) []Grant {
	acl := []Grant{}
	for _, p := range s.allPrivileges(kind) {
		acl = append(acl, Grant{Grantee: owner, Privilege: p})
	}
	return acl
}

// privilegesOf are the privileges that a statement names for a column, or with column "" for the whole object.
func privilegesOf(n *pg.GrantStmt, all []string, column string) []string {
	if len(n.Privileges) == 0 && column == "" {
		return all
	}
	var out []string
	for _, x := range n.Privileges {
		p := x.GetAccessPriv()
		if column == "" && len(p.Cols) > 0 || column != "" && !slices.Contains(strs(p.Cols), column) {
			continue
		}
		if p.PrivName == "" { // ALL (column)
			out = append(out, all...)
		} else if name := strings.ToUpper(p.PrivName); slices.Contains(all, name) {
			out = append(out, name)
		}
	}
	return out
}

func (s *Schema) grantees(n *pg.GrantStmt) []string {
	var out []string
	for _, g := range n.Grantees {
		out = append(out, s.roleOf(g.GetRoleSpec()))
	}
	return out
}

// roleOf is the name of a role, "" for PUBLIC.
func (s *Schema) roleOf(r *pg.RoleSpec) string {
	switch r.GetRoletype() {
	case pg.RoleSpecType_ROLESPEC_PUBLIC:
		return ""
	case pg.RoleSpecType_ROLESPEC_CSTRING:
		return r.Rolename
	}
	return s.User
}

// changed is an ACL after one privilege, given by the owner, was granted to or revoked from a role.
func changed(acl []Grant, g Grant, n *pg.GrantStmt) []Grant {
	i := slices.IndexFunc(acl, func(h Grant) bool {
		return h.Grantor == "" && h.Grantee == g.Grantee && h.Privilege == g.Privilege
	})
	switch {
	case n.IsGrant && i < 0:
		g.Grantable = n.GrantOption
		return append(slices.Clip(acl), g)
	case i < 0:
		return acl
	}
	acl = slices.Clone(acl)
	switch {
	case n.IsGrant:
		acl[i].Grantable = acl[i].Grantable || n.GrantOption
		return acl
	case n.GrantOption:
		acl[i].Grantable = false
	default:
		acl = slices.Delete(acl, i, i+1)
	}
	return withoutBasis(acl)
}

// withoutBasis takes away, as CASCADE does, what a grantor could no longer give.
func withoutBasis(acl []Grant) []Grant {
	for {
		kept := slices.DeleteFunc(slices.Clone(acl), func(g Grant) bool {
			return g.Grantor != "" && !slices.ContainsFunc(acl, func(h Grant) bool {
				return h.Grantee == g.Grantor && h.Privilege == g.Privilege && h.Grantable
			})
		})
		if len(kept) == len(acl) {
			return acl
		}
		acl = kept
	}
}

// newACL is what a new object gets by ALTER DEFAULT PRIVILEGES of the role that makes it; nil when it says nothing. An
// entry for every schema stands in the place of what is built in, one for a schema adds to that.
func (s *Schema) newACL(kind byte, schema, owner string) []Grant {
	var base, more []Grant
	for _, d := range s.DefaultGrants {
		if d.Kind == kind && d.Role == owner && d.Schema == "" {
			base = append(base, d.Grant)
		}
		if d.Kind == kind && d.Role == owner && d.Schema == schema {
			more = append(more, d.Grant)
		}
	}
	if base == nil && more == nil {
		return nil
	}
	if base == nil {
		base = s.ownersAll(owner, kind)
	}
	for _, g := range more {
		if i := slices.IndexFunc(base, func(h Grant) bool { return h.Grantee == g.Grantee && h.Privilege == g.Privilege }); i < 0 {
			base = append(base, g)
		} else {
			base[i].Grantable = base[i].Grantable || g.Grantable
		}
	}
	return base
}

// defaultPrivileges follows ALTER DEFAULT PRIVILEGES for tables and sequences.
func (s *Schema) defaultPrivileges(n *pg.AlterDefaultPrivilegesStmt) {
	kind := byte('r')
	if n.Action.GetObjtype() == pg.ObjectType_OBJECT_SEQUENCE {
		kind = 'S'
	} else if n.Action.GetObjtype() != pg.ObjectType_OBJECT_TABLE {
		return
	}
	schemas, roles := []string{""}, []string{s.User}
	for _, o := range n.Options {
		e := o.GetDefElem()
		switch items := e.GetArg().GetList().GetItems(); e.GetDefname() {
		case "schemas":
			schemas = strs(items)
		case "roles":
			roles = nil
			for _, r := range items {
				roles = append(roles, s.roleOf(r.GetRoleSpec()))
			}
		}
	}
	for _, role := range roles {
		for _, schema := range schemas {
			var acl []Grant
			rest := slices.DeleteFunc(slices.Clone(s.DefaultGrants), func(d DefaultGrant) bool {
				same := d.Kind == kind && d.Role == role && d.Schema == schema
				if same {
					acl = append(acl, d.Grant)
				}
				return same
			})
			if acl == nil && schema != "" {
				acl = []Grant{} // it adds to what is built in
			}
			acl = s.granted(acl, role, kind, n.Action)
			if schema == "" && slices.Equal(acl, s.ownersAll(role, kind)) {
				acl = nil // what is built in
			}
			for _, g := range acl {
				rest = append(rest, DefaultGrant{Role: role, Schema: schema, Kind: kind, Grant: g})
			}
			s.DefaultGrants = rest
		}
	}
	slices.SortStableFunc(s.DefaultGrants, func(a, b DefaultGrant) int {
		return cmp.Or(strings.Compare(a.Role, b.Role), strings.Compare(a.Schema, b.Schema), cmp.Compare(a.Kind, b.Kind))
	})
}

// newOwner gives an object's own privileges to another owner, with what the former one had granted.
func newOwner(acl []Grant, from, to string) []Grant {
	if acl == nil {
		return nil
	}
	out := []Grant{}
	for _, g := range acl {
		if g.Grantee == from {
			g.Grantee = to
		}
		if g.Grantor == to {
			g.Grantor = ""
		}
		i := slices.IndexFunc(out, func(h Grant) bool {
			return h.Grantee == g.Grantee && h.Privilege == g.Privilege && h.Grantor == g.Grantor
		})
		if i < 0 {
			out = append(out, g)
		} else {
			out[i].Grantable = out[i].Grantable || g.Grantable
		}
	}
	return out
}
