package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// loss reports what cannot be taken back, and work on rows that others wait for.
func loss(p *pass) {
	for _, op := range p.st.Ops {
		switch op := op.(type) {
		case ddl.Truncate:
			if p.weigh(op.Table) != none {
				p.report("truncate", fmt.Sprintf("all rows of %s are gone for good; until COMMIT nobody reads or writes it", p.size(p.target(op.Table))), p.on(p.target(op.Table)))
			}
			if op.Cascade {
				p.report("cascade", "TRUNCATE … CASCADE empties every table that refers to this one, too", p.on(p.target(op.Table)))
			}
		case ddl.Delete:
			p.bulk(op.Table, op.Where, op.Where == "" && op.Using == "", "deletes", op.Where == "")
		case ddl.Update:
			p.bulk(op.Table, op.Where, op.Where == "" && op.From == "", "updates", false)
		case ddl.Insert:
			if op.Query != "" && op.Source.Name != "" && p.weigh(op.Source) != none && p.weigh(op.Source) != light {
				p.report("bulk-write", fmt.Sprintf("copies rows of %s in one statement and one transaction", p.size(p.target(op.Source))), p.on(p.target(op.Table)))
			}
		case ddl.DropColumn:
			p.cascade(op.Table, op.DropOptions)
		case ddl.DropTable:
			p.cascade(op.Table, op.DropOptions)
		case ddl.DropView:
			p.cascade(op.View, op.DropOptions)
		case ddl.DropType:
			if !p.types[p.typeName(op.Type)] {
				p.cascade(op.Type, op.DropOptions)
			}
		case ddl.DropConstraint:
			p.cascade(op.Table, op.DropOptions)
		case ddl.Other:
			fresh := op.Tag == "DROP SCHEMA" && len(op.Names) > 0 && !slices.ContainsFunc(op.Names, func(n ddl.Name) bool { return !p.schemas[n.Name] })
			if !fresh && (op.Tag == "DROP SCHEMA" || op.Tag == "DROP DATABASE" || op.Tag == "DROP OWNED") {
				p.report("drop-schema", firstWords(p.st.SQL)+" takes everything in it, for good")
			}
		}
	}
}

// bulk is a change of rows by one statement: all its rows stay locked until COMMIT.
func (p *pass) bulk(table ddl.Name, where string, all bool, verb string, gone bool) {
	w := p.weigh(table)
	if w == none || p.oneRow(table, where) {
		return
	}
	what := "rows of "
	s := Warning
	if all {
		what, s = "all rows of ", Error
	}
	if w == light {
		s = Notice
	}
	if gone && all {
		p.report("delete-all", fmt.Sprintf("deletes all rows of %s for good", p.size(p.target(table))), p.on(p.target(table)))
	}
	p.report("bulk-write", fmt.Sprintf("%s %s%s in one transaction: whoever writes to them waits until its end, its WAL comes in one piece, and vacuum cannot follow", verb, what, p.size(p.target(table))), p.on(p.target(table)), at(s))
}

// keyIs is a condition that names rows by the value of a column.
var keyIs = regexp.MustCompile(`^\(?"?(\w+)"?\s*(?i:=\s*(?:'[^']*'|\d+)|in\s*\((?:\s*(?:'[^']*'|\d+)\s*,?){1,100}\))\)?$`)

// oneRow reports whether a condition names a row, or a few, by a unique key.
func (p *pass) oneRow(table ddl.Name, where string) bool {
	m := keyIs.FindStringSubmatch(strings.TrimSpace(where))
	r := p.schema.Relation(table)
	return m != nil && r != nil && slices.ContainsFunc(r.Indexes, func(i *ddl.Index) bool {
		return i.Unique && i.Valid && i.Predicate == "" && len(i.Keys) == 1 && i.Keys[0] == m[1]
	})
}

func (p *pass) cascade(of ddl.Name, o ddl.DropOptions) {
	if o.Cascade && !p.fresh(of) && !p.tx.told["cascade"] {
		p.report("cascade", "CASCADE drops whatever depends on it, views and foreign keys of others included, without naming it")
	}
}
