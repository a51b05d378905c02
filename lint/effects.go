package lint

import (
	"fmt"
	"slices"

	"github.com/replank/replank/ddl"
)

// effects reports work on all rows of a table while others wait. Which rule it is depends on the operation that
// causes the work; an operation without a rule of its own is still reported, by table-rewrite or blocking-scan.
func effects(p *pass) {
	if p.effect.Refused != "" {
		p.report("fails", fmt.Sprintf("PostgreSQL %d refuses this: %s", p.schema.Version/10000, p.effect.Refused))
	}
	seen := map[string]bool{}
	for _, n := range p.effect.Rewrites {
		p.rewrite(n, seen)
	}
	if isReindex(p.st) { // which reads the tables to build their indexes
		p.reindexes(seen)
	}
	for _, n := range p.effect.Scans {
		p.scan(n, seen)
	}
	p.reindexes(seen)
	if p.effect.Unknown && len(p.effect.Locks) == 0 {
		p.opaque()
	}
}

func isReindex(st *ddl.Statement) bool {
	if len(st.Ops) == 0 {
		return false
	}
	_, ok := st.Ops[0].(ddl.Reindex)
	return ok
}

func (p *pass) reindexes(seen map[string]bool) {
	for _, n := range p.effect.Reindexes {
		p.reindex(n, seen)
	}
}

func (p *pass) rewrite(n ddl.Name, seen map[string]bool) {
	w := p.weigh(n)
	if w == none || seen[n.String()] {
		return
	}
	op := p.blames(func(e ddl.Effect) bool { return slices.Contains(e.Rewrites, n) })
	if _, ok := op.(ddl.Truncate); ok {
		return // nothing is written anew: the rows are gone, which `truncate` says
	}
	seen[n.String()] = true
	rule := rewriteRule(p.schema, op)
	mode := p.effect.Lock(n)
	p.report(rule, fmt.Sprintf("writes all of %s anew; until that is over %s %s", p.size(n), who(mode), n), p.on(n), at(severity(w)), why(p.effect.Why...))
}

func rewriteRule(s *ddl.Schema, op ddl.Op) string {
	switch op := op.(type) {
	case ddl.AlterColumnType:
		return "column-type"
	case ddl.Other:
		if op.Tag == "ALTER TYPE" {
			return "column-type"
		}
	case ddl.AddColumn:
		if op.Column.Generated != "" && !op.Column.Virtual {
			return "generated-stored"
		}
		if t := s.Type(ddl.Name{Schema: op.Column.Type.Schema, Name: op.Column.Type.Name}); t != nil && t.Kind == 'd' {
			return "domain-column"
		}
		return "volatile-default"
	case ddl.RefreshMaterializedView:
		return "refresh-materialized-view"
	case ddl.AlterDomain:
		return "domain-constraint"
	}
	return "table-rewrite"
}

func (p *pass) scan(n ddl.Name, seen map[string]bool) {
	w := p.weigh(n)
	if w == none || seen[n.String()] {
		return
	}
	op := p.blames(func(e ddl.Effect) bool { return slices.Contains(e.Scans, n) })
	rel, mode := p.waiting(n)
	if !mode.BlocksWrites() || !p.inTheWay(ddl.RelationLock{Relation: rel, Mode: mode}) {
		return // nobody waits for it
	}
	rule := scanRule(op)
	switch rule {
	case "required-column":
		return // it fails at the first row, which is said elsewhere
	case "attach-partition":
		if r := p.schema.Relation(n); r != nil && r.Bound == "DEFAULT" {
			rule = "default-partition"
		}
	case "refresh-materialized-view", "foreign-key-validated":
		if seen[rule] {
			return // one work, of which others of its relations were told already
		}
		seen[rule] = true
		if _, refresh := op.(ddl.RefreshMaterializedView); refresh && len(p.effect.Rewrites) > 0 {
			return
		}
	}
	seen[n.String()] = true
	text := fmt.Sprintf("reads all of %s; until that is over %s %s", p.size(n), who(mode), rel)
	switch rule {
	case "unique-constraint", "exclude-constraint":
		text = fmt.Sprintf("builds an index of %s; until that is over %s it", p.size(n), who(mode))
	case "index-not-concurrently":
		text = fmt.Sprintf("builds an index of %s; until that is over %s it", p.size(n), who(mode))
	}
	p.report(rule, text, p.on(n), at(severity(w)), why(p.effect.Why...))
}

// waiting is the relation for which others wait while n is read: n, or another that the statement locks as well.
func (p *pass) waiting(n ddl.Name) (ddl.Name, ddl.LockMode) {
	rel, mode := n, p.effect.Lock(n)
	if !mode.BlocksWrites() || !mode.BlocksReads() {
		if other, m := p.blocked(); m > mode && m.BlocksWrites() {
			return other, m
		}
	}
	return rel, mode
}

func scanRule(op ddl.Op) string {
	switch op := op.(type) {
	case ddl.CreateIndex:
		return "index-not-concurrently"
	case ddl.AddConstraint:
		return constraintRule(op.Constraint)
	case ddl.AddColumn:
		switch {
		case op.Column.NotNull && op.Column.Virtual:
			return "blocking-scan" // what it computes is checked for every row
		case op.Column.NotNull && op.Column.Default == "":
			return "required-column"
		}
		for _, c := range op.Column.Constraints {
			return constraintRule(c)
		}
	case ddl.SetNotNull, ddl.AddIdentity:
		return "set-not-null"
	case ddl.AlterDomain:
		return "domain-constraint"
	case ddl.AlterColumnType:
		return "column-type"
	case ddl.RefreshMaterializedView:
		return "refresh-materialized-view"
	case ddl.AttachPartition:
		return "attach-partition"
	case ddl.CreateTable:
		if op.PartitionOf.Name != "" {
			return "default-partition"
		}
	case ddl.AlterTable:
		if op.Action == "AlterConstraint" {
			return "foreign-key-validated"
		}
	}
	return "blocking-scan"
}

func constraintRule(c ddl.Constraint) string {
	switch c.Kind {
	case ddl.ForeignKey:
		return "foreign-key-validated"
	case ddl.Unique, ddl.PrimaryKey:
		return "unique-constraint"
	case ddl.Exclude:
		return "exclude-constraint"
	case ddl.NotNull:
		return "set-not-null"
	}
	return "check-validated"
}

func (p *pass) reindex(n ddl.Name, seen map[string]bool) {
	i := p.schema.Index(n)
	if i == nil || seen[i.Table.String()] {
		return
	}
	w := p.weigh(i.Table)
	mode := max(p.effect.Lock(i.Table), p.effect.Lock(n))
	if w == none || !mode.BlocksWrites() {
		return
	}
	op := p.blames(func(e ddl.Effect) bool { return slices.Contains(e.Reindexes, n) })
	rule := "reindex-not-concurrently"
	switch op.(type) {
	case ddl.Reindex:
	case ddl.Truncate:
		return
	case ddl.AlterColumnType:
		rule = "column-type"
	default:
		rule = "table-rewrite"
	}
	seen[i.Table.String()] = true
	p.report(rule, fmt.Sprintf("builds the index %s of %s anew; until that is over %s the table", n, p.size(i.Table), who(mode)), p.on(i.Table), at(severity(w)), why(p.effect.Why...))
}

// opaque is code that nobody can read.
func (p *pass) opaque() {
	for _, op := range p.st.Ops {
		switch op.(type) {
		case ddl.Do:
			p.report("opaque", "a DO block: what it locks, reads and writes is not known", why(p.effect.Why...))
			return
		case ddl.Other:
			p.report("opaque", "what this locks, reads and writes is not known", why(p.effect.Why...))
			return
		}
	}
}
