// Package drift compares a live schema with what the models of frameworks want, and says who is wrong.
//
// All sides are schemas that a server has read: the models' tables were made on one, so that two spellings of one
// type, default or expression are the same here. Names that PostgreSQL or a framework chose for a constraint, the
// order of columns, and which sequence feeds a column are no differences.
package drift

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// Database is the name of the side that is the live schema. The others are called after their framework.
const Database = "database"

// Side is one of the schemas that are compared.
type Side struct {
	Name   string
	Schema *ddl.Schema
	Tables []Table // those that it speaks of
	// Types are the enums that it makes itself. Of others it does not say the labels.
	Types []ddl.Name
}

// Table is a table of a side.
type Table struct {
	Name  ddl.Name // in the side's schema
	Model string   // as the framework calls it
	Path  string   // where it is written
	// Reads says that the side leaves the table to somebody else: it has an opinion on the columns that it knows, and
	// no other.
	Reads bool
	// Named are the indexes and constraints that the framework knows by their names.
	Named []string
	// Unsure are columns of which the side does not know the type.
	Unsure []string
	// Migrated says that it is known what the side's own migrations make of the table, and Unmigrated are the names of
	// columns, indexes and constraints that they do not have as the models want them; "" is the table itself.
	Migrated   bool
	Unmigrated map[string]bool
}

// Kind is what differs.
type Kind string

// The kinds of difference.
const (
	KindTable       Kind = "table" // it is missing
	KindSchema      Kind = "schema"
	KindColumn      Kind = "column" // it is missing
	KindType        Kind = "type"
	KindNullability Kind = "nullability"
	KindDefault     Kind = "default" // identity and generated columns, too
	KindCollation   Kind = "collation"
	KindEnum        Kind = "enum"
	KindIndex       Kind = "index"
	KindConstraint  Kind = "constraint"
	KindName        Kind = "name" // the same index or constraint under another name that a framework asks for
)

// Difference is one thing on which the sides do not agree.
type Difference struct {
	Table  string `json:"table"`
	Kind   Kind   `json:"kind"`
	Object string `json:"object,omitempty"` // the column, index or constraint
	// Says is what each side says; one that has no opinion is not there.
	Says map[string]string `json:"says"`
	// Wrong is the side that stands alone, or that is behind its own migrations; "" where nothing tells.
	Wrong string `json:"wrong,omitempty"`
	// Why says what is known of the reason.
	Why string `json:"why,omitempty"`
	// Migration is the one that is not applied and explains it.
	Migration string `json:"migration,omitempty"`
	// Note says that nothing goes wrong for it: it does not count as drift.
	Note bool `json:"note,omitempty"`
	// Models are those of the sides, as side: model.
	Models map[string]string `json:"models,omitempty"`
}

// key is what makes two differences of two comparisons the same.
func (d Difference) key() string { return d.Table + "\x00" + string(d.Kind) + "\x00" + d.Object }

// Report is what was found.
type Report struct {
	Differences []Difference
	Tables      int      // that at least one model speaks of
	Unclaimed   []string // tables of the database that no model speaks of
}

// Step is the live schema behind a migration that is not applied yet.
type Step struct {
	Side      string // whose migration it is
	Migration string
	Schema    *ddl.Schema
}

// Compare compares the database with the other sides. Where two differ, the steps may tell why.
func Compare(live *ddl.Schema, sides []Side, steps []Step) *Report {
	c := newComparison(live, sides)
	c.run()
	c.explain(steps)
	slices.SortStableFunc(c.report.Differences, func(a, b Difference) int { return cmp.Compare(a.Table, b.Table) })
	return c.report
}

// comparison is one run.
type comparison struct {
	live   *ddl.Schema
	sides  []Side
	order  []string // names of the sides
	report *Report
}

func newComparison(live *ddl.Schema, sides []Side) *comparison {
	c := &comparison{live: live, sides: sides, order: []string{Database}, report: &Report{}}
	for _, s := range sides {
		c.order = append(c.order, s.Name)
	}
	return c
}

// opinion is a table as one side has it.
type opinion struct {
	side   string
	schema *ddl.Schema
	types  []ddl.Name // of Side
	rel    *ddl.Relation
	Table
}

// group is one table as all sides have it that speak of it.
type group struct {
	name     string
	opinions []opinion
	missing  bool // in the database
}

func (c *comparison) run() {
	claimed := map[ddl.Name]bool{}
	for _, g := range c.groups(claimed) {
		c.report.Tables++
		c.table(g)
	}
	for n, r := range c.live.Relations {
		if !claimed[n] && (r.Kind == 'r' || r.Kind == 'p') && !r.IsPartition {
			c.report.Unclaimed = append(c.report.Unclaimed, n.String())
		}
	}
	slices.Sort(c.report.Unclaimed)
}

// groups finds who speaks of the same table. Two of one name in two schemas are the same where that is the only way to
// take it.
func (c *comparison) groups(claimed map[ddl.Name]bool) []group {
	byName := map[string][]opinion{}
	for _, s := range c.sides {
		for _, t := range s.Tables {
			if r := s.Schema.Relation(t.Name); r != nil {
				byName[r.Name.Name] = append(byName[r.Name.Name], opinion{s.Name, s.Schema, s.Types, r, t})
			}
		}
	}
	there := map[string][]*ddl.Relation{}
	for n, r := range c.live.Relations {
		there[n.Name] = append(there[n.Name], r)
	}
	var groups []group
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		for _, same := range together(byName[name], there[name]) {
			g := c.group(same, there[name])
			if !g.missing {
				claimed[g.opinions[0].rel.Name] = true
			}
			groups = append(groups, g)
		}
	}
	return groups
}

// together splits the tables of one name by their schemas, unless each side has one of them.
func together(list []opinion, live []*ddl.Relation) [][]opinion {
	seen := map[string]bool{}
	several := len(live) > 1
	for _, o := range list {
		several = several || seen[o.side]
		seen[o.side] = true
	}
	if !several {
		return [][]opinion{list}
	}
	bySchema := map[string][]opinion{}
	for _, o := range list {
		bySchema[o.rel.Name.Schema] = append(bySchema[o.rel.Name.Schema], o)
	}
	var split [][]opinion
	for _, schema := range slices.Sorted(maps.Keys(bySchema)) {
		split = append(split, bySchema[schema])
	}
	return split
}

// group puts the database's opinion in front.
func (c *comparison) group(same []opinion, live []*ddl.Relation) group {
	g := group{name: same[0].rel.Name.String(), missing: true}
	var found *ddl.Relation
	for _, r := range live {
		if len(live) == 1 || r.Name == same[0].rel.Name {
			found = r
		}
	}
	if found != nil {
		g.name, g.missing = found.Name.String(), false
		g.opinions = append(g.opinions, opinion{side: Database, schema: c.live, rel: found})
	}
	g.opinions = append(g.opinions, same...)
	return g
}

// table compares one table.
func (c *comparison) table(g group) {
	says := map[string]string{}
	for _, o := range g.opinions {
		says[o.side] = o.rel.Name.Schema
	}
	c.differ(g, KindSchema, "", says)
	if g.missing {
		says = map[string]string{Database: "no such table"}
		for _, o := range g.opinions {
			says[o.side] = "a table"
		}
		c.differ(g, KindTable, "", says)
	}
	if len(g.opinions) < 2 {
		return
	}
	c.columns(g)
	c.constraints(g)
	c.indexes(g)
}

// differ reports what the sides say, unless they agree.
func (c *comparison) differ(g group, kind Kind, object string, says map[string]string) *Difference {
	sides := map[string][]string{} // what is said → who says it
	for side, text := range says {
		sides[text] = append(sides[text], side)
	}
	if len(sides) < 2 {
		return nil
	}
	d := Difference{Table: g.name, Kind: kind, Object: object, Says: says, Models: map[string]string{}}
	for _, o := range g.opinions {
		if o.Model != "" {
			d.Models[o.side] = o.Model
		}
	}
	if len(says) > 2 && len(sides) == 2 {
		for _, who := range sides {
			if len(who) == 1 {
				d.Wrong = who[0]
				d.Why = "the others agree"
			}
		}
	}
	c.report.Differences = append(c.report.Differences, d)
	return &c.report.Differences[len(c.report.Differences)-1]
}

// list is a list for people.
func list(names []string) string { return strings.Join(names, ", ") }
