package lint

import (
	"fmt"
	"slices"

	"github.com/replank/replank/ddl"
)

// Owner says which history may change a table.
type Owner struct {
	History string
	// Until is the last source of this history that may change the table, which it gave up with it; "" = it never
	// owned the table.
	Until string
}

// foreignOwner is the rule.
const foreignOwner = "foreign-owner"

// Foreign asks that one rule alone: what do the sources change of tables that belong to another history?
func Foreign(cfg Config, sources []Source) []Finding {
	if len(cfg.Owners) == 0 {
		return nil
	}
	cfg.Off = nil
	for _, r := range Rules {
		if r.ID != foreignOwner {
			cfg.Off = append(cfg.Off, r.ID)
		}
	}
	// What comments allow of other rules is nothing to be told here.
	return slices.DeleteFunc(Run(cfg, sources).Findings, func(f Finding) bool { return f.Rule != foreignOwner })
}

// owners reports changes of tables that belong to another history.
func owners(p *pass) {
	if len(p.Owners) == 0 {
		return
	}
	for _, op := range p.st.Ops {
		for _, n := range p.changes(op) {
			if n.IsZero() {
				continue
			}
			name := p.target(n)
			o, owned := p.Owners[name]
			if !owned || o.History == p.History || o.Until != "" && !p.given[o.Until] {
				continue
			}
			text := fmt.Sprintf("%s belongs to the migrations of %s", p.name(n), o.History)
			if o.Until != "" {
				text += fmt.Sprintf(" since %s gave it up", o.Until)
			}
			p.report(foreignOwner, text, p.on(name))
			return
		}
	}
}

// give notes that a source has been judged behind which tables belong to another history. What its own file still
// changes is its own matter.
func (l *linter) give(source string) {
	for _, o := range l.Owners {
		if o.Until == source {
			l.given[source] = true
		}
	}
}

// missed says that the sources do not have the one with which a table was given up: they begin behind it.
func (l *linter) missed(sources []Source) {
	there := map[string]bool{}
	for i := range sources {
		there[sources[i].Name] = true
	}
	for _, o := range l.Owners {
		if !there[o.Until] {
			l.given[o.Until] = true
		}
	}
}

// changes are the tables whose shape an operation changes. To refer to a table and to change its rows is everybody's
// right.
func (p *pass) changes(op ddl.Op) []ddl.Name {
	switch o := op.(type) {
	case ddl.CreateTable:
		return []ddl.Name{o.Table, o.PartitionOf}
	case ddl.DropTable:
		return []ddl.Name{o.Table}
	case ddl.RenameTable:
		return []ddl.Name{o.Table, {Schema: o.Table.Schema, Name: o.To}}
	case ddl.SetSchema:
		return []ddl.Name{o.Object}
	case ddl.CreateIndex:
		return []ddl.Name{o.Table}
	case ddl.DropIndex:
		return p.ofIndex(o.Index)
	case ddl.RenameIndex:
		return p.ofIndex(o.Index)
	case ddl.AttachPartition:
		return []ddl.Name{o.Table, o.Partition}
	case ddl.DetachPartition:
		return []ddl.Name{o.Table, o.Partition}
	case ddl.CreateTrigger:
		return []ddl.Name{o.Table}
	case ddl.DropTrigger:
		return []ddl.Name{o.Table}
	case ddl.AlterTable:
		return []ddl.Name{o.Table}
	}
	return p.ofColumn(op)
}

// ofColumn is the table of an operation about columns and constraints.
func (p *pass) ofColumn(op ddl.Op) []ddl.Name {
	switch o := op.(type) {
	case ddl.AddColumn:
		return []ddl.Name{o.Table}
	case ddl.DropColumn:
		return []ddl.Name{o.Table}
	case ddl.RenameColumn:
		return []ddl.Name{o.Table}
	case ddl.AlterColumnType:
		return []ddl.Name{o.Table}
	case ddl.SetDefault:
		return []ddl.Name{o.Table}
	case ddl.SetNotNull:
		return []ddl.Name{o.Table}
	case ddl.DropNotNull:
		return []ddl.Name{o.Table}
	case ddl.AddIdentity:
		return []ddl.Name{o.Table}
	case ddl.DropIdentity:
		return []ddl.Name{o.Table}
	case ddl.DropExpression:
		return []ddl.Name{o.Table}
	case ddl.AddConstraint:
		return []ddl.Name{o.Table}
	case ddl.ValidateConstraint:
		return []ddl.Name{o.Table}
	case ddl.DropConstraint:
		return []ddl.Name{o.Table}
	case ddl.RenameConstraint:
		return []ddl.Name{o.Table}
	}
	return nil
}

func (p *pass) ofIndex(index ddl.Name) []ddl.Name {
	if x := p.schema.Index(index); x != nil {
		return []ddl.Name{x.Table}
	}
	return nil
}
