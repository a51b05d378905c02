package drift

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// item is an index or a constraint of one side.
type item struct {
	side  int // in group.opinions
	name  string
	is    string // its definition, without its name
	about string // what it is about: its columns. Two of different definitions that are about the same are compared
	named bool   // the side asks for it by its name
	quiet bool   // nothing goes wrong without it
}

// constraints compares the constraints of a table: by what they are, not by their names.
func (c *comparison) constraints(g group) {
	var items []item
	for i, o := range g.opinions {
		if o.Reads || o.rel.Kind == 'v' || o.rel.Kind == 'm' {
			continue
		}
		for _, con := range o.rel.Constraints {
			if con.Kind == ddl.NotNull { // the columns have said it
				continue
			}
			it := item{side: i, name: con.Name, is: definition(con), about: string(con.Kind) + about(con), named: slices.Contains(o.Named, con.Name)}
			if con.Kind == ddl.Check && con.NotEnforced {
				it.is += " NOT ENFORCED"
			}
			items = append(items, it)
		}
		for _, x := range o.rel.Indexes {
			// What a unique index promises and what a unique constraint promises is the same; how it is done is not.
			if x.Unique && !x.Primary && x.Constraint == "" && x.Predicate == "" && !x.HasExpr {
				items = append(items, item{side: i, name: x.Name.Name, is: "UNIQUE INDEX " + using(x), about: string(ddl.Unique) + sorted(x.Keys),
					named: slices.Contains(o.Named, x.Name.Name)})
			}
		}
	}
	c.match(g, KindConstraint, items)
}

// definition is pg_get_constraintdef; whether the rows are proven is not part of what models say.
func definition(con *ddl.TableConstraint) string {
	return con.Definition
}

func about(con *ddl.TableConstraint) string {
	switch con.Kind {
	case ddl.PrimaryKey:
		return ""
	case ddl.Check:
		return con.Name
	}
	return sorted(con.Columns)
}

func sorted(columns []string) string {
	columns = slices.Clone(columns)
	slices.Sort(columns)
	return "(" + list(columns) + ")"
}

// indexes compares the indexes that no constraint has.
func (c *comparison) indexes(g group) {
	var items []item
	for i, o := range g.opinions {
		if o.Reads || o.rel.Kind == 'v' {
			continue
		}
		for _, x := range o.rel.Indexes {
			if x.Constraint != "" || x.Unique && x.Predicate == "" && !x.HasExpr || x.Parent.Name != "" && o.rel.IsPartition {
				continue
			}
			is := using(x)
			if x.Unique {
				is = "UNIQUE " + is
			}
			if !x.Valid && o.side == Database {
				is += ", INVALID"
			}
			items = append(items, item{side: i, name: x.Name.Name, is: is, about: sorted(x.Columns), named: slices.Contains(o.Named, x.Name.Name),
				quiet: o.side != Database && !slices.Contains(o.Named, x.Name.Name) && patternOps.MatchString(is) && strings.HasSuffix(x.Name.Name, "_like")})
		}
	}
	c.match(g, KindIndex, items)
}

// patternOps are the indexes that Django makes beside those of text columns, for LIKE.
var patternOps = regexp.MustCompile(`^btree \(("[^"]+"|\w+) (varchar|text)_pattern_ops\)$`)

var afterUsing = regexp.MustCompile(`(?s) USING (\w+ \(.*)$`)

// using is the definition of an index from its method on.
func using(x *ddl.Index) string {
	if m := afterUsing.FindStringSubmatch(x.Definition); m != nil {
		return m[1]
	}
	return x.Definition
}

// cluster is one index or constraint as the sides have it.
type cluster map[int]item

// match puts together what is the same, and reports what not all have, or not all alike: first those of one
// definition and name, then of one definition, then of one name, then those about the same columns.
func (c *comparison) match(g group, kind Kind, items []item) {
	var clusters []cluster
	taken := make([]bool, len(items))
	for _, same := range []func(a, b item) bool{
		func(a, b item) bool { return a.is == b.is && a.name == b.name },
		func(a, b item) bool { return a.is == b.is },
		func(a, b item) bool { return a.name == b.name && (a.named || b.named) },
		func(a, b item) bool { return a.about == b.about },
	} {
		clusters = join(clusters, items, taken, same)
	}
	for i, it := range items {
		if !taken[i] {
			clusters = append(clusters, cluster{it.side: it})
		}
	}
	for _, cl := range clusters {
		c.compare(g, kind, cl)
	}
}

// join adds to the clusters what belongs to one of their items, and makes new ones of pairs.
func join(clusters []cluster, items []item, taken []bool, same func(a, b item) bool) []cluster {
	for i, it := range items {
		if taken[i] {
			continue
		}
		for _, cl := range clusters {
			if _, full := cl[it.side]; !full && slices.ContainsFunc(values(cl), func(o item) bool { return same(o, it) }) {
				cl[it.side], taken[i] = it, true
				break
			}
		}
		if taken[i] {
			continue
		}
		for j := i + 1; j < len(items); j++ {
			if !taken[j] && items[j].side != it.side && same(it, items[j]) {
				made := cluster{it.side: it, items[j].side: items[j]}
				taken[i], taken[j] = true, true
				clusters = append(clusters, made)
				break
			}
		}
		if taken[i] { // others may belong here, too
			last := clusters[len(clusters)-1]
			for j := i + 1; j < len(items); j++ {
				if _, full := last[items[j].side]; !taken[j] && !full && same(it, items[j]) {
					last[items[j].side], taken[j] = items[j], true
				}
			}
		}
	}
	return clusters
}

func values(cl cluster) []item {
	var out []item
	for i := range 8 { // sides
		if it, ok := cl[i]; ok {
			out = append(out, it)
		}
	}
	return out
}

// compare reports one index or constraint.
func (c *comparison) compare(g group, kind Kind, cl cluster) {
	says, quiet := map[string]string{}, true
	object := ""
	for i, o := range g.opinions {
		it, ok := cl[i]
		switch {
		case ok:
			says[o.side] = it.is
			quiet = quiet && it.quiet
			if object == "" || it.named {
				object = it.name
			}
		case !o.Reads && o.rel.Kind != 'v':
			says[o.side] = "none"
		}
	}
	if d := c.differ(g, kind, object, says); d != nil {
		d.Note = quiet
		return
	}
	// All have it. A framework may know it by another name than the database has.
	first, ok := cl[0]
	if !ok || g.missing {
		return
	}
	names := map[string]string{Database: first.name}
	for i, o := range g.opinions[1:] {
		if it, ok := cl[i+1]; ok && it.named && it.name != first.name {
			names[o.side] = it.name
		}
	}
	if d := c.differ(g, KindName, object, names); d != nil {
		d.Why = fmt.Sprintf("the same %s under another name: migrations that name it fail", kind)
	}
}
