package plan

import (
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// A statement behind a deferred change has to be deferred as well when it says something of an object that is there
// only from complete on, when it takes a name that comes free only then, or when it reads or changes a column as it
// will be then and has no translation into the columns of now. Everything here errs towards waiting.

// part is the key of something that belongs to a relation: a constraint, trigger, policy or rule.
func part(relation ddl.Name, name string) string { return relation.String() + "/" + name }

// occupied reports whether a name is free for the file and still taken on the server: what has it goes at complete.
func (c *compiler) occupied(n ddl.Name) bool {
	return c.dropped[n.String()] || has(c.live, n) && !has(c.now, n)
}

func has(s *ddl.Schema, n ddl.Name) bool {
	return s.Relations[n] != nil || s.Indexes[n] != nil || s.Sequences[n] != nil || s.Types[n] != nil
}

// occupiedColumn is occupied for a column's name.
func (c *compiler) occupiedColumn(r *ddl.Relation, col string) bool {
	if h := c.held[r.Name]; h != nil && h.gone[col] {
		return true
	}
	live := c.live.Relations[r.Name]
	return r.Column(col) == nil && live != nil && live.Column(col) != nil
}

// occupiedConstraint is occupied for a constraint's name; kinds with an index share theirs with the relations.
func (c *compiler) occupiedConstraint(r *ddl.Relation, k ddl.Constraint, name string) bool {
	live := c.live.Relations[r.Name]
	if live == nil {
		return false
	}
	switch k.Kind {
	case ddl.PrimaryKey:
		// Whatever it is called: there can be one only.
		if live.PrimaryKey() != nil && r.PrimaryKey() == nil {
			return true
		}
		fallthrough
	case ddl.Unique, ddl.Exclude:
		if c.occupied(ddl.Name{Schema: r.Name.Schema, Name: name}) {
			return true
		}
	}
	return r.Constraint(name) == nil && live.Constraint(name) != nil
}

// splitName refuses an object for which there is no name of ours until its own comes free.
func (c *compiler) splitName(name string) error {
	return c.refuse("split-file", "put it into a file of its own", "the name %s comes free only at complete, and the name that Replank would use until then is taken", qi(name))
}

// waits says whether a statement has to wait for complete.
func (c *compiler) waits(op ddl.Op, sql string) bool {
	if len(c.held)+len(c.late)+len(c.dropped) == 0 {
		return false
	}
	m, err := ddl.Mentions(sql)
	if err != nil {
		return false // a statement of ours; the user's own have been parsed
	}
	about := c.about(op)
	for _, n := range about {
		if c.dropped[n.String()] {
			return true // another object of that name takes the place at complete
		}
	}
	if c.saysLate(op, sql, m) {
		return true
	}
	for from, h := range c.held {
		to := h.name(from)
		switch {
		case to != from && slices.Contains(about, to), c.changesMembers(op, about, from, to, h):
			return true
		case slices.Contains(about, from):
			if c.meansNew(op, m, from, h) {
				return true
			}
		case c.readsNew(op, m, from, to):
			return true
		}
	}
	return false
}

// changesMembers says whether an op on a table means its partitions and children as they will be after complete: without
// those that leave it, and under the names that they get.
func (c *compiler) changesMembers(op ddl.Op, about []ddl.Name, from, to ddl.Name, h *held) bool {
	_, index := op.(ddl.CreateIndex)
	_, constraint := op.(ddl.AddConstraint)
	if to == from && !h.detaches && (!h.drops || !index && !constraint) {
		return false
	}
	switch op.(type) {
	case ddl.DetachPartition, ddl.DropColumn, ddl.DropTable, ddl.Other:
		return false // at complete in any case, or not about them
	case ddl.Update, ddl.Delete, ddl.Insert:
		if to != from {
			return false
		}
	}
	return slices.ContainsFunc(about, func(n ddl.Name) bool {
		r := c.now.Relation(n)
		return r != nil && slices.ContainsFunc(c.family(r), func(m *ddl.Relation) bool { return m.Name == to })
	})
}

// name is what the file calls the table by now.
func (h *held) name(from ddl.Name) ddl.Name {
	if h.renamedTo != "" {
		from.Name = h.renamedTo
	}
	if h.movedTo != "" {
		from.Schema = h.movedTo
	}
	return from
}

// about are the relations that an op changes or says something about.
func (c *compiler) about(op ddl.Op) []ddl.Name {
	if t, ok := tableOf(op); ok {
		return []ddl.Name{c.resolve(t)}
	}
	var names []ddl.Name
	if o, ok := op.(ddl.Other); ok {
		switch verb, _, _ := strings.Cut(o.Tag, " "); verb {
		case "GRANT", "REVOKE", "COMMENT":
			for _, n := range o.Objects {
				names = append(names, c.resolve(n))
			}
		}
	}
	return names
}

// saysLate reports whether a statement names an object that is made, or made again, at complete.
func (c *compiler) saysLate(op ddl.Op, sql string, m ddl.Mention) bool {
	late := func(n ddl.Name) bool { return c.late[c.resolve(n).String()] }
	switch op := op.(type) {
	case ddl.DropTable:
		return c.fresh[c.resolve(op.Table)] && late(op.Table)
	case ddl.DropView, ddl.DropIndex, ddl.DropSequence, ddl.DropType, ddl.DropTrigger:
		return false // it waits in any case
	case ddl.AlterColumnType:
		m.Types = slices.DeleteFunc(m.Types, func(n ddl.Name) bool { // which newEnum translates
			return slices.ContainsFunc(c.twins.enums, func(e enumPair) bool { return e.name == n.Name })
		})
	case ddl.Other:
		if strings.HasPrefix(op.Tag, "DROP ") {
			return false
		}
	}
	if slices.ContainsFunc(m.Relations, late) || slices.ContainsFunc(m.Types, late) {
		return true
	}
	if slices.ContainsFunc(m.Functions, func(n ddl.Name) bool { return c.late["FUNCTION "+n.Name] || c.late["PROCEDURE "+n.Name] }) {
		return true
	}
	return slices.ContainsFunc(c.parts(op, sql), func(key string) bool { return c.late[key] })
}

// parts are the keys of what an op says something about and no node of its tree names as a relation or type.
func (c *compiler) parts(op ddl.Op, sql string) []string {
	of := func(table ddl.Name, name string) string { return part(c.resolve(table), name) }
	index := func(table ddl.Name, name string) string {
		return ddl.Name{Schema: c.schemaOf(table), Name: name}.String()
	}
	switch op := op.(type) {
	case ddl.AddConstraint:
		keys := []string{of(op.Table, op.Constraint.Name)}
		if op.Constraint.UsingIndex != "" {
			keys = append(keys, index(op.Table, op.Constraint.UsingIndex))
		}
		return keys
	case ddl.DropConstraint:
		return []string{of(op.Table, op.Name)}
	case ddl.ValidateConstraint:
		return []string{of(op.Table, op.Name)}
	case ddl.RenameConstraint:
		return []string{of(op.Table, op.From), of(op.Table, op.To)}
	case ddl.AlterTable:
		arg := strings.TrimPrefix(op.Arg, "USING INDEX ")
		return []string{of(op.Table, arg), index(op.Table, arg), of(op.Table, unquote(arg)), index(op.Table, unquote(arg))}
	case ddl.AddEnumValue:
		return []string{c.resolve(op.Type).String()}
	case ddl.RenameEnumValue:
		return []string{c.resolve(op.Type).String()}
	case ddl.AlterDomain:
		return []string{c.resolve(op.Type).String()}
	case ddl.RenameType:
		return []string{c.resolve(op.Type).String()}
	case ddl.SetSchema:
		return []string{c.resolve(op.Object).String()}
	case ddl.Other:
		_, kind, _ := strings.Cut(op.Tag, " ")
		var keys []string
		for _, n := range op.Names {
			keys = append(keys, kind+" "+n.Name, c.resolve(n).String())
			for _, t := range op.Objects {
				keys = append(keys, of(t, n.Name))
			}
		}
		for _, t := range op.Objects {
			keys = append(keys, c.resolve(t).String())
		}
		if _, name, ok := ddl.CommentTarget(sql); ok {
			whole := func(name []string) ddl.Name {
				n := ddl.Name{Name: name[len(name)-1]}
				if len(name) > 1 {
					n.Schema = name[len(name)-2]
				}
				return c.resolve(n)
			}
			keys = append(keys, whole(name).String())
			if n := len(name); n > 1 {
				keys = append(keys, part(whole(name[:n-1]), name[n-1]))
			}
		}
		return keys
	}
	return nil
}

// meansNew says whether an op on a table means a column as it will be after complete and has no translation until
// then: it would act on the old one.
func (c *compiler) meansNew(op ddl.Op, m ddl.Mention, table ddl.Name, h *held) bool {
	for col := range h.gone {
		if m.Has(col) {
			return true
		}
	}
	switch op := op.(type) {
	case ddl.DropNotNull:
		return h.columns[op.Column] != ""
	case ddl.AlterTable:
		return h.columns[op.Column] != ""
	case ddl.Other:
		return h.says(m)
	case ddl.Update, ddl.Delete, ddl.Insert:
		live := c.live.Relations[table]
		for col := range h.columns {
			if live != nil && live.Column(col) == nil && m.Has(col) {
				return true
			}
		}
	}
	return false
}

// readsNew says the same of an op that is about something else and reads the table.
func (c *compiler) readsNew(op ddl.Op, m ddl.Mention, table, renamed ddl.Name) bool {
	reads := func(n ddl.Name) bool {
		return slices.ContainsFunc(m.Relations, func(r ddl.Name) bool { return c.resolve(r) == n })
	}
	h := c.held[table]
	shown := renamed != table && reads(renamed) // until complete that is a view, or nothing
	if !shown && !reads(table) {
		return false
	}
	if h.detaches || shown && !h.viewed {
		switch op := op.(type) {
		case ddl.Update, ddl.Delete, ddl.Insert:
			return true // no rows of what is detached, and those of a table that has not got its name yet
		case ddl.Other:
			if op.Tag == "MERGE" {
				return true
			}
		}
	}
	switch op := op.(type) {
	case ddl.CreateView:
		return true
	case ddl.CreateTable:
		if shown || op.Query != "" || slices.ContainsFunc(op.Like, func(n ddl.Name) bool { return c.resolve(n) == table }) {
			return true
		}
		keys := op.Constraints
		for _, col := range op.Columns {
			keys = slices.Concat(keys, col.Constraints)
		}
		return slices.ContainsFunc(keys, func(k ddl.Constraint) bool {
			return k.Kind == ddl.ForeignKey && c.resolve(k.RefTable) == table && c.refersToNew(table, k)
		})
	case ddl.Other:
		switch verb, _, _ := strings.Cut(op.Tag, " "); verb {
		case "CREATE", "ALTER":
			return shown || h.says(m)
		case "MERGE":
			return c.hides(table, m)
		}
	case ddl.Update, ddl.Delete, ddl.Insert:
		return c.hides(table, m)
	}
	return false
}

// says reports whether a statement names a column that has two shapes.
func (h *held) says(m ddl.Mention) bool {
	for col := range h.columns {
		if m.Has(col) {
			return true
		}
	}
	for col := range h.gone {
		if m.Has(col) {
			return true
		}
	}
	return false
}

// hides reports whether a statement on rows names a column of a table that is not there yet under its name, or is not
// yet what it will be. A renamed column with a twin has both names.
func (c *compiler) hides(table ddl.Name, m ddl.Mention) bool {
	h, live := c.held[table], c.live.Relations[table]
	hidden := func(col string) bool {
		return h.gone[col] || strings.HasPrefix(h.columns[col], internalPrefix) || live != nil && live.Column(col) == nil
	}
	for col := range h.gone {
		if m.Has(col) || m.Star {
			return true
		}
	}
	for col := range h.columns {
		if m.Star || m.Has(col) && hidden(col) {
			return true
		}
	}
	return false
}

// refersToNew reports whether a foreign key refers to columns of a table that have two shapes.
func (c *compiler) refersToNew(table ddl.Name, k ddl.Constraint) bool {
	cols := k.RefColumns
	if ref := c.now.Relation(k.RefTable); len(cols) == 0 && ref != nil && ref.PrimaryKey() != nil {
		cols = ref.PrimaryKey().Columns
	}
	h := c.held[table]
	return slices.ContainsFunc(cols, func(col string) bool { return h.gone[col] || c.physical(table, col) != col })
}

// wait defers a statement to complete.
func (c *compiler) wait(op ddl.Op, sql string) error {
	kind, long := Transaction, false
	switch op := op.(type) {
	case ddl.Update, ddl.Delete:
		long = true
	case ddl.Insert:
		long = !isValues(op)
	case ddl.CreateTable:
		kind, long = c.reading(op.Table, op.Query != "", sql)
	case ddl.CreateView:
		kind, long = c.reading(op.View, op.Materialized && op.WithData, sql)
	case ddl.RefreshMaterializedView:
		kind, long = Long, !c.fresh[c.resolve(op.View)]
	case ddl.AddColumn:
		k := op.Column
		if rows, _ := c.size(c.now.Relation(op.Table)); rows != 0 && k.NotNull && k.Default == "" && k.Identity == 0 && k.Generated == "" && serialTypes[k.Type.Name] == "" {
			long = true // it needs a fill
		}
		// The view of the new shape would have to show a column that is not there.
		long = long || c.opt.VersionSchema != ""
	case ddl.Other:
		long = op.Tag == "MERGE"
	}
	if _, ok := c.directive("fill"); ok {
		long = true
	}
	if err := c.mayBlock(sql); err != nil || long && !c.plain() || c.stmt.NoTx {
		return c.refuse("split-file", "put it into a file of its own",
			"it changes an object that gets its new shape only at complete, and it is too long for that moment")
	}
	switch op.(type) {
	case ddl.CreateTable, ddl.CreateView, ddl.AddColumn:
		c.notice("at-complete", "new code has to do without it until complete, because it needs what comes only then: %s", title(sql))
	}
	c.touchOp(op)
	c.comes(op)
	c.later(Step{Kind: kind, Title: title(sql), SQL: []string{sql}, Irreversible: "it ran at complete"})
	return nil
}

// reading says how a statement that fills what it makes from a query is done at complete: in a step of its own when it
// reads much, so that nobody waits for it. It is too long where it takes the place of what readers still use.
func (c *compiler) reading(n ddl.Name, filled bool, sql string) (kind Kind, long bool) {
	if !filled {
		return Transaction, false
	}
	m, err := ddl.Mentions(sql)
	much := err != nil || slices.ContainsFunc(m.Relations, func(n ddl.Name) bool {
		r := c.now.Relation(n)
		return r != nil && c.big(r)
	})
	if !much {
		return Transaction, false
	}
	return Long, c.occupied(ddl.Name{Schema: c.schemaFor(n), Name: n.Name})
}

// comes notes what a deferred statement makes: what the file says of it later waits as well.
func (c *compiler) comes(op ddl.Op) {
	late := func(n ddl.Name, schema string) ddl.Name {
		n.Schema = schema
		c.late[n.String()] = true
		return n
	}
	as := func(old ddl.Name, to string) { late(ddl.Name{Name: to}, c.schemaOf(old)) }
	switch op := op.(type) {
	case ddl.CreateTable:
		n := late(op.Table, c.schemaFor(op.Table))
		c.fresh[n] = true
		c.touch("table", n, "")
	case ddl.CreateView:
		n := late(op.View, c.schemaFor(op.View))
		if c.now.Relations[n] == nil {
			c.fresh[n] = true
		}
		c.touch("view", n, "")
	case ddl.CreateSequence:
		late(op.Sequence, c.schemaFor(op.Sequence))
	case ddl.CreateEnum:
		late(op.Type, c.schemaFor(op.Type))
	case ddl.CreateDomain:
		late(op.Type, c.schemaFor(op.Type))
	case ddl.CreateIndex:
		r := c.now.Relation(op.Table)
		if op.Name == "" && r != nil {
			op.Name = c.indexName(r, op)
		}
		as(op.Table, op.Name)
	case ddl.RenameTable:
		as(op.Table, op.To)
	case ddl.RenameView:
		as(op.View, op.To)
	case ddl.RenameIndex:
		as(op.Index, op.To)
	case ddl.RenameSequence:
		as(op.Sequence, op.To)
	case ddl.RenameType:
		as(op.Type, op.To)
	case ddl.AddColumn:
		if n := c.resolve(op.Table); !c.late[n.String()] {
			c.hold(n).gone[op.Column.Name] = true
		}
	case ddl.AddConstraint:
		if r := c.now.Relation(op.Table); r != nil {
			name := c.constraintName(r, op.Constraint)
			c.late[part(r.Name, name)] = true
			as(op.Table, name)
		}
	case ddl.RenameConstraint:
		c.late[part(c.resolve(op.Table), op.To)] = true
		as(op.Table, op.To)
	case ddl.CreateTrigger:
		c.late[part(c.resolve(op.Table), op.Name)] = true
	case ddl.Other:
		verb, kind, _ := strings.Cut(op.Tag, " ")
		if verb != "CREATE" {
			return
		}
		for _, n := range op.Names {
			c.late[kind+" "+n.Name] = true
			late(n, c.schemaFor(n))
			for _, t := range op.Objects {
				c.late[part(c.resolve(t), n.Name)] = true
			}
		}
		if kind == "TYPE" {
			for _, t := range op.Objects {
				late(t, c.schemaFor(t))
			}
		}
	}
}
