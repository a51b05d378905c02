package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// compatibility reports what code that is in production notices. A deploy is never one moment: for some time the
// old code meets the new schema, or, after a rollback, for good.
func compatibility(p *pass) {
	for _, op := range p.st.Ops {
		p.oldReaders(op)
		p.oldWriters(op)
	}
}

// oldReaders is what statements of deployed code may fail at, or read otherwise.
func (p *pass) oldReaders(op ddl.Op) {
	switch op := op.(type) {
	case ddl.DropColumn:
		if p.known(op.Table, op.Column) {
			if !p.fresh(op.Table) && !p.isNew(op.Table, op.Column) {
				p.report("drop-column", fmt.Sprintf("deployed code that still names %s.%s fails from this moment, and its values are gone for good", p.name(op.Table), op.Column), p.on(p.target(op.Table)))
			}
		}
	case ddl.DropTable:
		if r := p.schema.Relation(op.Table); !p.fresh(op.Table) && (r != nil || !op.IfExists) {
			p.report("drop-table", fmt.Sprintf("deployed code that still uses %s fails from this moment, and its rows are gone for good", p.size(p.target(op.Table))), p.on(p.target(op.Table)))
		}
	case ddl.DropView:
		if !p.fresh(op.View) && (p.schema.Relation(op.View) != nil || !op.IfExists) {
			p.report("drop-view", fmt.Sprintf("deployed code that still reads %s fails from this moment", p.name(op.View)), p.on(p.target(op.View)), p.serves(op.View))
		}
	case ddl.RenameColumn:
		if r := p.schema.Relation(op.Table); !p.fresh(op.Table) && !p.isNew(op.Table, op.From) && (r != nil || p.schema.Type(op.Table) == nil) {
			p.report("rename-column", fmt.Sprintf("deployed code that still names %s.%s fails from this moment; code that names %s fails until then", p.name(op.Table), op.From, op.To), p.on(p.target(op.Table)))
		}
	case ddl.RenameTable:
		if !p.fresh(op.Table) {
			p.report("rename-table", fmt.Sprintf("deployed code that still uses %s fails from this moment; code that uses %s fails until then", p.name(op.Table), op.To), p.on(p.target(op.Table)), p.serves(op.Table))
		}
	case ddl.RenameView:
		if !p.fresh(op.View) {
			p.report("rename-table", fmt.Sprintf("deployed code that still reads %s fails from this moment", p.name(op.View)), p.on(p.target(op.View)), p.serves(op.View))
		}
	case ddl.SetSchema:
		if r := p.schema.Relation(op.Object); (op.Kind == "TABLE" || op.Kind == "VIEW" || op.Kind == "MATERIALIZED VIEW") && !p.fresh(op.Object) && (r != nil || op.Kind == "TABLE") {
			p.report("set-schema", fmt.Sprintf("deployed code that finds %s through its search_path, or names its schema, fails from this moment", p.name(op.Object)), p.on(p.target(op.Object)), p.serves(op.Object))
		}
	case ddl.DropNotNull:
		if c := p.column(op.Table, op.Column); !p.fresh(op.Table) && (c == nil || c.NotNull) {
			p.report("drop-not-null", fmt.Sprintf("deployed readers of %s.%s meet NULL for the first time", p.name(op.Table), op.Column), p.on(p.target(op.Table)))
		}
	case ddl.AddEnumValue:
		if t := p.schema.Type(op.Type); !p.types[p.typeName(op.Type)] && (t == nil || !slices.Contains(t.Labels, op.Label)) {
			p.report("enum-value", fmt.Sprintf("deployed readers of %s meet the value %s, which they do not know, once it is written; it can never be removed", op.Type, ddl.QuoteLiteral(op.Label)))
		}
	case ddl.RenameEnumValue:
		if !p.types[p.typeName(op.Type)] {
			p.report("rename-enum-value", fmt.Sprintf("deployed code that writes or compares %s fails from this moment", ddl.QuoteLiteral(op.From)))
		}
	}
}

// oldWriters is what INSERTs and UPDATEs of deployed code may fail at.
func (p *pass) oldWriters(op ddl.Op) {
	switch op := op.(type) {
	case ddl.AddColumn:
		p.requiredColumn(op)
	case ddl.SetNotNull:
		p.refusesNull(op.Table, op.Column)
	case ddl.SetDefault:
		p.changedDefault(op)
	case ddl.AddConstraint:
		p.newConstraint(op)
	case ddl.CreateIndex:
		if op.Unique && !p.fresh(op.Table) && !p.unlessNew(op) {
			p.report("new-constraint", fmt.Sprintf("deployed code that writes to %s what the unique index forbids fails from this moment", p.name(op.Table)), p.on(p.target(op.Table)))
		}
	case ddl.AlterColumnType:
		p.narrowing(op)
	}
}

// refusesNull is a column that becomes NOT NULL, or as good as that.
func (p *pass) refusesNull(table ddl.Name, column string) {
	if p.fresh(table) || p.hasDefault(table, column) {
		return
	}
	if c := p.column(table, column); c != nil && (c.NotNull || p.refused(table, column)) {
		return
	}
	p.report("not-null", fmt.Sprintf("deployed code that leaves %s out of an INSERT, or writes NULL to it, fails from this moment: the column has no default", column), p.on(p.target(table)), p.getsDefault(table, column))
}

// notNullCheck is a condition that only says that a column is not NULL.
var notNullCheck = regexp.MustCompile(`(?i)^(?:CHECK)?\s*\(*\s*("(?:[^"]|"")+"|[\w$]+)\s+IS\s+NOT\s+NULL\s*\)*$`)

// notNullColumn is the column of which a condition says just that it is not NULL; "" = it says something else.
func notNullColumn(condition string) string {
	m := notNullCheck.FindStringSubmatch(strings.TrimSpace(condition))
	switch {
	case m == nil:
		return ""
	case m[1][0] == '"':
		return strings.ReplaceAll(m[1][1:len(m[1])-1], `""`, `"`)
	}
	return strings.ToLower(m[1])
}

// refused reports whether a CHECK keeps NULL out of a column already.
func (p *pass) refused(table ddl.Name, column string) bool {
	r := p.schema.Relation(table)
	return r != nil && slices.ContainsFunc(r.Constraints, func(c *ddl.TableConstraint) bool {
		return c.Kind == ddl.Check && !c.NotEnforced && notNullColumn(c.Definition) == column
	})
}

func (p *pass) newConstraint(op ddl.AddConstraint) {
	c := op.Constraint
	if p.fresh(op.Table) || c.UsingIndex != "" || c.NotEnforced {
		return
	}
	if c.Kind == ddl.NotNull && len(c.Columns) == 1 {
		p.refusesNull(op.Table, c.Columns[0])
		return
	}
	if col := notNullColumn(c.Expr); c.Kind == ddl.Check && col != "" {
		p.refusesNull(op.Table, col)
		return
	}
	if p.onlyNewColumns(op) {
		return
	}
	gone := new(bool)
	if c.Name != "" {
		p.temporary[p.target(op.Table).String()+" "+c.Name] = gone
	}
	p.report("new-constraint", fmt.Sprintf("deployed code that writes to %s what the new constraint forbids fails from this moment", p.name(op.Table)), p.on(p.target(op.Table)),
		func(f *Finding) { f.gone = gone })
}

// unlessNew reports whether an index makes sure of nothing that deployed code could break: one of its columns is new,
// so that code leaves it NULL, or there is such an index already.
func (p *pass) unlessNew(op ddl.CreateIndex) bool {
	r := p.schema.Relation(op.Table)
	if op.IfNotExists && p.schema.Index(ddl.Name{Schema: p.target(op.Table).Schema, Name: op.Name}) != nil {
		return true
	}
	keys := make([]string, len(op.Elems))
	for i, e := range op.Elems {
		if keys[i] = e.Column; e.Column != "" && p.isNew(op.Table, e.Column) {
			return true
		}
	}
	return r != nil && slices.ContainsFunc(r.Indexes, func(i *ddl.Index) bool {
		return i.Unique && i.Valid && i.Predicate == "" && !i.HasExpr && len(i.Keys) > 0 && !slices.ContainsFunc(i.Keys, func(k string) bool { return !slices.Contains(keys, k) })
	})
}

// serves is mended by a view or table that takes the old name.
func (p *pass) serves(n ddl.Name) option {
	old := p.target(n)
	return mendedBy(func(op ddl.Op) bool {
		switch op := op.(type) {
		case ddl.CreateView:
			return p.target(op.View) == old
		case ddl.RenameTable:
			return op.To == old.Name && p.target(op.Table).Schema == old.Schema
		case ddl.RenameView:
			return op.To == old.Name && p.target(op.View).Schema == old.Schema
		case ddl.SetSchema:
			return op.Schema == old.Schema && op.Object.Name == old.Name
		}
		return false
	})
}

// getsDefault is mended by a default, or by the end of the column or its NOT NULL.
func (p *pass) getsDefault(table ddl.Name, column string) option {
	n := p.target(table)
	return mendedBy(func(op ddl.Op) bool {
		switch op := op.(type) {
		case ddl.SetDefault:
			return op.Expr != "" && op.Column == column && p.target(op.Table) == n
		case ddl.DropNotNull:
			return op.Column == column && p.target(op.Table) == n
		case ddl.DropColumn:
			return op.Column == column && p.target(op.Table) == n
		}
		return false
	})
}

func (p *pass) requiredColumn(op ddl.AddColumn) {
	c := op.Column
	serial := strings.HasPrefix(c.Type.Name, "serial")
	notNull := c.NotNull || slices.ContainsFunc(c.Constraints, func(k ddl.Constraint) bool { return k.Kind == ddl.PrimaryKey })
	if !notNull || c.Default != "" || c.Generated != "" || c.Identity != 0 || serial || p.fresh(op.Table) && p.weigh(op.Table) == none || op.IfNotExists && p.column(op.Table, c.Name) != nil {
		return
	}
	if t := p.schema.Type(ddl.Name{Schema: c.Type.Schema, Name: c.Type.Name}); t != nil && t.Default != "" {
		return
	}
	p.report("required-column", fmt.Sprintf("%s.%s is NOT NULL without a default: fails where the table has rows (23502), and INSERTs of deployed code fail from this moment", p.name(op.Table), c.Name), p.on(p.target(op.Table)))
}

// changedDefault is a default that INSERTs of deployed code rely on.
func (p *pass) changedDefault(op ddl.SetDefault) {
	if p.fresh(op.Table) {
		return
	}
	c := p.column(op.Table, op.Column)
	switch {
	case op.Expr == "" && p.isNew(op.Table, op.Column) && c != nil && c.NotNull:
		p.report("default-dropped", fmt.Sprintf("%s.%s is new, NOT NULL and loses its default again: INSERTs of deployed code, which does not name it, fail from this moment (23502)", p.name(op.Table), op.Column), p.on(p.target(op.Table)), p.getsDefault(op.Table, op.Column))
	case p.isNew(op.Table, op.Column):
	case op.Expr == "" && c != nil && c.NotNull && c.Default != "":
		p.report("default-dropped", fmt.Sprintf("INSERTs of deployed code that leave %s.%s to its default fail from this moment (23502)", p.name(op.Table), op.Column), p.on(p.target(op.Table)), at(Warning), p.getsDefault(op.Table, op.Column))
	case c == nil || c.Default != "" && c.Default != op.Expr:
		p.report("default-changed", fmt.Sprintf("INSERTs of deployed code that leave %s.%s out write another value from this moment; ORMs that send the default they know go on with the old one", p.name(op.Table), op.Column), p.on(p.target(op.Table)))
	}
}

// onlyNewColumns reports whether a constraint speaks only of columns that the same sources add.
func (p *pass) onlyNewColumns(op ddl.AddConstraint) bool {
	cols := op.Constraint.Columns
	if op.Constraint.Kind == ddl.Check {
		cols, _ = ddl.Columns(op.Constraint.Expr)
	}
	return len(cols) > 0 && !slices.ContainsFunc(cols, func(c string) bool { return !p.isNew(op.Table, c) })
}

// narrowing is a type that cannot hold what the old one could.
func (p *pass) narrowing(op ddl.AlterColumnType) {
	c := p.column(op.Table, op.Column)
	if c == nil || p.fresh(op.Table) || c.Array || op.Type.Array > 0 {
		return
	}
	to := op.Type.SQL
	if b := p.schema.BuiltinType(ddl.Name{Schema: op.Type.Schema, Name: op.Type.Name}); b != nil {
		to = b.Text
	}
	base, _, _ := strings.Cut(c.Type, "(")
	narrower := false
	if cast, ok := p.schema.Cast(c.Type, to); ok && base != to {
		narrower = cast.Context != 'i'
	}
	if base == to && p.shorter(c, op.Type) {
		narrower = true
	}
	if narrower {
		p.report("narrowing", fmt.Sprintf("%s.%s: %s holds less than %s: values that do not fit make this fail or are cut, and deployed code that writes them fails", p.name(op.Table), op.Column, op.Type.SQL, c.Type), p.on(p.target(op.Table)))
	}
}

// shorter reports whether the modifiers of a type allow less than those of the column's.
func (p *pass) shorter(c *ddl.RelColumn, to ddl.TypeName) bool {
	_, mods, limited := strings.Cut(strings.TrimSuffix(c.Type, ")"), "(")
	if len(to.Mods) == 0 {
		return false
	}
	if !limited {
		return true
	}
	for i, old := range strings.Split(mods, ",") {
		if i < len(to.Mods) && number(to.Mods[i]) < number(old) {
			return true
		}
	}
	return false
}

func number(s string) int {
	n := 0
	for _, r := range strings.TrimSpace(s) {
		if r < '0' || r > '9' {
			break
		}
		n = n*10 + int(r-'0')
	}
	return n
}

// name is a relation for a message: as the schema has it.
func (p *pass) name(n ddl.Name) string {
	full := p.target(n)
	if len(p.schema.SearchPath) > 0 && full.Schema == p.schema.SearchPath[0] {
		full.Schema = ""
	}
	return full.String()
}

func (p *pass) column(table ddl.Name, column string) *ddl.RelColumn {
	if r := p.schema.Relation(table); r != nil {
		return r.Column(column)
	}
	return nil
}

// known reports whether a column exists, as far as anyone knows.
func (p *pass) known(table ddl.Name, column string) bool {
	r := p.schema.Relation(table)
	return r == nil || r.Column(column) != nil
}

func (p *pass) hasDefault(table ddl.Name, column string) bool {
	c := p.column(table, column)
	return c != nil && (c.Default != "" || c.Identity != 0 || c.Generated != 0)
}
