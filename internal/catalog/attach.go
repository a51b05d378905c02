package catalog

import (
	"context"
	"slices"

	"github.com/replank/replank/ddl"
)

// publications gives each table the publications that carry its changes: named, by schema, by FOR ALL TABLES,
// or through its partitioned parent.
func (l *loader) publications(ctx context.Context) error {
	type member struct {
		pub    ddl.Publication
		schema string
	}
	named := map[uint32][]ddl.Publication{}
	var wide []member
	var p member
	var rel uint32
	var cols []int16
	err := l.query(ctx, "publications", []any{&p.pub.Name, &p.pub.AllTables, &rel, &p.schema, &cols, &p.pub.Where}, func() error {
		if rel == 0 {
			wide = append(wide, p)
			return nil
		}
		pub := p.pub
		pub.Columns = names(l.cols[rel], cols)
		named[rel] = append(named[rel], pub)
		return nil
	})
	if err != nil || len(named) == 0 && len(wide) == 0 {
		return err
	}
	for _, r := range l.rels {
		if r.Persistence != 'p' || r.Kind != 'r' && r.Kind != 'p' {
			continue
		}
		for at := r; at != nil; at = l.partitionParent(at) {
			for _, pub := range named[at.OID] {
				if at != r {
					pub.Columns, pub.Where = nil, ""
				}
				r.Publications = append(r.Publications, pub)
			}
			for _, w := range wide {
				if w.schema == at.Name.Schema || w.pub.AllTables && at == r {
					r.Publications = append(r.Publications, w.pub)
				}
			}
		}
		slices.SortStableFunc(r.Publications, func(a, b ddl.Publication) int { return cmpStrings(a.Name, b.Name) })
		r.Publications = slices.CompactFunc(r.Publications, func(a, b ddl.Publication) bool { return a.Name == b.Name })
	}
	return nil
}

func (l *loader) partitionParent(r *ddl.Relation) *ddl.Relation {
	if !r.IsPartition || len(r.Parents) == 0 {
		return nil
	}
	return l.s.Relations[r.Parents[0]]
}

func cmpStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (l *loader) acls(ctx context.Context) error {
	for _, oid := range l.hasACL {
		l.setACL(oid, 0, []ddl.Grant{}) // an ACL from which everything was revoked has no rows
	}
	oids := map[uint32]bool{}
	for _, oid := range l.hasACL {
		oids[oid] = true
	}
	for oid, r := range l.rels {
		if slices.ContainsFunc(r.Columns, func(c *ddl.RelColumn) bool { return c.ACL != nil }) {
			oids[oid] = true
		}
	}
	var class string
	var oid uint32
	var sub int
	var g ddl.Grant
	return l.query(ctx, "acls", []any{&class, &oid, &sub, &g.Grantee, &g.Privilege, &g.Grantable, &g.Grantor, &g.Foreign}, func() error {
		l.setACL(oid, sub, []ddl.Grant{g})
		return nil
	}, oidArray(oids))
}

// owned reads the privileges of what has no other place in a Schema, and who is a member of which role.
func (l *loader) owned(ctx context.Context) error {
	l.s.Owned = map[ddl.Thing]ddl.Owned{}
	var what ddl.Thing
	var o ddl.Owned
	var hasACL bool
	var g ddl.Grant
	err := l.query(ctx, "owned", []any{&what.Kind, &what.Name, &o.Owner, &hasACL, &g.Grantee, &g.Privilege, &g.Grantable, &g.Grantor, &o.Guests}, func() error {
		o.ACL = l.s.Owned[what].ACL
		if hasACL && o.ACL == nil {
			o.ACL = []ddl.Grant{}
		}
		if g.Privilege != "" {
			o.ACL = append(o.ACL, g)
		}
		l.s.Owned[what] = o
		return nil
	})
	if err != nil {
		return err
	}
	var m ddl.Member
	return l.query(ctx, "members", []any{&m.Role, &m.Member, &m.Grantor, &m.Admin}, func() error {
		l.s.Members = append(l.s.Members, m)
		return nil
	})
}

func (l *loader) defaultGrants(ctx context.Context) error {
	var d ddl.DefaultACL
	var g ddl.Grant
	return l.query(ctx, "default_grants", []any{&d.Role, &d.Schema, &d.Kind, &g.Grantee, &g.Privilege, &g.Grantable}, func() error {
		all := l.s.DefaultACLs
		if n := len(all); n == 0 || all[n-1].Role != d.Role || all[n-1].Schema != d.Schema || all[n-1].Kind != d.Kind {
			d.ACL = []ddl.Grant{}
			all = append(all, d)
		}
		if last := &all[len(all)-1]; g.Privilege != "" {
			last.ACL = append(last.ACL, g)
		}
		l.s.DefaultACLs = all
		return nil
	})
}

// setACL adds grants to whatever object has the OID; the OIDs of relations, types and functions are told apart
// by which map knows them.
func (l *loader) setACL(oid uint32, sub int, g []ddl.Grant) {
	add := func(to *[]ddl.Grant) {
		if *to == nil {
			*to = []ddl.Grant{}
		}
		*to = append(*to, g...)
	}
	switch {
	case l.rels[oid] != nil && sub == 0:
		add(&l.rels[oid].ACL)
	case l.rels[oid] != nil:
		if c := l.cols[oid][sub]; c != nil {
			add(&c.ACL)
		}
	case l.seqs[oid] != nil:
		add(&l.seqs[oid].ACL)
	case l.types[oid] != nil:
		add(&l.types[oid].ACL)
	case l.funcs[oid] != nil:
		add(&l.funcs[oid].ACL)
	}
}

func (l *loader) comments(ctx context.Context) error {
	type key struct {
		class string
		oid   uint32
	}
	at := map[key]*string{}
	for oid, t := range l.types {
		at[key{"pg_type", oid}] = &t.Comment
		for _, c := range t.Constraints {
			at[key{"pg_constraint", c.OID}] = &c.Comment
		}
	}
	for oid, f := range l.funcs {
		at[key{"pg_proc", oid}] = &f.Comment
	}
	for oid, q := range l.seqs {
		at[key{"pg_class", oid}] = &q.Comment
	}
	for oid, x := range l.indexes {
		at[key{"pg_class", oid}] = &x.Comment
	}
	for oid, r := range l.rels {
		at[key{"pg_class", oid}] = &r.Comment
		for _, c := range r.Constraints {
			at[key{"pg_constraint", c.OID}] = &c.Comment
		}
		for _, t := range r.Triggers {
			at[key{"pg_trigger", t.OID}] = &t.Comment
		}
		for _, p := range r.Policies {
			at[key{"pg_policy", p.OID}] = &p.Comment
		}
		for _, ru := range r.Rules {
			at[key{"pg_rewrite", ru.OID}] = &ru.Comment
		}
		for i := range r.Statistics {
			at[key{"pg_statistic_ext", r.Statistics[i].OID}] = &r.Statistics[i].Comment
		}
	}
	var k key
	var sub int
	var text string
	return l.query(ctx, "comments", []any{&k.class, &k.oid, &sub, &text}, func() error {
		if sub != 0 && k.class == "pg_class" {
			if c := l.cols[k.oid][sub]; c != nil {
				c.Comment = text
			}
		} else if p := at[k]; p != nil {
			*p = text
		}
		return nil
	})
}

// viewBatch is how many definitions are read before their locks are given back: each takes ACCESS SHARE on all
// that the view reads, and max_locks_per_transaction is small.
const viewBatch = 200

func (l *loader) views(ctx context.Context) error {
	batch := map[uint32]bool{}
	for oid, r := range l.rels {
		if r.Kind != 'v' && r.Kind != 'm' {
			continue
		}
		batch[oid] = true
		if len(batch) == viewBatch {
			if err := l.viewDefinitions(ctx, oidArray(batch)); err != nil {
				return err
			}
			clear(batch)
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return l.viewDefinitions(ctx, oidArray(batch))
}

// viewDefinitions works in a savepoint, whose rollback releases the locks.
func (l *loader) viewDefinitions(ctx context.Context, oids string) error {
	sp, err := l.tx.Begin(ctx)
	if err != nil {
		return err
	}
	var oid uint32
	var def string
	err = l.query(ctx, "views", []any{&oid, &def}, func() error {
		l.rels[oid].Definition = def
		return nil
	}, oids)
	if err != nil {
		return err // the whole transaction goes
	}
	return sp.Rollback(ctx)
}

func (l *loader) facts(ctx context.Context) error {
	if l.opt.NoFacts {
		return nil
	}
	f := &ddl.Facts{Types: map[ddl.Name]*ddl.BuiltinType{}, Casts: map[ddl.CastKey]ddl.Cast{}, Volatile: map[string]bool{}, Stable: map[string]bool{}, Immutable: map[string]bool{}}
	l.s.Facts = f
	var n ddl.Name
	var t ddl.BuiltinType
	err := l.query(ctx, "builtin_types", []any{&n.Schema, &n.Name, &t.OID, &t.Len, &t.ByValue, &t.Category, &t.Kind, &t.Collates, &t.Storage, &t.Text},
		func() error {
			c := t
			f.Types[n] = &c
			return nil
		})
	if err != nil {
		return err
	}
	var k ddl.CastKey
	var c ddl.Cast
	err = l.query(ctx, "casts", []any{&k.From, &k.To, &c.Method, &c.Context, &c.Function, &c.Volatility}, func() error {
		f.Casts[k] = c
		return nil
	})
	if err != nil {
		return err
	}
	var name string
	var rank int
	err = l.query(ctx, "volatilities", []any{&name, &rank}, func() error {
		[]map[string]bool{f.Immutable, f.Stable, f.Volatile}[rank][name] = true
		return nil
	})
	if err != nil {
		return err
	}
	var e ddl.Extension
	return l.query(ctx, "extensions", []any{&e.Name, &e.Version, &e.Schema}, func() error {
		f.Extensions = append(f.Extensions, e)
		return nil
	})
}
