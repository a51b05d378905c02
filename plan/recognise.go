package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replank/replank/ddl"
)

// recognise finds the statements that mean one change together, before any of them is compiled.
func (c *compiler) recognise(stmts []ddl.Statement) error {
	c.twins.split = c.findSplit(stmts)
	c.twins.dropDefault = map[string]bool{}
	c.twins.rebuilt = map[string]string{}
	type later struct{ table, column string }
	typed := map[later]bool{}
	made := map[string]bool{}
	for _, st := range slices.Backward(stmts) {
		for _, op := range slices.Backward(st.Ops) {
			switch op := op.(type) {
			case ddl.AlterColumnType:
				typed[later{op.Table.Name, op.Column}] = true
			case ddl.SetDefault:
				// DROP DEFAULT before the type changes is how a person makes room for the new default. Old
				// writers keep the default they have until the swap.
				if op.Expr == "" && typed[later{op.Table.Name, op.Column}] {
					c.twins.dropDefault[op.Table.Name+"\x00"+op.Column] = true
				}
			case ddl.CreateEnum:
				made[op.Type.Name] = true
			case ddl.RenameType:
				// RENAME TO aside, CREATE TYPE under the old name: an enum is built again.
				if made[op.Type.Name] {
					c.twins.rebuilt[op.Type.Name] = op.To
				}
			}
		}
	}
	return nil
}

// split is one set of columns made from another: ADD COLUMN …; UPDATE … SET new = f(old); DROP COLUMN old.
type split struct {
	table   ddl.Name
	news    []ddl.Column
	set     []ddl.Assignment
	olds    []string
	inverse map[string]string
}

func (s *split) adds(table ddl.Name, col string) bool {
	return s != nil && s.table == table && slices.ContainsFunc(s.news, func(c ddl.Column) bool { return c.Name == col })
}

func (s *split) drops(table ddl.Name, col string) bool {
	return s.table == table && slices.Contains(s.olds, col)
}

// findSplit recognises a split or a merge of columns: an UPDATE without WHERE that computes columns added by
// this file from columns that this file drops.
func (c *compiler) findSplit(stmts []ddl.Statement) *split {
	now := c.now.Clone() // follows the search_path that the file itself sets
	for _, st := range stmts {
		for _, op := range st.Ops {
			if set, ok := op.(ddl.Set); ok {
				if err := now.ApplyOp(set); err != nil {
					return nil // the statement's own turn reports it
				}
			}
			u, ok := op.(ddl.Update)
			if !ok || u.Where != "" || u.From != "" || u.With || u.Returning {
				continue
			}
			if s := splitOf(now, u, stmts); s != nil {
				return s
			}
		}
	}
	return nil
}

func splitOf(now *ddl.Schema, u ddl.Update, stmts []ddl.Statement) *split {
	r := now.Relation(u.Table)
	if r == nil {
		return nil
	}
	s := &split{table: r.Name, set: u.Set, inverse: map[string]string{}}
	var used []string
	for _, a := range u.Set {
		cols, err := ddl.Columns(a.Expr)
		if err != nil {
			return nil
		}
		used = append(used, cols...)
	}
	for _, st := range stmts {
		for _, op := range st.Ops {
			switch op := op.(type) {
			case ddl.AddColumn:
				k := op.Column
				if op.Table == u.Table && slices.ContainsFunc(u.Set, func(a ddl.Assignment) bool { return a.Column == k.Name }) {
					if k.Default != "" || k.NotNull || k.Identity != 0 || k.Generated != "" || len(k.Constraints) > 0 {
						return nil
					}
					s.news = append(s.news, k)
				}
			case ddl.DropColumn:
				if op.Table == u.Table && slices.Contains(used, op.Column) {
					s.olds = append(s.olds, op.Column)
				}
			}
		}
		for _, d := range st.Directives {
			if left, right, ok := strings.Cut(d.Arg, "="); ok && d.Verb == "inverse" {
				s.inverse[unquote(strings.TrimSpace(left))] = strings.TrimSpace(right)
			}
		}
	}
	if len(s.news) != len(u.Set) || len(s.olds) == 0 {
		return nil
	}
	return s
}

// expand adds the new columns with the triggers that keep both sides equal, and fills them.
func (c *compiler) expandSplit(sp *split) error {
	r := c.now.Relation(sp.table)
	y := sync{table: sp.table}
	var exprs, types, named, added []string
	st := Step{Phase: Expand, Kind: Transaction}
	for _, k := range sp.news {
		i := slices.IndexFunc(sp.set, func(a ddl.Assignment) bool { return a.Column == k.Name })
		rc := r.Column(k.Name)
		typ := k.Type.SQL
		if rc != nil {
			typ = rc.Type
		}
		y.new = append(y.new, syncColumn{name: k.Name, typ: typ, from: sp.set[i].Expr, unset: "NEW." + qi(k.Name) + " IS NULL", plainEq: plainEq(typ, k.Collation)})
		exprs, types, added = append(exprs, sp.set[i].Expr), append(types, typ), append(added, k.Name)
		st.SQL = append(st.SQL, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s", r.Name, columnSQL(k, "", false)))
	}
	for _, name := range sp.olds {
		col := r.Column(name)
		o := syncColumn{name: name, typ: col.Type, from: sp.inverse[name], plainEq: plainEq(col.Type, col.Collation), always: col.Identity == 'a'}
		if col.Default == "" {
			o.unset = "NEW." + qi(name) + " IS NULL"
		} else if !col.Volatile {
			o.unset = isDefault(name, col.Default, col.Type)
			named = append(named, col.Default, "NULL::"+col.Type)
		}
		if o.from == "" {
			c.notice("read-only", "the new columns of %s cannot be written until complete: give `-- replank: inverse %s = EXPRESSION` to allow it", r.Name, qi(name))
		}
		y.old = append(y.old, o)
		exprs, types = append(exprs, o.from), append(types, col.Type)
		c.touch("table", r.Name, name)
	}
	if err := c.triggerable(r, added, slices.Concat(exprs, named)...); err != nil {
		return err
	}
	y.computing = c.computing(r, types, exprs, named...)
	if err := c.inputs(&y, r); err != nil {
		return err
	}
	tables := c.triggerTables(r)
	st.Title = fmt.Sprintf("add %s beside %s to %s, kept equal by triggers", list(y.new), list(y.old), r.Name)
	st.SQL = append(st.SQL, y.computable()...)
	st.SQL = append(append(st.SQL, y.create(tables)...), y.always(c.familyNames(r))...)
	st.Reverse = y.drop(tables)
	for _, k := range sp.news {
		st.Reverse = append(st.Reverse, fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", r.Name, qi(k.Name)))
		c.touch("table", r.Name, k.Name)
	}
	c.step(st)
	c.noticeShape(r, "gains "+list(y.new))
	spec := FillSpec{Kind: Twin, Table: r.Name.String(), Flag: FillFlag, Set: sp.set, Guard: y.unfilled(), Kept: true}
	c.fill(r, spec)
	for _, name := range sp.olds {
		c.hold(r.Name).gone[name] = true
	}
	c.later(Step{Kind: Transaction, Title: "stop keeping " + list(y.old) + " and " + list(y.new) + " equal", SQL: y.drop(tables)})
	return nil
}

// afterHeld handles what comes behind a change that the file itself defers to complete: it has to wait too,
// and can only do so when it is a moment's work.
func (c *compiler) afterHeld(op ddl.Op, sql string) (bool, error) {
	switch op := op.(type) {
	case ddl.SetDefault:
		if op.Expr == "" && c.twins.dropDefault[op.Table.Name+"\x00"+op.Column] {
			return true, nil // the swap leaves the default away
		}
	case ddl.RenameType:
		if c.twins.rebuilt[op.Type.Name] != "" {
			return true, nil // createEnum does it, at complete
		}
		to := ddl.Name{Schema: c.schemaOf(op.Type), Name: op.To}
		if c.occupied(to) {
			return true, c.wait(op, sql)
		}
	case ddl.CreateEnum:
		if aside := c.twins.rebuilt[op.Type.Name]; aside != "" {
			c.rebuildEnum(op, aside)
			return true, nil
		}
	case ddl.Update:
		if s := c.twins.split; s != nil && c.resolve(op.Table) == s.table && slices.Equal(op.Set, s.set) {
			return true, c.expandSplit(s)
		}
	case ddl.DropColumn:
		if s := c.twins.split; s != nil && s.drops(c.resolve(op.Table), op.Column) {
			c.later(Step{Kind: Transaction, Title: title(sql), SQL: []string{sql},
				Destroys: fmt.Sprintf("column %s of %s with its values", qi(op.Column), s.table), Irreversible: "the values of the column are gone"})
			return true, nil
		}
	case ddl.AddColumn:
		r := c.now.Relation(op.Table)
		if r != nil && c.occupiedColumn(r, op.Column.Name) && !c.twins.split.adds(r.Name, op.Column.Name) {
			return true, c.wait(op, sql)
		}
	}
	if c.waits(op, sql) {
		return true, c.wait(op, sql)
	}
	return false, nil
}

// rebuildEnum makes the new enum under a name of ours; at complete the two types change names.
func (c *compiler) rebuildEnum(op ddl.CreateEnum, aside string) {
	schema := c.schemaFor(op.Type)
	old := ddl.Name{Schema: schema, Name: op.Type.Name}
	tmp := ddl.Name{Schema: schema, Name: internalName(op.Type.Name)}
	labels := make([]string, len(op.Labels))
	for i, l := range op.Labels {
		labels[i] = ddl.QuoteLiteral(l)
	}
	c.touch("type", old, "")
	c.step(Step{Phase: Expand, Kind: Transaction, Title: "create the new labels of " + old.String() + " beside the old ones",
		SQL:     []string{fmt.Sprintf("CREATE TYPE %s AS ENUM (%s)", tmp, strings.Join(labels, ", "))},
		Reverse: []string{"DROP TYPE " + tmp.String()}})
	c.twins.enums = append(c.twins.enums, enumPair{old.Name, tmp})
	c.late[old.String()] = true
	c.later(Step{Kind: Transaction, Title: "give the new " + old.String() + " its name", SQL: []string{
		fmt.Sprintf("ALTER TYPE %s RENAME TO %s", old, qi(aside)),
		fmt.Sprintf("ALTER TYPE %s RENAME TO %s", tmp, qi(old.Name))}})
}

// enumPair is an enum that is built again: its name, and what the new one is called until complete.
type enumPair struct {
	name string
	tmp  ddl.Name
}

// tableOf is the relation an op is about, where it is about one.
func tableOf(op ddl.Op) (ddl.Name, bool) {
	switch op := op.(type) {
	case ddl.RenameTable:
		return op.Table, true
	case ddl.DropTable:
		return op.Table, true
	case ddl.Truncate:
		return op.Table, true
	case ddl.RenameView:
		return op.View, true
	case ddl.DropView:
		return op.View, true
	case ddl.AddColumn:
		return op.Table, true
	case ddl.DropColumn:
		return op.Table, true
	case ddl.RenameColumn:
		return op.Table, true
	case ddl.AlterColumnType:
		return op.Table, true
	case ddl.SetDefault:
		return op.Table, true
	case ddl.SetNotNull:
		return op.Table, true
	case ddl.DropNotNull:
		return op.Table, true
	case ddl.AddIdentity:
		return op.Table, true
	case ddl.DropIdentity:
		return op.Table, true
	case ddl.DropExpression:
		return op.Table, true
	case ddl.AddConstraint:
		return op.Table, true
	case ddl.ValidateConstraint:
		return op.Table, true
	case ddl.DropConstraint:
		return op.Table, true
	case ddl.RenameConstraint:
		return op.Table, true
	case ddl.CreateIndex:
		return op.Table, true
	case ddl.CreateTrigger:
		return op.Table, true
	case ddl.DropTrigger:
		return op.Table, true
	case ddl.AlterTable:
		return op.Table, true
	case ddl.AttachPartition:
		return op.Table, true
	case ddl.DetachPartition:
		return op.Table, true
	case ddl.Update:
		return op.Table, true
	case ddl.Delete:
		return op.Table, true
	case ddl.Insert:
		return op.Table, true
	}
	return ddl.Name{}, false
}

// touchOp records what an op is about when its own code did not.
func (c *compiler) touchOp(op ddl.Op) {
	if t, ok := tableOf(op); ok {
		c.touch("table", c.resolve(t), "")
		return
	}
	switch op := op.(type) {
	case ddl.CreateEnum:
		c.touch("type", ddl.Name{Schema: c.schemaFor(op.Type), Name: op.Type.Name}, "")
	case ddl.CreateDomain:
		c.touch("type", ddl.Name{Schema: c.schemaFor(op.Type), Name: op.Type.Name}, "")
	case ddl.AddEnumValue:
		c.touch("type", c.resolve(op.Type), "")
	case ddl.RenameEnumValue:
		c.touch("type", c.resolve(op.Type), "")
	case ddl.AlterDomain:
		c.touch("type", c.resolve(op.Type), "")
	case ddl.RenameType:
		c.touch("type", c.resolve(op.Type), "")
	case ddl.CreateSequence:
		c.touch("sequence", ddl.Name{Schema: c.schemaFor(op.Sequence), Name: op.Sequence.Name}, "")
	case ddl.AlterSequence:
		c.touch("sequence", c.resolve(op.Sequence), "")
	case ddl.RenameSequence:
		c.touch("sequence", c.resolve(op.Sequence), "")
	}
}
