package ddl

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// The privileges that ALL means, by what they are of: as in pg_default_acl.defaclobjtype, and of others.
var allPrivileges = map[byte][]string{
	'r': {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"},
	'c': {"SELECT", "INSERT", "UPDATE", "REFERENCES"},
	'S': {"SELECT", "UPDATE", "USAGE"},
	'f': {"EXECUTE"},
	'T': {"USAGE"},
	'n': {"USAGE", "CREATE"},
	'D': {"CREATE", "TEMPORARY", "CONNECT"},
	'L': {"USAGE"},
	'U': {"USAGE"}, // foreign-data wrappers and servers
	't': {"CREATE"},
}

// everybodys are the privileges that PUBLIC has of what nothing was said about.
var everybodys = map[byte][]string{'f': {"EXECUTE"}, 'T': {"USAGE"}, 'D': {"TEMPORARY", "CONNECT"}, 'L': {"USAGE"}}

var thingKinds = map[pg.ObjectType]struct {
	name string
	kind byte
}{
	pg.ObjectType_OBJECT_SCHEMA: {"SCHEMA", 'n'}, pg.ObjectType_OBJECT_DATABASE: {"DATABASE", 'D'}, pg.ObjectType_OBJECT_LANGUAGE: {"LANGUAGE", 'L'},
	pg.ObjectType_OBJECT_FDW: {"FOREIGN DATA WRAPPER", 'U'}, pg.ObjectType_OBJECT_FOREIGN_SERVER: {"FOREIGN SERVER", 'U'}, pg.ObjectType_OBJECT_TABLESPACE: {"TABLESPACE", 't'},
}

func (s *Schema) allPrivileges(kind byte) []string {
	if kind == 'r' && s.Version >= 170000 {
		return append(slices.Clone(allPrivileges['r']), "MAINTAIN")
	}
	return allPrivileges[kind]
}

// grant follows GRANT and REVOKE. Whoever may run a migration acts for the owner, so that the owner is the grantor. It
// returns what it could not find.
func (s *Schema) grant(n *pg.GrantStmt) (unknown []string) {
	if n.Targtype == pg.GrantTargetType_ACL_TARGET_ALL_IN_SCHEMA {
		for _, o := range n.Objects {
			unknown = append(unknown, s.grantInSchema(o.GetString_().GetSval(), n)...)
		}
		return unknown
	}
	miss := func(name string) { unknown = append(unknown, name) }
	for _, o := range n.Objects {
		switch n.Objtype {
		case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_SEQUENCE:
			name := objectName(o)
			if r := s.lookup(name); r != nil {
				s.grantOn(s.mut(r), n)
			} else if q := s.sequence(name); q != nil {
				s.grantSequence(q, n)
			} else {
				miss(name.String())
			}
		case pg.ObjectType_OBJECT_FUNCTION, pg.ObjectType_OBJECT_PROCEDURE, pg.ObjectType_OBJECT_ROUTINE:
			if f := s.function(o.GetObjectWithArgs()); f != nil {
				s.grantFunction(f, n)
			} else {
				miss(nameOf(o.GetObjectWithArgs().GetObjname()).String())
			}
		case pg.ObjectType_OBJECT_TYPE, pg.ObjectType_OBJECT_DOMAIN:
			name := nameOf(o.GetTypeName().GetNames())
			if o.GetTypeName() == nil {
				name = objectName(o)
			}
			if t := s.Type(name); t != nil {
				t = s.mutType(t)
				t.ACL = s.granted(t.ACL, t.Owner, 'T', n)
			} else {
				miss(name.String())
			}
		default:
			k, name := thingKinds[n.Objtype], o.GetString_().GetSval()
			if x, ok := s.Owned[Thing{k.name, name}]; ok && k.name != "" {
				x.ACL = s.granted(x.ACL, x.Owner, k.kind, n)
				s.Owned[Thing{k.name, name}] = x
			} else {
				miss(name)
			}
		}
	}
	return unknown
}

func (s *Schema) grantSequence(q *Sequence, n *pg.GrantStmt) {
	q = s.mutSequence(q)
	q.ACL = s.granted(q.ACL, q.Owner, 'S', n)
}

func (s *Schema) grantFunction(f *Function, n *pg.GrantStmt) {
	f = s.mutFunction(f)
	f.ACL = s.granted(f.ACL, f.Owner, 'f', n)
}

func (s *Schema) grantInSchema(schema string, n *pg.GrantStmt) (unknown []string) {
	if x, ok := s.Owned[Thing{"SCHEMA", schema}]; !ok || x.Guests {
		unknown = []string{"what belongs to extensions in schema " + schema}
	}
	switch n.Objtype {
	case pg.ObjectType_OBJECT_TABLE:
		for _, name := range s.sortedRelations() {
			if name.Schema == schema {
				s.grantOn(s.mut(s.Relations[name]), n)
			}
		}
	case pg.ObjectType_OBJECT_SEQUENCE:
		for name, q := range s.Sequences {
			if name.Schema == schema {
				s.grantSequence(q, n)
			}
		}
	default:
		for _, f := range s.Functions {
			procedure := f.Kind == 'p'
			if f.Name.Schema == schema && (n.Objtype == pg.ObjectType_OBJECT_ROUTINE || procedure == (n.Objtype == pg.ObjectType_OBJECT_PROCEDURE)) {
				s.grantFunction(f, n)
			}
		}
	}
	return unknown
}

// function finds a function or procedure as a statement names it.
func (s *Schema) function(o *pg.ObjectWithArgs) *Function {
	name := nameOf(o.GetObjname())
	var args []string
	for _, a := range o.GetObjargs() {
		t, err := s.resolveType(typeName(a.GetTypeName()))
		if err != nil {
			return nil
		}
		args = append(args, t.text)
	}
	path := s.SearchPath
	if name.Schema != "" {
		path = []string{name.Schema}
	}
	for _, schema := range path {
		full := Name{schema, name.Name}
		if !o.GetArgsUnspecified() {
			if f := s.Functions[full.String()+"("+strings.Join(args, ",")+")"]; f != nil {
				return f
			}
			continue
		}
		for _, f := range s.Functions {
			if f.Name == full {
				return f // there is one, or the server says that there are more
			}
		}
	}
	return nil
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
			for _, p := range privilegesOf(n, allPrivileges['c'], c.Name) {
				c.ACL = changed(c.ACL, Grant{Grantee: g, Privilege: p}, n)
			}
			if n.IsGrant {
				continue
			}
			for _, p := range privilegesOf(n, allPrivileges['c'], "") { // what goes from the table goes from its columns
				c.ACL = changed(c.ACL, Grant{Grantee: g, Privilege: p}, n)
			}
		}
		if len(c.ACL) == 0 {
			c.ACL = nil
		}
	}
}

// defaults are the privileges of an object whose ACL is nil.
func (s *Schema) defaults(owner string, kind byte, acl []Grant) []Grant {
	if acl == nil {
		return s.ownersAll(owner, kind)
	}
	return acl
}

// granted is an ACL of a whole object after a statement.
func (s *Schema) granted(acl []Grant, owner string, kind byte, n *pg.GrantStmt) []Grant {
	acl = s.defaults(owner, kind, acl)
	for _, g := range s.grantees(n) {
		for _, p := range privilegesOf(n, s.allPrivileges(kind), "") {
			acl = changed(acl, Grant{Grantee: g, Privilege: p}, n)
		}
	}
	return acl
}

func (s *Schema) ownersAll(owner string, kind byte) []Grant {
	acl := []Grant{}
	for _, p := range everybodys[kind] {
		acl = append(acl, Grant{Privilege: p})
	}
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
		} else if name := strings.ToUpper(p.PrivName); name == "TEMP" {
			out = append(out, "TEMPORARY")
		} else if slices.Contains(all, name) {
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
	for _, d := range s.DefaultACLs {
		if d.Kind == kind && d.Role == owner && d.Schema == "" {
			base = slices.Clone(d.ACL)
		}
		if d.Kind == kind && d.Role == owner && d.Schema == schema && schema != "" {
			more = d.ACL
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
	if len(base) == 0 || sameGrants(base, s.ownersAll(owner, kind)) {
		return nil // of an entry from which everything was revoked PostgreSQL makes what is built in, too
	}
	return base
}

// defaultKinds are pg_default_acl.defaclobjtype.
var defaultKinds = map[pg.ObjectType]byte{pg.ObjectType_OBJECT_TABLE: 'r', pg.ObjectType_OBJECT_SEQUENCE: 'S', pg.ObjectType_OBJECT_FUNCTION: 'f',
	pg.ObjectType_OBJECT_ROUTINE: 'f', pg.ObjectType_OBJECT_TYPE: 'T', pg.ObjectType_OBJECT_SCHEMA: 'n'}

// defaultPrivileges follows ALTER DEFAULT PRIVILEGES, and says of what it could not.
func (s *Schema) defaultPrivileges(n *pg.AlterDefaultPrivilegesStmt) (unknown []string) {
	kind := defaultKinds[n.Action.GetObjtype()]
	if kind == 0 {
		return []string{"default privileges of other objects"}
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
			s.defaultFor(DefaultACL{Role: role, Schema: schema, Kind: kind}, n.Action)
		}
	}
	slices.SortStableFunc(s.DefaultACLs, func(a, b DefaultACL) int {
		return cmp.Or(strings.Compare(a.Role, b.Role), strings.Compare(a.Schema, b.Schema), cmp.Compare(a.Kind, b.Kind))
	})
	return nil
}

// defaultFor changes one entry. One for every schema stands in the place of what is built in, one for a schema adds to
// that, and neither is kept when it says nothing more.
func (s *Schema) defaultFor(d DefaultACL, n *pg.GrantStmt) {
	s.DefaultACLs = slices.DeleteFunc(slices.Clone(s.DefaultACLs), func(x DefaultACL) bool {
		same := x.Kind == d.Kind && x.Role == d.Role && x.Schema == d.Schema
		if same {
			d.ACL = x.ACL
		}
		return same
	})
	builtIn := []Grant{}
	if d.Schema == "" {
		builtIn = s.ownersAll(d.Role, d.Kind)
	} else if d.ACL == nil {
		d.ACL = builtIn
	}
	d.ACL = s.granted(d.ACL, d.Role, d.Kind, n)
	if !sameGrants(d.ACL, builtIn) {
		s.DefaultACLs = append(s.DefaultACLs, d)
	}
}

func sameGrants(a, b []Grant) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(g Grant) bool { return !slices.Contains(b, g) })
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

// PrivilegeChange is what changed of the privileges of one object, or of those that new ones get.
type PrivilegeChange struct {
	Before     string // what stands before GRANT and REVOKE: ALTER DEFAULT PRIVILEGES …, or nothing
	On, Column string // as GRANT says it: SCHEMA s
	From, To   []Grant
}

// PrivilegeChanges are the objects that both schemas hold and whose privileges differ.
func PrivilegeChanges(from, to *Schema) []PrivilegeChange {
	var out []PrivilegeChange
	add := func(x PrivilegeChange) {
		if !sameGrants(x.From, x.To) {
			out = append(out, x)
		}
	}
	for _, n := range to.sortedRelations() {
		a, b := from.Relations[n], to.Relations[n]
		if a == nil || a == b {
			continue
		}
		add(PrivilegeChange{On: n.String(), From: from.defaults(a.Owner, 'r', a.ACL), To: to.defaults(b.Owner, 'r', b.ACL)})
		for _, c := range b.Columns {
			if old := a.Column(c.Name); old != nil {
				add(PrivilegeChange{On: n.String(), Column: c.Name, From: old.ACL, To: c.ACL})
			}
		}
	}
	for _, n := range slices.SortedFunc(maps.Keys(to.Sequences), compareNames) {
		if a, b := from.Sequences[n], to.Sequences[n]; a != nil && a != b {
			add(PrivilegeChange{On: "SEQUENCE " + n.String(), From: from.defaults(a.Owner, 'S', a.ACL), To: to.defaults(b.Owner, 'S', b.ACL)})
		}
	}
	for _, n := range slices.SortedFunc(maps.Keys(to.Types), compareNames) {
		if a, b := from.Types[n], to.Types[n]; a != nil && a != b {
			add(PrivilegeChange{On: "TYPE " + n.String(), From: from.defaults(a.Owner, 'T', a.ACL), To: to.defaults(b.Owner, 'T', b.ACL)})
		}
	}
	for _, n := range slices.Sorted(maps.Keys(to.Functions)) {
		if a, b := from.Functions[n], to.Functions[n]; a != nil && a != b {
			add(PrivilegeChange{On: "ROUTINE " + n, From: from.defaults(a.Owner, 'f', a.ACL), To: to.defaults(b.Owner, 'f', b.ACL)})
		}
	}
	kinds := map[string]byte{}
	for _, k := range thingKinds {
		kinds[k.name] = k.kind
	}
	byName := func(a, b Thing) int { return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name)) }
	for _, what := range slices.SortedFunc(maps.Keys(to.Owned), byName) {
		if a, ok := from.Owned[what]; ok {
			b, kind := to.Owned[what], kinds[what.Kind]
			add(PrivilegeChange{On: what.Kind + " " + QuoteIdent(what.Name), From: from.defaults(a.Owner, kind, a.ACL), To: to.defaults(b.Owner, kind, b.ACL)})
		}
	}
	return append(out, defaultChanges(from, to)...)
}

// defaultChanges are those of ALTER DEFAULT PRIVILEGES.
func defaultChanges(from, to *Schema) []PrivilegeChange {
	var out []PrivilegeChange
	words := map[byte]string{'r': "TABLES", 'S': "SEQUENCES", 'f': "ROUTINES", 'T': "TYPES", 'n': "SCHEMAS"}
	find := func(s *Schema, d DefaultACL) []Grant {
		for _, x := range s.DefaultACLs {
			if x.Role == d.Role && x.Schema == d.Schema && x.Kind == d.Kind {
				return x.ACL
			}
		}
		if d.Schema == "" {
			return s.ownersAll(d.Role, d.Kind)
		}
		return nil
	}
	seen := map[string]bool{}
	for _, d := range slices.Concat(from.DefaultACLs, to.DefaultACLs) {
		x := PrivilegeChange{Before: "ALTER DEFAULT PRIVILEGES FOR ROLE " + QuoteIdent(d.Role) + " ", On: words[d.Kind], From: find(from, d), To: find(to, d)}
		if d.Schema != "" {
			x.Before += "IN SCHEMA " + QuoteIdent(d.Schema) + " "
		}
		if words[d.Kind] != "" && !seen[x.Before+x.On] && !sameGrants(x.From, x.To) {
			out = append(out, x)
		}
		seen[x.Before+x.On] = true
	}
	return out
}

// GrantsUnknown names what a GRANT, REVOKE or ALTER DEFAULT PRIVILEGES is about and the schema does not hold.
func (s *Schema) GrantsUnknown(sql string) []string {
	_, stmt, err := one(sql)
	if err != nil {
		return []string{sql}
	}
	trial := s.Clone()
	trial.own()
	switch n := stmt.Node.(type) {
	case *pg.Node_GrantStmt:
		return trial.grant(n.GrantStmt)
	case *pg.Node_AlterDefaultPrivilegesStmt:
		return trial.defaultPrivileges(n.AlterDefaultPrivilegesStmt)
	}
	return []string{sql}
}
